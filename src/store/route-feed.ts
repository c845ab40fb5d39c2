import { type Clock, type RouteState, systemClock, type Timer } from "../core/index.ts";
import type { StoredEvent } from "./run-events.ts";
import type { Store } from "./store.ts";

/** SQLite tells nobody of another process's commit; one small table read five times a second is the way to hear of it. */
const sqliteLookMs = 200;
/** PostgreSQL rings; the look is for a ring that was lost with its connection. */
const postgresLookMs = 2_000;

export interface RouteFeedOptions {
  /** Timers. Default the system's. */
  readonly clock?: Clock;
  /**
   * Time between two looks for changes that other processes made, milliseconds; `null` when no other process can change a
   * route. Default 200 for SQLite, 2,000 for PostgreSQL.
   */
  readonly lookMs?: number | null;
}

/** Changes of routes in a store, whoever makes them: by the commits that the store tells of, and by looking. */
export class RouteFeed {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #lookMs: number | null;
  readonly #listeners = new Set<(state: RouteState) => void>();
  readonly #told = new Map<string, RouteState>();
  #timer: Timer | undefined;
  #unsubscribe: (() => void) | undefined;
  /** Grows with every start, so that a look that is under way at a stop does not arm the next. */
  #session = 0;

  constructor(store: Store, options: RouteFeedOptions = {}) {
    this.#store = store;
    this.#clock = options.clock ?? systemClock;
    const usual = store.reach?.kind === "postgres" ? postgresLookMs : sqliteLookMs;
    this.#lookMs = options.lookMs === undefined ? usual : options.lookMs;
  }

  /**
   * Calls `listener` with each change from now on, and soon after the start once with every route: who needs the present
   * states as well may read them now and loses nothing. Never keeps the process alive. Returns the way to stop.
   */
  subscribe(listener: (state: RouteState) => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#start();
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#stop();
    };
  }

  #start(): void {
    const session = ++this.#session;
    const hear = (events: readonly StoredEvent[]): void => {
      for (const { type, data } of events) {
        const after = type === "route.changed" ? data["after"] : undefined;
        if (typeof after === "object" && after !== null) this.#tell(after as unknown as RouteState);
      }
    };
    // An application with doors has no need to follow all that workers do.
    this.#unsubscribe = this.#store.events.subscribe(hear, { others: false });
    if (this.#lookMs !== null) void this.#look(session, this.#lookMs);
  }

  #stop(): void {
    this.#session++;
    this.#unsubscribe?.();
    this.#timer?.cancel();
    this.#told.clear();
  }

  async #look(session: number, lookMs: number): Promise<void> {
    let states: readonly RouteState[] = [];
    try {
      states = await this.#store.routes.list();
    } catch {
      // Not to be reached now: whoever follows keeps what it knows, and the next look tries again.
    }
    if (session !== this.#session) return;
    for (const state of states) this.#tell(state);
    this.#timer = this.#clock.after(lookMs, () => void this.#look(session, lookMs));
    this.#timer.unref();
  }

  /** A look may have begun before a commit that was told already. */
  #tell(state: RouteState): void {
    const told = this.#told.get(state.route);
    if (told !== undefined && told.salt === state.salt && told.epoch >= state.epoch) return;
    this.#told.set(state.route, state);
    for (const listener of this.#listeners) listener(state);
  }
}

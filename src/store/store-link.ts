import {
  asError,
  type Clock,
  CutoverError,
  type Interval,
  isCutoverError,
  type Link,
  type LinkedDoor,
  type MismatchSample,
  type RouteDeclaration,
  systemClock,
  type Timer,
} from "../core/index.ts";
import { registerRoutes } from "./door-declarations.ts";
import { RouteFeed } from "./route-feed.ts";
import { declarationLifeMs, type Store } from "./store.ts";

/** Kept while the store takes nothing; the oldest give way. */
const mostIntervals = 2_000;
const mostSamples = 200;
const lastWrite = 1_000;

export interface StoreLinkOptions {
  /** Timers. Default the system's. */
  readonly clock?: Clock;
  /** Hears when the store does not take what was measured: once, until it takes something again. */
  readonly onError?: (error: CutoverError) => void;
}

/** The link of a door to a store that its own process has open. */
export interface StoreLink extends Link {
  /** What the door on this link declared about one route, or about all: for an engine in the same process. */
  declarations(route?: string): readonly RouteDeclaration[];
}

/**
 * Lets doors of this process follow a store that it has open anyway, without a server between: changes of this process
 * at once, those of others by PostgreSQL's bell, or within 200 ms from an SQLite file. What the doors measure goes into
 * the store. While the store cannot be reached the doors keep their last stages, and the newest 2,000 intervals are kept
 * for it. Closing the door ends the link; the store stays open. One link serves one door.
 *
 * @example
 * await using store = await openStore("postgres://app@localhost/work");
 * const rollout = createRollout({ link: storeLink(store) });
 */
export function storeLink(store: Store, options: StoreLinkOptions = {}): StoreLink {
  return new DirectLink(store, options);
}

class DirectLink implements StoreLink {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #onError: StoreLinkOptions["onError"];
  readonly #feed: RouteFeed;
  #door: LinkedDoor | undefined;
  #end: (() => void) | undefined;
  #timer: Timer | undefined;
  #intervals: Interval[] = [];
  #samples: MismatchSample[] = [];
  #undeclared: RouteDeclaration[] = [];
  #dropped = 0;
  #writing: Promise<void> | undefined;
  #failing = false;
  #closed = false;

  constructor(store: Store, { clock = systemClock, onError }: StoreLinkOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#onError = onError;
    this.#feed = new RouteFeed(store, { clock });
  }

  open(door: LinkedDoor): void {
    this.#door = door;
    this.#end = this.#feed.subscribe((state) => door.apply([state], true));
    this.#repeat();
  }

  /** What is declared is forgotten unless it is repeated: so it ends with this process, however that ends. */
  #repeat(): void {
    this.#timer = this.#clock.after(declarationLifeMs / 3, () => {
      this.#undeclared = [...(this.#door?.declarations() ?? [])];
      this.#write();
      this.#repeat();
    });
    this.#timer.unref();
  }

  declare(declaration: RouteDeclaration): void {
    this.#undeclared.push(declaration);
    this.#write();
  }

  declarations(route?: string): readonly RouteDeclaration[] {
    const all = this.#door?.declarations() ?? [];
    return route === undefined ? all : all.filter((declaration) => declaration.route === route);
  }

  send(intervals: readonly Interval[], samples: readonly MismatchSample[]): void {
    this.#intervals.push(...intervals);
    this.#samples.push(...samples);
    const over = this.#intervals.length - mostIntervals;
    if (over > 0) {
      this.#intervals.splice(0, over);
      this.#dropped += over;
    }
    if (this.#samples.length > mostSamples) this.#samples.splice(0, this.#samples.length - mostSamples);
    this.#write();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#end?.();
    this.#timer?.cancel();
    if (this.#writing === undefined) return;
    // This timer does keep the process alive: whoever awaits close() must get an answer.
    await new Promise<void>((resolve) => {
      const limit = this.#clock.after(lastWrite, resolve);
      void this.#writing?.then(() => {
        limit.cancel();
        resolve();
      });
    });
  }

  #write(): void {
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  async #drain(): Promise<void> {
    while (this.#undeclared.length + this.#intervals.length + this.#samples.length > 0) {
      const declared = [...this.#undeclared];
      const intervals = [...this.#intervals];
      const samples = [...this.#samples];
      try {
        if (declared.length > 0) {
          await registerRoutes(this.#store, declared);
          await this.#store.routes.declare(declared);
        }
        if (intervals.length > 0) await this.#store.routes.recordIntervals(intervals);
        if (samples.length > 0) await this.#store.routes.recordMismatches(samples);
      } catch (error) {
        // Kept: the next measurement tries again. An interval that was stored all the same counts once, by its id.
        return this.#tell(error);
      }
      this.#undeclared = this.#undeclared.filter((each) => !declared.includes(each));
      const done = new Set<unknown>([...intervals, ...samples]);
      this.#intervals = this.#intervals.filter((each) => !done.has(each));
      this.#samples = this.#samples.filter((each) => !done.has(each));
      this.#failing = false;
      this.#tellDropped();
    }
  }

  #tellDropped(): void {
    const dropped = this.#dropped;
    this.#dropped = 0;
    if (dropped > 0) this.#tell(unstored(`${dropped} intervals were dropped while it took none`));
  }

  #tell(thrown: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    const error = isCutoverError(thrown) ? thrown : unstored(asError(thrown).message, thrown);
    try {
      this.#onError?.(error);
    } catch {
      // The hook is the application's own; its failure must not reach a caller.
    }
  }
}

const unstored = (found: string, cause?: unknown): CutoverError =>
  new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message: `expected the store to take what doors measured, found: ${found}`,
    place: "storeLink",
    ...(cause === undefined ? {} : { cause }),
  });

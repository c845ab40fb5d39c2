import {
  backoffDelay,
  type BackoffPolicy,
  type Clock,
  CutoverError,
  type Interval,
  type MismatchSample,
  type Timer,
} from "../../core/index.ts";
import type { Link, LinkedDoor } from "./link.ts";
import { Outbox } from "./outbox.ts";
import type { ServerCalls } from "./server-calls.ts";
import type { ServerAddress } from "./server-address.ts";
import type { ErrorReporter } from "./report-error.ts";
import type { Whereabouts } from "./whereabouts.ts";

/** The server says "alive" every 2 s; three missed ones mean that it is gone. */
const silence = 6_000;
/** Also the slow poll for what can be known without the server. */
const retry: BackoffPolicy = { base: 100, factor: 2, cap: 1_000, floor: 20, jitter: 0.5 };
const lastDelivery = 1_000;
/** Answers of a server that can take the same another time. */
const later: ReadonlySet<number> = new Set([401, 403, 408, 429]);

export interface StreamLinkOptions {
  readonly where: Whereabouts;
  readonly clock: Clock;
  readonly random: () => number;
  readonly errors: ErrorReporter;
  /** Longest time between two attempts to reach the server, milliseconds. */
  readonly slowest: number;
}

/**
 * The link to a server of stages, wherever that is found. Follows its stream while there is one; else hands over what is
 * known without it and tries again, with jitter. What was measured is kept, bounded, until a server takes it.
 */
export class StreamLink implements Link {
  readonly #options: StreamLinkOptions;
  readonly #where: Whereabouts;
  readonly #outbox = new Outbox();
  #door: LinkedDoor | undefined;
  #opening = false;
  #calls: ServerCalls | undefined;
  #endStream: (() => void) | undefined;
  #connected = false;
  #undeclared = false;
  #delivering: Promise<void> | undefined;
  #attempt = 0;
  #heardAt = 0;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: StreamLinkOptions) {
    this.#options = options;
    this.#where = options.where;
  }

  open(door: LinkedDoor): void {
    this.#door = door;
    this.#look();
  }

  declare(): void {
    this.#undeclared = true;
    // Routes are declared one after the other while modules load: one call tells of them all.
    setImmediate(() => this.#deliver());
  }

  send(intervals: readonly Interval[], samples: readonly MismatchSample[]): void {
    this.#outbox.add(intervals, samples);
    this.#deliver();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#connected) {
      // This timer does keep the process alive: whoever awaits close() must get an answer.
      await new Promise<void>((resolve) => {
        const limit = this.#options.clock.after(lastDelivery, resolve);
        void (this.#delivering ?? Promise.resolve())
          .then(() => this.#drain())
          .then(() => {
            limit.cancel();
            resolve();
          });
      });
    }
    this.#closed = true;
    this.#timer?.cancel();
    this.#where.unwatch();
    this.#endStream?.();
    this.#calls?.close();
  }

  /** Takes what is known without the server, and tries to reach it. */
  #look(): void {
    if (this.#closed || this.#opening || this.#endStream !== undefined) return;
    this.#timer?.cancel();
    const routes = this.#where.changed();
    if (routes !== undefined) this.#door?.apply(routes, false);
    this.#where.watch(() => this.#look());
    const address = this.#where.address();
    if (address === undefined) return this.#lookLater();
    this.#open(address);
  }

  /** `node:http` takes longer to load than all of this door: an application that has no server never loads it. */
  #open(address: ServerAddress): void {
    this.#opening = true;
    void import("./server-calls.ts")
      .then(({ openCalls }) => openCalls(address, this.#options.clock))
      .then((calls) => {
        this.#opening = false;
        if (this.#closed) calls.close();
        else this.#follow(calls);
      })
      .catch((error: unknown) => {
        this.#opening = false;
        this.#options.errors.fault("every route", "link", error);
        if (!this.#closed) this.#lookLater();
      });
  }

  #lookLater(): void {
    const delay = backoffDelay(
      { ...retry, cap: this.#options.slowest },
      ++this.#attempt,
      this.#options.random,
    );
    this.#timer = this.#options.clock.after(delay, () => this.#look());
    this.#timer.unref();
  }

  #follow(calls: ServerCalls): void {
    this.#calls = calls;
    this.#heardAt = this.#options.clock.monotonic();
    this.#listenForSilence();
    this.#endStream = calls.follow(`/v1/routes/stream?door=${encodeURIComponent(this.#door?.name ?? "")}`, {
      line: (value) => {
        this.#heardAt = this.#options.clock.monotonic();
        this.#take(value);
      },
      ended: (error) => {
        calls.close();
        this.#calls = undefined;
        this.#endStream = undefined;
        this.#connected = false;
        this.#timer?.cancel();
        if (error !== undefined) this.#options.errors.report(error);
        this.#where.unwatch();
        if (!this.#closed) this.#lookLater();
      },
    });
  }

  #listenForSilence(): void {
    this.#timer = this.#options.clock.after(silence / 6, () => {
      if (this.#options.clock.monotonic() - this.#heardAt > silence) this.#endStream?.();
      else this.#listenForSilence();
    });
    this.#timer.unref();
  }

  #take(value: unknown): void {
    const line = (value ?? {}) as { type?: unknown; routes?: unknown; state?: unknown };
    if (line.type === "route") return this.#hand([line.state]);
    if (line.type !== "routes" || !Array.isArray(line.routes)) return;
    this.#hand(line.routes);
    if (this.#connected) return;
    // Only now is it sure that a server of stages is there: whatever else answers gets nothing and is not pressed.
    this.#connected = true;
    this.#undeclared = true;
    this.#attempt = 0;
    this.#deliver();
  }

  #hand(states: readonly unknown[]): void {
    this.#door?.apply(this.#where.take(states), this.#where.isOwner);
  }

  #deliver(): void {
    if (this.#delivering !== undefined || this.#closed) return;
    this.#delivering = this.#drain().finally(() => {
      this.#delivering = undefined;
    });
  }

  /** Posts until nothing is left, the server is gone or it answers that it cannot take more now. */
  async #drain(): Promise<void> {
    for (;;) {
      const calls = this.#calls;
      if (calls === undefined || !this.#connected) return;
      try {
        if (this.#undeclared) {
          this.#undeclared = false;
          const declarations = this.#door?.declarations() ?? [];
          const told = await this.#post(calls, "/v1/doors", { declarations }).catch(() => false);
          if (!told) {
            this.#undeclared = true;
            return;
          }
        }
        if (this.#outbox.empty) return;
        const intervals = this.#outbox.intervals();
        const samples = this.#outbox.samples();
        if (intervals.length > 0 && !(await this.#post(calls, "/v1/intervals", { intervals }))) return;
        if (samples.length > 0 && !(await this.#post(calls, "/v1/mismatches", { samples }))) return;
        this.#outbox.remove([...intervals, ...samples]);
        this.#reportDropped();
      } catch {
        return; // kept in the outbox; the next flush tries again, with this server or another
      }
    }
  }

  /** False when it should be tried again later. What a server refuses (4xx) is dropped, or it would block the rest. */
  async #post(calls: ServerCalls, path: string, body: unknown): Promise<boolean> {
    const status = await calls.post(path, body);
    if (status < 400) return true;
    this.#options.errors.report(
      new CutoverError("CUTOVER_OWNER_UNREACHABLE", {
        message: `expected the server of the store to take ${path}, found status ${status}`,
        details: { path, status },
        place: path,
      }),
    );
    return status < 500 && !later.has(status);
  }

  #reportDropped(): void {
    const { dropped } = this.#outbox;
    if (dropped === 0) return;
    this.#outbox.dropped = 0;
    this.#options.errors.report(
      new CutoverError("CUTOVER_OWNER_UNREACHABLE", {
        message: `${dropped} intervals were dropped while no server of the store took them`,
        details: { dropped },
        place: "outbox",
      }),
    );
  }
}

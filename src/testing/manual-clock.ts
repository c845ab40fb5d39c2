import type { Clock, Timer } from "../core/index.ts";

interface Waiting {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/**
 * A clock that moves only when told to. `advance` runs due timers in the order of their time and lets
 * promises settle between two of them, so code that waits behaves as it would on a real clock.
 */
export class ManualClock implements Clock {
  #now: number;
  readonly #start: number;
  #order = 0;
  readonly #waiting = new Set<Waiting>();

  /** @param start wall-clock milliseconds; default 2026-01-01T00:00:00Z */
  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#now = start;
    this.#start = start;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  after(ms: number, fn: () => void): Timer {
    const entry: Waiting = { at: this.#now + Math.max(0, ms), order: this.#order++, fn };
    this.#waiting.add(entry);
    return { cancel: () => this.#waiting.delete(entry), unref: () => {} };
  }

  /** Timers not yet fired: a test that ends with some has leaked them. */
  get pending(): number {
    return this.#waiting.size;
  }

  /** Moves on by `ms`, firing what falls due. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.at);
      this.#waiting.delete(next);
      next.fn();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  /** Moves on from timer to timer until `done()` is true; gives up after `limit` of clock time (default 24 h). */
  async advanceUntil(done: () => boolean, limit = 86_400_000): Promise<boolean> {
    const end = this.#now + limit;
    await settle();
    while (!done()) {
      const next = this.#next(end);
      if (next === undefined) return done();
      await this.advance(Math.max(0, next.at - this.#now));
    }
    return true;
  }

  #next(end: number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const entry of this.#waiting) {
      if (entry.at > end) continue;
      if (first === undefined || entry.at < first.at || (entry.at === first.at && entry.order < first.order))
        first = entry;
    }
    return first;
  }
}

/** Lets everything that is ready run: several turns of the event loop, real I/O callbacks included. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

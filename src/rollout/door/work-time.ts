import type { Clock } from "../../core/index.ts";
import type { Overhead } from "./overhead.ts";
import type { Tally } from "./tally.ts";

/** Short work on a caller's path is timed once in so many calls: reading the clock twice would cost as much. */
const untimed = 8;
/** Work longer than this is timed every time, milliseconds. */
const long = 0.02;

/** Times the work of one route's lane, and puts it on the account of the door and of the interval. */
export class WorkTime {
  readonly #clock: Clock;
  readonly #overhead: Overhead;
  #inside = false;
  #skipped = 0;
  #long = true;

  constructor(clock: Clock, overhead: Overhead) {
    this.#clock = clock;
    this.#overhead = overhead;
  }

  get blocks(): boolean {
    return this.#overhead.blocks;
  }

  /** Work that nobody waits for. Work within timed work is part of it. */
  apart<T>(tally: Tally, work: () => T): T {
    if (this.#inside) return work();
    this.#inside = true;
    const start = this.#clock.monotonic();
    try {
      return work();
    } finally {
      this.#inside = false;
      this.#add(tally, start, 1);
    }
  }

  /** Begins short work on a caller's path; -1 when this one is not timed. */
  begin(): number {
    if (!this.#long && ++this.#skipped < untimed) return -1;
    return this.#clock.monotonic();
  }

  end(tally: Tally, start: number): void {
    if (start < 0) return;
    const ms = this.#add(tally, start, this.#long ? 1 : untimed);
    this.#long = ms > long;
    this.#skipped = 0;
  }

  #add(tally: Tally, start: number, times: number): number {
    const now = this.#clock.monotonic();
    const ms = now - start;
    tally.overheadMs += ms * times;
    this.#overhead.spend(ms * times, now);
    return ms;
  }
}

import type { Clock } from "../../core/index.ts";
import type { Overhead } from "./overhead.ts";
import type { Tally } from "./tally.ts";

/** Short work is timed once in so many times: reading the clock twice would cost as much. */
const untimed = 8;
/** Work longer than this is timed every time, milliseconds. */
const long = 0.02;

/** One sort of work of one route's lane, timed and put on the account of the door and of the interval. */
export class WorkTime {
  readonly #clock: Clock;
  readonly #overhead: Overhead;
  #skipped = 0;
  #long = true;

  constructor(clock: Clock, overhead: Overhead) {
    this.#clock = clock;
    this.#overhead = overhead;
  }

  /** Begins such work; -1 when this one is not timed. */
  begin(): number {
    if (!this.#long && ++this.#skipped < untimed) return -1;
    return this.#clock.monotonic();
  }

  end(tally: Tally, start: number): void {
    if (start < 0) return;
    const now = this.#clock.monotonic();
    const ms = now - start;
    const spent = ms * (this.#long ? 1 : untimed);
    tally.overheadMs += spent;
    this.#overhead.spend(spent, now);
    this.#long = ms > long;
    this.#skipped = 0;
  }
}

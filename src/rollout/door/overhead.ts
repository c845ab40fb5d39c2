import type { Clock } from "../../core/index.ts";

/** Time that may be owed before calls are skipped, as milliseconds of the allowance. */
const burst = 1_000;

/**
 * Keeps the work beside the callers within a part of the process's time. What is spent is owed and paid back by the
 * time that passes; above a second's allowance calls are skipped until half of it is paid back. In the long run the
 * part is kept whatever single calls cost, and short bursts pass.
 */
export class Overhead {
  readonly #clock: Clock;
  readonly #part: number;
  readonly #most: number;
  #owed = 0;
  #at: number;
  #over = false;

  /** @param percent of the time of this process's one JavaScript thread */
  constructor(clock: Clock, percent: number) {
    this.#clock = clock;
    this.#part = percent / 100;
    this.#most = this.#part * burst;
    this.#at = clock.monotonic();
  }

  get blocks(): boolean {
    if (!this.#over) return false;
    this.#pay(this.#clock.monotonic());
    this.#over = this.#owed > this.#most / 2;
    return this.#over;
  }

  /** @param now monotonic milliseconds, for callers who have read the clock already */
  spend(ms: number, now: number): void {
    this.#pay(now);
    this.#owed += ms;
    if (this.#owed > this.#most) this.#over = true;
  }

  #pay(now: number): void {
    this.#owed = Math.max(0, this.#owed - Math.max(0, now - this.#at) * this.#part);
    this.#at = now;
  }
}

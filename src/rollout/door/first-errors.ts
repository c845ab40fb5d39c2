import type { Clock, FirstErrors } from "../../core/index.ts";
import { FailedKeys } from "./failed-keys.ts";
import { prefixHasher } from "./murmur.ts";

/** Doors forget at the full hour of the clock (UTC), so that all doors of a route do it together. Milliseconds. */
export const periodMs = 3_600_000;
/** First errors told in one interval, of both sides together. Others are not remembered: their next error counts. */
const mostPerInterval = 500;

/** Keys that failed for the first time in an interval, as their hashes. */
export class FirstErrorList {
  readonly old: number[] = [];
  readonly new: number[] = [];

  /** One limit for both sides: with one for each, the fuller side would lose keys and the other would not. */
  get full(): boolean {
    return this.old.length + this.new.length >= mostPerInterval;
  }

  get empty(): boolean {
    return this.old.length + this.new.length === 0;
  }

  /** The list so far; starts again from nothing. */
  take(period: number): FirstErrors {
    const keys = { old: this.old.splice(0), new: this.new.splice(0) };
    return { old: keys.old.length, new: keys.new.length, period, keys };
  }
}

/**
 * Tells whether an error is the first of its key. Asked only when a call fails; no call that is answered pays for it.
 * Hashes are salted by the route, so they say nothing about the key to who does not know both.
 */
export class FirstErrorMemory {
  readonly #clock: Clock;
  readonly #failed: FailedKeys;
  #high: (key: string) => number;
  #low: (key: string) => number;
  #period: number;

  constructor(salt: string, clock: Clock, most?: number) {
    this.#clock = clock;
    this.#failed = new FailedKeys(most);
    this.#high = prefixHasher(`${salt}/first-errors:`, 1);
    this.#low = prefixHasher(`${salt}/first-errors:`, 2);
    this.#period = this.#hour();
  }

  get period(): number {
    return this.#period;
  }

  /** Notes that a call of this key failed on this side; counts it when it is the key's first error of the period. */
  note(key: string, list: FirstErrorList, side: "old" | "new"): void {
    if (list.full) return;
    const hash = (this.#high(key) & 0x1fffff) * 4_294_967_296 + this.#low(key);
    if (this.#failed.add(hash || 1)) list[side].push(hash || 1);
  }

  /** Between two intervals: begins a new period when the hour has passed, so that no interval belongs to two. */
  roll(): void {
    const hour = this.#hour();
    // A clock set back by less than an hour does not begin the last period again: its keys would count twice.
    if (hour === this.#period || hour === this.#period - 1) return;
    this.#period = hour;
    this.#failed.clear();
  }

  #hour(): number {
    return Math.max(0, Math.floor(this.#clock.now() / periodMs));
  }
}

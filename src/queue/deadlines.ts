import type { Clock, Timer } from "../core/index.ts";

/**
 * Deadlines of many attempts on one timer: a timer of its own for each costs more than a short attempt does. Those
 * that were given the same time end in the order in which they began, so only the first of each is looked at.
 */
export class Deadlines<T> {
  readonly #clock: Clock;
  readonly #over: (entry: T) => void;
  /** Time given → entries in the order of their deadlines. */
  readonly #groups = new Map<number, Map<T, number>>();
  #size = 0;
  #timer: Timer | undefined;
  #armedFor = Infinity;

  /** @param over called once for each entry whose time is over; it is forgotten before */
  constructor(clock: Clock, over: (entry: T) => void) {
    this.#clock = clock;
    this.#over = over;
  }

  add(entry: T, ms: number): void {
    const at = this.#clock.monotonic() + ms;
    let group = this.#groups.get(ms);
    if (group === undefined) this.#groups.set(ms, (group = new Map()));
    group.set(entry, at);
    this.#size++;
    if (at < this.#armedFor) this.#arm(at);
  }

  /** `ms` as it was added. */
  delete(entry: T, ms: number): void {
    const group = this.#groups.get(ms);
    if (group === undefined || !group.delete(entry)) return;
    if (group.size === 0) this.#groups.delete(ms);
    // The timer of one that ended stays: when it fires it is set again for the first that is left.
    if (--this.#size === 0) this.#disarm();
  }

  #arm(at: number): void {
    this.#timer?.cancel();
    this.#armedFor = at;
    this.#timer = this.#clock.after(Math.max(0, at - this.#clock.monotonic()), () => this.#fire());
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#armedFor = Infinity;
  }

  #fire(): void {
    this.#disarm();
    const now = this.#clock.monotonic();
    const over: T[] = [];
    let next = Infinity;
    for (const [ms, group] of this.#groups) {
      for (const [entry, at] of group) {
        if (at > now) {
          next = Math.min(next, at);
          break;
        }
        over.push(entry);
        this.delete(entry, ms);
      }
    }
    if (next !== Infinity) this.#arm(next);
    for (const entry of over) this.#over(entry);
  }
}

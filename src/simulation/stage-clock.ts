import type { Clock, Timer } from "../core/index.ts";

/** The time of a simulation: it moves in stretches, and what falls due within one comes at its end. */
export class StageClock implements Clock {
  readonly #start: number;
  #now: number;
  readonly #waiting = new Set<{ readonly at: number; readonly fn: () => void }>();

  constructor(start: number) {
    this.#start = start;
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  after(ms: number, fn: () => void): Timer {
    const entry = { at: this.#now + ms, fn };
    this.#waiting.add(entry);
    return { cancel: () => this.#waiting.delete(entry), unref: () => {} };
  }

  get waiting(): boolean {
    return this.#waiting.size > 0;
  }

  move(ms: number): void {
    this.#now += ms;
  }

  /** Calls everything that is due, in the order in which it was asked for. */
  fire(): void {
    const due = [...this.#waiting].filter(({ at }) => at <= this.#now);
    for (const entry of due) {
      this.#waiting.delete(entry);
      entry.fn();
    }
  }
}

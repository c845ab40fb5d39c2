import type { Clock, Timer } from "../../core/index.ts";

/** Something that may take too long. `ended` is set by its owner; afterwards its deadline means nothing. */
export interface Bounded {
  ended: boolean;
  dueAt: number;
  late(): void;
}

const smallest = 1_024;

/**
 * Deadlines of one length. As all are equally long they fall due in the order they began, so one timer for the
 * oldest serves them all: a timer per call would cost more than the call. The timer never keeps the process alive.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #ms: number;
  #queue: Bounded[] = [];
  #head = 0;
  /** Length at which ended entries are sought behind a hanging one, so that it holds nobody's memory. */
  #compactAt = smallest;
  #timer: Timer | undefined;

  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
  }

  /** @param now monotonic milliseconds, for callers who have read the clock already */
  add(entry: Bounded, now: number = this.#clock.monotonic()): void {
    entry.dueAt = now + this.#ms;
    this.#queue.push(entry);
    if (this.#timer === undefined) this.#arm(this.#ms);
    if (this.#queue.length >= this.#compactAt) this.#compact();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#queue = [];
    this.#head = 0;
  }

  #arm(ms: number): void {
    this.#timer = this.#clock.after(ms, () => this.#fire());
    this.#timer.unref();
  }

  #fire(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (;;) {
      this.#skipEnded();
      const first = this.#queue[this.#head];
      if (first === undefined) return this.#compact();
      // Timers may fire a little early: half a millisecond is not worth another round.
      if (first.dueAt > now + 0.5) return this.#arm(first.dueAt - now);
      this.#head++;
      first.ended = true;
      first.late();
    }
  }

  #skipEnded(): void {
    while (this.#queue[this.#head]?.ended === true) this.#head++;
  }

  /** Costs one pass each time the number of open entries could have doubled. */
  #compact(): void {
    this.#queue = this.#queue.slice(this.#head).filter((entry) => !entry.ended);
    this.#head = 0;
    this.#compactAt = Math.max(smallest, 2 * this.#queue.length);
  }
}

import type { Clock, Timer } from "../../core/index.ts";

/** Something that may take too long. Whoever adds it removes it when it is done. */
export abstract class Bounded {
  /** Monotonic milliseconds. */
  dueAt = 0;
  /** Neighbours in the list; its own business. */
  earlier: Bounded | undefined = undefined;
  later: Bounded | undefined = undefined;

  /** Called once, at its deadline, unless it was removed before. It is not in the list any more then. */
  abstract late(): void;
}

/** A wait whose end is told to a function. */
export class BoundedWait extends Bounded {
  readonly late: () => void;

  constructor(late: () => void) {
    super();
    this.late = late;
  }
}

/**
 * Deadlines of one length. As all are equally long they fall due in the order they began, so one timer for the
 * oldest serves them all: a timer per call would cost more than the call. The timer never keeps the process alive.
 *
 * A list that is linked through its entries, so that what ends leaves at once: in a queue that was swept now and then, ended
 * calls lived long enough for the young generation to grow past the processor's caches, which made every call dearer.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #ms: number;
  #first: Bounded | undefined;
  #last: Bounded | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
  }

  /** @param now monotonic milliseconds, for callers who have read the clock already */
  add(entry: Bounded, now: number = this.#clock.monotonic()): void {
    entry.dueAt = now + this.#ms;
    const last = this.#last;
    entry.earlier = last;
    if (last === undefined) this.#first = entry;
    else last.later = entry;
    this.#last = entry;
    if (this.#timer === undefined) this.#arm(this.#ms);
  }

  /** Afterwards its deadline means nothing. What is not in the list (any more) is left alone. */
  remove(entry: Bounded): void {
    const { earlier, later } = entry;
    if (earlier === undefined && this.#first !== entry) return;
    if (earlier === undefined) this.#first = later;
    else earlier.later = later;
    if (later === undefined) this.#last = earlier;
    else later.earlier = earlier;
    entry.earlier = undefined;
    entry.later = undefined;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    while (this.#first !== undefined) this.remove(this.#first);
  }

  #arm(ms: number): void {
    this.#timer = this.#clock.after(ms, () => this.#fire());
    this.#timer.unref();
  }

  #fire(): void {
    const now = this.#clock.monotonic();
    try {
      // Timers may fire a little early: half a millisecond is not worth another round.
      for (let first = this.#first; first !== undefined && first.dueAt <= now + 0.5; first = this.#first) {
        this.remove(first);
        first.late();
      }
    } finally {
      this.#timer = undefined;
      if (this.#first !== undefined) this.#arm(this.#first.dueAt - now);
    }
  }
}

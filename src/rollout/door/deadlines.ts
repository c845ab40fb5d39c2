import type { Clock, Timer } from "../../core/index.ts";

/** Something that may take too long. Whoever adds it removes it when it is done. */
export abstract class Bounded {
  /** Monotonic milliseconds; infinite until it is known. */
  dueAt: number = Number.POSITIVE_INFINITY;
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
  readonly #grain: number;
  #first: Bounded | undefined;
  #last: Bounded | undefined;
  #timer: Timer | undefined;
  /** The first one whose time is not known yet; so are all behind it. */
  #untimed: Bounded | undefined;
  #tick: Timer | undefined;

  /** How long each has, milliseconds. */
  get ms(): number {
    return this.#ms;
  }

  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
    this.#grain = Math.min(Math.max(ms / 100, 1), 100);
  }

  /** @param now monotonic milliseconds, for callers who have read the clock already */
  add(entry: Bounded, now: number = this.#clock.monotonic()): void {
    this.#time(now);
    entry.dueAt = now + this.#ms;
    this.#append(entry);
    if (this.#timer === undefined) this.#arm((this.#first ?? entry).dueAt - now);
  }

  /**
   * The same without a look at the clock, which costs a call as much as a promise: what is still there at the next tick
   * gets its time from it. What was added within one tick (1 % of the length, 1 to 100 ms) falls due together, at the time of
   * the first: never late, and early by less than a tick.
   */
  addCoarse(entry: Bounded): void {
    this.#append(entry);
    this.#untimed ??= entry;
    if (this.#tick !== undefined) return;
    this.#tick = this.#clock.after(this.#grain, () => {
      this.#tick = undefined;
      const now = this.#clock.monotonic();
      this.#time(now);
      if (this.#timer === undefined && this.#first !== undefined) this.#arm(this.#first.dueAt - now);
    });
    this.#tick.unref();
  }

  /** Afterwards its deadline means nothing. What is not in the list (any more) is left alone. */
  remove(entry: Bounded): void {
    const { earlier, later } = entry;
    if (earlier === undefined && this.#first !== entry) return;
    if (earlier === undefined) this.#first = later;
    else earlier.later = later;
    if (later === undefined) this.#last = earlier;
    else later.earlier = earlier;
    if (this.#untimed === entry) this.#untimed = later;
    entry.earlier = undefined;
    entry.later = undefined;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#tick?.cancel();
    this.#tick = undefined;
    while (this.#first !== undefined) this.remove(this.#first);
  }

  #append(entry: Bounded): void {
    const last = this.#last;
    entry.earlier = last;
    if (last === undefined) this.#first = entry;
    else last.later = entry;
    this.#last = entry;
  }

  /** A tick ends: what has no time yet was added within it. One that comes late, behind work that held it up, gives more time. */
  #time(now: number): void {
    const dueAt = now - this.#grain + this.#ms;
    for (let entry = this.#untimed; entry !== undefined; entry = entry.later) entry.dueAt = dueAt;
    this.#untimed = undefined;
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
      if (this.#first !== undefined && this.#first !== this.#untimed) this.#arm(this.#first.dueAt - now);
    }
  }
}

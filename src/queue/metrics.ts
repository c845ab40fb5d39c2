import type { Clock } from "../core/index.ts";
import type { OrderCounts } from "../store/index.ts";
import { Histogram, type HistogramSummary } from "./histogram.ts";
import type { OrderEvent } from "./states.ts";

/** What a queue measured since it was opened, with the counts of its store. Times in milliseconds. */
export interface QueueMetrics {
  readonly counts: OrderCounts;
  /** Orders that are not finished. */
  readonly depth: number;
  /** How long the order that waits longest has been due; 0 when none waits. */
  readonly ageMs: number;
  /** From due to started. */
  readonly wait: HistogramSummary;
  /** From started to the end of the attempt, failed ones too. */
  readonly run: HistogramSummary;
  /** Orders completed per second over the last minute. */
  readonly throughput: number;
  /** How often each event of the state table happened here. */
  readonly events: Readonly<Partial<Record<OrderEvent, number>>>;
  /** Results that came after their claim was lost and were refused. */
  readonly late: number;
}

const windowSeconds = 60;

/** Counts what happens in this process. */
export class Meter {
  readonly wait: Histogram = new Histogram();
  readonly run: Histogram = new Histogram();
  readonly events: Partial<Record<OrderEvent, number>> = {};
  late = 0;
  readonly #clock: Clock;
  readonly #openedAt: number;
  /** Completed orders per second; the slot of second s is s mod window. */
  readonly #seconds: { second: number; n: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#openedAt = clock.monotonic();
  }

  count(event: OrderEvent): void {
    this.events[event] = (this.events[event] ?? 0) + 1;
    if (event !== "completed") return;
    const second = this.#second();
    const slot = this.#seconds[second % windowSeconds];
    if (slot?.second === second) slot.n++;
    else this.#seconds[second % windowSeconds] = { second, n: 1 };
  }

  /** Completed orders per second over the last minute, or since the start when that is shorter. */
  throughput(): number {
    const now = this.#second();
    let done = 0;
    for (const slot of this.#seconds)
      if (slot !== undefined && slot.second > now - windowSeconds) done += slot.n;
    const watched = (this.#clock.monotonic() - this.#openedAt) / 1_000;
    return done / Math.min(windowSeconds, Math.max(1, watched));
  }

  #second(): number {
    return Math.floor(this.#clock.monotonic() / 1_000);
  }
}

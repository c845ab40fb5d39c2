import { asError, type Clock, type Log, type Timer } from "../../core/index.ts";
import type { OrderStore } from "../order-records.ts";

/** How often the file is asked whether another connection wrote: 10 µs each time. */
const lookMs = 50;

type WorkListener = Parameters<OrderStore["onWork"]>[0];

/**
 * Tells who listens that a queue may have new work. Commits of this store ring at once; those of other processes, and
 * of callers who submitted within their own transaction, are heard of by SQLite's counter of foreign commits. Then
 * every queue rings that was claimed from here: the counter does not say what was written.
 */
export class WorkBell {
  readonly #listeners = new Set<WorkListener>();
  readonly #claimed = new Set<string>();
  readonly #foreignCommits: () => number;
  readonly #clock: Clock;
  readonly #log: Log;
  #seen = 0;
  #timer: Timer | undefined;

  /** `foreignCommits`: a number that changes when another connection has committed. */
  constructor(clock: Clock, log: Log, foreignCommits: () => number) {
    this.#clock = clock;
    this.#log = log;
    this.#foreignCommits = foreignCommits;
  }

  listen(listener: WorkListener): () => void {
    const own: WorkListener = (queue, others) => listener(queue, others);
    this.#listeners.add(own);
    if (this.#listeners.size === 1) {
      this.#seen = this.#look();
      this.#wait();
    }
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.#timer?.cancel();
    };
  }

  claimed(queue: string): void {
    this.#claimed.add(queue);
  }

  ring(queues: Iterable<string>, others: boolean): void {
    for (const queue of queues) {
      for (const listener of this.#listeners) {
        try {
          listener(queue, others);
        } catch (error) {
          this.#log.error("a listener for new work threw", { message: asError(error).message });
        }
      }
    }
  }

  close(): void {
    this.#timer?.cancel();
    this.#listeners.clear();
  }

  #wait(): void {
    this.#timer = this.#clock.after(lookMs, () => {
      const now = this.#look();
      if (now !== this.#seen) this.ring(this.#claimed, true);
      this.#seen = now;
      if (this.#listeners.size > 0) this.#wait();
    });
    this.#timer.unref();
  }

  #look(): number {
    try {
      return this.#foreignCommits();
    } catch {
      return this.#seen; // Another process repairs the log just now; the next look tells.
    }
  }
}

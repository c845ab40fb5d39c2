import { asError, type Log } from "../../core/index.ts";
import type { OrderStore } from "../order-records.ts";

type WorkListener = Parameters<OrderStore["onWork"]>[0];

/** Tells who listens in this process that a queue may have new work. */
export class WorkListeners {
  readonly #listeners = new Set<WorkListener>();
  readonly #claimed = new Set<string>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  listen(listener: WorkListener): () => void {
    const own: WorkListener = (queue, others) => listener(queue, others);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Queues somebody here claims from are rung when it is not known which one has work. */
  claimed(queue: string): void {
    this.#claimed.add(queue);
  }

  ring(queues: Iterable<string> | null, others: boolean): void {
    for (const queue of queues ?? this.#claimed) {
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
    this.#listeners.clear();
  }
}

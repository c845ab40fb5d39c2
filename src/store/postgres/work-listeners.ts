import { asError, type Log } from "../../core/index.ts";

/** Tells who listens in this process that a queue may have new work. */
export class WorkListeners {
  readonly #listeners = new Set<(queue: string) => void>();
  readonly #claimed = new Set<string>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  listen(listener: (queue: string) => void): () => void {
    const own = (queue: string): void => listener(queue);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Queues somebody here claims from are rung when it is not known which one has work. */
  claimed(queue: string): void {
    this.#claimed.add(queue);
  }

  ring(queues: Iterable<string> | null): void {
    for (const queue of queues ?? this.#claimed) {
      for (const listener of this.#listeners) {
        try {
          listener(queue);
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

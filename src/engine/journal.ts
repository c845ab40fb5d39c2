import { asError, type Clock } from "../core/index.ts";
import type { RunEvent, Store } from "../store/index.ts";
import type { RunMemory } from "./run-memory.ts";

export interface JournalParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly memory: RunMemory;
  readonly fence: number;
  /** Called once, with the first error: from then on nothing is written. */
  readonly onBroken: (error: Error) => void;
  readonly onCommitted: () => void;
}

/**
 * The only writer of a carried run. Memory changes at the call, so that no two parts decide on the same state
 * twice; side effects wait for the promise. The first commit that fails ends the writing for good: what memory
 * holds beyond the store is then dropped with the carrier.
 */
export class Journal {
  readonly #parts: JournalParts;
  #closed: Error | undefined;

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  get closed(): Error | undefined {
    return this.#closed;
  }

  /** From now on every write is refused with `reason`. */
  close(reason: Error): void {
    this.#closed ??= reason;
  }

  /** Commits events together; resolves after the commit. */
  async write(...events: readonly RunEvent[]): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
    if (events.length === 0) return;
    const { store, clock, memory, fence } = this.#parts;
    for (const event of events) memory.apply(event, clock.now());
    try {
      await store.runs.commit(memory.id, events, { fence });
    } catch (thrown) {
      this.break(asError(thrown));
    }
    if (this.#closed !== undefined) throw this.#closed;
    this.#parts.onCommitted();
  }

  /** Ends the writing because of `error` and throws it. */
  break(error: Error): never {
    const first = this.#closed === undefined;
    this.#closed ??= error;
    if (first) this.#parts.onBroken(error);
    throw error;
  }
}

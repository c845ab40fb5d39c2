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
  #along: RunEvent | undefined;

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

  /**
   * Lets `event` go into the first commit of `act`, so that both are kept or neither. `act` must come to its first
   * write before it waits for anything; whether it did is told by `went`.
   */
  along<T>(event: RunEvent, act: () => Promise<T>): { readonly done: Promise<T>; readonly went: boolean } {
    this.#along = event;
    const done = act();
    const went = this.#along === undefined;
    this.#along = undefined;
    return { done, went };
  }

  /** Commits events together; resolves after the commit. */
  async write(...given: readonly RunEvent[]): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
    if (given.length === 0) return;
    const events = this.#along === undefined ? given : [...given, this.#along];
    this.#along = undefined;
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

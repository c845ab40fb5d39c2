import type { RunEvent, StoredEvent } from "../run-events.ts";
import type { Program } from "./program.ts";

/** What a unit of work on runs and routes sees of the transaction it is part of. */
export interface WriteContext {
  /** The store's time, the same for the whole transaction. */
  readonly now: number;
  /**
   * Appends one event and changes the rows it tells of. `fits` is false when the rows were not as the event says they
   * were before it; the caller then throws, which takes everything of this unit of work back.
   */
  append(stream: string, event: RunEvent): Program<{ readonly event: StoredEvent; readonly fits: boolean }>;
}

/** How a store carries out programs. Both resolve when it is done, a write after its commit. */
export interface Sql {
  read<T>(program: () => Program<T>): Promise<T>;
  /** All writes of one turn of the event loop share a transaction; one that throws is undone alone. */
  write<T>(work: (context: WriteContext) => Program<T>): Promise<T>;
}

import type { RunEvent, StoredEvent } from "./run-events.ts";
import { projectRun } from "./project-run.ts";
import type { RowChange } from "./row-change.ts";
import type { ProjectedEvent } from "./stream.ts";

/**
 * The rows of runs and routes that one event changes; those of work orders have rules of their own (`orders/`). Pure: it sees the event alone, never a row, so that replaying the log gives the
 * same rows. An event of a type this version does not know changes nothing (a newer, compatible writer).
 */
export function project(
  event: Pick<StoredEvent, "seq" | "at" | "stream" | "type" | "data">,
): readonly RowChange[] {
  // The log is only written through this room, so `type` decides the shape of `data`.
  return projectRun(event as unknown as ProjectedEvent<RunEvent>);
}

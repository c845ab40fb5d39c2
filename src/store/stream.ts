import type { RunEvent, StoredEvent } from "./run-events.ts";

/** An event as a projection reads it: `data` is the object that was handed in, or its JSON read back. */
export type ProjectedEvent<E extends RunEvent = RunEvent> = E & Pick<StoredEvent, "seq" | "at" | "stream">;

/** The name behind the colon of a stream: `run:r7f3` → `r7f3`. */
export function streamName(stream: string): string {
  return stream.slice(stream.indexOf(":") + 1);
}

import type { ErrorRecord, OrderEntry, Store } from "../store/index.ts";

/** One thing that happened to a work order, as the audit trail holds it. */
export interface TimelineEntry extends Omit<OrderEntry, "data"> {
  /** Milliseconds since the entry before. */
  readonly afterMs: number;
  /** What a transition says went wrong. */
  readonly error: ErrorRecord | null;
}

/**
 * Why it happened, in words: the note of a transition, the reason of a request, from which priority to which. Null when nobody
 * said anything.
 */
export function noteOf({ event, note, data }: Pick<OrderEntry, "event" | "note" | "data">): string | null {
  if (event === "cancel-requested" && typeof data["reason"] === "string") return data["reason"];
  if (event === "prioritised") return `priority ${Number(data["from"])} → ${Number(data["to"])}`;
  return note;
}

/** Everything that happened to one order, oldest first; of its progress the last only. Empty for an order nobody knows. */
export async function orderTimeline(store: Store, id: string): Promise<readonly TimelineEntry[]> {
  const entries = await store.orders.history(id);
  return entries.map(({ data, ...entry }, i) => ({
    ...entry,
    afterMs: entry.at - (entries[i - 1]?.at ?? entry.at),
    note: noteOf({ ...entry, data }),
    error: ((entry.from === null ? undefined : data["error"]) as ErrorRecord | null | undefined) ?? null,
  }));
}

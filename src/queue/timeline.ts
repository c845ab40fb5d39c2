import type { JsonObject } from "../core/index.ts";
import type { ErrorRecord, OrderState, Store } from "../store/index.ts";

/** One thing that happened to a work order, as the audit trail holds it. */
export interface TimelineEntry {
  /** Position in the store's event log. */
  readonly seq: number;
  readonly at: number;
  /** Milliseconds since the entry before. */
  readonly afterMs: number;
  /** `submitted`, `cancel-requested`, `prioritised`, or an event of the state table. */
  readonly event: string;
  readonly from: OrderState | null;
  readonly to: OrderState | null;
  readonly attempt: number | null;
  readonly worker: string | null;
  readonly fence: number | null;
  readonly note: string | null;
  readonly error: ErrorRecord | null;
}

const pageSize = 500;

/** Everything that happened to one order, oldest first; empty for an order nobody knows. */
export async function orderTimeline(store: Store, id: string): Promise<readonly TimelineEntry[]> {
  const entries: TimelineEntry[] = [];
  for (let after = 0; ;) {
    const page = await store.events.read({ stream: `order:${id}`, after, limit: pageSize });
    for (const { seq, at, type, data } of page) {
      entries.push({ ...entry(type, data), seq, at, afterMs: at - (entries.at(-1)?.at ?? at) });
    }
    if (page.length < pageSize) return entries;
    after = page.at(-1)?.seq ?? after;
  }
}

function entry(type: string, data: JsonObject): Omit<TimelineEntry, "seq" | "at" | "afterMs"> {
  const transition = type === "order.transition";
  const set = (data["set"] ?? {}) as { readonly error?: ErrorRecord | null };
  return {
    event: transition ? (data["event"] as string) : type.replace(/^order\./, ""),
    from: transition ? (data["from"] as OrderState) : null,
    to: transition ? (data["to"] as OrderState) : type === "order.submitted" ? "PENDING" : null,
    attempt: transition ? (data["attempt"] as number) : null,
    worker: transition ? (data["worker"] as string | null) : null,
    fence: transition ? (data["fence"] as number) : null,
    note: ((transition ? data["note"] : data["reason"]) as string | undefined) ?? null,
    error: transition ? (set.error ?? null) : null,
  };
}

import type { JsonObject } from "../core/index.ts";
import {
  type MovedOrder,
  type OrderEntry,
  type OrdersTold,
  ordersTold,
  type OrdersTransition,
  type Store,
  type StoredEvent,
  type SubmittedOrder,
} from "../store/index.ts";
import { isFinished } from "./states.ts";

/** Events read in one go; each may tell of hundreds of orders and be a megabyte long. */
const pageSize = 50;
/** Entries held at the same time; a time in which more happened is read in several passes, a part of the orders in each. */
export const mostEntries = 200_000;

/** What the log says of some orders inside a time. */
export interface AuditTrail {
  /** By order, oldest first, without payloads and results. */
  readonly entries: ReadonlyMap<string, readonly OrderEntry[]>;
  /** Position of the last transition of each of these orders, also after the time. */
  readonly lastTransition: ReadonlyMap<string, number>;
}

export interface AuditCount {
  /** What happened inside the time: an event that tells of five orders counts five times. */
  readonly events: number;
  /** Unique keys that begin with `prefix`, of everything submitted since `from`. */
  readonly keys: ReadonlySet<string>;
}

interface Span {
  readonly queue: string;
  readonly from: number;
  readonly until: number;
}

/** Walks the log once and holds nothing of it but the keys. */
export async function countTrail(store: Store, span: Span, prefix: string): Promise<AuditCount> {
  const keys = new Set<string>();
  let events = 0;
  for await (const event of eventsOf(store, span)) {
    if (event.at <= span.until) events += ordersOf(event).length;
    if (event.type !== "orders.submitted") continue;
    for (const { uniqueKey } of ordersOf(event) as readonly SubmittedOrder[]) {
      if (uniqueKey?.startsWith(prefix) === true) keys.add(uniqueKey);
    }
  }
  return { events, keys };
}

/** @param wanted the orders of this pass */
export async function readTrail(
  store: Store,
  span: Span,
  wanted: (id: string) => boolean,
): Promise<AuditTrail> {
  const entries = new Map<string, OrderEntry[]>();
  const lastTransition = new Map<string, number>();
  for await (const event of eventsOf(store, span)) {
    for (const order of ordersOf(event)) {
      const { id } = order;
      if (!wanted(id)) continue;
      if (event.at <= span.until) {
        const known = entries.get(id);
        if (known === undefined) entries.set(id, [entryOf(event, order)]);
        else known.push(entryOf(event, order));
      }
      if (event.type === "orders.transition" && entries.has(id)) lastTransition.set(id, event.seq);
    }
  }
  return { entries, lastTransition };
}

/**
 * Of orders that have no row: those that have not ended as the log tells it, with their kind. An order that ended was removed
 * in time. Asked for after the row was missed, it knows everything that was ever told of it.
 */
export async function unfinishedIn(
  store: Store,
  queue: string,
  ids: ReadonlySet<string>,
): Promise<ReadonlyMap<string, string>> {
  const unfinished = new Map<string, string>();
  if (ids.size === 0) return unfinished;
  const kinds = new Map<string, string>();
  for await (const event of eventsOf(store, { queue, from: -Infinity })) {
    for (const order of ordersOf(event)) {
      if (!ids.has(order.id)) continue;
      if (event.type === "orders.submitted") kinds.set(order.id, (order as SubmittedOrder).kind);
      const to = event.type === "orders.transition" ? (order as MovedOrder).to : "PENDING";
      if (isFinished(to)) unfinished.delete(order.id);
      else unfinished.set(order.id, kinds.get(order.id) ?? "");
    }
  }
  return unfinished;
}

/** Which of `parts` an order belongs to: the same in each pass. */
export function partOf(id: string, parts: number): number {
  let hash = 7;
  for (let i = 0; i < id.length; i++) hash = (Math.imul(hash, 31) + id.charCodeAt(i)) >>> 0;
  return hash % parts;
}

async function* eventsOf(store: Store, { queue, from }: Omit<Span, "until">): AsyncGenerator<StoredEvent> {
  for (let after = 0; ;) {
    const page = await store.events.read({ stream: `queue:${queue}`, after, limit: pageSize });
    for (const event of page) if (event.at >= from && event.type.startsWith("orders.")) yield event;
    if (page.length < pageSize) return;
    after = page.at(-1)?.seq ?? after;
  }
}

interface Told {
  readonly id: string;
}

const ordersOf = ({ data }: StoredEvent): readonly Told[] =>
  data["orders"] === undefined ? [] : ordersTold(data as unknown as OrdersTold<Told>);

function entryOf({ seq, at, type, data }: StoredEvent, order: Told): OrderEntry {
  const { event } = data as unknown as OrdersTransition;
  if (type === "orders.transition") {
    const { from, to, attempt, worker, fence, note, set } = order as MovedOrder;
    const { result: _, progress: __, ...kept } = set ?? {};
    return { seq, at, event, from, to, attempt, worker, fence, note: note ?? null, data: kept as JsonObject };
  }
  const { reason } = order as { readonly reason?: string };
  return {
    seq,
    at,
    event: type.slice("orders.".length),
    from: null,
    to: type === "orders.submitted" ? "PENDING" : null,
    attempt: null,
    worker: null,
    fence: null,
    note: reason ?? null,
    data: {},
  };
}

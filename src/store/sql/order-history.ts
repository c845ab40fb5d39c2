import type { JsonObject } from "../../core/index.ts";
import type { MovedOrder, OrderEvent } from "../order-events.ts";
import type { OrderEntry } from "../order-records.ts";
import { ordersTold } from "../orders-told.ts";
import { type EventData, eventText } from "../run-rows.ts";
import { all, type Dialect, one, type Program } from "./program.ts";

/** Events read at a time: one may tell of five hundred orders. */
const page = 20;

/** Everything that happened to one order, found by the positions that its row keeps. */
export function* orderHistory(id: string, dialect: Dialect): Program<readonly OrderEntry[]> {
  const row = yield* one<{ readonly trail: string; readonly progressed_in: number | null }>(
    "SELECT trail, progressed_in FROM orders WHERE id = ?",
    id,
  );
  if (row === undefined) return [];
  const positions = new Set(JSON.parse(row.trail) as readonly number[]);
  if (row.progressed_in !== null) positions.add(row.progressed_in);
  const sorted = [...positions].sort((a, b) => a - b);
  const entries: OrderEntry[] = [];
  for (let from = 0; from < sorted.length; from += page) {
    const some = sorted.slice(from, from + page);
    const events = yield* all<EventData & { at: number; type: OrderEvent["type"] }>(
      `SELECT seq, at, type, ${dialect.eventData("events")} FROM events WHERE seq IN (${some.map(() => "?").join(", ")}) ORDER BY seq`,
      ...some,
    );
    for (const stored of events) {
      const { seq, at, type } = stored;
      const event = { type, data: JSON.parse(eventText(stored)) as unknown } as OrderEvent;
      entries.push(
        ...entriesOf(event, id, seq === row.progressed_in).map((entry) => ({ seq, at, ...entry })),
      );
    }
  }
  return entries;
}

const nobody = { from: null, to: null, attempt: null, worker: null, fence: null, note: null };

/** What one event tells of one order; of several times it progressed in one commit only the last. */
function entriesOf(
  event: OrderEvent,
  id: string,
  lastOnly: boolean,
): readonly Omit<OrderEntry, "seq" | "at">[] {
  switch (event.type) {
    case "orders.submitted":
      return ordersTold(event.data)
        .filter((order) => order.id === id)
        .map((order) => ({
          ...nobody,
          event: "submitted",
          to: "PENDING",
          data: order as unknown as JsonObject,
        }));
    case "orders.transition": {
      const moves = ordersTold(event.data).filter((order) => order.id === id);
      return (lastOnly ? moves.slice(-1) : moves).map((moved) => transition(event.data.event, moved));
    }
    case "orders.cancel-requested":
      return ordersTold(event.data)
        .filter((order) => order.id === id)
        .map(({ reason }) => ({ ...nobody, event: "cancel-requested", data: { reason } }));
    case "orders.prioritised":
      return ordersTold(event.data)
        .filter((order) => order.id === id)
        .map(({ from, to }) => ({ ...nobody, event: "prioritised", data: { from, to } }));
    case "queue.configured":
      return [];
  }
}

function transition(event: string, moved: MovedOrder): Omit<OrderEntry, "seq" | "at"> {
  const { from, to, attempt, worker, fence, note = null, set = {} } = moved;
  // What a transition sets is JSON by construction; interfaces lack the index signature.
  return { event, from, to, attempt, worker, fence, note, data: set as unknown as JsonObject };
}

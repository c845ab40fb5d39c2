import { CutoverError } from "../../core/index.ts";
import type { NewOrder } from "../order-records.ts";
import { isInInbox, takeUpInbox } from "./inbox.ts";
import { type Refuse, type Stored, storeOrders } from "./new-orders.ts";
import type { View } from "./view.ts";

const refuseAll: Refuse = (_order, error) => {
  throw error;
};

/** Stores what is new. With `depthLimit` all or nothing. */
export function submitOrders(
  view: View,
  orders: readonly NewOrder[],
  depthLimit?: number,
): readonly Stored[] {
  for (const { after } of orders)
    if (after.some((id) => view.row(id) === undefined && isInInbox(view, id))) takeUpInbox(view);
  const stored = storeOrders(view, orders, refuseAll);
  if (depthLimit !== undefined) {
    for (const queue of new Set(
      stored.filter(({ fresh }) => fresh).map(({ id }) => view.row(id)?.queue ?? ""),
    ))
      checkDepth(view, queue, depthLimit);
  }
  return stored;
}

function checkDepth(view: View, queue: string, limit: number): void {
  const depth = view.depth(queue);
  if (depth <= limit) return;
  throw new CutoverError("CUTOVER_QUEUE_FULL", {
    message: `expected at most ${limit} unfinished work orders in queue ${queue}, found ${depth} with these`,
    details: { queue, limit, depth },
    place: `queue ${queue}`,
  });
}

import { CutoverError, faultPoint, hasCode } from "../core/index.ts";
import type { OrderRecord, OrderState } from "../store/index.ts";
import { cancelledText } from "./cancellation.ts";
import { type QueueContext, sendOutside } from "./context.ts";
import { legalEvents, nextState } from "./states.ts";
import { takeUpInbox } from "./submitter.ts";

/** What people ask for of orders that exist: to end. */

export type AskEnd = (id: string, reason: string) => void;

/** @param askEnd asks the work to end, when it runs here */
export async function cancelOrder(
  context: QueueContext,
  found: OrderRecord,
  reason: string,
  askEnd: AskEnd,
): Promise<OrderRecord> {
  const { id } = found;
  if (found.state === "CANCELLED") return found;
  nextState(id, found.state, "cancelled");
  const { store } = context;
  // Asked first: from here on nothing the work returns can complete the order.
  askEnd(id, reason);
  faultPoint("queue.cancel.before-mark");
  let order = await store.orders.requestCancel(id, reason);
  faultPoint("queue.cancel.after-mark");
  while (order?.state === "PENDING" || order?.state === "WAITING_RETRY") {
    try {
      return await sendCancelled(context, order, reason);
    } catch (lost) {
      if (!hasCode(lost, "CUTOVER_LEASE_LOST")) throw lost;
      order = await movedOn(context, order, lost);
    }
  }
  // Submitted within a transaction, with a key that was known already, it was dropped when the mark took it up.
  if (order === undefined) throw unknownOrder(context, id);
  // It may have ended in another way between the look and the mark, which leaves what is finished alone.
  if (order.state !== "CANCELLED") nextState(id, order.state, "cancelled");
  askEnd(id, reason);
  return order;
}

/** What `cancelWaiting` cancels: an order in one of these states has no worker. */
export const waitingStates: readonly OrderState[] = ["PENDING", "WAITING_RETRY"];

/**
 * Cancels an order that no worker has. One commit, guarded by its state: whoever claims it at the same time is either
 * first, and this is refused, or finds it cancelled.
 * @param states some of `waitingStates`
 */
export async function cancelWaiting(
  context: QueueContext,
  found: OrderRecord,
  reason: string,
  states: readonly OrderState[] = waitingStates,
): Promise<OrderRecord> {
  for (let order = found, inOrders = false; ;) {
    // Also one that is CANCELLED: whoever was told that it did this may go on with the order elsewhere.
    if (!states.includes(order.state)) throw notWaiting(order);
    try {
      return await sendCancelled(context, order, reason);
    } catch (lost) {
      if (!hasCode(lost, "CUTOVER_LEASE_LOST")) throw lost;
      // Submitted within a transaction it is shown as waiting, but no order can be changed before it is taken up.
      if (!inOrders) await takeUpInbox(context);
      const now = inOrders ? await movedOn(context, order, lost) : await context.store.orders.get(order.id);
      if (now === undefined) throw unknownOrder(context, order.id);
      order = now;
      inOrders = true;
    }
  }
}

function sendCancelled(context: QueueContext, order: OrderRecord, reason: string): Promise<OrderRecord> {
  const error = {
    code: "CUTOVER_ORDER_CANCELLED",
    message: cancelledText(order.id, reason),
  };
  return sendOutside(context, order, "cancelled", { endedAt: context.store.clock.now(), error }, reason);
}

/** The order as it is now; the refusal again when nothing has changed that would explain it. */
async function movedOn(
  context: QueueContext,
  order: OrderRecord,
  lost: unknown,
): Promise<OrderRecord | undefined> {
  const now = await context.store.orders.get(order.id);
  if (now !== undefined && now.state === order.state && now.fence === order.fence) throw lost;
  return now;
}

export function unknownOrder({ settings }: QueueContext, id: string): CutoverError {
  return new CutoverError("CUTOVER_QUEUE_UNKNOWN_ORDER", {
    message: `queue ${settings.name} has no work order ${JSON.stringify(id)}`,
    details: { id, queue: settings.name },
  });
}

function notWaiting({ id, state }: OrderRecord): CutoverError {
  const legal = legalEvents(state);
  return new CutoverError("CUTOVER_QUEUE_ILLEGAL_TRANSITION", {
    message: `work order ${id} is ${state}; it was to be cancelled only while it waits for a worker`,
    details: { id, state, event: "cancelled", legal },
    remedy: "cancel it without onlyWaiting, or leave it to its worker",
  });
}

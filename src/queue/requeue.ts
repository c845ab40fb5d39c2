import { CutoverError, faultPoint, type JsonObject } from "../core/index.ts";
import type { OrderRecord } from "../store/index.ts";
import { type QueueContext, sendOutside } from "./context.ts";
import { nextState } from "./states.ts";

/**
 * Runs an order again: a FAILED one from its first attempt, one in WAITING_RETRY at once, and a CANCELLED one that was
 * cancelled with an order it waited for, once all of those are COMPLETED.
 * @throws CUTOVER_QUEUE_ILLEGAL_TRANSITION
 */
export async function requeue(
  context: QueueContext,
  order: OrderRecord,
  reason: string,
): Promise<OrderRecord> {
  nextState(order.id, order.state, "requeued");
  if (order.state === "CANCELLED") await refuseUnlessReady(context, order);
  const runAt = context.store.clock.now();
  const again =
    order.state === "WAITING_RETRY"
      ? { runAt }
      : { runAt, attempt: 0, crashes: 0, endedAt: null, error: null };
  faultPoint("queue.requeue.before-commit");
  const queued = await sendOutside(context, order, "requeued", again, reason);
  faultPoint("queue.requeue.after-commit");
  return queued;
}

/** What is COMPLETED stays so: what was seen here still holds when the order goes back. */
async function refuseUnlessReady({ store }: QueueContext, order: OrderRecord): Promise<void> {
  const { id, uniqueKey } = order;
  if (order.error?.details?.["after"] === undefined || order.cancelRequested) {
    const key = uniqueKey === null ? "" : `, under another key: it keeps ${JSON.stringify(uniqueKey)}`;
    throw refused(
      order,
      "its end was asked for, or it could never begin",
      `submit it again, as a new order, if it is still wanted${key}`,
    );
  }
  const [submitted] = await store.orders.history(id);
  const after = (submitted?.data["after"] ?? []) as readonly string[];
  // One that was pruned meanwhile is not waited for: nobody could retry it any more.
  const leaders = await Promise.all(after.map((leader) => store.orders.get(leader)));
  const open = leaders.find((leader) => leader !== undefined && leader.state !== "COMPLETED");
  if (open === undefined) return;
  const first = open.state === "FAILED" || open.state === "CANCELLED" ? `retry ${open.id} first, and ` : "";
  throw refused(
    order,
    `it waited for ${open.id}, which is ${open.state}`,
    `${first}retry ${id} when ${open.id} is COMPLETED`,
    { after: open.id },
  );
}

const refused = (
  { id, state }: OrderRecord,
  why: string,
  remedy: string,
  details: JsonObject = {},
): CutoverError =>
  new CutoverError("CUTOVER_QUEUE_ILLEGAL_TRANSITION", {
    message: `work order ${id} is ${state} and is not run again: ${why}`,
    details: { id, state, event: "requeued", ...details },
    remedy,
  });

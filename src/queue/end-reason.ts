import { CutoverError, formatDuration } from "../core/index.ts";
import type { OrderRecord } from "../store/index.ts";
import { cancelledText } from "./cancellation.ts";

/** Why work is ended from outside. */
export type EndReason = "cancelled" | "timeout" | "stopping" | "lease-lost";

/**
 * Longest time in which an order is made ready, milliseconds: it waits for a thread that others have, or for an image that is
 * pulled, and none of that is its work.
 */
export const preparingMs = ({ timeoutMs }: OrderRecord): number => Math.max(15 * 60_000, timeoutMs);

/** Its time is over: that of its work, or that for being made ready. */
export function overdue(order: OrderRecord): CutoverError {
  const { id, state } = order;
  const [what, timeoutMs] =
    state === "PREPARING"
      ? ["was not made ready to run", preparingMs(order)]
      : ["did not end", order.timeoutMs];
  return new CutoverError("CUTOVER_ORDER_TIMEOUT", {
    message: `work order ${id} ${what} within ${formatDuration(timeoutMs)}`,
    details: { id, timeoutMs },
  });
}

/** What the work is told, and what is recorded where it counts. `reason`: of a cancellation. */
export function endError(why: EndReason, order: OrderRecord, reason?: string): CutoverError {
  const { id } = order;
  switch (why) {
    case "cancelled":
      return new CutoverError("CUTOVER_ORDER_CANCELLED", {
        message: cancelledText(id, reason),
        details: { id },
      });
    case "timeout":
      return overdue(order);
    case "stopping":
      return new CutoverError("CUTOVER_QUEUE_CLOSED", {
        message: `the queue stops; work order ${id} goes back to it and costs no attempt`,
        details: { id },
      });
    case "lease-lost":
      return new CutoverError("CUTOVER_LEASE_LOST", {
        message: `the claim of work order ${id} was lost; nothing is written for it here any more`,
        details: { id, fence: order.fence },
      });
  }
}

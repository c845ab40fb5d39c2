import { CutoverError, formatDuration } from "../core/index.ts";
import type { OrderRecord } from "../store/index.ts";
import { cancelledText } from "./cancellation.ts";

/** Why work is ended from outside. */
export type EndReason = "cancelled" | "timeout" | "stopping" | "lease-lost";

/** What the work is told, and what is recorded where it counts. `reason`: of a cancellation. */
export function endError(why: EndReason, order: OrderRecord, reason?: string): CutoverError {
  const { id, timeoutMs } = order;
  switch (why) {
    case "cancelled":
      return new CutoverError("CUTOVER_ORDER_CANCELLED", {
        message: cancelledText(id, reason),
        details: { id },
      });
    case "timeout":
      return new CutoverError("CUTOVER_ORDER_TIMEOUT", {
        message: `work order ${id} did not end within ${formatDuration(timeoutMs)}`,
        details: { id, timeoutMs },
      });
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

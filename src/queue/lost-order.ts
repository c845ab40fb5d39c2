import type { JsonObject } from "../core/index.ts";
import type { OrderChange, OrderRecord } from "../store/index.ts";
import { decideCrash } from "./failure.ts";

/** What becomes of an order whose worker, or what its work ran in, is gone. */
export interface LostOrder {
  readonly event: "lost" | "poisoned";
  readonly set: NonNullable<OrderChange["set"]>;
}

/** @param blamed whether it counts as a crash of the order, when its work had begun */
export function lostOrder(order: OrderRecord, blamed: boolean, poisonAfter: number, now: number): LostOrder {
  const { id, state, worker } = order;
  const began = state === "RUNNING";
  const crashes = order.crashes + (began && blamed ? 1 : 0);
  const { event } = decideCrash(state, crashes, poisonAfter);
  if (event === "poisoned") {
    const message = `work order ${id} was running ${crashes} times when its worker ended`;
    const details: JsonObject = { worker, crashes };
    const error = { code: "CUTOVER_ORDER_POISON", message, details };
    return { event, set: { crashes, endedAt: now, sandbox: null, error } };
  }
  // The attempt that was begun is given back: it was not the work that failed.
  const attempt = order.attempt - (began ? 1 : 0);
  return { event, set: { attempt, crashes, runAt: now, sandbox: null } };
}

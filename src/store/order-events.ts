import type { NewOrder, OrderSet, OrderState, QueueConfig } from "./order-records.ts";

/**
 * Everything that can happen to work orders, as it is stored in the stream `queue:<name>`. Orders that undergo the same
 * in one commit share an event: a hash and a row for a hundred orders instead of a hundred of each.
 */
export type OrderEvent =
  | { readonly type: "orders.submitted"; readonly data: { readonly orders: readonly SubmittedOrder[] } }
  | { readonly type: "orders.transition"; readonly data: OrdersTransition }
  | {
      readonly type: "orders.cancel-requested";
      readonly data: { readonly orders: readonly { readonly id: string; readonly reason: string }[] };
    }
  | {
      readonly type: "orders.prioritised";
      readonly data: { readonly orders: readonly PrioritisedOrder[] };
    }
  | { readonly type: "queue.configured"; readonly data: QueueConfigured };

/** `turn`: its place among the tenants of its priority. */
export interface SubmittedOrder extends NewOrder {
  readonly turn: number;
}

export interface OrdersTransition {
  /** Event of the state table; the store itself sends `claimed` (and `started` with it), `retry-due` and `cancelled` of followers. */
  readonly event: string;
  readonly orders: readonly MovedOrder[];
}

/** Attempt, worker and fence as they stand after the transition. */
export interface MovedOrder {
  readonly id: string;
  readonly from: OrderState;
  readonly to: OrderState;
  readonly attempt: number;
  readonly worker: string | null;
  readonly fence: number;
  readonly note?: string;
  /** What else changed in the row. */
  readonly set?: OrderSet;
  /** Its new place among the tenants of its priority, when it goes to the end of the line. */
  readonly turn?: number;
}

export interface PrioritisedOrder {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly turn: number;
}

export interface QueueConfigured {
  readonly by: string;
  readonly reason: string;
  /** The configuration as it stands afterwards. */
  readonly config: QueueConfig;
}

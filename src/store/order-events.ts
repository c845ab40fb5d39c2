import type { NewOrder, OrderSet, OrderState, QueueConfig } from "./order-records.ts";

/**
 * Everything that can happen to work orders, as it is stored in the stream `queue:<name>`. Orders that undergo the same
 * in one commit share an event: a hash and a row for a hundred orders instead of a hundred of each.
 */
export type OrderEvent =
  | { readonly type: "orders.submitted"; readonly data: OrdersTold<SubmittedOrder> }
  | { readonly type: "orders.transition"; readonly data: OrdersTransition }
  | { readonly type: "orders.cancel-requested"; readonly data: OrdersTold<CancelRequest> }
  | { readonly type: "orders.prioritised"; readonly data: OrdersTold<PrioritisedOrder> }
  | { readonly type: "queue.configured"; readonly data: QueueConfigured };

/**
 * Orders as an event holds them. A member that most of several orders have alike stands once, under `every`, and counts
 * for each order that does not name it; members of `set` likewise. `ordersTold` puts them together again.
 */
export interface OrdersTold<Entry extends { readonly id: string }> {
  readonly every?: Partial<Entry>;
  readonly orders: readonly (Pick<Entry, "id"> & Partial<Entry>)[];
}

export interface CancelRequest {
  readonly id: string;
  readonly reason: string;
}

/** `turn`: its place among the tenants of its priority. */
export interface SubmittedOrder extends NewOrder {
  readonly turn: number;
}

export interface OrdersTransition extends OrdersTold<MovedOrder> {
  /** Event of the state table; the store itself sends `claimed` (and `started` with it), `retry-due`, `due` and `cancelled` of followers. */
  readonly event: string;
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

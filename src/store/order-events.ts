import type { NewOrder, OrderChange, OrderState } from "./order-records.ts";

/** Everything that can happen to a work order, as it is stored in its stream `order:<id>`. */
export type OrderEvent =
  /** `turn` is its place among the tenants of its priority. */
  | { readonly type: "order.submitted"; readonly data: NewOrder & { readonly turn: number } }
  | { readonly type: "order.transition"; readonly data: OrderTransition }
  | { readonly type: "order.cancel-requested"; readonly data: { readonly reason: string } }
  | {
      readonly type: "order.prioritised";
      readonly data: { readonly from: number; readonly to: number; readonly turn: number };
    };

export interface OrderTransition {
  readonly queue: string;
  readonly from: OrderState;
  readonly to: OrderState;
  /** Event of the state table; the store itself sends `claimed` and `retry-due`. */
  readonly event: string;
  /** Attempt, worker and fence as they stand after the transition. */
  readonly attempt: number;
  readonly worker: string | null;
  readonly fence: number;
  /** What else changed in the row. */
  readonly set?: NonNullable<OrderChange["set"]>;
  readonly note?: string;
}

import type { OrderRecord } from "../order-records.ts";

/**
 * A row of `orders` in memory: the record, and what only the store needs. Rows are never changed in place; a change
 * makes a new one, so that a call that is refused half-way leaves nothing behind.
 */
export interface OrderRow extends OrderRecord {
  readonly sizeClass: number;
  readonly turn: number;
  /** Until when its unique key counts; null for ever. */
  readonly uniqueUntil: number | null;
  readonly ifAfterFails: "cancel" | "run";
  /** Other orders wait for this one. */
  readonly followed: boolean;
  /** Time at which an order that waits for its time, or a retry, is due; null for all others. */
  readonly dueAt: number | null;
  /** Positions of its events in the log, oldest first, without `progressed`. Of very many the newest are kept, and the first. */
  readonly trail: readonly number[];
  /** Position of its last event `progressed`. */
  readonly progressedIn: number | null;
}

import { byCodePoints } from "../../core/index.ts";
import type { SubmittedOrder } from "../order-events.ts";
import type { OrderRecord, OrderState } from "../order-records.ts";
import { sizeClass } from "../size-class.ts";

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
  /** Other orders wait for this one; of an ended order: not all of them were told yet. */
  readonly followed: boolean;
  /** Time at which an order that waits for its time, or a retry, is due; null for all others. */
  readonly dueAt: number | null;
  /** Positions of its events in the log, oldest first, without `progressed`. Of very many the newest are kept, and the first. */
  readonly trail: readonly number[];
  /** Position of its last event `progressed`. */
  readonly progressedIn: number | null;
}

/** The part of a row that the doors show. */
export function toRecord(row: OrderRow): OrderRecord {
  return {
    id: row.id,
    queue: row.queue,
    kind: row.kind,
    state: row.state,
    payload: row.payload,
    priority: row.priority,
    memory: row.memory,
    slots: row.slots,
    tags: row.tags,
    attempt: row.attempt,
    maxRetries: row.maxRetries,
    timeoutMs: row.timeoutMs,
    tenant: row.tenant,
    limitKey: row.limitKey,
    uniqueKey: row.uniqueKey,
    runAt: row.runAt,
    createdAt: row.createdAt,
    startedAt: row.startedAt,
    endedAt: row.endedAt,
    worker: row.worker,
    fence: row.fence,
    leaseUntil: row.leaseUntil,
    cancelRequested: row.cancelRequested,
    waits: row.waits,
    blockedBy: row.blockedBy,
    sandbox: row.sandbox,
    progress: row.progress,
    result: row.result,
    error: row.error,
    usage: row.usage,
    carrier: row.carrier,
    crashes: row.crashes,
  };
}

/** The row of a new order, not placed yet: it waits for `orders` until `placed` says for what. */
export function submittedRow(order: SubmittedOrder): OrderRow {
  return {
    id: order.id,
    queue: order.queue,
    kind: order.kind,
    state: "PENDING",
    payload: order.payload,
    priority: order.priority,
    memory: order.memory,
    slots: order.slots,
    tags: order.tags,
    attempt: 0,
    maxRetries: order.maxRetries,
    timeoutMs: order.timeoutMs,
    tenant: order.tenant,
    limitKey: order.limitKey,
    uniqueKey: order.uniqueKey,
    runAt: order.runAt,
    createdAt: order.createdAt,
    startedAt: null,
    endedAt: null,
    worker: null,
    fence: 0,
    leaseUntil: null,
    cancelRequested: false,
    waits: "orders",
    blockedBy: 0,
    sandbox: null,
    progress: null,
    result: null,
    error: null,
    usage: null,
    carrier: order.carrier,
    crashes: 0,
    sizeClass: sizeClass(order.slots, order.memory),
    turn: order.turn,
    uniqueUntil: order.uniqueUntil,
    ifAfterFails: order.ifAfterFails,
    followed: false,
    dueAt: null,
    trail: [],
    progressedIn: null,
  };
}

export const isFinished = (state: OrderState): boolean =>
  state === "COMPLETED" || state === "FAILED" || state === "CANCELLED";

export const isHeld = (state: OrderState): boolean => state === "PREPARING" || state === "RUNNING";

/** Best first: what a claim takes before others. */
export function byRank(a: OrderRow, b: OrderRow): number {
  return b.priority - a.priority || a.turn - b.turn || a.createdAt - b.createdAt || byCodePoints(a.id, b.id);
}

const longestTrail = 1_000;

/** Notes the event an order is told of. An order tried for years keeps its beginning and its newest thousand events. */
export function withEvent(row: OrderRow, seq: number, progressed: boolean): OrderRow {
  if (progressed) return { ...row, progressedIn: seq };
  const { trail } = row;
  if (trail.at(-1) === seq) return row;
  if (trail.length < longestTrail) return { ...row, trail: [...trail, seq] };
  return { ...row, trail: [trail[0] ?? seq, ...trail.slice(2), seq] };
}

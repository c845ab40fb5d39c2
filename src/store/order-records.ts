import type { Json, JsonObject } from "../core/index.ts";
import type { ErrorRecord } from "./run-events.ts";

/** States of a work order. Persisted; the table is in docs/spec/work-order.md. */
export type OrderState =
  "PENDING" | "PREPARING" | "RUNNING" | "WAITING_RETRY" | "COMPLETED" | "FAILED" | "CANCELLED";

/** A work order as stored. Times are wall-clock milliseconds, sizes bytes. */
export interface OrderRecord {
  readonly id: string;
  readonly queue: string;
  readonly kind: string;
  readonly state: OrderState;
  readonly payload: Json;
  readonly priority: number;
  /** Memory it asks for, bytes. */
  readonly memory: number;
  readonly slots: number;
  readonly attempt: number;
  readonly maxRetries: number;
  readonly timeoutMs: number;
  /** Fairness group; empty when none. */
  readonly tenant: string;
  /** Not started before this time. */
  readonly runAt: number;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly worker: string | null;
  /** Grows with every claim; a write with an older fence is refused. */
  readonly fence: number;
  readonly leaseUntil: number | null;
  readonly cancelRequested: boolean;
  /** What the sandbox needs to find its work again after a crash (process group id and start time). */
  readonly sandbox: JsonObject | null;
  readonly progress: JsonObject | null;
  readonly result: Json | null;
  readonly error: ErrorRecord | null;
  /** Times it took its worker down with it. */
  readonly crashes: number;
}

export interface NewOrder {
  readonly id: string;
  readonly queue: string;
  readonly kind: string;
  readonly payload: Json;
  readonly priority: number;
  readonly memory: number;
  readonly slots: number;
  readonly maxRetries: number;
  readonly timeoutMs: number;
  readonly tenant: string;
  readonly runAt: number;
  /** Deduplication: a second submit with the same key returns the first order. */
  readonly uniqueKey: string | null;
  /** Set when it comes out of another system: its first submission there. */
  readonly createdAt: number;
}

/** What a worker can take now. */
export interface Capacity {
  readonly slots: number;
  readonly memory: number;
  /** Most orders to return. */
  readonly max: number;
  /** Kinds this worker has handlers for. */
  readonly kinds: readonly string[];
}

/**
 * One guarded change of an order. It applies only while the row still has this `fence` and one of the `from`
 * states, and changes exactly one row; otherwise the whole call is refused with CUTOVER_LEASE_LOST.
 */
export interface OrderChange {
  readonly id: string;
  readonly fence: number;
  readonly from: readonly OrderState[];
  readonly to: OrderState;
  /** Event of the state table, e.g. `started`. */
  readonly event: string;
  readonly set?: {
    readonly runAt?: number;
    readonly startedAt?: number;
    readonly endedAt?: number | null;
    readonly leaseUntil?: number | null;
    readonly worker?: string | null;
    readonly attempt?: number;
    readonly crashes?: number;
    readonly sandbox?: JsonObject | null;
    readonly progress?: JsonObject | null;
    readonly result?: Json;
    readonly error?: ErrorRecord | null;
  };
  readonly note?: string;
}

export interface OrderCounts extends Readonly<Record<OrderState, number>> {}

/** The queue's side of a store. Every change of state appends an `order.transition` event in the same transaction. */
export interface OrderStore {
  /**
   * Stores orders as PENDING. An order whose id or unique key is known already is not stored again; the
   * returned list holds the stored record for each input, `fresh` telling which were new.
   * `depthLimit`: refused with CUTOVER_QUEUE_FULL, nothing stored, when unfinished orders would exceed it.
   */
  submit(
    orders: readonly NewOrder[],
    options?: { readonly depthLimit?: number; readonly at?: number },
  ): Promise<readonly { readonly order: OrderRecord; readonly fresh: boolean }[]>;
  /**
   * Claims orders that fit, best first: priority (higher first), then fairness between tenants, then age. Moves them
   * to PREPARING (event `claimed`) with a new fence and a lease; `attempt` stays as it is. Orders of WAITING_RETRY
   * that are due go back to PENDING (event `retry-due`) in the same call, before the choice.
   */
  claim(
    queue: string,
    worker: string,
    capacity: Capacity,
    leaseMs: number,
    now: number,
  ): Promise<readonly OrderRecord[]>;
  change(changes: readonly OrderChange[], at: number): Promise<readonly OrderRecord[]>;
  /** Moves the lease end of those orders still held with this fence; returns the ids that were lost. */
  renew(
    held: readonly { readonly id: string; readonly fence: number }[],
    leaseUntil: number,
  ): Promise<readonly string[]>;
  /** Marks an unfinished order for cancellation; returns the record, or undefined when unknown. */
  requestCancel(id: string, at: number, reason: string): Promise<OrderRecord | undefined>;
  setPriority(id: string, priority: number): Promise<OrderRecord | undefined>;
  get(id: string): Promise<OrderRecord | undefined>;
  list(query: {
    readonly queue: string;
    readonly states?: readonly OrderState[];
    readonly limit: number;
    readonly after?: string;
  }): Promise<readonly OrderRecord[]>;
  /** Orders in PREPARING or RUNNING whose lease ended before `now`, or that any of `workers` held. */
  orphans(queue: string, now: number, workers?: readonly string[]): Promise<readonly OrderRecord[]>;
  /** Orders in WAITING_RETRY or PENDING: earliest `runAt` after `now`, for timers; undefined when none. */
  nextDue(queue: string, now: number): Promise<number | undefined>;
  counts(queue: string): Promise<OrderCounts>;
}

import type { Json, JsonObject } from "../core/index.ts";
import type { ErrorRecord } from "./run-events.ts";

/** States of a work order. Persisted; the table is in docs/spec/work-order.md. */
export type OrderState =
  "PENDING" | "PREPARING" | "RUNNING" | "WAITING_RETRY" | "COMPLETED" | "FAILED" | "CANCELLED";

/** What an attempt took: processor time and the largest resident memory, where the sandbox can tell. */
export interface OrderUsage {
  readonly cpuMs: number;
  /** Bytes. */
  readonly maxRss: number;
}

/** A work order as stored. Times are wall-clock milliseconds of the store's clock, sizes bytes. */
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
  /** Only workers that offer all of these may take it; sorted. */
  readonly tags: readonly string[];
  readonly attempt: number;
  readonly maxRetries: number;
  readonly timeoutMs: number;
  /** Fairness group; empty when none. */
  readonly tenant: string;
  /** Orders of one limit key share its concurrency and rate; null when it has none. */
  readonly limitKey: string | null;
  readonly uniqueKey: string | null;
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
  /** What a PENDING order waits for; null for one that no longer waits. */
  readonly waits: OrderWait | null;
  /** Orders it still waits for. */
  readonly blockedBy: number;
  /** What the sandbox needs to find its work again after a crash (process group id and start time). */
  readonly sandbox: JsonObject | null;
  readonly progress: JsonObject | null;
  readonly result: Json | null;
  readonly error: ErrorRecord | null;
  /** What the last attempt took; null before one ended, or when nobody could tell. */
  readonly usage: OrderUsage | null;
  /** Carried from the submitter to the work, e.g. a trace context. */
  readonly carrier: JsonObject | null;
  /** Times it took its worker down with it. */
  readonly crashes: number;
}

/** `room`: nothing but a worker; `time`: its `runAt`; `limit`: others of its limit key; `orders`: other orders. */
export type OrderWait = "room" | "time" | "limit" | "orders";

export interface NewOrder {
  readonly id: string;
  readonly queue: string;
  readonly kind: string;
  readonly payload: Json;
  readonly priority: number;
  readonly memory: number;
  readonly slots: number;
  readonly tags: readonly string[];
  readonly maxRetries: number;
  readonly timeoutMs: number;
  readonly tenant: string;
  readonly limitKey: string | null;
  readonly runAt: number;
  /** Deduplication: a submit with the key of a known order stores nothing and returns that order. */
  readonly uniqueKey: string | null;
  /** Until when the key counts (store's clock); null for ever. Afterwards a new order takes the key over. */
  readonly uniqueUntil: number | null;
  /** Ids of orders that must be COMPLETED first: of this call, or stored already. */
  readonly after: readonly string[];
  /** What happens to it when one of `after` fails or is cancelled: it is cancelled too, or it waits no longer for that one. */
  readonly ifAfterFails: "cancel" | "run";
  /** Set when it comes out of another system: its first submission there. */
  readonly createdAt: number;
  readonly carrier: JsonObject | null;
}

/** What a worker can take now. */
export interface Capacity {
  readonly slots: number;
  readonly memory: number;
  /** Most orders to return. */
  readonly max: number;
  /** Kinds this worker has handlers for. */
  readonly kinds: readonly string[];
  /** Of these, the kinds that need no preparation: they are returned RUNNING, `claimed` and `started` in one commit. */
  readonly starts: readonly string[];
  /** Tags this worker offers. */
  readonly tags: readonly string[];
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
  readonly set?: OrderSet;
  readonly note?: string;
  /** Who holds it, or nobody: refused when it is somebody else. Default: whoever it is. */
  readonly worker?: string | null;
  /** Of a rescue: refused as well while the lease of the row still runs by the store's time. */
  readonly leaseOver?: true;
  /** Of an outcome: refused with CUTOVER_ORDER_CANCELLED when somebody has asked for the order's end. */
  readonly unlessCancelled?: true;
}

/** Members that a transition sets beside the state. */
export interface OrderSet {
  readonly runAt?: number;
  readonly startedAt?: number;
  readonly endedAt?: number | null;
  readonly worker?: string | null;
  readonly attempt?: number;
  readonly crashes?: number;
  readonly sandbox?: JsonObject | null;
  readonly progress?: JsonObject | null;
  readonly result?: Json;
  readonly error?: ErrorRecord | null;
  readonly usage?: OrderUsage | null;
}

export interface OrderCounts extends Readonly<Record<OrderState, number>> {}

/** How much orders of one limit key may do together. */
export interface OrderLimit {
  /** At most so many hold a claim at the same time. */
  readonly concurrency?: number;
  /** At most `limit` may begin in any `perMs` (generic cell rate: a burst of `limit`, then evenly). */
  readonly rate?: { readonly limit: number; readonly perMs: number };
}

/** What is stored about a queue itself, the same for every worker of it. */
export interface QueueConfig {
  /** Nothing is claimed while true. */
  readonly paused: boolean;
  /** Share of a tenant against others of its priority; 1 when not named. */
  readonly weights: Readonly<Record<string, number>>;
  /** By limit key; `"*"` stands for each key that is not named. */
  readonly limits: Readonly<Record<string, OrderLimit>>;
}

/** One thing that happened to an order. */
export interface OrderEntry {
  /** Position of the event in the log; several orders may share it. */
  readonly seq: number;
  readonly at: number;
  /** `submitted`, `cancel-requested`, `prioritised` or an event of the state table. */
  readonly event: string;
  readonly from: OrderState | null;
  readonly to: OrderState | null;
  readonly attempt: number | null;
  readonly worker: string | null;
  readonly fence: number | null;
  readonly note: string | null;
  /** The order as submitted, what a transition set, or the reason of a request. */
  readonly data: JsonObject;
}

/** A worker that holds claims or could, as it last told. */
export interface WorkerRecord {
  readonly id: string;
  readonly queue: string;
  readonly kinds: readonly string[];
  readonly tags: readonly string[];
  readonly slots: number;
  /** Bytes that all its slots have together; null where an older program told of it. */
  readonly memory: number | null;
  /** Least time between two starts, milliseconds; 0 for none, null where an older program told of it. */
  readonly staggerMs: number | null;
  readonly startedAt: number;
  readonly seenAt: number;
}

/** An order that is to be submitted again and again. */
export interface ScheduleRecord {
  readonly name: string;
  readonly queue: string;
  /** Cron expression or `every 10m`, as given. */
  readonly when: string;
  readonly timezone: string | null;
  /** The order it submits: id, unique key and times are made for each. */
  readonly order: JsonObject;
  readonly nextAt: number;
}

/**
 * The queue's side of a store. Every change of an order is an event of the stream `queue:<name>`, in the same
 * transaction; orders that undergo the same in one commit share one event. Times are the store's clock.
 */
export interface OrderStore {
  /**
   * Stores orders as PENDING. An order whose id or unique key is known already is not stored again; the
   * returned list holds the stored record for each input, `fresh` telling which were new.
   * `depthLimit`: refused with CUTOVER_QUEUE_FULL, nothing stored, when unfinished orders would exceed it.
   * @throws CUTOVER_QUEUE_UNKNOWN_ORDER when `after` names one that is neither stored nor in this call ·
   * CUTOVER_QUEUE_CYCLE when orders of this call wait for each other
   */
  submit(
    orders: readonly NewOrder[],
    options?: { readonly depthLimit?: number },
  ): Promise<readonly { readonly order: OrderRecord; readonly fresh: boolean }[]>;
  /**
   * Submits inside a transaction of the caller on the same database: stored when that commits, gone when it does not.
   * `connection`: a `DatabaseSync` or a client of `pg` inside a transaction. What has an id or key that is known by
   * then is dropped when it is taken up; `after` and limits are looked at then too. Its depth refuses nobody.
   */
  submitWithin(connection: unknown, orders: readonly NewOrder[]): Promise<void>;
  /**
   * Claims orders that fit, best first: priority (higher first), then fairness between tenants, then age. Moves them
   * to PREPARING (event `claimed`) with a new fence and a lease; kinds in `capacity.starts` go on to RUNNING (event
   * `started`, attempt + 1). In the same call, before the choice: orders submitted within other transactions are
   * taken up, orders of WAITING_RETRY that are due go back to PENDING (event `retry-due`),
   * those that waited for their time come to the end of their tenant's line (event `due`). Nothing is taken while paused.
   */
  claim(queue: string, worker: string, capacity: Capacity, leaseMs: number): Promise<readonly OrderRecord[]>;
  change(changes: readonly OrderChange[]): Promise<readonly OrderRecord[]>;
  /**
   * Moves the lease end of those orders still held with this fence whose lease is not over yet; returns the ids of all
   * others, which are lost. A lease that is over is never renewed: a rescuer may have seen it already and end what runs
   * of the order, before its write (`OrderChange.leaseOver`) would be refused. See `test/model`.
   */
  renew(
    held: readonly { readonly id: string; readonly fence: number }[],
    leaseMs: number,
  ): Promise<readonly string[]>;
  /** Marks an unfinished order for cancellation; returns the record, or undefined when unknown. */
  requestCancel(id: string, reason: string): Promise<OrderRecord | undefined>;
  setPriority(id: string, priority: number): Promise<OrderRecord | undefined>;
  get(id: string): Promise<OrderRecord | undefined>;
  /** By id. */
  list(query: {
    readonly queue: string;
    readonly states?: readonly OrderState[];
    readonly limit: number;
    readonly after?: string;
  }): Promise<readonly OrderRecord[]>;
  /** PENDING orders that wait for room alone, best first. */
  waiting(queue: string, limit: number): Promise<readonly OrderRecord[]>;
  /** Everything that happened to one order, oldest first; of `progressed` only the last. Empty when unknown. */
  history(id: string): Promise<readonly OrderEntry[]>;
  /** Orders in PREPARING or RUNNING whose lease is over, or that any of `workers` held. */
  orphans(queue: string, workers?: readonly string[]): Promise<readonly OrderRecord[]>;
  /** Names of workers that hold orders of the queue. */
  holders(queue: string): Promise<readonly string[]>;
  /** Earliest time after `after`, or after now, at which an order becomes due, for timers; undefined when none. */
  nextDue(queue: string, after?: number): Promise<number | undefined>;
  /** What was submitted within other transactions counts as PENDING, also before a claim takes it up. */
  counts(queue: string): Promise<OrderCounts>;
  /** How many were submitted within other transactions and not taken up yet. */
  untaken(queue: string): Promise<number>;
  /** How many PENDING orders wait because others of their limit key hold its places; `most` when there are more. */
  behind(queue: string, limitKey: string, most: number): Promise<number>;
  /** When the order that waits longest for room became due; undefined when none waits. */
  oldestDue(queue: string): Promise<number | undefined>;
  /** Names of all queues that were ever used. */
  queues(): Promise<readonly string[]>;

  config(queue: string): Promise<QueueConfig>;
  /** Changes the named members; an event `queue.configured`. A limit or weight of null is taken away. */
  configure(
    queue: string,
    change: {
      readonly paused?: boolean;
      readonly weights?: Readonly<Record<string, number | null>>;
      readonly limits?: Readonly<Record<string, OrderLimit | null>>;
    },
    by: string,
    reason: string,
  ): Promise<QueueConfig>;

  /** Not in the chain: that a worker is there, and what it can do. Forgotten a day after it was last seen. */
  seen(worker: Omit<WorkerRecord, "seenAt">): Promise<void>;
  gone(worker: string): Promise<void>;
  workers(queue: string): Promise<readonly WorkerRecord[]>;

  /** Stores or replaces a schedule by its name; with undefined takes it away. Not in the chain; its orders are. */
  setSchedule(
    queue: string,
    name: string,
    schedule: Omit<ScheduleRecord, "queue" | "name"> | undefined,
  ): Promise<void>;
  schedules(queue: string): Promise<readonly ScheduleRecord[]>;
  /** Moves a schedule on; false when somebody else did. */
  advanceSchedule(queue: string, name: string, from: number, to: number): Promise<boolean>;

  /**
   * Calls `listener` when there may be new work for a queue, also work of other processes where the store can tell: then
   * `others` is true, as for what this process wrote in a transaction of its own.
   */
  onWork(listener: (queue: string, others: boolean) => void): () => void;
  /** How many orders `prune` may come to remove: also those that it leaves until their followers have been told. */
  prunable(queue: string, before: number): Promise<number>;
  /** Removes finished orders that ended before `before`; their events stay. Resolves with how many. */
  prune(queue: string, before: number, limit: number): Promise<number>;
}

import type { Duration, Json } from "../core/index.ts";
import type {
  OrderCounts,
  OrderEntry,
  OrderRecord,
  OrderState,
  QueueConfig,
  ScheduleRecord,
  WorkerRecord,
} from "../store/index.ts";
import type { AuditRecovery, AuditRecoveryOptions } from "./audit-recovery.ts";
import type { CallOptions } from "./calls.ts";
import type { QueueHealth } from "./health.ts";
import type { QueueMetrics } from "./metrics.ts";
import type { ConfigChange } from "./queue-config.ts";
import type { RecoverySummary } from "./recovery.ts";
import type { Handler } from "./sandboxes/in-process.ts";
import type { Sandbox } from "./sandboxes/sandbox.ts";
import type { ScheduleWhen } from "./schedule-time.ts";
import type { ScheduleOptions } from "./schedule.ts";
import type { Submission, SubmitOptions } from "./submission.ts";
import type { TimelineEntry } from "./timeline.ts";

/** A stored order; `fresh` is false when its id or key was known already and nothing was stored. */
export interface Submitted extends OrderRecord {
  readonly fresh: boolean;
}

/** A wait goes on while the store is away: it looks again when that answers, and ends early by nothing but these. */
export interface WaitOptions {
  /** Give up after this time, or a second later where the store does not answer; the order itself goes on. Default: never. */
  readonly timeout?: Duration;
  readonly signal?: AbortSignal;
}

/** Which failed orders are meant. All that are given must fit. */
export interface DeadLetterQuery {
  readonly kind?: string;
  /** Most orders, 1–100,000. Default 100 to look at, 1,000 to submit again. */
  readonly limit?: number;
}

/**
 * A durable queue of work orders. Everything that happens to an order is one transition of the table in
 * `docs/spec/work-order.md`, stored before it is told. An order may run more than once (crash, lost claim);
 * its result is recorded once, by whoever holds the newest claim.
 *
 * Calls and ends of work of the same turn of the event loop share one commit: a hundred orders that end together cost
 * hardly more than one, without a call for it.
 *
 * A store that is away is waited for, by `callTimeout` of `openQueue` less long, then a call is refused with
 * CUTOVER_STORE_UNAVAILABLE. What it was to store may be stored all the same: with a `key` or an `id` it can be done again.
 *
 * After `stop()` every call is refused with CUTOVER_QUEUE_CLOSED. A refusal is a rejected promise; only `work` throws.
 */
export interface Queue extends AsyncDisposable {
  /** Name of this worker in the record. */
  readonly workerId: string;
  /** What was taken up from dead workers when the queue was opened. */
  readonly recovered: RecoverySummary;

  /**
   * Says how orders of `kind` are done, by a function of this process or in a sandbox such as `subprocess(…)`, and
   * starts to claim them. What runs as a function (or in another sandbox that needs no preparation) is claimed and
   * started in one commit.
   * @throws CUTOVER_QUEUE_INVALID when the kind has a handler already
   */
  work<Payload = Json, Result = unknown>(kind: string, how: Handler<Payload, Result> | Sandbox): void;

  /**
   * Stores one order. It is durable when the promise resolves.
   * @throws CUTOVER_QUEUE_INVALID · CUTOVER_QUEUE_UNKNOWN_TAG · CUTOVER_QUEUE_TOO_LARGE when it could start neither
   * here nor on a worker that was seen of late · CUTOVER_QUEUE_FULL with `details.retryAfterMs` ·
   * CUTOVER_QUEUE_UNKNOWN_ORDER when `after` names one that is not known
   */
  submit(kind: string, payload?: unknown, options?: SubmitOptions & CallOptions): Promise<Submitted>;
  /**
   * Stores all of them or, when one is refused, none.
   * @throws as `submit`, and CUTOVER_QUEUE_CYCLE when they wait for each other · CUTOVER_QUEUE_INVALID when they are more than
   * the depth of the queue
   */
  submitAll(orders: readonly Submission[], options?: CallOptions): Promise<readonly Submitted[]>;
  /**
   * Submits inside a transaction of the caller on the same database: the order is there when that commits and never was
   * when it does not. It takes effect with the next claim by anybody; until then `get` shows it as PENDING, and an order
   * whose id or key is known by then is dropped. How long it may take is said of the connection, not by `callTimeout`.
   * @param connection a `DatabaseSync` on the same file, or a client of `pg` inside a transaction
   * @throws as `submit`, save what depends on other orders: `after` is looked at when it takes effect, and the depth never
   * refuses it, since nobody would hear of that
   *
   * @example
   * db.exec("BEGIN IMMEDIATE");
   * db.prepare("UPDATE invoices SET sent = 1 WHERE id = ?").run(17);
   * await queue.submitWithin(db, "send-invoice", { id: 17 });
   * db.exec("COMMIT");
   */
  submitWithin(
    connection: unknown,
    kind: string,
    payload?: unknown,
    options?: SubmitOptions,
  ): Promise<{ readonly id: string }>;
  /** All of them in the caller's transaction; see `submitWithin`. */
  submitAllWithin(
    connection: unknown,
    orders: readonly Submission[],
  ): Promise<readonly { readonly id: string }[]>;

  get(id: string, options?: CallOptions): Promise<OrderRecord | undefined>;
  /** By id, 100 unless told otherwise; `after` is the last id of the page before. */
  list(query?: {
    readonly states?: readonly OrderState[];
    readonly limit?: number;
    readonly after?: string;
    readonly signal?: AbortSignal;
  }): Promise<readonly OrderRecord[]>;
  counts(options?: CallOptions): Promise<OrderCounts>;

  /**
   * Marks an order for cancellation and, when it runs, here or on another worker, asks it to end. An order that waits is
   * CANCELLED at once; a running one when its work has ended, even if that still returns a result.
   * @param options `onlyWaiting`: only while no worker has it (PENDING or WAITING_RETRY), in one commit: what was claimed a moment before
   * is refused and goes on undisturbed, one that is CANCELLED already is refused too
   * @throws CUTOVER_QUEUE_UNKNOWN_ORDER · CUTOVER_QUEUE_ILLEGAL_TRANSITION when it is finished, or not waiting
   */
  cancel(
    id: string,
    reason: string,
    options?: CallOptions & { readonly onlyWaiting?: boolean },
  ): Promise<OrderRecord>;
  /**
   * Cancels every unfinished order of this kind and in these states, some hundreds at a time; resolves with how many.
   * What is submitted meanwhile may be among them or not. With `states` of orders that wait alone, what was claimed since
   * it was looked at goes on undisturbed.
   */
  cancelAll(which: {
    readonly reason: string;
    readonly kind?: string;
    readonly states?: readonly OrderState[];
    /** Those that are cancelled when it aborts stay so. */
    readonly signal?: AbortSignal;
  }): Promise<number>;
  /**
   * Runs a FAILED order again from its first attempt, or one that waits for its retry now. One that was CANCELLED because an
   * order it waited for failed or was cancelled runs when all those are COMPLETED, retried before it; its key stays its own.
   * @throws CUTOVER_QUEUE_UNKNOWN_ORDER · CUTOVER_QUEUE_ILLEGAL_TRANSITION, also when it is running
   */
  retry(id: string, reason?: string, options?: CallOptions): Promise<OrderRecord>;
  /** Orders that failed for good, by id. `after` is the last id of the page before. */
  deadLetters(
    query?: DeadLetterQuery & CallOptions & { readonly after?: string },
  ): Promise<readonly OrderRecord[]>;
  /**
   * Runs failed orders again from their first attempt; resolves with how many. `code`: only those that failed with it;
   * `ids`: only these, as far as they are FAILED.
   */
  resubmit(
    query?: DeadLetterQuery &
      CallOptions & {
        readonly code?: string;
        readonly ids?: readonly string[];
        readonly reason?: string;
      },
  ): Promise<number>;
  /** @throws CUTOVER_QUEUE_UNKNOWN_ORDER · CUTOVER_QUEUE_INVALID when it is finished */
  setPriority(id: string, priority: number): Promise<OrderRecord>;

  /** The order when it is finished, in whatever way. */
  waitFor(id: string, options?: WaitOptions): Promise<OrderRecord>;
  /** Resolves when no order of this queue is unfinished; while paused, when none runs here. */
  drain(options?: WaitOptions): Promise<void>;
  /**
   * No more claims by any worker, after this has resolved; what runs goes on. Stored: it holds until `resume`, also
   * for processes that are started later.
   */
  pause(reason?: string): Promise<void>;
  resume(reason?: string): Promise<void>;

  /** What is stored about the queue itself, the same for every worker. */
  config(): Promise<QueueConfig>;
  /**
   * Changes weights of tenants and limits of limit keys, for every worker. Limits hold from the next claim on, weights for what
   * is submitted from then on: an order that waits keeps its turn.
   * @throws CUTOVER_QUEUE_INVALID naming the member
   *
   * @example
   * await queue.configure({
   *   weights: { gold: 3 },
   *   limits: { "*": { concurrency: 2 }, "customer-42": { rate: { limit: 100, per: "1m" } } },
   * });
   */
  configure(change: ConfigChange, reason?: string): Promise<QueueConfig>;

  /**
   * Submits an order again and again. Every worker looks; each time gives one order, however many look. Of times that
   * were missed (nobody ran) only the newest is made up for. The depth of the queue keeps none of them out.
   * @throws CUTOVER_QUEUE_INVALID naming the field · CUTOVER_QUEUE_TOO_LARGE
   *
   * @example
   * await queue.schedule("nightly", { cron: "0 3 * * *", timezone: "Europe/Berlin" }, "report", { of: "yesterday" });
   * await queue.schedule("refresh", { every: "10m" }, "refresh");
   */
  schedule(
    name: string,
    when: ScheduleWhen,
    kind: string,
    payload?: unknown,
    options?: ScheduleOptions,
  ): Promise<ScheduleRecord>;
  /** False when there was none. Orders that were submitted already stay. */
  unschedule(name: string): Promise<boolean>;
  schedules(): Promise<readonly ScheduleRecord[]>;

  /**
   * What stands in the way: of the queue as a whole, as `cutover queue stats` says it, and of this process. Never rejects, and
   * never waits for longer than 2 s: a store that does not answer by then is a reason of its own.
   */
  health(): Promise<QueueHealth>;
  metrics(): Promise<QueueMetrics>;
  /** Workers of this queue on all machines, as they last told; one that ended without a word stays for a day. */
  workers(): Promise<readonly WorkerRecord[]>;
  /**
   * Everything that happened to an order, oldest first; nothing yet where it was handed in by `submitWithin` and not taken up.
   * @throws CUTOVER_QUEUE_UNKNOWN_ORDER, also when it was pruned: its events are found from the order, which is gone
   */
  timeline(id: string): Promise<readonly TimelineEntry[]>;
  /** The same with all that was set. @throws as `timeline` */
  history(id: string): Promise<readonly OrderEntry[]>;
  /** See `recoverFromAudit`. */
  recoverFromAudit(options: AuditRecoveryOptions): Promise<AuditRecovery>;
  /** Removes orders that finished longer ago than this, in small batches; their events stay in the audit log. Resolves with how many. */
  prune(options: CallOptions & { readonly olderThan: Duration }): Promise<number>;

  /**
   * Claims nothing more, gives running work `wait` (default none) to end by itself, then asks it to, and ends it
   * after the grace time. Unfinished work goes back to PENDING and costs no attempt. Closes the store if the queue
   * opened it.
   */
  stop(options?: { readonly wait?: Duration }): Promise<void>;
}

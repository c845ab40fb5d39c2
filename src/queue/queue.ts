import type { Duration, Json } from "../core/index.ts";
import type { OrderCounts, OrderRecord, OrderState } from "../store/index.ts";
import type { AuditRecovery, AuditRecoveryOptions } from "./audit-recovery.ts";
import type { QueueHealth } from "./health.ts";
import type { QueueMetrics } from "./metrics.ts";
import type { RecoverySummary } from "./recovery.ts";
import type { Handler } from "./sandboxes/in-process.ts";
import type { Sandbox } from "./sandboxes/sandbox.ts";
import type { Submission, SubmitOptions } from "./submission.ts";
import type { TimelineEntry } from "./timeline.ts";

/** A stored order; `fresh` is false when its id or key was known already and nothing was stored. */
export interface Submitted extends OrderRecord {
  readonly fresh: boolean;
}

export interface WaitOptions {
  /** Give up after this time; the order itself goes on. Default: never. */
  readonly timeout?: Duration;
  readonly signal?: AbortSignal;
}

/**
 * A durable queue of work orders. Everything that happens to an order is one transition of the table in
 * `docs/spec/work-order.md`, stored before it is told. An order may run more than once (crash, lost claim);
 * its result is recorded once, by whoever holds the newest claim.
 *
 * After `stop()` every call is refused with CUTOVER_QUEUE_CLOSED.
 */
export interface Queue extends AsyncDisposable {
  /** Name of this worker in the record. */
  readonly workerId: string;
  /** What was taken up from dead workers when the queue was opened. */
  readonly recovered: RecoverySummary;

  /**
   * Says how orders of `kind` are done, by a function of this process or in a sandbox such as `subprocess(…)`, and
   * starts to claim them.
   * @throws CUTOVER_QUEUE_INVALID when the kind has a handler already
   */
  work<Payload = Json, Result = unknown>(kind: string, how: Handler<Payload, Result> | Sandbox): void;

  /**
   * Stores one order. It is durable when the promise resolves.
   * @throws CUTOVER_QUEUE_INVALID · CUTOVER_QUEUE_TOO_LARGE when it could never start here ·
   * CUTOVER_QUEUE_FULL with `details.retryAfterMs`
   */
  submit(kind: string, payload?: unknown, options?: SubmitOptions): Promise<Submitted>;
  /** Stores all of them or, when one is refused, none. */
  submitAll(orders: readonly Submission[]): Promise<readonly Submitted[]>;

  get(id: string): Promise<OrderRecord | undefined>;
  /** By id, 100 unless told otherwise; `after` is the last id of the page before. */
  list(query?: {
    readonly states?: readonly OrderState[];
    readonly limit?: number;
    readonly after?: string;
  }): Promise<readonly OrderRecord[]>;
  counts(): Promise<OrderCounts>;

  /**
   * Marks an order for cancellation and, when it runs here, asks it to end. An order that waits is CANCELLED at
   * once; a running one when its work has ended, even if that still returns a result.
   * @throws CUTOVER_QUEUE_UNKNOWN_ORDER · CUTOVER_QUEUE_ILLEGAL_TRANSITION when it is finished
   */
  cancel(id: string, reason: string): Promise<OrderRecord>;
  /**
   * Runs a FAILED order again from its first attempt, or one that waits for its retry now.
   * @throws CUTOVER_QUEUE_UNKNOWN_ORDER · CUTOVER_QUEUE_ILLEGAL_TRANSITION
   */
  retry(id: string, reason?: string): Promise<OrderRecord>;
  /** @throws CUTOVER_QUEUE_UNKNOWN_ORDER · CUTOVER_QUEUE_INVALID when it is finished */
  setPriority(id: string, priority: number): Promise<OrderRecord>;

  /** The order when it is finished, in whatever way. */
  waitFor(id: string, options?: WaitOptions): Promise<OrderRecord>;
  /** Resolves when no order of this queue is unfinished; while paused, when none runs here. */
  drain(options?: WaitOptions): Promise<void>;
  /** No more claims by this process; what runs goes on. Not stored: a new process starts unpaused. */
  pause(): void;
  resume(): void;

  health(): Promise<QueueHealth>;
  metrics(): Promise<QueueMetrics>;
  /** Everything that happened to an order, oldest first. @throws CUTOVER_QUEUE_UNKNOWN_ORDER */
  timeline(id: string): Promise<readonly TimelineEntry[]>;
  /** See `recoverFromAudit`. */
  recoverFromAudit(options: AuditRecoveryOptions): Promise<AuditRecovery>;

  /**
   * Claims nothing more, gives running work `wait` (default none) to end by itself, then asks it to, and ends it
   * after the grace time. Unfinished work goes back to PENDING and costs no attempt. Closes the store if the queue
   * opened it.
   */
  stop(options?: { readonly wait?: Duration }): Promise<void>;
}

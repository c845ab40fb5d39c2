import { CutoverError, faultPoint, hasCode, type Json } from "../core/index.ts";
import type { NewOrder, OrderCounts, OrderRecord, StoredEvent } from "../store/index.ts";
import { type AuditRecovery, type AuditRecoveryOptions, recoverFromAudit } from "./audit-recovery.ts";
import { type QueueContext, sendEvent } from "./context.ts";
import { judgeHealth, type QueueHealth } from "./health.ts";
import type { QueueMetrics } from "./metrics.ts";
import type { Queue, Submitted, WaitOptions } from "./queue.ts";
import { type FindOrphan, recoverLost, type RecoverySummary } from "./recovery.ts";
import { type Handler, inProcess } from "./sandboxes/in-process.ts";
import type { Sandbox } from "./sandboxes/sandbox.ts";
import { findProgram } from "./sandboxes/subprocess.ts";
import { Scheduler } from "./scheduler.ts";
import { duration, invalid, whole } from "./settings.ts";
import { isFinished, nextState, unfinishedStates } from "./states.ts";
import { kindName, newOrder, type Submission, type SubmitOptions } from "./submission.ts";
import { orderTimeline, type TimelineEntry } from "./timeline.ts";
import { Waiters } from "./waiters.ts";

/** Waiters for the whole queue to be empty wait under this name, which no order can have. */
const empty = "";

/** The queue over a store. Made by `openQueue`. */
export class StoreQueue implements Queue {
  recovered: RecoverySummary = { lost: 0, poisoned: 0, cancelled: 0, orphansEnded: 0, waiting: 0 };
  readonly #context: QueueContext;
  readonly #scheduler: Scheduler;
  readonly #waiters: Waiters;
  readonly #unsubscribe: () => void;
  readonly #closeStore: () => Promise<void>;
  #stopped: Promise<void> | undefined;

  constructor(context: QueueContext, closeStore: () => Promise<void>) {
    this.#context = context;
    this.#closeStore = closeStore;
    this.#scheduler = new Scheduler(
      context,
      () => this.#waiters.wake(empty),
      () => this.recover(),
    );
    this.#waiters = new Waiters(context.settings.clock, context.settings.pollMs);
    this.#unsubscribe = context.store.events.subscribe((events) => this.#hear(events));
  }

  get workerId(): string {
    return this.#context.worker;
  }

  work<Payload = Json, Result = unknown>(kind: string, how: Handler<Payload, Result> | Sandbox): void {
    this.#refuseStopped();
    const { sandboxes } = this.#scheduler;
    if (sandboxes.has(kindName(kind))) throw invalid("kind", "one work() for each kind", kind);
    const sandbox = how as { readonly prepare?: unknown } | undefined;
    if (typeof how !== "function" && typeof sandbox?.prepare !== "function")
      throw invalid("work", "a function or a sandbox", how);
    sandboxes.set(kind, typeof how === "function" ? inProcess(how, this.#context.settings.clock) : how);
    if (this.recovered.waiting === 0) this.#scheduler.ring();
    else {
      // Orders of a dead worker may have waited for just this sandbox; none may start before they were looked for.
      this.recover().then(
        () => this.#scheduler.ring(),
        (error: unknown) =>
          this.#context.settings.log.error("orders of dead workers were not taken up", {
            reason: String(error),
          }),
      );
    }
  }

  async submit(kind: string, payload?: unknown, options: SubmitOptions = {}): Promise<Submitted> {
    const [stored] = await this.submitAll([{ ...options, kind, payload }]);
    if (stored === undefined) {
      throw new CutoverError("CUTOVER_INTERNAL", { message: "the store returned no record for a new order" });
    }
    return stored;
  }

  async submitAll(orders: readonly Submission[]): Promise<readonly Submitted[]> {
    this.#refuseStopped();
    const { settings, store } = this.#context;
    const fresh: readonly NewOrder[] = orders.map((order) => newOrder(order, settings));
    faultPoint("queue.submit.before-commit");
    try {
      const stored = await store.orders.submit(fresh, {
        depthLimit: settings.depth,
        at: settings.clock.now(),
      });
      faultPoint("queue.submit.after-commit");
      return stored.map((entry) => ({ ...entry.order, fresh: entry.fresh }));
    } catch (error) {
      throw hasCode(error, "CUTOVER_QUEUE_FULL") ? this.#full(error, orders.length) : error;
    }
  }

  async get(id: string): Promise<OrderRecord | undefined> {
    this.#refuseStopped();
    const order = await this.#context.store.orders.get(id);
    return order?.queue === this.#context.settings.name ? order : undefined;
  }

  list(query: Parameters<Queue["list"]>[0] = {}): ReturnType<Queue["list"]> {
    this.#refuseStopped();
    const limit = whole(query.limit ?? 100, "limit", 1, 100_000);
    return this.#context.store.orders.list({ ...query, queue: this.#context.settings.name, limit });
  }

  counts(): Promise<OrderCounts> {
    this.#refuseStopped();
    return this.#context.store.orders.counts(this.#context.settings.name);
  }

  async cancel(id: string, reason: string): Promise<OrderRecord> {
    const found = await this.#known(id);
    if (found.state === "CANCELLED") return found;
    nextState(id, found.state, "cancelled");
    const { settings, store } = this.#context;
    // Asked first: from here on nothing the work returns can complete the order.
    this.#scheduler.attempts.get(id)?.end("cancelled");
    faultPoint("queue.cancel.before-mark");
    let order = await store.orders.requestCancel(id, settings.clock.now(), reason);
    faultPoint("queue.cancel.after-mark");
    while (order?.state === "PENDING" || order?.state === "WAITING_RETRY") {
      const error = { code: "CUTOVER_ORDER_CANCELLED", message: `work order ${id} was cancelled: ${reason}` };
      try {
        return await sendEvent(
          this.#context,
          order,
          "cancelled",
          { endedAt: settings.clock.now(), error },
          reason,
        );
      } catch (lost) {
        if (!hasCode(lost, "CUTOVER_LEASE_LOST")) throw lost;
        order = await store.orders.get(id); // It was claimed in between.
      }
    }
    this.#scheduler.attempts.get(id)?.end("cancelled");
    return order ?? found;
  }

  async retry(id: string, reason = "asked for by retry()"): Promise<OrderRecord> {
    const order = await this.#known(id);
    const runAt = this.#context.settings.clock.now();
    const again =
      order.state === "FAILED" ? { runAt, attempt: 0, crashes: 0, endedAt: null, error: null } : { runAt };
    nextState(id, order.state, "requeued");
    faultPoint("queue.requeue.before-commit");
    const queued = await sendEvent(this.#context, order, "requeued", again, reason);
    faultPoint("queue.requeue.after-commit");
    return queued;
  }

  async setPriority(id: string, priority: number): Promise<OrderRecord> {
    const order = await this.#known(id);
    if (isFinished(order.state))
      throw invalid("id", "an unfinished work order", `${id}, which is ${order.state}`);
    const wanted = whole(priority, "priority", -1_000_000, 1_000_000);
    return (await this.#context.store.orders.setPriority(id, wanted)) ?? order;
  }

  async waitFor(id: string, options: WaitOptions = {}): Promise<OrderRecord> {
    this.#refuseStopped();
    const waiter = this.#waiters.wait(id, waitOptions(options));
    try {
      for (;;) {
        const order = await this.#known(id);
        if (isFinished(order.state)) return order;
        await waiter.next();
      }
    } finally {
      waiter.cancel();
    }
  }

  async drain(options: WaitOptions = {}): Promise<void> {
    this.#refuseStopped();
    const waiter = this.#waiters.wait(empty, waitOptions(options));
    try {
      while (!(await this.#isEmpty())) await waiter.next();
    } finally {
      waiter.cancel();
    }
  }

  pause(): void {
    this.#refuseStopped();
    this.#scheduler.paused = true;
  }

  resume(): void {
    this.#refuseStopped();
    this.#scheduler.paused = false;
    this.#scheduler.ring();
  }

  async health(): Promise<QueueHealth> {
    const stopped = this.#stopped !== undefined;
    const counts = stopped ? undefined : await this.counts();
    const scheduler = this.#scheduler;
    const slots = [...scheduler.attempts.values()].reduce((sum, { order }) => sum + order.slots, 0);
    return judgeHealth({
      settings: this.#context.settings,
      admission: scheduler.admission(),
      memory: scheduler.memory,
      unfinished: counts === undefined ? 0 : unfinished(counts),
      usedSlots: slots,
      handlers: scheduler.sandboxes.size,
      paused: scheduler.paused,
      stopped,
      trouble: scheduler.trouble,
      waitingOrphans: this.recovered.waiting,
    });
  }

  async metrics(): Promise<QueueMetrics> {
    const counts = await this.counts();
    const { meter, settings, store } = this.#context;
    const now = settings.clock.now();
    // Ids are ordered by time unless the submitter chose them: the first page holds the oldest.
    const waiting = await store.orders.list({ queue: settings.name, states: ["PENDING"], limit: 1_000 });
    return {
      counts,
      depth: unfinished(counts),
      ageMs: waiting.reduce((age, order) => Math.max(age, now - order.runAt), 0),
      wait: meter.wait.summary(),
      run: meter.run.summary(),
      throughput: meter.throughput(),
      events: { ...meter.events },
      late: meter.late,
    };
  }

  async timeline(id: string): Promise<readonly TimelineEntry[]> {
    await this.#known(id);
    return orderTimeline(this.#context.store, id);
  }

  recoverFromAudit(options: AuditRecoveryOptions): Promise<AuditRecovery> {
    this.#refuseStopped();
    const { settings, store } = this.#context;
    return recoverFromAudit(store, { ...options, queue: settings.name, clock: settings.clock });
  }

  stop(options: Parameters<Queue["stop"]>[0] = {}): Promise<void> {
    return (this.#stopped ??= this.#stop(duration(options.wait ?? 0, "wait")));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Takes up what dead workers left. Part of opening, and repeated once per lease time. */
  async recover(): Promise<void> {
    const { sandboxes, attempts } = this.#scheduler;
    const find: FindOrphan = (order) => {
      const provider = order.sandbox?.["provider"] ?? "subprocess";
      // A program can be looked for without its handler, and leaves traces even when nothing was recorded.
      if (provider === "subprocess") return { orphan: findProgram(order, this.#context.settings.clock) };
      const sandbox = [...sandboxes.values()].find((known) => known.provider === provider);
      return sandbox === undefined ? undefined : { orphan: sandbox.findOrphan(order) };
    };
    const now = await recoverLost(this.#context, find, (id) => attempts.has(id));
    const { recovered } = this;
    this.recovered = {
      lost: recovered.lost + now.lost,
      poisoned: recovered.poisoned + now.poisoned,
      cancelled: recovered.cancelled + now.cancelled,
      orphansEnded: recovered.orphansEnded + now.orphansEnded,
      waiting: now.waiting,
    };
  }

  async #stop(waitMs: number): Promise<void> {
    await this.#scheduler.stop("stopping", waitMs);
    this.#unsubscribe();
    this.#waiters.failAll(closed());
    await this.#closeStore();
  }

  /** Bell and waiters in one: what the store committed, by whichever door of this process. */
  #hear(events: readonly StoredEvent[]): void {
    let ring = false;
    for (const { stream, type, data } of events) {
      if (data["queue"] !== this.#context.settings.name) continue;
      const to =
        type === "order.submitted" ? "PENDING" : type === "order.transition" ? data["to"] : undefined;
      // A later time to run is looked up when the ring finds nothing to claim.
      if (to === "PENDING" || to === "WAITING_RETRY") ring = true;
      else if (to === "COMPLETED" || to === "FAILED" || to === "CANCELLED") {
        this.#waiters.wake(stream.slice("order:".length));
      }
    }
    if (ring) this.#scheduler.ring();
  }

  async #isEmpty(): Promise<boolean> {
    if (this.#scheduler.attempts.size > 0) return false;
    return this.#scheduler.paused || unfinished(await this.counts()) === 0;
  }

  async #known(id: string): Promise<OrderRecord> {
    const order = await this.get(id);
    if (order !== undefined) return order;
    throw new CutoverError("CUTOVER_QUEUE_UNKNOWN_ORDER", {
      message: `queue ${this.#context.settings.name} has no work order ${JSON.stringify(id)}`,
      details: { id, queue: this.#context.settings.name },
    });
  }

  /** How long until there is room, from what was finished in the last minute: between one poll and a minute. */
  #full(error: CutoverError, wanted: number): CutoverError {
    const { meter, settings } = this.#context;
    const perSecond = meter.throughput();
    const guess = perSecond > 0 ? Math.ceil((wanted / perSecond) * 1_000) : settings.pollMs;
    const retryAfterMs = Math.min(60_000, Math.max(settings.pollMs, guess));
    return new CutoverError("CUTOVER_QUEUE_FULL", {
      message: `${error.message}; come back in ${Math.ceil(retryAfterMs / 1_000)} s`,
      details: { ...error.details, retryAfterMs },
      cause: error,
    });
  }

  #refuseStopped(): void {
    if (this.#stopped !== undefined) throw closed();
  }
}

const closed = (): CutoverError =>
  new CutoverError("CUTOVER_QUEUE_CLOSED", { message: "the queue was stopped; it takes no more calls" });

function unfinished(counts: OrderCounts): number {
  return unfinishedStates.reduce((sum, state) => sum + counts[state], 0);
}

function waitOptions({ timeout, signal }: WaitOptions): {
  timeoutMs: number | undefined;
  signal: AbortSignal | undefined;
} {
  return { timeoutMs: timeout === undefined ? undefined : duration(timeout, "timeout"), signal };
}

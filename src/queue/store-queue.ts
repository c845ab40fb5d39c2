import { CutoverError, type Json } from "../core/index.ts";
import type { OrderCounts, OrderRecord } from "../store/index.ts";
import { type AuditRecovery, type AuditRecoveryOptions, recoverOwn } from "./audit-recovery.ts";
import { type CallOptions, callSignal, forCall, inEach, nothingMore } from "./calls.ts";
import type { QueueContext } from "./context.ts";
import { isEmpty } from "./emptiness.ts";
import { Figures } from "./figures.ts";
import { Hearing } from "./hearing.ts";
import type { QueueHealth } from "./health.ts";
import type { QueueMetrics } from "./metrics.ts";
import { prune, Pruning } from "./pruning.ts";
import type { Queue, Submitted, WaitOptions } from "./queue.ts";
import { type ConfigChange, configChange } from "./queue-config.ts";
import { Recoverer } from "./recoverer.ts";
import type { RecoverySummary } from "./recovery.ts";
import { cancelMany, deadLetters, resubmitMany } from "./requests-for-many.ts";
import { requeue } from "./requeue.ts";
import { type AskEnd, cancelOrder, cancelWaiting, unknownOrder } from "./requests.ts";
import { type Handler, inProcess } from "./sandboxes/in-process.ts";
import type { Sandbox } from "./sandboxes/sandbox.ts";
import { Schedules } from "./schedule.ts";
import { Scheduler } from "./scheduler.ts";
import { duration, invalid, isText, onlyKnown, reasonText, whole } from "./settings.ts";
import { isFinished, orderStates, refuseUnknownStates } from "./states.ts";
import { kindName, type Submission, submissionOf, type SubmitOptions, submitOptions } from "./submission.ts";
import { Submitter } from "./submitter.ts";
import { orderTimeline, type TimelineEntry } from "./timeline.ts";
import { Upkeep } from "./upkeep.ts";
import { Waiters, waitOptions } from "./waiters.ts";
import { listWorkers, seenEveryMs, WorkerList } from "./worker-list.ts";

/** Waiters for the whole queue to be empty wait under this name, which no order can have. */
const empty = "";

/** The queue over a store. Made by `openQueue`. */
export class StoreQueue implements Queue {
  readonly #context: QueueContext;
  /** That of calls without a signal. */
  readonly #calls: QueueContext;
  readonly #scheduler: Scheduler;
  readonly #schedules: Schedules;
  readonly #workers: WorkerList;
  readonly #waiters: Waiters;
  readonly #hearing: Hearing;
  readonly #submitter: Submitter;
  readonly #recoverer: Recoverer;
  readonly #figures: Figures;
  readonly #closeStore: () => Promise<void>;
  #stopped: Promise<void> | undefined;

  constructor(context: QueueContext, closeStore: () => Promise<void>) {
    const { settings } = context;
    this.#context = context;
    this.#calls = forCall(context);
    this.#closeStore = closeStore;
    this.#workers = new WorkerList(context);
    this.#submitter = new Submitter(context, this.#workers, () => this.#scheduler.ringSoon());
    this.#recoverer = new Recoverer(context, () => this.#scheduler);
    this.#waiters = new Waiters(settings.clock, settings.pollMs, () => context.store.events.follow());
    this.#schedules = new Schedules(context, (submission) => this.#submitter.submitScheduled(submission));
    this.#scheduler = new Scheduler(context, {
      workers: this.#workers,
      upkeep: this.#upkeep(),
      schedules: () => this.#schedules.run(),
      idle: () => this.#waiters.wake(empty),
    });
    this.#hearing = new Hearing(context, {
      work: (others) => this.#scheduler.ring(others),
      finished: (id) => {
        if (!this.#waiters.any) return;
        this.#waiters.wake(id);
        this.#waiters.wakeSoon(empty);
      },
      cancelAsked: this.#askEnd,
      tailLost: () => this.#scheduler.lookAtHeld(),
    });
    this.#figures = new Figures(context, this.#scheduler, this.#workers);
    context.telemetry?.observe(() => this.#figures.gauges());
  }

  get workerId(): string {
    return this.#context.worker;
  }

  get recovered(): RecoverySummary {
    return this.#recoverer.summary;
  }

  work<Payload = Json, Result = unknown>(
    kind: string,
    how: Handler<Payload, Result> | Sandbox,
    ...more: readonly unknown[]
  ): void {
    this.#refuseStopped();
    nothingMore(more, "work");
    if (this.#scheduler.sandboxes.has(kindName(kind)))
      throw invalid("kind", "one work() for each kind", kind);
    const sandbox = how as { readonly prepare?: unknown } | undefined;
    if (typeof how !== "function" && typeof sandbox?.prepare !== "function")
      throw invalid("work", "a function or a sandbox", how);
    this.#scheduler.add(kind, typeof how === "function" ? inProcess(how, this.#context.settings.clock) : how);
    this.#workers.announce(() => (this.#stopped === undefined ? this.#scheduler.kinds : []));
    if (this.recovered.waiting === 0) this.#scheduler.ring();
    else {
      // Orders of a dead worker may have waited for just this sandbox; none may start before they were looked for.
      this.#recoverer.recover().then(
        () => this.#scheduler.ring(),
        (error: unknown) =>
          this.#context.settings.log.error("orders of dead workers were not taken up", {
            reason: String(error),
          }),
      );
    }
  }

  async submit(
    kind: string,
    payload?: unknown,
    options: SubmitOptions & CallOptions = {},
  ): Promise<Submitted> {
    this.#refuseStopped();
    submitOptions(options);
    const { signal, ...about } = options;
    const [stored] = await this.#submitter.submit([submissionOf(kind, payload, about)], signal);
    if (stored === undefined) {
      throw new CutoverError("CUTOVER_INTERNAL", { message: "the store returned no record for a new order" });
    }
    return stored;
  }

  async submitAll(
    orders: readonly Submission[],
    options: CallOptions = {},
    ...more: readonly unknown[]
  ): Promise<readonly Submitted[]> {
    this.#refuseStopped();
    nothingMore(more, "submitAll");
    return this.#submitter.submit(orders, callSignal(options, "submitAll", inEach));
  }

  async submitWithin(
    connection: unknown,
    kind: string,
    payload?: unknown,
    options: SubmitOptions = {},
  ): Promise<{ readonly id: string }> {
    const [order] = await this.submitAllWithin(connection, [submissionOf(kind, payload, options)]);
    return { id: order?.id ?? "" };
  }

  async submitAllWithin(
    connection: unknown,
    orders: readonly Submission[],
    ...more: readonly unknown[]
  ): Promise<readonly { readonly id: string }[]> {
    this.#refuseStopped();
    nothingMore(more, "submitAllWithin");
    return this.#submitter.submitWithin(connection, orders);
  }

  async get(id: string, options: CallOptions = {}): Promise<OrderRecord | undefined> {
    return this.#find(this.#call(callSignal(options, "get")), id);
  }

  async list(query: Parameters<Queue["list"]>[0] = {}): ReturnType<Queue["list"]> {
    this.#refuseStopped();
    onlyKnown(query, { states: true, limit: true, after: true, signal: true }, "list");
    const { signal, ...asked } = query;
    refuseUnknownStates(query.states, orderStates);
    if (query.after !== undefined) isText(query.after, "after");
    const limit = whole(query.limit ?? 100, "limit", 1, 100_000);
    const { store, settings } = this.#call(signal);
    return store.orders.list({ ...asked, queue: settings.name, limit });
  }

  async counts(options: CallOptions = {}): Promise<OrderCounts> {
    const { store, settings } = this.#call(callSignal(options, "counts"));
    return store.orders.counts(settings.name);
  }

  async cancel(
    id: string,
    reason: string,
    options: CallOptions & { readonly onlyWaiting?: boolean } = {},
  ): Promise<OrderRecord> {
    onlyKnown(options, { onlyWaiting: true, signal: true }, "cancel");
    reasonText(reason);
    const call = this.#call(options.signal);
    const found = await this.#known(call, id);
    if (options.onlyWaiting === true) return cancelWaiting(call, found, reason);
    return cancelOrder(call, found, reason, this.#askEnd);
  }

  async cancelAll(which: Parameters<Queue["cancelAll"]>[0]): Promise<number> {
    this.#refuseStopped();
    return cancelMany(this.#context, which, this.#askEnd);
  }

  async retry(id: string, reason = "asked for by retry()", options: CallOptions = {}): Promise<OrderRecord> {
    const call = this.#call(callSignal(options, "retry"));
    return requeue(call, await this.#known(call, id), reasonText(reason));
  }

  async deadLetters(query: Parameters<Queue["deadLetters"]>[0] = {}): Promise<readonly OrderRecord[]> {
    this.#refuseStopped();
    return deadLetters(this.#context, query);
  }

  async resubmit(query: Parameters<Queue["resubmit"]>[0] = {}): Promise<number> {
    this.#refuseStopped();
    return resubmitMany(this.#context, query, (call, id) => this.#known(call, id));
  }

  async setPriority(id: string, priority: number): Promise<OrderRecord> {
    const order = await this.#known(this.#calls, id);
    if (isFinished(order.state))
      throw invalid("id", "an unfinished work order", `${id}, which is ${order.state}`);
    const wanted = whole(priority, "priority", -1_000_000, 1_000_000);
    return (await this.#calls.store.orders.setPriority(id, wanted)) ?? order;
  }

  async waitFor(id: string, options: WaitOptions = {}): Promise<OrderRecord> {
    this.#refuseStopped();
    return this.#waiters.until(id, waitOptions(options), async () => {
      const order = await this.#known(this.#context, id);
      return isFinished(order.state) ? order : undefined;
    });
  }

  async drain(options: WaitOptions = {}): Promise<void> {
    this.#refuseStopped();
    await this.#waiters.until(empty, waitOptions(options), async () =>
      (await isEmpty(this.#context, this.#scheduler)) ? true : undefined,
    );
  }

  async pause(reason = "asked for by pause()"): Promise<void> {
    await this.#configure({ paused: true }, reason);
  }

  async resume(reason = "asked for by resume()"): Promise<void> {
    await this.#configure({ paused: false }, reason);
    this.#scheduler.ring();
  }

  async config(): ReturnType<Queue["config"]> {
    this.#refuseStopped();
    return this.#calls.store.orders.config(this.#calls.settings.name);
  }

  async configure(change: ConfigChange, reason = "asked for by configure()"): ReturnType<Queue["configure"]> {
    const config = await this.#configure(configChange(change), reason);
    this.#scheduler.ring();
    return config;
  }

  async schedule(...schedule: Parameters<Queue["schedule"]>): ReturnType<Queue["schedule"]> {
    this.#refuseStopped();
    return this.#schedules.set(...schedule).finally(() => this.#scheduler.ring());
  }

  async unschedule(schedule: string): Promise<boolean> {
    this.#refuseStopped();
    return this.#schedules.remove(schedule);
  }

  async schedules(): ReturnType<Queue["schedules"]> {
    this.#refuseStopped();
    return this.#schedules.list();
  }

  health(): Promise<QueueHealth> {
    return this.#figures.health(this.#stopped !== undefined, this.recovered);
  }

  async metrics(): Promise<QueueMetrics> {
    this.#refuseStopped();
    return this.#figures.metrics(this.#calls);
  }

  async workers(): ReturnType<Queue["workers"]> {
    this.#refuseStopped();
    return listWorkers(this.#calls.store, this.#calls.settings.name);
  }

  async timeline(id: string): Promise<readonly TimelineEntry[]> {
    await this.#known(this.#calls, id);
    return orderTimeline(this.#calls.store, id);
  }

  async history(id: string): ReturnType<Queue["history"]> {
    await this.#known(this.#calls, id);
    return this.#calls.store.orders.history(id);
  }

  async recoverFromAudit(options: AuditRecoveryOptions): Promise<AuditRecovery> {
    this.#refuseStopped();
    const { settings, store } = this.#calls;
    return recoverOwn(store, settings.name, options);
  }

  async prune(options: Parameters<Queue["prune"]>[0]): Promise<number> {
    this.#refuseStopped();
    onlyKnown(options, { olderThan: true, signal: true }, "prune");
    return prune(this.#call(options.signal), duration(options.olderThan, "olderThan"), Infinity);
  }

  async stop(options: Parameters<Queue["stop"]>[0] = {}): Promise<void> {
    onlyKnown(options, { wait: true }, "stop");
    return (this.#stopped ??= this.#stop(duration(options.wait ?? 0, "wait")));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Part of opening. */
  async begin(): Promise<void> {
    await this.#hearing.begin();
    await this.#recoverer.recover();
  }

  #upkeep(): Upkeep {
    const { settings } = this.#context;
    const { leaseMs, pollMs } = settings;
    const isBusy = (): boolean => this.#scheduler.attempts.size > 0;
    const pruning = new Pruning(this.#context, isBusy);
    return new Upkeep(settings, [
      { name: "take up orders whose lease is over", everyMs: leaseMs, run: () => this.#recoverer.recover() },
      {
        name: "look for dead workers of this machine",
        everyMs: pollMs,
        run: () => this.#recoverer.recoverDead(),
      },
      {
        name: "look for requests to cancel",
        everyMs: pollMs,
        run: () => this.#hearing.catchUp(),
      },
      {
        name: "tell that this worker is there",
        everyMs: seenEveryMs,
        run: () => this.#workers.seen(this.#scheduler.kinds),
      },
      { name: "remove finished orders", everyMs: pollMs, run: () => pruning.run() },
    ]);
  }

  async #stop(waitMs: number): Promise<void> {
    await this.#scheduler.stop("stopping", waitMs);
    await this.#workers.announced();
    await this.#recoverer.settled();
    this.#hearing.stop();
    this.#context.telemetry?.close();
    for (const sandbox of new Set(this.#scheduler.sandboxes.values())) await sandbox.close?.();
    await this.#workers.gone().catch(() => {}); // The others see by themselves that it is not there any more.
    this.#waiters.failAll(closed());
    await this.#closeStore();
  }

  readonly #askEnd: AskEnd = (id, reason) => {
    this.#scheduler.attempts.get(id)?.end("cancelled", undefined, reason);
  };

  #configure(
    change: Parameters<QueueContext["store"]["orders"]["configure"]>[1],
    reason: string,
  ): ReturnType<Queue["config"]> {
    this.#refuseStopped();
    const { store, settings, worker } = this.#calls;
    return store.orders.configure(settings.name, change, worker, reasonText(reason));
  }

  async #find({ store, settings }: QueueContext, id: string): Promise<OrderRecord | undefined> {
    this.#refuseStopped();
    if (typeof id !== "string") throw invalid("id", "the id of a work order", id);
    const order = await store.orders.get(id);
    return order?.queue === settings.name ? order : undefined;
  }

  async #known(call: QueueContext, id: string): Promise<OrderRecord> {
    const order = await this.#find(call, id);
    if (order !== undefined) return order;
    throw unknownOrder(this.#context, id);
  }

  #call(signal: AbortSignal | undefined): QueueContext {
    this.#refuseStopped();
    return signal === undefined ? this.#calls : forCall(this.#context, signal);
  }

  #refuseStopped(): void {
    if (this.#stopped !== undefined) throw closed();
  }
}

const closed = (): CutoverError =>
  new CutoverError("CUTOVER_QUEUE_CLOSED", { message: "the queue was stopped; it takes no more calls" });

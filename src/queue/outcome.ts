import { faultPoint, hasCode, isCutoverError, type Json } from "../core/index.ts";
import type { OrderChange, OrderRecord } from "../store/index.ts";
import { askedReason } from "./cancellation.ts";
import { insist, type QueueContext, sendEvent } from "./context.ts";
import { endError, type EndReason } from "./end-reason.ts";
import { type Classification, classify, decideFailure, errorRecord, isLost } from "./failure.ts";
import { lostOrder } from "./lost-order.ts";
import type { ProgressWriter } from "./progress-writer.ts";
import type { Usage } from "./sandboxes/sandbox.ts";
import { nextState, type OrderEvent } from "./states.ts";
import { isUnstorable, mayPass, unstored } from "./unstored.ts";

/** What work came to; undefined when it did not return in time after it was asked to end. */
export type Outcome = { readonly result: Json } | { readonly error: unknown } | undefined;

/** The transition that was recorded, for those who watch. */
export interface Recorded {
  readonly event: OrderEvent;
  readonly error?: unknown;
  readonly retryAt?: number;
}

/** Work that has ended; what its sandbox left may still come in. */
export interface EndedWork {
  readonly order: OrderRecord;
  readonly usage: Usage | undefined;
  readonly progress: ProgressWriter | undefined;
}

/** Records what one attempt came to, once. */
export class OutcomeRecord {
  readonly #context: QueueContext;
  readonly #work: EndedWork;
  /** Why the work was asked to end, if it was, and what was said by who asked. */
  #why: EndReason | undefined;
  #reason: string | undefined;
  /** The store has refused the outcome with its progress, and without: what it is sure to take is recorded instead. */
  #bare = false;
  #plain = false;
  #stopping = false;

  constructor(
    context: QueueContext,
    work: EndedWork,
    why: EndReason | undefined,
    reason: string | undefined,
  ) {
    this.#context = context;
    this.#work = work;
    this.#why = why;
    this.#reason = reason;
    this.#stopping = why === "stopping";
  }

  /**
   * What was asked of the work came too late for it. Of a lease that runs out as well: whether the outcome counts is for
   * the fence to say, and nobody may have taken the order.
   */
  end(why: EndReason, reason?: string): void {
    if (why === "stopping") this.#stopping = true;
    if (why === "cancelled") this.#reason ??= reason;
  }

  /** @throws CUTOVER_LEASE_LOST when somebody else has the order; what the store says when it cannot be recorded */
  async record(outcome: Outcome): Promise<Recorded> {
    try {
      return await this.#recordAs(outcome);
    } catch (error) {
      if (!this.#plain && isUnstorable(error)) {
        this.#tell("error", `what work order ${this.#work.order.id} came to cannot be stored`, error);
        this.#plain = this.#bare || this.#work.progress === undefined;
        this.#bare = true;
        return this.record(this.#plain ? unstored(outcome, error) : outcome);
      }
      if (!hasCode(error, "CUTOVER_ORDER_CANCELLED")) throw error;
      // Asked for by another process, and not heard of here yet: as little as if it had been, this outcome counts.
      this.#why = "cancelled";
      return this.record(outcome);
    }
  }

  async #recordAs(outcome: Outcome): Promise<Recorded> {
    if (this.#why === "lease-lost") throw endError("lease-lost", this.#work.order);
    if (this.#why === "cancelled") return this.#cancelled();
    if (outcome !== undefined && "result" in outcome && this.#why !== "timeout") {
      faultPoint("queue.run.before-result");
      await this.#write("completed", { endedAt: this.#now(), error: null, result: outcome.result });
      faultPoint("queue.run.after-result");
      return completed;
    }
    if (this.#why === "stopping") return this.#release();
    if (outcome !== undefined && "error" in outcome && hasCode(outcome.error, "CUTOVER_LEASE_LOST")) {
      throw outcome.error;
    }
    if (outcome !== undefined && "error" in outcome && this.#why === undefined && isLost(outcome.error)) {
      return this.#lost(outcome.error);
    }
    return this.#failed(
      this.#why === "timeout" || outcome === undefined || "result" in outcome
        ? endError("timeout", this.#work.order)
        : outcome.error,
    );
  }

  async #lost(error: unknown): Promise<Recorded> {
    const { event, set } = lostOrder(this.#work.order, true, this.#context.settings.poisonAfter, this.#now());
    await this.#write(event, set, errorRecord(error).message);
    return { event, error };
  }

  async #failed(error: unknown): Promise<Recorded> {
    const { settings } = this.#context;
    const { state, maxRetries } = this.#work.order;
    // An attempt that failed while it was prepared counts too, or a broken sandbox would be tried for ever.
    const attempt = this.#work.order.attempt + (state === "PREPARING" ? 1 : 0);
    const failure = this.#classified(error);
    const { event, runAt } = decideFailure(
      failure,
      { state, attempt, maxRetries },
      settings.backoff,
      this.#now(),
      settings.random,
    );
    const record = errorRecord(error);
    if (runAt !== undefined) {
      faultPoint("queue.retry.before-commit");
      await this.#write(event, { attempt, runAt, error: record, sandbox: null });
      faultPoint("queue.retry.after-commit");
      return { event, error, retryAt: runAt };
    }
    const note = event === "exhausted" ? `all ${attempt} attempts failed` : "another attempt would not help";
    faultPoint("queue.fail.before-commit");
    await this.#write(event, { attempt, endedAt: this.#now(), error: record, sandbox: null }, note);
    faultPoint("queue.fail.after-commit");
    return { event, error };
  }

  /** A rule of the user that fails must not keep the attempt from being recorded: the order would run again and again. */
  #classified(error: unknown): Classification {
    try {
      return classify(error, this.#context.settings.classify);
    } catch (trouble) {
      this.#tell("warn", "classify failed; the built-in rules decide", trouble);
      return classify(error);
    }
  }

  async #cancelled(): Promise<Recorded> {
    faultPoint("queue.cancel.before-commit");
    const reason = this.#reason ?? (await askedReason(this.#context, this.#work.order.id));
    const error = errorRecord(endError("cancelled", this.#work.order, reason));
    await this.#write("cancelled", { endedAt: this.#now(), error, sandbox: null });
    faultPoint("queue.cancel.after-commit");
    return { event: "cancelled" };
  }

  /** Back to PENDING; the attempt that was begun is not counted. */
  async #release(): Promise<Recorded> {
    const attempt = this.#work.order.attempt - (this.#work.order.state === "RUNNING" ? 1 : 0);
    faultPoint("queue.release.before-commit");
    await this.#write("released", { attempt, runAt: this.#now(), sandbox: null }, "the queue stopped");
    faultPoint("queue.release.after-commit");
    return { event: "released" };
  }

  async #write(event: OrderEvent, set: NonNullable<OrderChange["set"]>, note?: string): Promise<void> {
    let all = set;
    const { usage, progress } = this.#work;
    if (usage !== undefined) all = { ...all, usage };
    if (progress !== undefined && !this.#bare) {
      await progress.settled();
      const { unwritten } = progress;
      if (unwritten !== undefined) all = { ...all, progress: unwritten };
    }
    const { clock, leaseMs } = this.#context.settings;
    const until = clock.monotonic() + leaseMs;
    let tried = false;
    const send = (): Promise<unknown> =>
      sendEvent(this.#context, this.#work.order, event, all, note, event === "cancelled" ? {} : ifWanted);
    await insist(this.#context, send, (error) => {
      if (!mayPass(error)) return false;
      tried = true;
      // Nobody can take the order while its store is away, so only a stop ends the wait for it.
      return clock.monotonic() < until || (isCutoverError(error) && !this.#stopping);
    }).catch((error: unknown) => {
      if (!tried || !this.#isWritten(error, event)) throw error;
      this.#context.meter.count(event);
    });
  }

  /** Whether a write that was answered with an error had been stored all the same, as its repetition is told. */
  #isWritten(error: unknown, event: OrderEvent): boolean {
    if (!hasCode(error, "CUTOVER_LEASE_LOST") || !isCutoverError(error)) return false;
    const found = error.details["found"] as { state?: unknown; fence?: unknown } | null | undefined;
    return (
      found?.fence === this.#work.order.fence &&
      found.state === nextState(this.#work.order.id, this.#work.order.state, event)
    );
  }

  #now(): number {
    return this.#context.store.clock.now();
  }

  #tell(level: "warn" | "error", message: string, error: unknown): void {
    const { id, kind, fence, attempt } = this.#work.order;
    this.#context.settings.log[level](message, {
      id,
      kind,
      fence,
      attempt,
      error: errorRecord(error).message,
    });
  }
}

const ifWanted = { unlessCancelled: true } as const;
const completed: Recorded = { event: "completed" };

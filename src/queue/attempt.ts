import {
  CutoverError,
  faultPoint,
  hasCode,
  isCutoverError,
  type Json,
  type JsonObject,
} from "../core/index.ts";
import type { OrderChange, OrderRecord } from "../store/index.ts";
import { insist, type QueueContext, sendEvent } from "./context.ts";
import { classify, decideFailure, errorRecord } from "./failure.ts";
import { plainJson } from "./plain-json.ts";
import { ProgressWriter } from "./progress-writer.ts";
import type { Execution, Sandbox, WorkTools } from "./sandboxes/sandbox.ts";
import { formatDuration } from "../core/index.ts";

/** Why work is ended from outside. */
export type EndReason = "cancelled" | "timeout" | "stopping" | "lease-lost";

type Outcome = { readonly result: Json } | { readonly error: unknown };

/**
 * One claim of one order, from PREPARING to what became of it. Never rejects: whatever happens ends in a
 * transition, or in none when the claim was lost.
 */
export class Attempt {
  #order: OrderRecord;
  readonly #context: QueueContext;
  readonly #sandbox: Sandbox;
  readonly #abort = new AbortController();
  readonly #progress: ProgressWriter;
  #execution: Execution | undefined;
  #why: EndReason | undefined;
  #graceMs: number;
  #startedAt: number | undefined;
  #working = true;

  constructor(order: OrderRecord, sandbox: Sandbox, context: QueueContext) {
    this.#order = order;
    this.#sandbox = sandbox;
    this.#context = context;
    this.#graceMs = context.settings.graceMs;
    this.#progress = new ProgressWriter(context, () => this.#order);
    if (order.cancelRequested) this.end("cancelled");
  }

  get order(): OrderRecord {
    return this.#order;
  }

  /** False once the work has ended and only its outcome has to be recorded: its room can be given on. */
  get working(): boolean {
    return this.#working;
  }

  /** Asks the work to end. The first reason counts; `graceMs` shortens the time it is given. */
  end(why: EndReason, graceMs: number = this.#context.settings.graceMs): void {
    if (this.#why !== undefined) return;
    this.#why = why;
    this.#graceMs = Math.min(this.#graceMs, graceMs);
    this.#abort.abort(endError(why, this.#order));
  }

  /** `ended` is called when the work has ended, before its outcome is recorded. */
  async run(ended: () => void): Promise<void> {
    const { clock, log } = this.#context.settings;
    const timer = clock.after(this.#order.timeoutMs, () => this.end("timeout"));
    try {
      const outcome = await this.#outcome();
      timer.cancel();
      this.#progress.stop();
      if (this.#startedAt !== undefined) this.#context.meter.run.add(clock.monotonic() - this.#startedAt);
      this.#working = false;
      // The next claim and this outcome then share a commit.
      ended();
      await this.#record(outcome);
    } catch (error) {
      if (hasCode(error, "CUTOVER_LEASE_LOST")) {
        this.#context.meter.late++;
        log.warn(`work order ${this.#order.id} came back after its claim was lost; refused`, this.#facts());
      } else {
        // Its lease runs out and recovery takes it up again.
        log.error(`the outcome of work order ${this.#order.id} could not be recorded`, {
          ...this.#facts(),
          error: errorRecord(error).message,
        });
      }
    } finally {
      timer.cancel();
      this.#progress.stop();
    }
  }

  /** What the work came to, or undefined when it did not return in time after it was asked to end. */
  async #outcome(): Promise<Outcome | undefined> {
    let outcome: Outcome | undefined;
    const work = this.#perform().then(
      (result) => void (outcome = { result }),
      (error: unknown) => void (outcome = { error }),
    );
    await Promise.race([work, whenAborted(this.#abort.signal)]);
    if (this.#why === undefined || outcome !== undefined) return outcome;
    await Promise.race([work, this.#forced()]);
    // What the end of the work sets off is waited for: one turn of the event loop, no timer.
    await new Promise<void>((resolve) => setImmediate(resolve));
    return outcome;
  }

  #forced(): Promise<void> {
    if (this.#execution !== undefined) return this.#execution.cancel(this.#graceMs);
    return new Promise((resolve) => {
      this.#context.settings.clock.after(this.#graceMs, resolve).unref();
    });
  }

  async #perform(): Promise<Json> {
    const { signal } = this.#abort;
    signal.throwIfAborted();
    faultPoint("queue.prepare.before");
    const execution = await this.#sandbox.prepare(this.#order, this.#tools());
    faultPoint("queue.prepare.after");
    try {
      signal.throwIfAborted();
      await this.#start();
      signal.throwIfAborted();
      this.#execution = execution;
      const result = await execution.run(async (trace) => {
        this.#order = await sendEvent(this.#context, this.#order, "attached", { sandbox: trace });
      });
      return plainJson(result, "result", this.#context.settings.payloadLimit);
    } finally {
      await this.#cleanup(execution);
    }
  }

  async #start(): Promise<void> {
    const { clock } = this.#context.settings;
    const { attempt, runAt } = this.#order;
    const now = clock.now();
    faultPoint("queue.start.before-commit");
    this.#order = await sendEvent(this.#context, this.#order, "started", {
      attempt: attempt + 1,
      startedAt: now,
    });
    faultPoint("queue.start.after-commit");
    this.#startedAt = clock.monotonic();
    this.#context.meter.wait.add(now - runAt);
  }

  async #cleanup(execution: Execution): Promise<void> {
    faultPoint("queue.cleanup.before");
    try {
      await execution.cleanup();
    } catch (error) {
      // What the work came to is worth more than a scratch folder that stays behind.
      this.#context.settings.log.warn(`cleaning up after work order ${this.#order.id} failed`, {
        ...this.#facts(),
        error: errorRecord(error).message,
      });
    }
    faultPoint("queue.cleanup.after");
  }

  async #record(outcome: Outcome | undefined): Promise<void> {
    if (this.#why === "lease-lost") {
      throw endError("lease-lost", this.#order);
    }
    if (this.#why === "cancelled") return this.#cancelled();
    if (outcome !== undefined && "result" in outcome && this.#why !== "timeout") {
      faultPoint("queue.run.before-result");
      await this.#write("completed", { result: outcome.result, endedAt: this.#now(), error: null });
      faultPoint("queue.run.after-result");
      return;
    }
    if (this.#why === "stopping") return this.#release();
    if (outcome !== undefined && "error" in outcome && hasCode(outcome.error, "CUTOVER_LEASE_LOST")) {
      throw outcome.error;
    }
    await this.#failed(
      this.#why === "timeout" || outcome === undefined || "result" in outcome
        ? endError("timeout", this.#order)
        : outcome.error,
    );
  }

  async #failed(error: unknown): Promise<void> {
    const { settings } = this.#context;
    const { state, maxRetries } = this.#order;
    // An attempt that failed while it was prepared counts too, or a broken sandbox would be tried for ever.
    const attempt = this.#order.attempt + (state === "PREPARING" ? 1 : 0);
    const failure = classify(error, settings.classify);
    const { event, runAt } = decideFailure(
      failure,
      { state, attempt, maxRetries },
      settings.backoff,
      settings.clock.now(),
      settings.random,
    );
    const record = errorRecord(error);
    if (runAt !== undefined) {
      faultPoint("queue.retry.before-commit");
      await this.#write(event, { attempt, runAt, error: record, sandbox: null });
      faultPoint("queue.retry.after-commit");
      return;
    }
    const note = event === "exhausted" ? `all ${attempt} attempts failed` : "another attempt would not help";
    faultPoint("queue.fail.before-commit");
    await this.#write(event, { attempt, endedAt: this.#now(), error: record, sandbox: null }, note);
    faultPoint("queue.fail.after-commit");
  }

  async #cancelled(): Promise<void> {
    faultPoint("queue.cancel.before-commit");
    const error = errorRecord(endError("cancelled", this.#order));
    await this.#write("cancelled", { endedAt: this.#now(), error, sandbox: null });
    faultPoint("queue.cancel.after-commit");
  }

  /** Back to PENDING; the attempt that was begun is not counted. */
  async #release(): Promise<void> {
    const attempt = this.#order.attempt - (this.#order.state === "RUNNING" ? 1 : 0);
    faultPoint("queue.release.before-commit");
    await this.#write("released", { attempt, runAt: this.#now(), sandbox: null }, "the queue stopped");
    faultPoint("queue.release.after-commit");
  }

  async #write(
    event: Parameters<typeof sendEvent>[2],
    set: NonNullable<OrderChange["set"]>,
    note?: string,
  ): Promise<void> {
    await this.#progress.settled();
    const progress = this.#progress.unwritten;
    const all = progress === undefined ? set : { ...set, progress };
    const { clock, leaseMs } = this.#context.settings;
    const limit = clock.monotonic() + leaseMs;
    this.#order = await insist(
      this.#context,
      () => sendEvent(this.#context, this.#order, event, all, note),
      (error) => (!isCutoverError(error) || error.exitCode === 6) && clock.monotonic() < limit,
    );
  }

  #tools(): WorkTools {
    const { id, fence, attempt } = this.#order;
    return {
      signal: this.#abort.signal,
      fence,
      idempotencyKey: id,
      attempt: attempt + 1,
      progress: (state: JsonObject) => this.#progress.put(state),
      log: this.#context.settings.log,
    };
  }

  #now(): number {
    return this.#context.settings.clock.now();
  }

  #facts(): JsonObject {
    const { id, kind, fence, attempt } = this.#order;
    return { id, kind, fence, attempt };
  }
}

function endError(why: EndReason, order: OrderRecord): CutoverError {
  const { id, timeoutMs } = order;
  switch (why) {
    case "cancelled":
      return new CutoverError("CUTOVER_ORDER_CANCELLED", {
        message: `work order ${id} was cancelled`,
        details: { id },
      });
    case "timeout":
      return new CutoverError("CUTOVER_ORDER_TIMEOUT", {
        message: `work order ${id} did not end within ${formatDuration(timeoutMs)}`,
        details: { id, timeoutMs },
      });
    case "stopping":
      return new CutoverError("CUTOVER_QUEUE_CLOSED", {
        message: `the queue stops; work order ${id} goes back to it and costs no attempt`,
        details: { id },
      });
    case "lease-lost":
      return new CutoverError("CUTOVER_LEASE_LOST", {
        message: `the claim of work order ${id} was lost; nothing is written for it here any more`,
        details: { id, fence: order.fence },
      });
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

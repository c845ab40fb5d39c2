import { faultPoint, hasCode, type Json, type JsonObject } from "../core/index.ts";
import type { OrderRecord } from "../store/index.ts";
import { type QueueContext, sendEvent } from "./context.ts";
import { endError, type EndReason } from "./end-reason.ts";
import { errorRecord } from "./failure.ts";
import { type EndedWork, type Outcome, OutcomeRecord } from "./outcome.ts";
import { plainJson } from "./plain-json.ts";
import { ProgressWriter } from "./progress-writer.ts";
import type { Execution, Sandbox, Usage, WorkTools } from "./sandboxes/sandbox.ts";
import type { OrderEvent } from "./states.ts";
import type { AttemptTrace } from "./telemetry.ts";

/** Longest wait for what work that was ended leaves: it must not run beside the next attempt, nor hold up the order for ever. */
const cleanupMs = 10_000;

/** Who runs attempts. One object for all of them: an attempt makes no closures for it. */
export interface AttemptHost {
  /** It was made ready and its work begins: the time that it was given counts from now. */
  started(attempt: Attempt): void;
  /** The work has ended, its outcome is not recorded yet: its room can be given on. */
  ended(attempt: Attempt): void;
  /** The outcome is recorded, or the claim was lost. */
  done(attempt: Attempt): void;
}

/**
 * One claim of one order, from PREPARING (or RUNNING, when it needed no preparation) to what became of it. `run` never
 * rejects: whatever happens ends in a transition, or in none when the claim was lost.
 *
 * Thousands of short ones run each second, so what most of them never use (abort controller, progress) is made when it
 * is asked for.
 */
export class Attempt implements EndedWork {
  #order: OrderRecord;
  readonly #context: QueueContext;
  readonly #sandbox: Sandbox;
  #host: AttemptHost | undefined;
  #abort: AbortController | undefined;
  #progress: ProgressWriter | undefined;
  #execution: Execution | undefined;
  #usage: Usage | undefined;
  #trace: AttemptTrace | undefined;
  #why: EndReason | undefined;
  /** What was said by who asked for its end. */
  #reason: string | undefined;
  /** Wakes `#outcome` when the work is asked to end. */
  #asked: (() => void) | undefined;
  #graceMs: number;
  #startedAt: number | undefined;
  #ranMs = 0;
  #working = true;
  #record: OutcomeRecord | undefined;
  #cleaning = false;

  constructor(order: OrderRecord, sandbox: Sandbox, context: QueueContext) {
    this.#order = order;
    this.#sandbox = sandbox;
    this.#context = context;
    this.#graceMs = context.settings.graceMs;
    if (order.state === "RUNNING") this.#begun();
    if (order.cancelRequested) this.end("cancelled");
  }

  get order(): OrderRecord {
    return this.#order;
  }

  get usage(): Usage | undefined {
    return this.#usage;
  }

  get progress(): ProgressWriter | undefined {
    return this.#progress;
  }

  /** False once the work has ended and only its outcome has to be recorded: its room can be given on. */
  get working(): boolean {
    return this.#working;
  }

  /** Asks the work to end. The first reason counts; `graceMs` shortens the time it is given. */
  end(why: EndReason, graceMs: number = this.#context.settings.graceMs, reason?: string): void {
    this.#record?.end(why, reason);
    if (this.#why !== undefined) return;
    this.#why = why;
    this.#reason = reason;
    this.#graceMs = Math.min(this.#graceMs, graceMs);
    this.#abort?.abort(endError(why, this.#order, reason));
    this.#asked?.();
  }

  async run(host: AttemptHost): Promise<void> {
    const { clock, log } = this.#context.settings;
    this.#host = host;
    let end: OrderEvent | "late" = "late";
    let failure: unknown;
    let retryAt: number | undefined;
    this.#openTrace();
    const outcome = await this.#outcome();
    this.#progress?.stop();
    if (this.#startedAt !== undefined) {
      this.#ranMs = clock.monotonic() - this.#startedAt;
      this.#context.meter.run.add(this.#ranMs);
    }
    this.#working = false;
    this.#record = new OutcomeRecord(this.#context, this, this.#why, this.#reason);
    // The next claim and this outcome then share a commit.
    host.ended(this);
    try {
      ({ event: end, error: failure, retryAt } = await this.#record.record(outcome));
    } catch (error) {
      failure = error;
      if (hasCode(error, "CUTOVER_LEASE_LOST")) {
        this.#context.meter.late++;
        log.warn(`work order ${this.#order.id} came back after its claim was lost; refused`, this.#facts());
      } else {
        // Its lease runs out and recovery takes it up again.
        this.#tell("error", `the outcome of work order ${this.#order.id} could not be recorded`, error);
      }
    }
    this.#trace?.end(end, this.#ranMs, failure, retryAt);
    host.done(this);
  }

  /** What the work came to, or undefined when it did not return in time after it was asked to end. */
  async #outcome(): Promise<Outcome> {
    let outcome: Outcome;
    const work = this.#perform().then(
      (result) => void (outcome = { result }),
      (error: unknown) => void (outcome = { error }),
    );
    await new Promise<void>((resolve) => {
      this.#asked = resolve;
      if (this.#why !== undefined) resolve();
      void work.then(resolve);
    });
    if (this.#why === undefined || outcome !== undefined) return outcome;
    await Promise.race([work, this.#forced()]);
    // What the end of the work sets off is waited for: one turn of the event loop, no timer.
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.#cleaning) await this.#within(cleanupMs, work);
    return outcome;
  }

  async #within(ms: number, work: Promise<void>): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = this.#context.settings.clock.after(ms, late.resolve);
    await Promise.race([work, late.promise]);
    timer.cancel();
  }

  async #forced(): Promise<void> {
    const { clock } = this.#context.settings;
    const until = clock.monotonic() + this.#graceMs;
    if (this.#execution !== undefined) {
      try {
        return await this.#execution.cancel(this.#graceMs);
      } catch (error) {
        // The work has its signal too: it may end by itself for the rest of its time, then it is left behind.
        this.#tell("error", `work order ${this.#order.id} could not be ended by its sandbox`, error);
      }
    }
    await new Promise<void>((resolve) => {
      clock.after(Math.max(0, until - clock.monotonic()), resolve).unref();
    });
  }

  async #perform(): Promise<Json> {
    this.#goOn();
    faultPoint("queue.prepare.before");
    const execution = await this.#sandbox.prepare(this.#order, this.#tools());
    faultPoint("queue.prepare.after");
    try {
      this.#goOn();
      if (this.#order.state === "PREPARING") await this.#start();
      this.#goOn();
      this.#execution = execution;
      const result = await this.#work(execution);
      return plainJson(result, "result", this.#context.settings.payloadLimit);
    } finally {
      await this.#cleanup(execution);
    }
  }

  #work(execution: Execution): Promise<Json | undefined> {
    const attach = async (trace: JsonObject): Promise<void> => {
      this.#order = await sendEvent(this.#context, this.#order, "attached", { sandbox: trace });
    };
    if (this.#trace === undefined) return execution.run(attach);
    return this.#trace.within(() => execution.run(attach));
  }

  async #start(): Promise<void> {
    const { attempt } = this.#order;
    const startedAt = this.#context.store.clock.now();
    faultPoint("queue.start.before-commit");
    this.#order = await sendEvent(this.#context, this.#order, "started", { attempt: attempt + 1, startedAt });
    faultPoint("queue.start.after-commit");
    this.#begun();
    this.#host?.started(this);
  }

  #begun(): void {
    const { startedAt, runAt } = this.#order;
    this.#startedAt = this.#context.settings.clock.monotonic();
    if (startedAt !== null) this.#context.meter.wait.add(startedAt - runAt);
  }

  async #cleanup(execution: Execution): Promise<void> {
    faultPoint("queue.cleanup.before");
    this.#cleaning = true;
    try {
      await execution.cleanup();
      this.#usage = execution.usage?.();
    } catch (error) {
      // What the work came to is worth more than a scratch folder that stays behind.
      this.#tell("warn", `cleaning up after work order ${this.#order.id} failed`, error);
    }
    this.#cleaning = false;
    faultPoint("queue.cleanup.after");
  }

  #tools(): WorkTools {
    const { id, fence, attempt, state } = this.#order;
    const signal = (): AbortSignal => this.#signal();
    return {
      // A member like the others, also for `{ ...tools }`, but made for those who look at it.
      get signal() {
        return signal();
      },
      fence,
      idempotencyKey: id,
      attempt: state === "RUNNING" ? attempt : attempt + 1,
      progress: (progress: JsonObject) => {
        this.#progress ??= new ProgressWriter(this.#context, () => this.#order);
        if (!this.#working) this.#progress.stop();
        this.#progress.put(progress);
      },
      log: this.#context.settings.log,
    };
  }

  #signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#why !== undefined) this.#abort.abort(endError(this.#why, this.#order, this.#reason));
    }
    return this.#abort.signal;
  }

  /** Throws when the work was asked to end meanwhile. */
  #goOn(): void {
    if (this.#why !== undefined) throw endError(this.#why, this.#order);
  }

  #openTrace(): void {
    const { telemetry, store } = this.#context;
    if (telemetry === undefined) return;
    const waited = (this.#order.startedAt ?? store.clock.now()) - this.#order.runAt;
    this.#trace = telemetry.attempt(this.#order, Math.max(0, waited));
  }

  #tell(level: "warn" | "error", message: string, error: unknown): void {
    this.#context.settings.log[level](message, { ...this.#facts(), error: errorRecord(error).message });
  }

  #facts(): JsonObject {
    const { id, kind, fence, attempt } = this.#order;
    return { id, kind, fence, attempt };
  }
}

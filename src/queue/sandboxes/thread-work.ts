import { type Clock, CutoverError, type Json, type Timer } from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import { memoryError } from "./memory-error.ts";
import type { Execution, Usage, WorkTools } from "./sandbox.ts";
import { type OfRun, thrownError, thrownRecord } from "./thread-messages.ts";
import type { ThreadPool } from "./thread-pool.ts";
import type { ThreadEnd, WarmThread } from "./warm-thread.ts";

const lookEveryMs = 100;
/** A thread that does not say within this time what it took blocks in code that the engine cannot interrupt. */
const answerMs = 1_000;

/** One attempt of an order in a thread. */
export class ThreadWork implements Execution {
  readonly #order: OrderRecord;
  readonly #tools: WorkTools;
  readonly #thread: WarmThread;
  readonly #pool: ThreadPool;
  readonly #clock: Clock;
  readonly #outcome: PromiseWithResolvers<Json | undefined> = Promise.withResolvers();
  #running = false;
  #look: Timer | undefined;
  #cpuMs = 0;
  #memory = 0;
  #overBuffers: number | undefined;
  #leftBehind = false;

  constructor(order: OrderRecord, tools: WorkTools, thread: WarmThread, pool: ThreadPool, clock: Clock) {
    this.#order = order;
    this.#tools = tools;
    this.#thread = thread;
    this.#pool = pool;
    this.#clock = clock;
    this.#outcome.promise.catch(() => {});
  }

  async run(): Promise<Json | undefined> {
    const { signal, fence, idempotencyKey, attempt } = this.#tools;
    const thread = this.#thread;
    const run = thread.begin({
      hear: (message) => this.#hear(message),
      ended: (end) => this.#outcome.reject(this.#ended(end, run)),
    });
    const onAbort = (): void => thread.tell({ type: "abort", run, reason: thrownRecord(signal.reason) });
    this.#running = true;
    // It may have ended since it was taken, by what an earlier order left behind in it.
    if (!thread.alive) void thread.ended.then((end) => this.#outcome.reject(this.#ended(end, run)));
    thread.tell({ type: "run", run, order: this.#order, fence, idempotencyKey, attempt });
    this.#arm();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await this.#outcome.promise;
    } finally {
      this.#running = false;
      this.#look?.cancel();
      thread.leave();
      signal.removeEventListener("abort", onAbort);
    }
  }

  async cancel(graceMs: number): Promise<void> {
    if (!this.#running) return;
    const grace = Promise.withResolvers<void>();
    const timer = this.#clock.after(graceMs, grace.resolve);
    await Promise.race([this.#settled(), grace.promise]);
    timer.cancel();
    if (!this.#running) return;
    await this.#endThread();
    await this.#settled();
  }

  async cleanup(): Promise<void> {
    // Work that is not over lost its claim; a thread that gives no answer blocks. Neither may get another order.
    const usable = !this.#running && !this.#leftBehind && (await this.#answers());
    this.#thread.cpuBefore += this.#cpuMs;
    await (usable ? this.#pool.give(this.#thread) : this.#pool.drop(this.#thread));
  }

  usage(): Usage {
    return { cpuMs: Math.round(this.#cpuMs), maxRss: this.#memory };
  }

  /** Settles the work in any case: a thread that cannot be ended is left behind. */
  async #endThread(): Promise<void> {
    await this.#thread.end();
    if (!this.#thread.alive) return;
    this.#leftBehind = true;
    this.#outcome.reject(
      this.#overBuffers === undefined
        ? new CutoverError("CUTOVER_ORDER_FAILED", {
            message: `the worker thread of work order ${this.#order.id} blocks in a call that cannot be ended; it was left behind`,
          })
        : memoryError(this.#order, this.#overBuffers),
    );
  }

  #hear(message: OfRun): void {
    if (message.type === "progress") this.#tools.progress(message.state);
    else if (message.type === "log") this.#tools.log[message.level](message.message, message.data);
    else {
      this.#memory = Math.max(this.#memory, message.memory);
      if (message.type === "done") this.#outcome.resolve(message.value as Json | undefined);
      else this.#outcome.reject(thrownError(message.error));
    }
  }

  #settled(): Promise<void> {
    return this.#outcome.promise.then(
      () => {},
      () => {},
    );
  }

  async #answers(): Promise<boolean> {
    const late = Promise.withResolvers<false>();
    const timer = this.#clock.after(answerMs, () => late.resolve(false));
    const answered = await Promise.race([this.#take().then(() => true), late.promise]);
    timer.cancel();
    return answered;
  }

  #arm(): void {
    this.#look = this.#clock.after(lookEveryMs, () => {
      void this.#take().then(() => {
        if (this.#running) this.#arm();
      });
    });
    this.#look.unref();
  }

  /** Reads what it takes; ends the thread when its buffers are over the limit. */
  async #take(): Promise<void> {
    const thread = this.#thread;
    if (!thread.alive) return;
    try {
      const [cpuMs, memory] = await Promise.all([thread.cpuMs(), thread.memory()]);
      this.#cpuMs = Math.max(this.#cpuMs, cpuMs - thread.cpuBefore);
      if (memory === undefined) return;
      this.#memory = Math.max(this.#memory, memory.heap + memory.buffers);
      if (thread.limit === 0 || memory.buffers <= thread.limit || !this.#running) return;
      this.#overBuffers = memory.buffers;
      await this.#endThread();
    } catch {
      // It ended while it was asked; what was seen before stands.
    }
  }

  #ended({ code, error, run }: ThreadEnd, own: number): Error {
    const { id } = this.#order;
    if (this.#overBuffers !== undefined) return memoryError(this.#order, this.#overBuffers);
    const reason = (error as NodeJS.ErrnoException | undefined)?.code;
    if (reason === "ERR_WORKER_OUT_OF_MEMORY") return memoryError(this.#order, undefined);
    const what = error === undefined ? `exit code ${code}` : error.message;
    // In a thread's first run there is nobody else whose fault it could be.
    if (run !== own && (run !== undefined || own > 1)) {
      const whose = run === undefined ? "nobody can tell which order" : "an earlier order";
      return new CutoverError("CUTOVER_ORDER_FAILED", {
        message: `the worker thread of work order ${id} was ended by what ${whose} left running in it: ${what}`,
        details: { exitCode: code, class: "lost" },
      });
    }
    // What was thrown outside of the work's promise, with its own code.
    if (error !== undefined) return error;
    return new CutoverError("CUTOVER_ORDER_FAILED", {
      message: `the worker thread of work order ${id} ended with ${what}`,
      details: { exitCode: code },
    });
  }
}

import { type Clock, CutoverError, type Json, type Timer } from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import { memoryError } from "./memory-error.ts";
import type { Execution, Usage, WorkTools } from "./sandbox.ts";
import { type FromThread, thrownError, thrownRecord } from "./thread-messages.ts";
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
    const onAbort = (): void => this.#thread.tell({ type: "abort", reason: thrownRecord(signal.reason) });
    this.#running = true;
    this.#thread.listener = (message) => this.#hear(message);
    void this.#thread.ended.then((end) => this.#outcome.reject(this.#ended(end)));
    this.#thread.tell({ type: "run", order: this.#order, fence, idempotencyKey, attempt });
    this.#arm();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await this.#outcome.promise;
    } finally {
      this.#running = false;
      this.#look?.cancel();
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
    await this.#thread.end();
    await this.#settled();
  }

  async cleanup(): Promise<void> {
    // Work that is not over lost its claim; a thread that gives no answer blocks. Neither may get another order.
    const usable = !this.#running && (await this.#answers());
    this.#thread.cpuBefore += this.#cpuMs;
    await (usable ? this.#pool.give(this.#thread) : this.#pool.drop(this.#thread));
  }

  usage(): Usage {
    return { cpuMs: Math.round(this.#cpuMs), maxRss: this.#memory };
  }

  #hear(message: FromThread): void {
    if (message.type === "progress") this.#tools.progress(message.state);
    else if (message.type === "log") this.#tools.log[message.level](message.message, message.data);
    else if (message.type === "done" || message.type === "failed") {
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
      await thread.end();
    } catch {
      // It ended while it was asked; what was seen before stands.
    }
  }

  #ended({ code, error }: ThreadEnd): Error {
    if (this.#overBuffers !== undefined) return memoryError(this.#order, this.#overBuffers);
    const reason = (error as NodeJS.ErrnoException | undefined)?.code;
    if (reason === "ERR_WORKER_OUT_OF_MEMORY") return memoryError(this.#order, undefined);
    // What was thrown outside of the work's promise, with its own code.
    if (error !== undefined) return error;
    return new CutoverError("CUTOVER_ORDER_FAILED", {
      message: `the worker thread of work order ${this.#order.id} ended with exit code ${code}`,
      details: { exitCode: code },
    });
  }
}

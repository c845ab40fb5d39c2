import { type ResourceLimits, Worker } from "node:worker_threads";
import { asError, type Clock, CutoverError, heapLimits, ownThread } from "../../core/index.ts";
import {
  type FromThread,
  type OfRun,
  type ThreadSetup,
  thrownError,
  type ToThread,
} from "./thread-messages.ts";

const entry = ownThread("queue/sandboxes/thread-entry");

/** Node 24.6 and newer; older ones are asked how long the thread's event loop was busy. */
interface Measured {
  cpuUsage?: () => Promise<{ readonly user: number; readonly system: number }>;
  getHeapStatistics?: () => Promise<{
    readonly total_physical_size: number;
    readonly external_memory: number;
  }>;
}

/** How a thread ended that nobody asked to end. */
export interface ThreadEnd {
  readonly code: number;
  /** What was thrown outside of any work, e.g. ERR_WORKER_OUT_OF_MEMORY. */
  readonly error: Error | undefined;
  /** The run that began what ended it; undefined when that cannot be told. */
  readonly run: number | undefined;
}

/** An order that has the thread for itself. */
export interface ThreadUser {
  /** What the work of this order says; what earlier ones left behind is not heard. */
  hear(message: OfRun): void;
  ended(end: ThreadEnd): void;
}

/** An engine that is busy needs some time to end a thread; one that has not ended by then blocks in a call of the system. */
const endMs = 1_000;

/** One worker thread with its module loaded. */
export class WarmThread {
  /** Limit of its heap, bytes; 0 for none. */
  readonly limit: number;
  readonly ready: Promise<void>;
  readonly ended: Promise<ThreadEnd>;
  alive = true;
  /** Orders it has done. */
  orders = 0;
  /** Processor time up to the end of the order before, milliseconds. */
  cpuBefore = 0;
  readonly #worker: Worker;
  readonly #clock: Clock;
  /** One place, not a handler for each order: they would be kept for as long as the thread lives. */
  #user: ThreadUser | undefined;
  #run = 0;
  #ending: Promise<void> | undefined;

  constructor(setup: ThreadSetup, limit: number, limits: ResourceLimits, clock: Clock) {
    this.limit = limit;
    this.#clock = clock;
    // What it prints goes where this process prints: reading its streams here would keep the process alive with them.
    this.#worker = new Worker(entry, {
      workerData: setup,
      resourceLimits: heapLimits(limit, limits),
    });
    let thrown: Error | undefined;
    let ending: Extract<FromThread, { type: "ending" }> | undefined;
    this.#worker.on("error", (error: unknown) => (thrown = asError(error)));
    this.ended = new Promise((resolve) => {
      this.#worker.once("exit", (code) => {
        this.alive = false;
        // The record of it keeps what a copy between threads loses: its code, and what is no error at all.
        const error = ending?.error === undefined ? thrown : thrownError(ending.error);
        const end: ThreadEnd = { code, error, run: ending?.run };
        resolve(end);
        this.#user?.ended(end);
      });
    });
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on("message", (message: FromThread) => {
        if (message.type === "ready") resolve();
        else if (message.type === "broken") reject(unusable(setup, thrownError(message.error)));
        else if (message.type === "ending") ending ??= message;
        else if (message.run === this.#run) this.#user?.hear(message);
      });
      void this.ended.then(({ error }) => reject(error ?? unusable(setup, new Error("it ended by itself"))));
    });
    this.ready.catch(() => {});
  }

  /** Begins the next run: its number. */
  begin(user: ThreadUser): number {
    this.#user = user;
    return ++this.#run;
  }

  /** The order is over: nothing of it is heard or kept any more. */
  leave(): void {
    this.#user = undefined;
  }

  tell(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  /** While it has work it keeps the process alive, while it waits it does not. */
  hold(busy: boolean): void {
    if (busy) this.#worker.ref();
    else this.#worker.unref();
  }

  /** Processor time of the thread so far, milliseconds. */
  async cpuMs(): Promise<number> {
    const measured = this.#worker as unknown as Measured;
    if (measured.cpuUsage === undefined) return this.#worker.performance.eventLoopUtilization().active;
    const { user, system } = await measured.cpuUsage();
    return (user + system) / 1_000;
  }

  /** Asked of the engine, not of the code in the thread: it answers while that code blocks. */
  async memory(): Promise<{ readonly heap: number; readonly buffers: number } | undefined> {
    const found = await (this.#worker as unknown as Measured).getHeapStatistics?.();
    return found === undefined
      ? undefined
      : { heap: found.total_physical_size, buffers: found.external_memory };
  }

  /**
   * Ends it. One that blocks in a call of the system (a program that is waited for, a pipe that is read, native code) cannot
   * be: it is left behind, `alive` for as long as that call takes.
   */
  end(): Promise<void> {
    return (this.#ending ??= this.#end());
  }

  async #end(): Promise<void> {
    if (!this.alive) return;
    const late = Promise.withResolvers<void>();
    const timer = this.#clock.after(endMs, late.resolve);
    await Promise.race([this.#worker.terminate().then(() => this.ended), late.promise]);
    timer.cancel();
    if (this.alive) this.#worker.unref();
  }
}

function unusable(setup: ThreadSetup, cause: Error): CutoverError {
  const code = (cause as NodeJS.ErrnoException).code;
  return new CutoverError("CUTOVER_ORDER_FAILED", {
    message: `${setup.module} could not be loaded in a worker thread: ${cause.message}`,
    details: {
      module: setup.module,
      ...(code === undefined ? {} : { reason: code }),
      // A module that is missing or has no such export stays so.
      ...(code === "ERR_MODULE_NOT_FOUND" || code === "CUTOVER_QUEUE_INVALID" ? { class: "fatal" } : {}),
    },
    remedy: "check the path of the module and that it can be imported by itself",
    cause,
  });
}

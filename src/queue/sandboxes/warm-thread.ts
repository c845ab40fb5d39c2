import { type ResourceLimits, Worker } from "node:worker_threads";
import { asError, CutoverError, heapLimits } from "../../core/index.ts";
import { type FromThread, type ThreadSetup, thrownError, type ToThread } from "./thread-messages.ts";

/** The file beside this one: a source in the repository, compiled in the package. */
const entry = new URL(
  import.meta.url.endsWith(".ts") ? "./thread-entry.ts" : "./thread-entry.js",
  import.meta.url,
);

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
}

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
  /** What it tells while it runs an order. */
  listener: (message: FromThread) => void = () => {};
  readonly #worker: Worker;

  constructor(setup: ThreadSetup, limit: number, limits: ResourceLimits) {
    this.limit = limit;
    // What it prints goes where this process prints: reading its streams here would keep the process alive with them.
    this.#worker = new Worker(entry, {
      workerData: setup,
      resourceLimits: heapLimits(limit, limits),
    });
    let thrown: Error | undefined;
    this.#worker.on("error", (error: unknown) => (thrown = asError(error)));
    this.ended = new Promise((resolve) => {
      this.#worker.once("exit", (code) => {
        this.alive = false;
        resolve({ code, error: thrown });
      });
    });
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on("message", (message: FromThread) => {
        if (message.type === "ready") resolve();
        else if (message.type === "broken") reject(unusable(setup, thrownError(message.error)));
        else this.listener(message);
      });
      void this.ended.then(({ error }) => reject(error ?? unusable(setup, new Error("it ended by itself"))));
    });
    this.ready.catch(() => {});
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

  async end(): Promise<void> {
    await this.#worker.terminate();
    await this.ended;
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

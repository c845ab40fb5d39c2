import { availableParallelism } from "node:os";
import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import type { ResourceLimits } from "node:worker_threads";
import { type Clock, type Duration, systemClock } from "../../core/index.ts";
import { duration, invalid, onlyKnown, whole } from "../settings.ts";
import { madeInTime } from "./command-check.ts";
import type { Sandbox } from "./sandbox.ts";
import { ThreadPool } from "./thread-pool.ts";
import { ThreadWork } from "./thread-work.ts";

export interface WorkerThreadOptions {
  /** Module with the function: `new URL("./resize.ts", import.meta.url)` or an absolute path. */
  readonly module: URL | string;
  /** Name under which the module exports it. Default `"default"`. */
  readonly export?: string;
  /** Most threads at a time; an order that finds none free waits for one. Default: as many as the machine has processors. */
  readonly threads?: number;
  /** How long a thread is kept without work. Default `"30s"`. */
  readonly idle?: Duration;
  /** Orders after which a thread is replaced; 1 gives each a fresh one. Default 1,000. */
  readonly ordersPerThread?: number;
  /**
   * Further limits of the engine, e.g. `stackSizeMb`. The heap's comes from the order. Its young generation is 16 MB; a
   * larger one is quicker for work that throws much away, but then a full heap can end the whole process.
   */
  readonly resourceLimits?: Omit<ResourceLimits, "maxOldGenerationSizeMb">;
}

const knownOptions: Readonly<Record<keyof WorkerThreadOptions, true>> = {
  module: true,
  export: true,
  threads: true,
  idle: true,
  ordersPerThread: true,
  resourceLimits: true,
};
const knownLimits: Readonly<Record<keyof NonNullable<WorkerThreadOptions["resourceLimits"]>, true>> = {
  maxYoungGenerationSizeMb: true,
  codeRangeSizeMb: true,
  stackSizeMb: true,
};

/** Heap that a thread needs before any work is done in it. */
const leastHeap = 16 * 2 ** 20;

/**
 * Runs a function of a module in a worker thread: `(order, tools) => result`, as in `queue.work`, with order, result,
 * progress and errors copied between threads. Code that blocks harms no other order, and can be ended: after the grace
 * time the thread is. Only one that blocks in a call of the system or in native code cannot be, and is left behind until that
 * call returns: its slot is given on, health says so.
 *
 * The order's memory (`needs.memory`, else that behind its slots; at least 16 MB, 0 is no limit) limits the thread's heap,
 * kept by the engine itself, and likewise its buffers outside the heap, looked at ten times a second (Node 24.6 or newer):
 * CUTOVER_ORDER_MEMORY, not tried again. A single allocation of some 16 MB beyond the limit can still end the process:
 * the engine knows no other way.
 *
 * @throws CUTOVER_QUEUE_INVALID naming the option
 *
 * @example
 * queue.work("thumbnail", workerThread({ module: new URL("./thumbnail.ts", import.meta.url) }));
 */
export function workerThread(options: WorkerThreadOptions, clock: Clock = systemClock): Sandbox {
  onlyKnown(options, knownOptions, "workerThread");
  const exportName = options.export ?? "default";
  if (typeof exportName !== "string" || exportName === "") throw invalid("export", "a name", exportName);
  onlyKnown(options.resourceLimits ?? {}, knownLimits, "resourceLimits");
  const pool = new ThreadPool({
    setup: { module: moduleUrl(options.module), exportName },
    limits: options.resourceLimits ?? {},
    threads: whole(options.threads ?? availableParallelism(), "threads", 1, 1_000),
    idleMs: duration(options.idle ?? "30s", "idle"),
    orders: whole(options.ordersPerThread ?? 1_000, "ordersPerThread", 1, Number.MAX_SAFE_INTEGER),
    clock,
  });
  return {
    provider: "worker-thread",
    async prepare(order, tools) {
      const limit = order.memory === 0 ? 0 : Math.max(leastHeap, order.memory);
      const thread = await pool.take(limit, tools.signal, (ready) => madeInTime(ready, order, clock));
      return new ThreadWork(order, tools, thread, pool, clock);
    },
    // A thread ends with its process.
    findOrphan: () => undefined,
    close: () => pool.close(),
    leftBehind: () => pool.leftBehind,
  };
}

function moduleUrl(module: URL | string): string {
  if (module instanceof URL) return module.href;
  if (typeof module === "string" && isAbsolute(module)) return pathToFileURL(module).href;
  if (typeof module === "string" && module.startsWith("file:")) return module;
  throw invalid("module", "an absolute path, or a URL such as new URL('./work.ts', import.meta.url)", module);
}

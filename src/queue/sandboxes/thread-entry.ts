/** What runs in a worker thread: loads the module once, then does one order at a time as it is told to. */
import { AsyncLocalStorage } from "node:async_hooks";
import thread from "node:process";
import { getHeapStatistics } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { CutoverError, type JsonObject, type Log } from "../../core/index.ts";
import type { Handler } from "./in-process.ts";
import {
  type FromThread,
  type ThreadSetup,
  thrownError,
  thrownRecord,
  type ToThread,
} from "./thread-messages.ts";

const { module, exportName } = workerData as ThreadSetup;
let abort = new AbortController();
let current = 0;
/** Which run began what goes on now: also what it left behind knows. */
const runs = new AsyncLocalStorage<number>();

const tell = (message: FromThread): void => parentPort?.postMessage(message);

function logger(run: number, level: keyof Log): Log[keyof Log] {
  return (message: string, data?: JsonObject) => {
    try {
      tell({ type: "log", run, level, message, ...(data === undefined ? {} : { data }) });
    } catch {
      // Data that cannot be copied must not fail the work that wanted to tell of it.
      tell({ type: "log", run, level, message });
    }
  };
}

const logOf = (run: number): Log => ({
  debug: logger(run, "debug"),
  info: logger(run, "info"),
  warn: logger(run, "warn"),
  error: logger(run, "error"),
});

/** Heap and buffers of this thread. */
function memory(): number {
  const { total_physical_size, external_memory } = getHeapStatistics();
  return total_physical_size + external_memory;
}

async function work(
  handler: Handler<unknown, unknown>,
  message: Extract<ToThread, { type: "run" }>,
): Promise<void> {
  const { run, order, fence, idempotencyKey, attempt } = message;
  const { signal } = abort;
  const progress = (state: JsonObject): void => tell({ type: "progress", run, state });
  const log = logOf(run);
  try {
    const value = await handler(order, { signal, fence, idempotencyKey, attempt, progress, log });
    try {
      tell({ type: "done", run, value, memory: memory() });
    } catch (cause) {
      throw new CutoverError("CUTOVER_QUEUE_INVALID", {
        message: "result: expected plain data, found something that cannot be copied between threads",
        place: "result",
        cause,
      });
    }
  } catch (error) {
    tell({ type: "failed", run, error: thrownRecord(error), memory: memory() });
  }
}

async function load(): Promise<Handler<unknown, unknown>> {
  const exported: unknown = ((await import(module)) as Readonly<Record<string, unknown>>)[exportName];
  if (typeof exported === "function") return exported as Handler<unknown, unknown>;
  throw new CutoverError("CUTOVER_QUEUE_INVALID", {
    message: `export: expected a function named ${JSON.stringify(exportName)} in ${module}, found ${typeof exported}`,
    place: "export",
  });
}

thread.on("uncaughtExceptionMonitor", (error) => {
  tell({ type: "ending", run: runs.getStore(), error: thrownRecord(error) });
});
thread.on("exit", () => tell({ type: "ending", run: runs.getStore() }));

load().then(
  (handler) => {
    parentPort?.on("message", (message: ToThread) => {
      if (message.type === "abort") {
        if (message.run === current) abort.abort(thrownError(message.reason));
        return;
      }
      abort = new AbortController();
      current = message.run;
      void runs.run(current, () => work(handler, message));
    });
    tell({ type: "ready" });
  },
  (error: unknown) => tell({ type: "broken", error: thrownRecord(error) }),
);

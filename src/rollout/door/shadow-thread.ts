/** What runs in the thread of `WorkerSide`: calls the function of the user's module and tells how it ended. */
import { serialize } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { asError, systemClock } from "../../core/index.ts";
import { type AnyFunction, ApartCall, type Outcome } from "./apart.ts";
import { copyValue, uncopied } from "./copy.ts";
import { Deadlines } from "./deadlines.ts";
import { errorFacts } from "./error-facts.ts";
import type { FromThread, ThreadSettings, ToThread } from "./worker-side.ts";

/** Bytes of one answer; reading a larger one would hold up the callers' thread. */
const mostBytes = 4 * 1_048_576;
/** Deadlines are the other thread's: it ends this one. */
const never = 86_400_000;

const settings = workerData as ThreadSettings;
const deadlines = new Deadlines(systemClock, never);
const calls = new Map<number, ApartCall>();
const tell = (message: FromThread): void => parentPort?.postMessage(message);

function packed(outcome: Outcome | undefined): Uint8Array | undefined {
  if (outcome === undefined) return undefined;
  try {
    const plain: unknown = outcome.ok
      ? outcome.stream === undefined
        ? { ok: true, value: copyValue(outcome.value, settings.copyLimit) }
        : outcome
      : { ok: false, error: copyValue(errorFacts(outcome.error), settings.copyLimit) };
    const { value, error } = plain as { value?: unknown; error?: unknown };
    if (value === uncopied || error === uncopied) return undefined;
    const bytes = serialize(plain);
    return bytes.byteLength > mostBytes ? undefined : bytes;
  } catch {
    return undefined; // functions and other things that no thread can send
  }
}

function listen(fn: AnyFunction): void {
  parentPort?.on("message", (message: ToThread) => {
    if ("limit" in message) return calls.get(message.id)?.limit(message.limit);
    const { id, args } = message;
    const call = new ApartCall((outcome) => {
      calls.delete(id);
      tell({ id, outcome: packed(outcome) });
    }, settings.bounds);
    calls.set(id, call);
    call.run(fn, undefined, args, deadlines);
  });
  tell({ ready: true });
}

try {
  const module = (await import(settings.module)) as Readonly<Record<string, unknown>>;
  const fn = module[settings.name];
  if (typeof fn === "function") listen(fn as AnyFunction);
  else
    tell({ failed: `expected ${settings.module} to export a function ${settings.name}, found ${typeof fn}` });
} catch (error) {
  tell({ failed: `${settings.module} could not be loaded: ${asError(error).message}` });
}

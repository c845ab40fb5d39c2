import { CutoverError, type ErrorCode, isCutoverError, type JsonObject, type Log } from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import { errorRecord, member } from "../failure.ts";

/** What a thread is made with. */
export interface ThreadSetup {
  /** URL of the module. */
  readonly module: string;
  readonly exportName: string;
}

/** `run` counts the orders of a thread: what one left behind there must not be taken for the next one's. */
export type ToThread =
  | {
      readonly type: "run";
      readonly run: number;
      readonly order: OrderRecord;
      readonly fence: number;
      readonly idempotencyKey: string;
      readonly attempt: number;
    }
  | { readonly type: "abort"; readonly run: number; readonly reason: ThrownRecord };

export type FromThread =
  | { readonly type: "ready" }
  /** The module could not be used; nothing will ever run in this thread. */
  | { readonly type: "broken"; readonly error: ThrownRecord }
  | OfRun
  /** The thread is about to end; `run` began what ends it, undefined when that cannot be told. */
  | { readonly type: "ending"; readonly run: number | undefined; readonly error?: ThrownRecord };

/** What the work of one order says. */
export type OfRun = { readonly run: number } & (
  | { readonly type: "progress"; readonly state: JsonObject }
  | {
      readonly type: "log";
      readonly level: keyof Log;
      readonly message: string;
      readonly data?: JsonObject;
    }
  /** `memory`: heap and buffers of the thread at this moment, bytes. */
  | { readonly type: "done"; readonly value: unknown; readonly memory: number }
  | { readonly type: "failed"; readonly error: ThrownRecord; readonly memory: number }
);

/** An error on its way between threads: a plain copy of one loses its code and its class. */
export interface ThrownRecord {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** Only of a CutoverError. */
  readonly details?: JsonObject;
  readonly stack?: string;
  readonly cause?: ThrownRecord;
}

/** How deep causes are followed; classification looks no deeper either. */
const deepest = 5;

/** Of whatever was thrown: nothing of it is trusted to be a text, to be readable, or to be fit to be copied. */
export function thrownRecord(thrown: unknown, depth = 0): ThrownRecord {
  const { code, message, details } = errorRecord(thrown);
  if (typeof thrown !== "object" || thrown === null) return { name: "Error", message };
  const [name, stack, cause] = ["name", "stack", "cause"].map((each) => member(thrown, each));
  return {
    name: typeof name === "string" ? name : "Error",
    message,
    ...(member(thrown, "code") === undefined ? {} : { code }),
    ...(isCutoverError(thrown) ? { details: details ?? {} } : {}),
    ...(typeof stack === "string" ? { stack } : {}),
    ...(cause === undefined || depth >= deepest ? {} : { cause: thrownRecord(cause, depth + 1) }),
  };
}

/** The error again, with what `isCutoverError` and `classify` look at. */
export function thrownError(record: ThrownRecord): Error {
  const { name, message, code, details, stack } = record;
  const cause = record.cause === undefined ? undefined : thrownError(record.cause);
  if (name === "CutoverError" && code !== undefined && details !== undefined) {
    return new CutoverError(code as ErrorCode, { message, details, cause });
  }
  const error = new Error(message, cause === undefined ? undefined : { cause });
  return Object.assign(
    error,
    { name },
    code === undefined ? {} : { code },
    stack === undefined ? {} : { stack },
  );
}

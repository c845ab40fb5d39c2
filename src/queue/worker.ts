import type { WorkOrder } from "./sandboxes/in-process.ts";
import type { Sandbox, WorkTools } from "./sandboxes/sandbox.ts";
import { invalid, plainObject, type QueueOptions, queueSettings } from "./settings.ts";
import { kindName } from "./submission.ts";

/** A function that does orders of one kind, its payload typed as its author knows it to be. */
export type WorkFunction = {
  // A method, so that a handler may name the type of its own payload: the queue cannot know it.
  handle(order: WorkOrder, tools: WorkTools): unknown;
}["handle"];

/** What `defineWorker` takes: options of the queue, and how each kind is done. */
export interface WorkerInput extends Omit<
  QueueOptions,
  "name" | "schema" | "clock" | "random" | "log" | "workerId"
> {
  /** Name of the queue. Default `"default"`. */
  readonly queue?: string;
  /** By kind: a function of this file, or a sandbox such as `subprocess(…)`. */
  readonly kinds: Readonly<Record<string, WorkFunction | Sandbox>>;
}

/** What a file exports for `cutover worker FILE`. */
export interface WorkerDefinition {
  /** Tells a worker from any other export, also one of another copy of the package. */
  readonly type: "worker";
  readonly queue: string;
  readonly kinds: Readonly<Record<string, WorkFunction | Sandbox>>;
  readonly options: Omit<QueueOptions, "name">;
}

/**
 * Says which orders a process takes and how it does them; `cutover worker FILE` then carries it out.
 * @throws CUTOVER_QUEUE_INVALID naming the member
 *
 * @example
 * export default defineWorker({
 *   slots: 4,
 *   stagger: 0,
 *   kinds: {
 *     thumbnail: async (order: WorkOrder<{ file: string }>, { signal }) => makeThumbnail(order.payload.file, signal),
 *     transcode: subprocess({ command: ({ payload }) => ({ file: "ffmpeg", args: ["-i", String(payload)] }) }),
 *   },
 * });
 */
export function defineWorker(input: WorkerInput): WorkerDefinition {
  if (typeof input !== "object" || (input as unknown) === null)
    throw invalid("worker", "an object with kinds", input, sayKinds);
  plainObject(input, "worker", "an object with kinds");
  const { queue = "default", kinds, ...options } = input;
  for (const [option, remedy] of Object.entries(notOfAWorker))
    if (option in options) throw invalid(option, "an option of a worker", option, remedy);
  queueSettings({ ...options, name: queue });
  const names = typeof kinds === "object" && (kinds as unknown) !== null ? Object.keys(kinds) : [];
  if (names.length === 0) throw invalid("kinds", "at least one kind with its handler", kinds, sayKinds);
  for (const name of names) {
    kindName(name);
    const how = kinds[name] as { readonly prepare?: unknown } | undefined;
    if (typeof how !== "function" && typeof how?.prepare !== "function")
      throw invalid(`kinds.${name}`, "a function or a sandbox", how, sayKinds);
  }
  return Object.freeze({ type: "worker", queue, kinds: Object.freeze({ ...kinds }), options });
}

const byCarrier = "leave it out: whoever carries the worker gives it";
const notOfAWorker: Readonly<Record<Exclude<keyof QueueOptions, keyof WorkerInput>, string>> = {
  name: "name the queue by queue",
  schema: "name it in the address of the store: --store 'postgres://…?schema=mine'",
  clock: byCarrier,
  random: byCarrier,
  log: byCarrier,
  workerId: byCarrier,
};
const sayKinds = "say how each kind is done: kinds: { NAME: (order) => …, OTHER: subprocess({ … }) }";

/** True for a value made by `defineWorker`: what was written without it has not been checked, and lacks its defaults. */
export function isWorker(value: unknown): value is WorkerDefinition {
  if (typeof value !== "object" || value === null) return false;
  const { type, queue, kinds, options } = value as Partial<Record<keyof WorkerDefinition, unknown>>;
  const made = [kinds, options].every((member) => typeof member === "object" && member !== null);
  return type === "worker" && typeof queue === "string" && made;
}

import type { Json, JsonObject } from "../../core/index.ts";
import type { StepContext, StepOutcome } from "../../plan/index.ts";

/** What a step of this room keeps in its checkpoint besides its own: the result, once it has one. */
export interface Saved {
  readonly result?: JsonObject;
}

/** What was saved; undefined before the step began to change anything. */
export const savedOf = <T extends Saved>(context: Pick<StepContext, "checkpoint">): T | undefined =>
  context.checkpoint() as unknown as T | undefined;

export async function save<T extends Saved>(context: StepContext, saved: T): Promise<T> {
  await context.saveCheckpoint(saved as unknown as Json);
  return saved;
}

/** Keeps the result before the step ends, so that a crash in between does not start it again. */
export async function finish<T extends Saved>(
  context: StepContext,
  saved: T,
  result: JsonObject,
): Promise<Json> {
  await save(context, { ...saved, result });
  return result;
}

/** After a crash: done where a result was saved. */
export function askSaved(context: StepContext): Promise<StepOutcome> {
  const result = savedOf(context)?.result;
  return Promise.resolve(result === undefined ? { kind: "not-done" } : { kind: "done", result });
}

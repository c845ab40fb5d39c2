import { faultPoint, type Json, type JsonObject } from "../../core/index.ts";
import type { StepContext, StepOutcome } from "../../plan/index.ts";
import { returnRoute, type RouteSetting, settingOf } from "./change-route.ts";

/** What every step that changes a route keeps: where the route was before it, and its result once it has one. */
export interface Saved {
  readonly before: RouteSetting;
  readonly result?: Json;
}

/** The checkpoint of this step; on its first start the route's setting is saved before anything is changed. */
export async function savedOrNew<T extends Saved>(
  context: StepContext,
  route: string,
  fresh: (before: RouteSetting) => T,
): Promise<T> {
  const saved = context.checkpoint();
  if (saved !== undefined) return saved as unknown as T;
  const first = fresh(await settingOf(context, route));
  await save(context, first);
  faultPoint("rollout.step.before-saved");
  return first;
}

export async function save<T extends Saved>(context: StepContext, saved: T): Promise<void> {
  await context.saveCheckpoint(saved as unknown as JsonObject);
}

/** Keeps the result before the step ends, so that a crash in between does not start it again. */
export async function finish<T extends Saved>(
  context: StepContext,
  saved: T,
  result: JsonObject,
): Promise<Json> {
  await save(context, { ...saved, result });
  faultPoint("rollout.step.finished");
  return result;
}

export function askSaved(context: StepContext): StepOutcome {
  const saved = context.checkpoint() as unknown as Saved | undefined;
  return saved?.result === undefined ? { kind: "not-done" } : { kind: "done", result: saved.result };
}

/** The way back of every step that changes a route. Without a checkpoint nothing was changed. */
export async function goBack(context: StepContext, route: string): Promise<void> {
  const saved = context.checkpoint() as unknown as Saved | undefined;
  if (saved !== undefined) await returnRoute(context, route, saved.before);
}

/** Kinds of steps whose whole way back is the setting that their route had before. Persisted. */
export const routeKinds = { ramp: "ramp", setStage: "set-stage", shadow: "shadow" } as const;

/**
 * The way back of steps that only move a route, from what their record keeps: enough to take traffic back where the
 * definition is not at hand. `before`: the setting before the step, undefined when it has changed nothing yet.
 */
export const routeSteps = {
  kinds: new Set<string>(Object.values(routeKinds)) as ReadonlySet<string>,
  before: (checkpoint: Json | undefined): RouteSetting | undefined =>
    (checkpoint as unknown as Saved | null | undefined)?.before,
} as const;

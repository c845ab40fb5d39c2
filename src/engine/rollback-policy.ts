import type { PhaseState, StepState } from "../store/index.ts";
import type { RunMemory } from "./run-memory.ts";

/** What a rollback undoes, newest phase first, and the forward-only phase it may not pass. */
export interface RollbackScope {
  readonly phases: readonly string[];
  readonly barredBy: string | undefined;
}

const untouchedPhases: readonly PhaseState[] = ["PENDING", "ROLLED_BACK"];

/** States of a forward-only phase that has begun: before them lies the approval, after them no way back. */
const begunPhases: readonly PhaseState[] = ["RUNNING", "GATING", "SEALED"];

const startedSteps: readonly StepState[] = [
  "RUNNING",
  "DONE",
  "FAILED",
  "UNKNOWN",
  "ROLLING_BACK",
  "ROLLBACK_FAILED",
];

export function rollbackScope(
  order: readonly { readonly name: string; readonly forwardOnly: boolean }[],
  memory: RunMemory,
): RollbackScope {
  const phases: string[] = [];
  for (const phase of order.toReversed()) {
    if (memory.carried.has(phase.name)) continue;
    const state = memory.phase(phase.name);
    if (phase.forwardOnly && begunPhases.includes(state)) return { phases, barredBy: phase.name };
    if (!untouchedPhases.includes(state)) phases.push(phase.name);
  }
  return { phases, barredBy: undefined };
}

/**
 * The started steps of a phase in the order they are undone: a step after everything that came after it, and
 * among those that could be next the ones that moved a route, then the last in the graph's order.
 */
export function undoOrder<S extends { readonly id: string; readonly after: readonly string[] }>(
  phase: { readonly steps: readonly S[] },
  stateOf: (step: string) => StepState,
  movedRoute: (step: string) => boolean,
): readonly S[] {
  const started = phase.steps.filter(({ id }) => startedSteps.includes(stateOf(id)));
  const inside = new Set(started.map(({ id }) => id));
  const followers = new Map<string, number>(started.map(({ id }) => [id, 0]));
  for (const { after } of started)
    for (const before of after)
      if (inside.has(before)) followers.set(before, (followers.get(before) ?? 0) + 1);
  const byId = new Map(started.map((step) => [step.id, step]));
  const movers: S[] = [];
  const others: S[] = [];
  const order: S[] = [];
  const position = new Map(started.map(({ id }, index) => [id, index]));
  const offer = (step: S): void => {
    const list = movedRoute(step.id) ? movers : others;
    const at = position.get(step.id) ?? 0;
    let index = list.length;
    while (index > 0 && (position.get(list[index - 1]?.id ?? "") ?? 0) > at) index--;
    list.splice(index, 0, step);
  };
  for (const step of started) if (followers.get(step.id) === 0) offer(step);
  for (let next = movers.pop() ?? others.pop(); next !== undefined; next = movers.pop() ?? others.pop()) {
    order.push(next);
    for (const before of next.after) {
      const left = followers.get(before);
      if (left === undefined) continue;
      followers.set(before, left - 1);
      const step = byId.get(before);
      if (left === 1 && step !== undefined) offer(step);
    }
  }
  return order;
}

import { CutoverError, type JsonObject } from "../core/index.ts";
import { type CompiledStep, difference } from "../plan/index.ts";
import type { PhaseState, RunEvent } from "../store/index.ts";
import type { Graph } from "./desk.ts";
import type { RunMemory } from "./run-memory.ts";

/** Phases whose steps have all run: a step added there would never run. A forward-only one asks before its steps. */
const pastSteps = (state: PhaseState, forwardOnly: boolean): boolean =>
  state === "GATING" || state === "SEALED" || (state === "AWAITING_APPROVAL" && !forwardOnly);

/**
 * The event that makes a run follow a changed definition; none when it did not change.
 * @throws CUTOVER_PLAN_CHANGED when the change is not accepted, and also when it would take away the way back of a
 * step that has started, or put a step where it would never run
 */
export function redefinition(
  memory: RunMemory,
  { compiled, step, phase }: Graph,
  { by, acceptChanges = false }: { readonly by: string; readonly acceptChanges?: boolean },
): readonly RunEvent[] {
  if (compiled.hash === memory.hash) return [];
  const { lines, data } = difference(memory.graph, compiled.graph);
  const refuse = (found: string, remedy?: string): never => {
    throw new CutoverError("CUTOVER_PLAN_CHANGED", {
      message: `expected the definition run ${memory.id} was created with (${memory.hash.slice(0, 8)}), found ${found}`,
      details: { run: memory.id, from: memory.hash, to: compiled.hash, difference: lines },
      ...(remedy === undefined ? {} : { remedy }),
    });
  };
  if (!acceptChanges) return refuse(`another one (${compiled.hash.slice(0, 8)}): ${lines.join("; ")}`);
  const started = [...memory.steps].filter(([, { state }]) => state !== "PENDING" && state !== "ROLLED_BACK");
  const orphans = started.filter(([id]) => !step.has(id)).map(([id]) => id);
  if (orphans.length > 0)
    return refuse(
      `one without ${orphans.join(", ")}, which have started and would lose their way back`,
      "keep these steps in the definition, or roll back first",
    );
  const stripped = started.map(([id]) => id).filter((id) => losesWayBack(memory.graph, step.get(id)));
  if (stripped.length > 0)
    return refuse(
      `one that undoes ${stripped.join(", ")} no more or in another way, though work of it stands`,
      "keep the kind and the rollback of steps that have started, or roll back first",
    );
  for (const [name, state] of memory.phases) {
    const now = phase.get(name);
    const late = now?.steps.find(({ id }) => memory.step(id).state === "PENDING");
    if (now === undefined || late === undefined || memory.carried.has(name)) continue;
    if (!pastSteps(state, now.forwardOnly)) continue;
    return refuse(
      `one with the new step ${late.id} in phase "${name}", whose steps have all run`,
      "put the step into a phase that is still to come",
    );
  }
  return [
    {
      type: "run.redefined",
      data: { from: memory.hash, to: compiled.hash, by, difference: data, graph: compiled.graph },
    },
  ];
}

/** True when a step is of another kind now, or had a rollback when the run began and has none any more. */
function losesWayBack(recorded: JsonObject, now: CompiledStep | undefined): boolean {
  if (now === undefined) return false;
  const lists = [recorded["phases"], recorded["contingencies"]].flatMap((list) =>
    Array.isArray(list) ? (list as readonly JsonObject[]) : [],
  );
  const then = lists
    .flatMap(({ steps }) => (Array.isArray(steps) ? (steps as readonly JsonObject[]) : []))
    .find(({ id }) => id === now.id);
  if (then === undefined) return false;
  return then["kind"] !== now.kind.kind || (then["undo"] === "rollback" && now.kind.rollback === undefined);
}

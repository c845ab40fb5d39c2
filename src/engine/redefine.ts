import { CutoverError } from "../core/index.ts";
import { difference } from "../plan/index.ts";
import type { PhaseState, RunEvent } from "../store/index.ts";
import type { Graph } from "./desk.ts";
import type { RunMemory } from "./run-memory.ts";

/** Phases whose steps have all run: a step added there would never run. */
const pastSteps: readonly PhaseState[] = ["GATING", "SEALED"];

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
  for (const [name, state] of memory.phases) {
    const late = phase.get(name)?.steps.find(({ id }) => memory.step(id).state === "PENDING");
    if (late === undefined || !pastSteps.includes(state) || memory.carried.has(name)) continue;
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

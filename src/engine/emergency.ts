import { asError, CutoverError } from "../core/index.ts";
import type { CompiledStep } from "../plan/index.ts";
import type { ErrorRecord } from "../store/index.ts";
import { runAttempt } from "./attempt.ts";
import type { Desk } from "./desk.ts";
import { type Person, requirePerson } from "./people.ts";
import { finalRunStates } from "./state-tables.ts";
import { stepTransition } from "./transitions.ts";

/** Steps of the emergency procedures for a stuck rollback that have not ended, in order. A failed step ends its procedure. */
export function emergencySteps(desk: Pick<Desk, "graph" | "memory">): readonly CompiledStep[] {
  const { graph, memory } = desk;
  return graph.compiled.contingencies.flatMap(({ on, steps }) => {
    if (on !== "rollback-stuck" || steps.some(({ id }) => memory.step(id).state === "FAILED")) return [];
    return steps.filter(({ id }) => memory.step(id).state !== "DONE");
  });
}

/** Runs the next step of the emergency procedures for a stuck rollback. */
export async function runEmergency(desk: Desk, controller: AbortController): Promise<void> {
  const [step] = emergencySteps(desk);
  if (step !== undefined) await runProcedureStep(desk, step, controller);
}

/**
 * Runs a procedure because a person asks for it; what of it is done already is not done again.
 * @throws CUTOVER_RUN_STATE for an unknown procedure or a run that is over, CUTOVER_STEP_FAILED when a step fails
 */
export async function runProcedure(
  desk: Desk,
  name: string,
  person: Person,
  controller: AbortController,
): Promise<void> {
  requirePerson(person);
  const { memory, graph, journal } = desk;
  const known = graph.compiled.contingencies;
  const procedure = known.find((each) => each.name === name);
  if (procedure === undefined || finalRunStates.includes(memory.state)) {
    const names = known.map((each) => each.name).join(", ");
    throw new CutoverError("CUTOVER_RUN_STATE", {
      message:
        procedure === undefined
          ? `expected an emergency procedure of this migration, found "${name}"; there are ${names || "none"}`
          : `expected run ${memory.id} to be under way, found it ${memory.state}`,
      details: { run: memory.id, procedure: name },
    });
  }
  const text = `runs the emergency procedure "${name}": ${person.reason}`;
  await journal.write({ type: "note.added", data: { by: person.by, text } });
  for (const step of procedure.steps) {
    if (memory.step(step.id).state === "DONE") continue;
    const error = await runProcedureStep(desk, step, controller);
    if (error === undefined) continue;
    throw new CutoverError("CUTOVER_STEP_FAILED", {
      message: `step "${step.id}" of the emergency procedure failed: ${error.message}`,
      details: { step: step.id, error: { ...error } },
    });
  }
}

/** A procedure's step is journalled before and after like any other, and started again after a crash. */
async function runProcedureStep(
  desk: Desk,
  step: CompiledStep,
  controller: AbortController,
): Promise<ErrorRecord | undefined> {
  const { memory, journal } = desk;
  await journal.write(stepTransition(memory, step, "start"));
  const outcome = await runAttempt(desk, step, controller);
  if (outcome.kind === "interrupted") throw asError(controller.signal.reason ?? journal.closed);
  if (outcome.kind === "done") {
    await journal.write(stepTransition(memory, step, "succeed", { result: outcome.result }));
    desk.fault("engine.emergency.after-step");
    return undefined;
  }
  const error = outcome.kind === "failed" ? outcome.error : unknownEffect;
  await journal.write(stepTransition(memory, step, "fail", { error }));
  desk.fault("engine.emergency.after-step");
  return error;
}

const unknownEffect: ErrorRecord = {
  code: "CUTOVER_STEP_UNKNOWN",
  message: "nobody knows whether it took effect",
};

import { asError } from "../core/index.ts";
import type { CompiledStep } from "../plan/index.ts";
import { runAttempt } from "./attempt.ts";
import type { Desk } from "./desk.ts";
import { stepTransition } from "./transitions.ts";

/** Steps of the emergency procedures for a stuck rollback that have not ended, in order. A failed step ends its procedure. */
export function emergencySteps(desk: Pick<Desk, "graph" | "memory">): readonly CompiledStep[] {
  const { graph, memory } = desk;
  return graph.compiled.contingencies.flatMap(({ on, steps }) => {
    if (on !== "rollback-stuck" || steps.some(({ id }) => memory.step(id).state === "FAILED")) return [];
    return steps.filter(({ id }) => memory.step(id).state !== "DONE");
  });
}

/** Runs the next emergency step as a step: journalled before and after, started again after a crash. */
export async function runEmergency(desk: Desk, controller: AbortController): Promise<void> {
  const { memory, journal } = desk;
  const [step] = emergencySteps(desk);
  if (step === undefined) return;
  await journal.write(stepTransition(memory, step, "start"));
  const outcome = await runAttempt(desk, step, controller);
  if (outcome.kind === "interrupted") throw asError(controller.signal.reason ?? journal.closed);
  const result =
    outcome.kind === "done"
      ? stepTransition(memory, step, "succeed", { result: outcome.result })
      : stepTransition(memory, step, "fail", {
          error:
            outcome.kind === "failed"
              ? outcome.error
              : { code: "CUTOVER_STEP_UNKNOWN", message: "nobody knows whether it took effect" },
        });
  await journal.write(result);
  desk.fault("engine.emergency.after-step");
}

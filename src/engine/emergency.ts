import { asError, CutoverError, hasCode } from "../core/index.ts";
import type { CompiledStep } from "../plan/index.ts";
import type { ErrorRecord } from "../store/index.ts";
import { runAttempt } from "./attempt.ts";
import type { Desk } from "./desk.ts";
import { isUnderWay } from "./firing.ts";
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
  const { memory, graph, journal, procedures } = desk;
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
  if (procedures.has(name))
    throw new CutoverError("CUTOVER_RUN_STATE", {
      message: `expected the emergency procedure "${name}" to be at rest, found it under way`,
      details: { run: memory.id, procedure: name },
      remedy: "wait until it has run",
    });
  const text = `runs the emergency procedure "${name}": ${person.reason}`;
  procedures.add(name);
  try {
    await journal.write({ type: "note.added", data: { by: person.by, text } });
    await runSteps(desk, procedure.steps, controller);
  } finally {
    procedures.delete(name);
  }
}

async function runSteps(
  desk: Desk,
  steps: readonly CompiledStep[],
  controller: AbortController,
): Promise<void> {
  for (const step of steps) {
    if (desk.memory.step(step.id).state === "DONE") continue;
    const error = await runProcedureStep(desk, step, controller);
    if (error === undefined) continue;
    throw new CutoverError("CUTOVER_STEP_FAILED", {
      message: `step "${step.id}" of the emergency procedure failed: ${error.message}`,
      details: { step: step.id, error: { ...error } },
    });
  }
}

/**
 * The procedures that triggers asked for, beside whatever the run does. That one is asked for is in the record, and so
 * is each of its steps, so it goes on after a crash where it was. A failed step ends its procedure and is noted.
 */
export class AskedProcedures {
  readonly #desk: Desk;
  readonly #beside: (work: (controller: AbortController) => Promise<void>) => Promise<void>;
  readonly #running = new Map<string, Promise<void>>();

  constructor(desk: Desk, beside: (work: (controller: AbortController) => Promise<void>) => Promise<void>) {
    this.#desk = desk;
    this.#beside = beside;
  }

  /** Begins what was asked for and does not run yet. */
  begin(): void {
    const { graph, memory, journal, procedures } = this.#desk;
    if (memory.procedures.size === 0 || journal.closed !== undefined) return;
    if (finalRunStates.includes(memory.state)) return;
    for (const { name, steps } of graph.compiled.contingencies) {
      if (procedures.has(name) || !isUnderWay(memory, name)) continue;
      procedures.add(name);
      const done = this.#run(name, steps).finally(() => {
        procedures.delete(name);
        this.#running.delete(name);
        this.#desk.wake();
      });
      this.#running.set(name, done);
    }
  }

  /** Those that run now; empty when none does. */
  get names(): string {
    return [...this.#running.keys()].join(", ");
  }

  /** Resolves when none runs. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Never rejects: nobody waits for it but the run itself. */
  async #run(name: string, steps: readonly CompiledStep[]): Promise<void> {
    const { journal, settings } = this.#desk;
    try {
      await this.#beside((controller) => runSteps(this.#desk, steps, controller));
    } catch (thrown) {
      if (journal.closed !== undefined || hasCode(thrown, "CUTOVER_INTERRUPTED")) return;
      const text = `the contingency "${name}" ended early: ${asError(thrown).message}`;
      settings.log.error(text);
      await journal
        .write({ type: "note.added", data: { by: `contingency ${name}`, text } })
        .catch((error: unknown) => settings.log.error(`${text}; and that cannot be noted: ${String(error)}`));
    }
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

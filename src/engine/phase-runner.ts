import { asError, backoffDelay, type BackoffPolicy, sleep } from "../core/index.ts";
import type { CompiledPhase, CompiledStep } from "../plan/index.ts";
import type { RunEvent } from "../store/index.ts";
import { approvers, refreshBasis } from "./approvals.ts";
import { runComplete } from "./attempt.ts";
import { answerCheck } from "./checks.ts";
import type { Desk } from "./desk.ts";
import { randomFraction } from "./randomness.ts";
import { evidenceEvents, verdictEvents } from "./records.ts";
import { completedEvidence, restartedEvidence } from "./run-memory.ts";
import { phaseTransition, runTransition, stepTransition } from "./transitions.ts";

/** Name of the evidence that a sealed phase can be taken back to: what stood when it was sealed. */
const rollbackPointEvidence = "rollback-point";

const completeTries = 3;
const betweenTries: BackoffPolicy = { base: 1_000, factor: 4, cap: 30_000, floor: 0, jitter: 0.1 };

/**
 * Goes through a phase's checklist and the proofs of its way back. All hold: the phase begins, or people are asked
 * first where it is forward-only. Otherwise the run holds and says what is missing. True when all hold.
 */
export async function checkPhase(desk: Desk, phase: CompiledPhase, signal: AbortSignal): Promise<boolean> {
  const { memory, journal, holds } = desk;
  if (memory.phase(phase.name) === "PENDING")
    await journal.write(phaseTransition(memory, phase.name, "check"));
  const missing: string[] = [];
  for (const [role, checks] of [
    ["entry", phase.entry],
    ["way-back", phase.wayBack],
  ] as const) {
    for (const check of checks) {
      desk.fault("engine.check.before-run");
      const { verdict, evidence } = await answerCheck(desk, check, signal);
      if (signal.aborted) throw asError(signal.reason);
      desk.fault("engine.check.before-verdict");
      const events = verdictEvents(memory, { gate: check.name, role, verdict, evidence, phase: phase.name });
      await journal.write(...events);
      desk.fault("engine.check.after-verdict");
      if (verdict.kind === "pass") continue;
      missing.push(`${role === "entry" ? "" : "way back not proven: "}${check.name}: ${verdict.reason}`);
    }
  }
  if (missing.length > 0) {
    holds.set("check", `phase "${phase.name}" cannot begin: ${missing.join("; ")}`);
    await journal.write(...holds.events(memory));
    return false;
  }
  holds.clear("check");
  if (holds.text !== "") {
    await journal.write(...holds.events(memory));
    return false;
  }
  await (phase.forwardOnly ? askOrBegin(desk, phase) : beginPhase(desk, phase));
  return true;
}

async function askOrBegin(desk: Desk, phase: CompiledPhase): Promise<void> {
  const basis = refreshBasis(desk.memory, phase.name);
  if (isApproved(desk, phase, basis.id)) return await beginPhase(desk, phase);
  await askPeople(desk, phase, basis.events);
}

/** Enough different people approved exactly this evidence. */
export function isApproved(desk: Desk, phase: CompiledPhase, basis: string): boolean {
  return approvers(desk.memory, phase.name, basis).size >= (phase.approval?.by ?? 0);
}

export async function askPeople(desk: Desk, phase: CompiledPhase, basis: readonly RunEvent[]): Promise<void> {
  desk.fault("engine.approval.before-ask");
  const ask = phaseTransition(desk.memory, phase.name, "ask");
  await desk.journal.write(...basis, ask, ...desk.holds.events(desk.memory));
  desk.fault("engine.approval.after-ask");
}

export async function beginPhase(desk: Desk, phase: CompiledPhase): Promise<void> {
  desk.fault("engine.phase.before-begin");
  const begin = phaseTransition(desk.memory, phase.name, "begin");
  await desk.journal.write(begin, ...desk.holds.events(desk.memory));
  desk.fault("engine.phase.after-begin");
}

/** Seals a phase together with its rollback point: what was done, where the routes stand, what proved the way back. */
export async function sealPhase(desk: Desk, phase: CompiledPhase): Promise<void> {
  const { memory, journal, settings, holds } = desk;
  const routes = (await settings.store.routes.list()).filter(({ route }) => desk.judges.touched.has(route));
  const proofs = [...memory.verdicts()].filter(
    (verdict) => verdict.phase === phase.name && verdict.role === "way-back",
  );
  const point = evidenceEvents(
    memory,
    rollbackPointEvidence,
    {
      phase: phase.name,
      steps: phase.steps.length,
      routes: routes.map(({ route, stage, share, epoch }) => ({ route, stage, share, epoch })),
      provenBy: proofs.flatMap(({ evidence }) => evidence),
    },
    { phase: phase.name },
  );
  desk.fault("engine.seal.before");
  await journal.write(...point.events, phaseTransition(memory, phase.name, "seal"), ...holds.events(memory));
  desk.live.dropPhase(phase.name);
  desk.fault("engine.seal.after");
}

/** Steps of a sealed phase whose `complete` has not run yet, in the order in which it does. */
export function stepsToComplete(
  desk: Pick<Desk, "memory" | "graph">,
  phase: CompiledPhase,
): readonly CompiledStep[] {
  const { memory, graph } = desk;
  if (memory.carried.has(phase.name)) return [];
  return (graph.completable.get(phase.name) ?? []).filter(({ id }) => !memory.completed.has(id));
}

/** Runs what is left to complete. False when one failed three times: the run then holds. */
export async function completePhase(desk: Desk, phase: CompiledPhase, signal: AbortSignal): Promise<boolean> {
  const { memory, journal, holds, settings } = desk;
  for (const step of stepsToComplete(desk, phase)) {
    for (let attempt = 1; ; attempt++) {
      desk.fault("engine.complete.before");
      const controller = new AbortController();
      const onAbort = (): void => controller.abort(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      const outcome = await runComplete(desk, step, controller);
      signal.removeEventListener("abort", onAbort);
      if (signal.aborted) throw asError(signal.reason);
      if (outcome.kind === "done") break;
      const message = outcome.kind === "failed" ? outcome.error.message : "it was interrupted";
      settings.log.warn(`completing ${step.id} failed: ${message}`);
      if (attempt === completeTries) {
        holds.set("complete", `step "${step.id}" cannot be completed: ${message}`);
        await journal.write(...holds.events(memory));
        return false;
      }
      await sleep(
        settings.clock,
        backoffDelay(betweenTries, attempt, randomFraction(settings.random)),
        signal,
      );
    }
    const place = { phase: phase.name, step: step.id };
    // With the attempt: a phase taken up again completes its steps again, and says so anew.
    const facts = { step: step.id, attempt: memory.step(step.id).attempt };
    await journal.write(...evidenceEvents(memory, completedEvidence, facts, place).events);
    desk.fault("engine.complete.after");
  }
  holds.clear("complete");
  await journal.write(...holds.events(memory));
  return true;
}

/**
 * Takes a phase that was rolled back down to a forward-only one up again. What it showed and what people approved
 * before is told of work that was undone: gates measure from here, approvals lapse, steps are completed again.
 */
export async function restartPhase(desk: Desk, phase: CompiledPhase): Promise<void> {
  const { memory, journal, settings } = desk;
  const facts = { phase: phase.name, at: settings.clock.now() };
  const anew = evidenceEvents(memory, restartedEvidence, facts, { phase: phase.name });
  const lapsed = memory.approvals
    .filter((approval) => approval.phase === phase.name && !approval.lapsed)
    .map(({ phase: of, by, evidence }): RunEvent => {
      return { type: "approval.lapsed", data: { phase: of, by, evidence } };
    });
  const steps = phase.steps
    .filter(({ id }) => memory.step(id).state === "ROLLED_BACK")
    .map((step) => stepTransition(memory, step, "restart"));
  await journal.write(...anew.events, ...lapsed, ...steps, phaseTransition(memory, phase.name, "restart"));
}

/** Judges the success criteria, which are recorded and decide nothing, and ends the run. */
export async function finishRun(desk: Desk, signal: AbortSignal): Promise<void> {
  const { memory, journal, graph, judges } = desk;
  for (const gate of graph.compiled.success) {
    const look = { key: `success\n${gate.name}`, since: memory.createdAt, signal };
    const { verdict, evidence } = await judges.evaluate(gate, look);
    if (signal.aborted) throw asError(signal.reason);
    await journal.write(...verdictEvents(memory, { gate: gate.name, role: "success", verdict, evidence }));
  }
  desk.fault("engine.run.before-finish");
  await journal.write(runTransition(memory, "finish"));
  desk.fault("engine.run.after-finish");
}

import { formatDuration } from "../core/index.ts";
import { type CompiledPhase, isUnproven, type Verdict } from "../plan/index.ts";
import { refreshBasis } from "./approvals.ts";
import type { Desk } from "./desk.ts";
import { rollbackEvents } from "./incidents.ts";
import { continuedAt, rearmedAt, rearmName } from "./continuation.ts";
import { askPeople, isApproved, sealPhase } from "./phase-runner.ts";
import { lastVerdict, verdictEvents } from "./records.ts";
import { phaseTransition } from "./transitions.ts";

/**
 * One look at the exit gates of a phase, also while it waits for people. All pass: it is sealed, or people are
 * asked. One fails: the rollback begins. One holds: it waits, and asks a person once its patience is over.
 */
export async function judgeExit(desk: Desk, phase: CompiledPhase, signal: AbortSignal): Promise<void> {
  const { memory, holds, journal } = desk;
  const held: string[] = [];
  const hopeless: string[] = [];
  for (const gate of phase.exit) {
    const before = lastVerdict(memory, { gate: gate.name, role: "exit", phase: phase.name });
    const { verdict, evidence } = await judgeOne(desk, phase, gate, signal);
    if (signal.aborted) return;
    const given = verdictEvents(memory, {
      gate: gate.name,
      role: "exit",
      verdict,
      evidence,
      phase: phase.name,
    });
    if (verdict.kind !== "fail") {
      if (given.length > 0) desk.fault("engine.gate.before-verdict");
      await journal.write(...given);
      if (given.length > 0) desk.fault("engine.gate.after-verdict");
      if (verdict.kind !== "pass") held.push(`${gate.name}: ${verdict.reason}`);
      if (verdict.kind !== "pass" && isUnproven(gate)) hopeless.push(`${gate.name}: ${verdict.reason}`);
      continue;
    }
    // A failure that already led to a hold for want of a way back is not told again at every look.
    if (before?.verdict === "fail" && holds.text !== "") return;
    desk.fault("engine.gate.before-verdict");
    const summary = `gate "${gate.name}" of phase "${phase.name}" failed: ${verdict.reason}`;
    const seen = { gate: gate.name, phase: phase.name, ...evidence };
    await journal.write(...given, ...rollbackEvents(desk.standing, { cause: "gate-failed", summary, seen }));
    desk.fault("engine.gate.after-verdict");
    return;
  }
  if (signal.aborted) return;
  await (held.length > 0 ? keepHolding(desk, phase, held, hopeless) : passed(desk, phase));
}

async function judgeOne(
  desk: Desk,
  phase: CompiledPhase,
  gate: CompiledPhase["exit"][number],
  signal: AbortSignal,
): Promise<{
  readonly verdict: Verdict;
  readonly evidence: Parameters<typeof verdictEvents>[1]["evidence"];
}> {
  const { memory, judges, live, settings } = desk;
  const since = Math.max(memory.beganAt(phase.name), rearmedAt(memory, rearmName("exit", gate.name)) ?? 0);
  const key = `exit\n${phase.name}\n${gate.name}`;
  const { verdict, evidence } = await judges.evaluate(gate, { key, since, signal });
  live.setVerdict({
    gate: gate.name,
    role: "exit",
    ...verdict,
    phase: phase.name,
    at: settings.clock.now(),
  });
  return { verdict, evidence };
}

async function passed(desk: Desk, phase: CompiledPhase): Promise<void> {
  const { memory, holds, journal } = desk;
  holds.clear("gate");
  if (holds.text !== "") return await journal.write(...holds.events(memory));
  const basis = refreshBasis(memory, phase.name);
  // A forward-only phase was approved before it began; what its own steps recorded since asks nobody again.
  if (phase.forwardOnly || isApproved(desk, phase, basis.id)) return await sealPhase(desk, phase);
  if (memory.phase(phase.name) === "GATING") return await askPeople(desk, phase, basis.events);
  await journal.write(...basis.events, ...holds.events(memory));
}

async function keepHolding(
  desk: Desk,
  phase: CompiledPhase,
  held: readonly string[],
  hopeless: readonly string[],
): Promise<void> {
  const { memory, holds, journal, settings } = desk;
  if (memory.phase(phase.name) === "AWAITING_APPROVAL") {
    // What people were asked to approve no longer stands.
    await journal.write(phaseTransition(memory, phase.name, "doubt", held.join("; ")));
  }
  if (hopeless.length > 0) {
    // No patience helps where nobody has said yet how it is shown.
    holds.set("gate", hopeless.join("; "));
    return await journal.write(...holds.events(memory));
  }
  const first = [...memory.verdicts()]
    .filter(({ role, phase: of }) => role === "exit" && of === phase.name)
    .map(({ firstAt }) => firstAt);
  const since = Math.max(Math.min(...first), continuedAt(memory) ?? 0);
  if (settings.clock.now() - since < phase.patienceMs) {
    holds.clear("gate");
    return await journal.write(...holds.events(memory));
  }
  const waited = formatDuration(phase.patienceMs);
  holds.set("gate", `its gates have held for more than ${waited}, somebody must decide: ${held.join("; ")}`);
  await journal.write(...holds.events(memory));
}

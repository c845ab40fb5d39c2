import { isCutoverError, type JsonObject, parseDuration } from "../core/index.ts";
import { compile, type Compiled, type CompiledPhase, type CompiledStep } from "./compile.ts";
import { criticalPath, type Estimate } from "./estimate.ts";
import type { Migration } from "./migration.ts";
import type { PlannedPhase, PlannedStep, PlannedUnproven, PlanReport } from "./plan-report.ts";
import { messageOf } from "./read-steps.ts";
import { undoOf } from "./record.ts";
import type { StepPlan } from "./step-kind.ts";
import { unprovenIn } from "./task.ts";
import { Unproven } from "./unproven.ts";

/**
 * Everything that can be said about a run before it begins: what happens in which order, how long it takes along
 * the critical path, what cannot be undone, who is asked, what stands guard, how far the way back reaches. Calls the
 * steps' `plan` and nothing else. A plan that fails becomes a problem of its step; the report stays whole.
 */
export async function dryRun(migration: Migration): Promise<PlanReport> {
  const compiled = compile(migration);
  const phases: PlannedPhase[] = [];
  for (const phase of compiled.phases) phases.push(await planPhase(phase));
  const steps = phases.flatMap((phase) => phase.steps);
  return {
    migration: migration.name,
    title: migration.title,
    hash: compiled.hash,
    stepCount: steps.length,
    phases,
    units: migration.units,
    waves: migration.waves.map(({ name, units, exit }) => ({ name, units, exit: (exit ?? []).map(nameOf) })),
    estimate: total(compiled, phases),
    effortMs: migration.units.reduce((sum, unit) => sum + (unit.effortMs ?? 0), 0),
    irreversible: irreversiblePoints(phases),
    approvals: phases.flatMap(({ name, approval }) =>
      approval === undefined ? [] : [{ phase: name, by: approval.by, from: approval.from ?? [] }],
    ),
    triggers: compiled.triggers.map(({ name, action, condition, for: debounce, phases: armed }) => ({
      name,
      action,
      manual: condition.type === "manual",
      for: debounce === undefined ? null : parseDuration(debounce),
      phases: armed ?? null,
      unproven: condition instanceof Unproven,
    })),
    wayBack: wayBack(compiled, steps),
    success: compiled.success.map(nameOf),
    unproven: compiled.phases.flatMap(unprovenOf),
    contingencies: compiled.contingencies.map(({ name, on, steps: procedure }) => ({
      name,
      on,
      steps: procedure.map((step) => step.summary),
    })),
    risks: migration.risks,
    schedule: migration.schedule,
    problems: steps.flatMap((step) =>
      step.problem === undefined ? [] : [{ step: step.id, ...step.problem }],
    ),
  };
}

function unprovenOf(phase: CompiledPhase): readonly PlannedUnproven[] {
  const told = (role: PlannedUnproven["role"], item: Unproven, name = item.name): PlannedUnproven => {
    return { phase: phase.name, role, name, by: item.by, from: item.from };
  };
  const items = (role: PlannedUnproven["role"], list: readonly unknown[]): readonly PlannedUnproven[] =>
    list.flatMap((item) => (item instanceof Unproven ? [told(role, item)] : []));
  const steps = phase.steps.flatMap(({ id, kind }) => {
    const item = unprovenIn(kind);
    return item === undefined ? [] : [told("step", item, id)];
  });
  return [
    ...items("entry", phase.entry),
    ...items("way-back", phase.wayBack),
    ...steps,
    ...items("exit", phase.exit),
  ];
}

const nameOf = (named: { readonly name: string }): string => named.name;

async function planPhase(phase: CompiledPhase): Promise<PlannedPhase> {
  const plans = new Map<string, StepPlan & { readonly problem?: PlannedStep["problem"] }>();
  for (const step of phase.steps) plans.set(step.id, await planStep(step));
  const estimate = criticalPath(
    phase.steps.map(({ id, after }) => ({ id, after, ms: plans.get(id)?.estimateMs })),
  );
  const critical = new Set(estimate.path);
  const { name, title, after, units, approval, forwardOnly, patienceMs, layers } = phase;
  return {
    name,
    title,
    after,
    units,
    approval,
    forwardOnly,
    patienceMs,
    layers,
    estimate,
    entry: phase.entry.map(nameOf),
    wayBack: phase.wayBack.map(nameOf),
    exit: phase.exit.map(nameOf),
    steps: phase.steps.map((step) => {
      const { summary, estimateMs, touches = [], problem } = plans.get(step.id) ?? { summary: step.summary };
      return {
        id: step.id,
        name: step.name,
        unit: step.unit,
        kind: step.kind.kind,
        after: step.after,
        layer: step.layer,
        timeoutMs: step.timeoutMs,
        retries: step.retries,
        undo: undoOf(step),
        critical: critical.has(step.id),
        summary,
        estimateMs,
        touches,
        problem,
      };
    }),
  };
}

async function planStep(
  step: CompiledStep,
): Promise<StepPlan & { readonly problem?: PlannedStep["problem"] }> {
  try {
    const { summary, estimateMs, touches } = await step.kind.plan(step.input);
    const known = typeof estimateMs === "number" && estimateMs >= 0 && Number.isFinite(estimateMs);
    return { summary, ...(known ? { estimateMs } : {}), ...(touches === undefined ? {} : { touches }) };
  } catch (error) {
    const problem = isCutoverError(error)
      ? { code: error.code, message: error.message, remedy: error.remedy, details: error.details }
      : { code: "CUTOVER_PLAN_INVALID" as const, message: messageOf(error), ...unplanned };
    return { summary: step.summary, problem };
  }
}

const unplanned: { readonly remedy: string; readonly details: JsonObject } = {
  remedy: "the step's plan() must answer without an error; correct it or its input",
  details: {},
};

/** Phases add up along their own critical path; steps whose time nobody knows are counted. */
function total(compiled: Compiled, phases: readonly PlannedPhase[]): Estimate {
  const byName = new Map(phases.map((phase) => [phase.name, phase]));
  const path = criticalPath(
    compiled.phases.map(({ name, after }) => ({ id: name, after, ms: byName.get(name)?.estimate.ms })),
  );
  return { ...path, unknown: phases.reduce((sum, phase) => sum + phase.estimate.unknown, 0) };
}

function irreversiblePoints(phases: readonly PlannedPhase[]): PlanReport["irreversible"] {
  return phases
    .filter((phase) => phase.forwardOnly)
    .map((phase) => ({
      phase: phase.name,
      steps: phase.steps.filter((step) => step.undo === "impossible").map((step) => step.id),
    }));
}

function wayBack(compiled: Compiled, steps: readonly PlannedStep[]): PlanReport["wayBack"] {
  const end = compiled.phases.findIndex((phase) => phase.forwardOnly);
  const reachable = end === -1 ? compiled.phases : compiled.phases.slice(0, end);
  const proven = reachable.filter((phase) => phase.wayBack.length > 0);
  return {
    provenBefore: proven.map(nameOf),
    notProvenBefore: reachable.filter((phase) => phase.wayBack.length === 0).map(nameOf),
    endsWith: compiled.phases[end]?.name,
    nothingToUndo: steps.filter((step) => step.undo === "nothing").map((step) => step.id),
  };
}

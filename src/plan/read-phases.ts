import { nameOneOf, parseDuration, personKey } from "../core/index.ts";
import type { Approval, Phase, WaveInput } from "./definition.ts";
import { findCycles, topologicalOrder } from "./dependencies.ts";
import { expandPhase } from "./expand.ts";
import type { MigrationPhase, Unit } from "./migration.ts";
import { keepPlace } from "./place.ts";
import { readChecks, readGates } from "./read-gates.ts";
import { checkStep, readSteps } from "./read-steps.ts";
import { found, type Scope } from "./scope.ts";

/** How long exit gates may hold before a person is asked. */
const defaultPatience = parseDuration("24h");

const phaseKeys = "name steps entry exit after title units approval forwardOnly wayBack patience".split(" ");

export function readPhases(
  scope: Scope,
  input: readonly Phase[],
  units: readonly Unit[],
  waves: readonly WaveInput[],
): readonly MigrationPhase[] {
  const phases: MigrationPhase[] = [];
  const given = scope.list(input, "phases");
  if (given.length === 0)
    scope.problem("CUTOVER_PLAN_INVALID", "expected at least one phase, found none", {
      remedy: 'write phases: [phase("name", { steps: [ … ] })]',
    });
  for (const [index, phase] of given.entries()) {
    const at = scope.entry("phases", index, phase);
    if (!at.object(phase, "a phase", phaseKeys)) continue;
    phases.push(keepPlace(readPhase(at, phase, phases.at(-1)?.name, units, waves), phase));
  }
  checkOrder(scope, phases);
  return phases;
}

function readPhase(
  at: Scope,
  phase: Phase,
  before: string | undefined,
  units: readonly Unit[],
  waves: readonly WaveInput[],
): MigrationPhase {
  const all = units.map((unit) => unit.name);
  at.name(phase.name, "a phase");
  at.text(phase.title, "title");
  const own = phase.units === undefined ? all : at.list(phase.units, "units");
  at.in("units").known(
    "CUTOVER_PLAN_UNKNOWN_UNIT",
    own,
    all,
    "unit",
    "name a unit that is listed in `units`, or add it there",
  );
  const forwardOnly = phase.forwardOnly ?? false;
  if (typeof forwardOnly !== "boolean")
    at.problem(
      "CUTOVER_PLAN_INVALID",
      `expected \`forwardOnly\` to be true or false, found ${found(forwardOnly)}`,
      {
        remedy: "write forwardOnly: true, or leave it out",
      },
    );
  if (phase.approval !== undefined) checkApproval(at.in("approval"), phase.approval);
  else if (forwardOnly)
    at.problem(
      "CUTOVER_PLAN_FORWARD_ONLY",
      `phase "${phase.name}" has no way back once begun, but nobody has to approve it`,
      { remedy: "add `approval: { by: 1 }` to the phase" },
    );
  const read: MigrationPhase = {
    name: phase.name,
    title: phase.title,
    after: phase.after === undefined ? (before === undefined ? [] : [before]) : at.list(phase.after, "after"),
    units: own,
    entry: readChecks(at, phase.entry, "entry"),
    steps: readSteps(at, phase.steps, own),
    exit: readGates(at, phase.exit, "exit"),
    approval: phase.approval,
    forwardOnly,
    wayBack: readChecks(at, phase.wayBack, "wayBack"),
    patienceMs: at.duration(phase.patience, "patience") ?? defaultPatience,
  };
  const parts = [...read.steps, ...read.entry, ...read.exit, ...read.wayBack];
  if (parts.length === 0 && phase.approval === undefined)
    at.problem("CUTOVER_PLAN_INVALID", `phase "${phase.name}" is empty`, {
      remedy: "give it steps, a checklist, exit gates or an approval, or remove it",
    });
  checkSteps(at, read, units, waves, own);
  return read;
}

function checkApproval(at: Scope, approval: Approval): void {
  if (!at.object(approval, "an approval", ["by", "from"])) return;
  if (!Number.isInteger(approval.by) || approval.by < 1)
    at.problem(
      "CUTOVER_PLAN_INVALID",
      `expected \`by\` to be a whole number of people from 1 on, found ${found(approval.by)}`,
      { remedy: "write approval: { by: 1 }" },
    );
  const from = at.list(approval.from, "from");
  for (const person of from) at.text(person, "from", true);
  at.unique(from, "person");
  const people = new Set(from.map((person) => (typeof person === "string" ? personKey(person) : person)));
  if (approval.from !== undefined && people.size < approval.by)
    at.problem(
      "CUTOVER_PLAN_INVALID",
      `expected ${approval.by} different people in \`from\`, found ${people.size}`,
      { remedy: "name more people, or lower `by`" },
    );
}

/** Steps alone, then the graph they make together. */
export function checkSteps(
  at: Scope,
  phase: Pick<MigrationPhase, "name" | "steps" | "forwardOnly">,
  units: readonly Unit[],
  waves: readonly WaveInput[],
  own: readonly string[],
): void {
  const scopeOf = (index: number): Scope => {
    const step = phase.steps[index];
    const unit = step?.unit === undefined ? "" : ` of unit "${step.unit}"`;
    const scope = at.entry("steps", index, step);
    return unit === "" ? scope : at.in(`steps[${index}] ${JSON.stringify(step?.name)}${unit}`, step);
  };
  for (const [index, step] of phase.steps.entries()) checkStep(scopeOf(index), step, own, phase.forwardOnly);
  at.unique(
    phase.steps.map((step) => (step.unit === undefined ? step.name : `${step.name}@${step.unit}`)),
    "step name",
  );
  const { nodes, unknown } = expandPhase(phase, units, waves);
  const names = [...new Set(phase.steps.map((step) => step.name))];
  for (const { index, entry } of unknown)
    scopeOf(index).problem(
      "CUTOVER_PLAN_UNKNOWN_STEP",
      `expected \`after\` to name a step of phase "${phase.name}", found ${found(entry)}`,
      {
        remedy: nameOneOf(String(entry), names, "name a step of the same phase"),
        facts: { name: String(entry) },
      },
    );
  const short = (id: string): string => id.slice(phase.name.length + 1);
  for (const cycle of findCycles(new Map(nodes.map((node) => [node.id, node.after])))) {
    const path = cycle.map(short);
    const first = phase.steps.findIndex(
      (step) => path[0] === step.name || path[0] === `${step.name}@${step.unit}`,
    );
    (first === -1 ? at : scopeOf(first)).problem(
      "CUTOVER_PLAN_CYCLE",
      `steps of phase "${phase.name}" wait for each other: ${path.join(" → ")}`,
      { facts: { path } },
    );
  }
}

/** Phases must exist, stand in no circle, and be reached from the start. */
function checkOrder(scope: Scope, phases: readonly MigrationPhase[]): void {
  const names = phases.map((phase) => phase.name);
  scope.in("phases").unique(names, "phase");
  for (const [index, phase] of phases.entries())
    scope
      .entry("phases", index, phase)
      .known("CUTOVER_PLAN_UNKNOWN_PHASE", phase.after, names, "phase", "name a phase of this migration");
  const after = new Map(phases.map((phase) => [phase.name, phase.after]));
  const cycles = findCycles(after);
  for (const path of cycles)
    scope.in("phases").problem("CUTOVER_PLAN_CYCLE", `phases wait for each other: ${path.join(" → ")}`, {
      facts: { path },
    });
  const circling = new Set(cycles.flat());
  const reached = new Set(topologicalOrder(after));
  for (const [index, phase] of phases.entries()) {
    if (reached.has(phase.name) || circling.has(phase.name)) continue;
    const waits = phase.after.filter((name) => after.has(name) && !reached.has(name));
    scope
      .entry("phases", index, phase)
      .problem(
        "CUTOVER_PLAN_UNREACHABLE",
        `phase "${phase.name}" can never begin: it comes after ${waits.map(found).join(" and ")}, which never ends`,
        { facts: { phase: phase.name, after: waits } },
      );
  }
}

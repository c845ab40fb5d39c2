import type { PhaseRecord, RunRecord, StepRecord, StepState } from "../store/index.ts";
import type { Graph, GraphPhase, GraphStep } from "./graph.ts";
import type { UnitState, UnitView } from "./run-view.ts";
import { type Face, unitFaces } from "./words.ts";

type Rows<T> = ReadonlyMap<string, T>;

/** What is known of one unit before anything is concluded. */
interface UnitFacts {
  /** Phases that hold its steps, or that name it when it has none of its own. */
  readonly phases: GraphPhase[];
  readonly steps: GraphStep[];
}

/** How each unit stands, from the graph and the rows of its phases and steps alone. */
export function unitViews(
  graph: Graph,
  run: Pick<RunRecord, "state">,
  phases: Rows<PhaseRecord>,
  steps: Rows<StepRecord>,
): readonly UnitView[] {
  if (graph.units.length === 0) return [];
  const own = ownSteps(graph);
  const waves = new Map(graph.waves.flatMap(({ name, units }) => units.map((unit) => [unit, name])));
  return graph.units.map((unit): UnitView => {
    const facts = own.get(unit.name) ?? shared(graph, unit.name);
    const wave = waves.get(unit.name) ?? null;
    const records = facts.steps.map((step) => steps.get(step.id));
    const gates = facts.phases
      .flatMap((phase) => phase.steps.filter((step) => wave !== null && step.wave === wave))
      .map((step) => steps.get(step.id));
    const begun = facts.phases.map((phase) => phases.get(phase.name));
    const state = unitState(records, gates, begun, run);
    // A phase without steps has times of its own, which are then the only ones.
    const timed = (records.length > 0 ? records : begun).filter((row) => row && row.state !== "PENDING");
    const over = state === "moved" || state === "failed" || state === "back";
    return {
      ...unit,
      wave,
      state,
      stepsDone: records.filter((row) => row?.state === "DONE").length,
      stepsTotal: records.length,
      startedAt: extreme(
        Math.min,
        timed.map((row) => row?.startedAt),
      ),
      endedAt: over
        ? extreme(
            Math.max,
            timed.map((row) => row?.endedAt),
          )
        : null,
      line: unitLine(facts.steps, records, gates),
    };
  });
}

function ownSteps(graph: Graph): ReadonlyMap<string, UnitFacts> {
  const own = new Map<string, UnitFacts>();
  for (const phase of graph.phases) {
    for (const step of phase.steps) {
      if (step.unit === null) continue;
      const facts = own.get(step.unit) ?? { phases: [], steps: [] };
      own.set(step.unit, facts);
      facts.steps.push(step);
      if (facts.phases.at(-1) !== phase) facts.phases.push(phase);
    }
  }
  return own;
}

function shared(graph: Graph, unit: string): UnitFacts {
  const phases = graph.phases.filter((phase) => phase.units.includes(unit));
  const steps = phases.flatMap((phase) =>
    phase.steps.filter((step) => step.unit === null && step.wave === null),
  );
  return { phases, steps };
}

/** Trouble speaks first, then what goes on; a unit is moved only when all of it is done and nobody judges it any more. */
function unitState(
  steps: readonly (StepRecord | undefined)[],
  gates: readonly (StepRecord | undefined)[],
  phases: readonly (PhaseRecord | undefined)[],
  run: Pick<RunRecord, "state">,
): UnitState {
  const states = steps.map((step) => step?.state ?? "PENDING");
  const has = (...wanted: readonly StepState[]): boolean => states.some((state) => wanted.includes(state));
  if (has("FAILED", "ROLLBACK_FAILED") || gates.some((gate) => gate?.state === "FAILED")) return "failed";
  if (has("UNKNOWN")) return "unknown";
  if (has("ROLLING_BACK")) return "taking-back";
  if (has("ROLLED_BACK")) {
    if (!has("DONE", "RUNNING")) return "back";
    return run.state === "ROLLING_BACK" || run.state === "ROLLBACK_STUCK" ? "taking-back" : "moving";
  }
  if (steps.length === 0) return phaseState(phases);
  if (states.every((state) => state === "DONE")) {
    const judged =
      gates.some((gate) => gate?.state !== "DONE" && gate?.state !== "ROLLED_BACK") ||
      phases.some((phase) => phase?.state === "GATING" || phase?.state === "AWAITING_APPROVAL");
    return judged ? "judging" : "moved";
  }
  return has("DONE", "RUNNING") ? "moving" : "pending";
}

/** A unit that only phases without steps move. */
function phaseState(phases: readonly (PhaseRecord | undefined)[]): UnitState {
  const states = phases.map((phase) => phase?.state ?? "PENDING");
  if (states.includes("ROLLING_BACK")) return "taking-back";
  if (states.includes("ROLLED_BACK")) return "back";
  if (states.every((state) => state === "PENDING")) return "pending";
  return states.every((state) => state === "SEALED") ? "moved" : "moving";
}

function unitLine(
  steps: readonly GraphStep[],
  records: readonly (StepRecord | undefined)[],
  gates: readonly (StepRecord | undefined)[],
): string {
  const plain = (index: number): string => {
    const { name = "", unit = null } = steps[index] ?? {};
    return unit === null ? name : name.slice(0, -unit.length - 1);
  };
  const failed = records.findIndex(
    (row) => row && row.error !== null && row.state !== "DONE" && row.state !== "PENDING",
  );
  if (failed !== -1) return `${plain(failed)}: ${records[failed]?.error?.message ?? ""}`;
  const gate = gates.find((row) => row?.state === "FAILED");
  if (gate !== undefined) return gate.error?.message ?? "the gates of its wave failed";
  return records.flatMap((row, index) => (row?.state === "RUNNING" ? [plain(index)] : [])).join(", ");
}

function extreme(
  pick: (...values: number[]) => number,
  times: readonly (number | null | undefined)[],
): number | null {
  const known = times.filter((at) => at !== null && at !== undefined);
  return known.length === 0 ? null : pick(...known);
}

const order = Object.keys(unitFaces) as readonly UnitState[];

/** How many units stand how: states that occur, those that need a person first. */
export function unitCounts(
  units: readonly UnitView[],
): readonly { readonly state: UnitState; readonly face: Face; readonly count: number }[] {
  return order
    .map((state) => ({
      state,
      face: unitFaces[state],
      count: units.filter((unit) => unit.state === state).length,
    }))
    .filter(({ count }) => count > 0);
}

/**
 * Units that a person wants to see among many: in trouble, then taken back for a failure of their own, then in
 * motion. One that merely went back with the others, or waits with its wave for a gate, says no more than the counts.
 */
export function loudUnits(units: readonly UnitView[]): readonly UnitView[] {
  const loud: readonly ((unit: UnitView) => boolean)[] = [
    ({ state }) => state === "failed",
    ({ state }) => state === "unknown",
    ({ state, line }) => state === "back" && line !== "",
    ({ state }) => state === "taking-back",
    ({ state }) => state === "moving",
  ];
  return loud.flatMap((wanted) => units.filter(wanted));
}

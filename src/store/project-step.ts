import { canonicalJson } from "../core/index.ts";
import type { Columns, RowChange } from "./row-change.ts";
import type { PhaseState, RunEvent, StepState } from "./run-events.ts";

type Data<T extends RunEvent["type"]> = Extract<RunEvent, { readonly type: T }>["data"];

const phaseEnds: ReadonlySet<PhaseState> = new Set<PhaseState>(["SEALED", "ROLLED_BACK"]);
const stepEnds: ReadonlySet<StepState> = new Set<StepState>([
  "DONE",
  "FAILED",
  "ROLLED_BACK",
  "ROLLBACK_FAILED",
]);

/** `startedAt` is the first start, `endedAt` the last end. */
export function projectPhase(
  run: string,
  seq: number,
  at: number,
  data: Data<"phase.transition">,
): RowChange {
  const { phase, from, to } = data;
  const set = { state: to, ended_at: phaseEnds.has(to) ? at : null };
  return moved("phases", { run, phase }, from, { seq }, { started_at: to === "PENDING" ? null : at }, set);
}

/**
 * `startedAt` is the first start. `result` and `error` are cleared when the step starts again; the checkpoint is
 * cleared once it is rolled back, since nothing of the work it tells of stands any more.
 */
export function projectStep(run: string, seq: number, at: number, data: Data<"step.transition">): RowChange {
  const { step, phase, from, to, attempt, result, error } = data;
  const starts = to === "RUNNING";
  const set: Columns = {
    phase,
    state: to,
    attempt,
    ended_at: stepEnds.has(to) ? at : null,
    ...(result !== undefined
      ? { result: result === null ? "null" : canonicalJson(result) }
      : starts
        ? { result: null }
        : {}),
    ...(error !== undefined ? { error: canonicalJson(error) } : starts ? { error: null } : {}),
    ...(to === "ROLLED_BACK" ? { checkpoint: null } : {}),
  };
  return moved("steps", { run, step }, from, { seq }, { started_at: starts ? at : null }, set);
}

/** A phase or step has no row before it first leaves PENDING, so only that transition may make one. */
function moved(
  table: "phases" | "steps",
  key: Columns,
  from: string,
  initial: Columns,
  first: Columns,
  set: Columns,
): RowChange {
  const expect = { state: from };
  if (from !== "PENDING") return { do: "update", table, key, set, expect };
  return { do: "upsert", table, key, initial, first, set, expect };
}

import type { PhaseState, RunState, StepState } from "../store/index.ts";
import { timestamp } from "./figures.ts";
import type { TriggerView, UnitState } from "./run-view.ts";

/** How a state looks to people: a mark, so that colour is never the only carrier, a word, and its tone. */
export interface Face {
  readonly mark: string;
  readonly word: string;
  readonly tone: "good" | "bad" | "busy" | "wait" | "quiet";
}

const face = (mark: string, word: string, tone: Face["tone"]): Face => ({ mark, word, tone });

export const runFaces: Readonly<Record<RunState, Face>> = {
  RUNNING: face("●", "running", "busy"),
  HOLDING: face("◐", "holding", "wait"),
  PAUSED: face("‖", "paused", "wait"),
  ROLLING_BACK: face("↩", "rolling back", "bad"),
  ROLLED_BACK: face("✖", "rolled back", "bad"),
  ROLLBACK_STUCK: face("✖", "rollback stuck", "bad"),
  COMPLETED: face("✔", "finished", "good"),
};

export const phaseFaces: Readonly<Record<PhaseState, Face>> = {
  PENDING: face("○", "to come", "quiet"),
  CHECKING: face("●", "checking", "busy"),
  RUNNING: face("●", "running", "busy"),
  GATING: face("●", "judging", "busy"),
  AWAITING_APPROVAL: face("◐", "waits for approval", "wait"),
  SEALED: face("✔", "sealed", "good"),
  ROLLING_BACK: face("↩", "rolling back", "bad"),
  ROLLED_BACK: face("↩", "taken back", "bad"),
};

export const stepFaces: Readonly<Record<StepState, Face>> = {
  PENDING: face("○", "to come", "quiet"),
  RUNNING: face("●", "running", "busy"),
  DONE: face("✔", "done", "good"),
  FAILED: face("✖", "failed", "bad"),
  UNKNOWN: face("?", "outcome unknown", "wait"),
  ROLLING_BACK: face("↩", "rolling back", "bad"),
  ROLLED_BACK: face("↩", "taken back", "quiet"),
  ROLLBACK_FAILED: face("✖", "way back failed", "bad"),
};

/** What needs a person comes first: counts and lists are told in this order. */
export const unitFaces: Readonly<Record<UnitState, Face>> = {
  failed: face("✖", "failed", "bad"),
  unknown: face("?", "outcome unknown", "wait"),
  "taking-back": face("↩", "being taken back", "bad"),
  moving: face("●", "moving", "busy"),
  judging: face("◐", "being judged", "wait"),
  back: face("↩", "taken back", "bad"),
  moved: face("✔", "moved", "good"),
  pending: face("○", "not begun", "quiet"),
};

export const verdictFaces: Readonly<Record<"pass" | "fail" | "hold", Face>> = {
  pass: face("✔", "pass", "good"),
  fail: face("✖", "fail", "bad"),
  hold: face("◐", "hold", "wait"),
};

/** Said in every report where there are none: their absence is a statement too. */
export const noOverrides = "None: every move of this run rests on evidence.";

/** What a trigger does, for people: `roll back`, `run "check-scheduler"`. */
export function actionWords(action: string): string {
  const procedure = "contingency:";
  if (action.startsWith(procedure)) return `run "${action.slice(procedure.length)}"`;
  return action === "rollback" ? "roll back" : action;
}

/** Whether a trigger is armed, has fired, still holds or slows the run, and who fired it. */
export function triggerState(trigger: TriggerView): string {
  const { action, armed, manual, unproven, firedAt, firedBy, recoveredAt } = trigger;
  if (unproven && firedAt === null) return "unproven: it never fires";
  if (firedAt === null) return armed ? (manual ? "armed, for people" : "armed") : "not armed";
  const by = firedBy === null ? "" : ` by ${firedBy}`;
  if (recoveredAt !== null) return `fired ${timestamp(firedAt)}${by}, over ${timestamp(recoveredAt)}`;
  const doing = armed ? ({ hold: "holds since ", throttle: "slows since " }[action] ?? "fired ") : "fired ";
  return `${doing}${timestamp(firedAt)}${by}`;
}

import { CutoverError } from "../core/index.ts";
import type { PhaseState, RunState, StepState } from "../store/index.ts";

/** A total table: every state knows every event, `null` where it is illegal. `docs/spec/run-machine.md` shows it. */
export type StateTable<State extends string, Event extends string> = Readonly<
  Record<State, Readonly<Record<Event, State | null>>>
>;

/** What can happen to a run. Persisted as `event` of `run.transition`. */
export type RunEventName =
  "hold" | "release" | "pause" | "continue" | "roll-back" | "undone" | "bar" | "stick" | "finish";

export const runTable: StateTable<RunState, RunEventName> = {
  RUNNING: {
    hold: "HOLDING",
    release: null,
    pause: "PAUSED",
    continue: null,
    "roll-back": "ROLLING_BACK",
    undone: null,
    bar: null,
    stick: null,
    finish: "COMPLETED",
  },
  HOLDING: {
    hold: "HOLDING",
    release: "RUNNING",
    pause: "PAUSED",
    continue: "RUNNING",
    "roll-back": "ROLLING_BACK",
    undone: null,
    bar: null,
    stick: null,
    finish: null,
  },
  PAUSED: {
    hold: null,
    release: null,
    pause: null,
    continue: "RUNNING",
    "roll-back": "ROLLING_BACK",
    undone: null,
    bar: null,
    stick: null,
    finish: null,
  },
  ROLLING_BACK: {
    hold: null,
    release: null,
    pause: null,
    continue: null,
    "roll-back": null,
    undone: "ROLLED_BACK",
    bar: "HOLDING",
    stick: "ROLLBACK_STUCK",
    finish: null,
  },
  ROLLED_BACK: {
    hold: null,
    release: null,
    pause: null,
    continue: null,
    "roll-back": null,
    undone: null,
    bar: null,
    stick: null,
    finish: null,
  },
  ROLLBACK_STUCK: {
    hold: null,
    release: null,
    pause: null,
    continue: null,
    "roll-back": "ROLLING_BACK",
    undone: null,
    bar: null,
    stick: null,
    finish: null,
  },
  COMPLETED: {
    hold: null,
    release: null,
    pause: null,
    continue: null,
    "roll-back": "ROLLING_BACK",
    undone: null,
    bar: null,
    stick: null,
    finish: null,
  },
};

/** What can happen to a phase. Persisted as `event` of `phase.transition`. */
export type PhaseEventName =
  "check" | "carry" | "ask" | "begin" | "gate" | "doubt" | "seal" | "roll-back" | "rolled-back" | "restart";

export const phaseTable: StateTable<PhaseState, PhaseEventName> = {
  PENDING: {
    check: "CHECKING",
    carry: "SEALED",
    ask: null,
    begin: null,
    gate: null,
    doubt: null,
    seal: null,
    "roll-back": null,
    "rolled-back": null,
    restart: null,
  },
  CHECKING: {
    check: null,
    carry: null,
    ask: "AWAITING_APPROVAL",
    begin: "RUNNING",
    gate: null,
    doubt: null,
    seal: null,
    "roll-back": "ROLLING_BACK",
    "rolled-back": null,
    restart: null,
  },
  RUNNING: {
    check: null,
    carry: null,
    ask: null,
    begin: null,
    gate: "GATING",
    doubt: null,
    seal: null,
    "roll-back": "ROLLING_BACK",
    "rolled-back": null,
    restart: null,
  },
  GATING: {
    check: null,
    carry: null,
    ask: "AWAITING_APPROVAL",
    begin: null,
    gate: null,
    doubt: null,
    seal: "SEALED",
    "roll-back": "ROLLING_BACK",
    "rolled-back": null,
    restart: null,
  },
  AWAITING_APPROVAL: {
    check: "CHECKING",
    carry: null,
    ask: null,
    begin: "RUNNING",
    gate: null,
    doubt: "GATING",
    seal: "SEALED",
    "roll-back": "ROLLING_BACK",
    "rolled-back": null,
    restart: null,
  },
  SEALED: {
    check: null,
    carry: null,
    ask: null,
    begin: null,
    gate: null,
    doubt: null,
    seal: null,
    "roll-back": "ROLLING_BACK",
    "rolled-back": null,
    restart: null,
  },
  ROLLING_BACK: {
    check: null,
    carry: null,
    ask: null,
    begin: null,
    gate: null,
    doubt: null,
    seal: null,
    "roll-back": null,
    "rolled-back": "ROLLED_BACK",
    restart: null,
  },
  ROLLED_BACK: {
    check: null,
    carry: null,
    ask: null,
    begin: null,
    gate: null,
    doubt: null,
    seal: null,
    "roll-back": null,
    "rolled-back": null,
    restart: "PENDING",
  },
};

/** What can happen to a step. Persisted as `event` of `step.transition`. */
export type StepEventName =
  | "start"
  | "carry"
  | "succeed"
  | "fail"
  | "lose"
  | "settle-done"
  | "settle-not-done"
  | "roll-back"
  | "rolled-back"
  | "rollback-failed"
  | "restart";

export const stepTable: StateTable<StepState, StepEventName> = {
  PENDING: {
    start: "RUNNING",
    carry: "DONE",
    succeed: null,
    fail: null,
    lose: null,
    "settle-done": null,
    "settle-not-done": null,
    "roll-back": null,
    "rolled-back": null,
    "rollback-failed": null,
    restart: null,
  },
  RUNNING: {
    start: "RUNNING",
    carry: null,
    succeed: "DONE",
    fail: "FAILED",
    lose: "UNKNOWN",
    "settle-done": null,
    "settle-not-done": null,
    "roll-back": "ROLLING_BACK",
    "rolled-back": null,
    "rollback-failed": null,
    restart: null,
  },
  DONE: {
    start: null,
    carry: null,
    succeed: null,
    fail: null,
    lose: null,
    "settle-done": null,
    "settle-not-done": null,
    "roll-back": "ROLLING_BACK",
    "rolled-back": null,
    "rollback-failed": null,
    restart: "PENDING",
  },
  FAILED: {
    start: "RUNNING",
    carry: null,
    succeed: null,
    fail: null,
    lose: null,
    "settle-done": null,
    "settle-not-done": null,
    "roll-back": "ROLLING_BACK",
    "rolled-back": null,
    "rollback-failed": null,
    restart: "PENDING",
  },
  UNKNOWN: {
    start: null,
    carry: null,
    succeed: null,
    fail: null,
    lose: null,
    "settle-done": "DONE",
    "settle-not-done": "FAILED",
    "roll-back": "ROLLING_BACK",
    "rolled-back": null,
    "rollback-failed": null,
    restart: null,
  },
  ROLLING_BACK: {
    start: null,
    carry: null,
    succeed: null,
    fail: null,
    lose: null,
    "settle-done": null,
    "settle-not-done": null,
    "roll-back": "ROLLING_BACK",
    "rolled-back": "ROLLED_BACK",
    "rollback-failed": "ROLLBACK_FAILED",
    restart: null,
  },
  ROLLED_BACK: {
    start: null,
    carry: null,
    succeed: null,
    fail: null,
    lose: null,
    "settle-done": null,
    "settle-not-done": null,
    "roll-back": null,
    "rolled-back": null,
    "rollback-failed": null,
    restart: "PENDING",
  },
  ROLLBACK_FAILED: {
    start: null,
    carry: null,
    succeed: null,
    fail: null,
    lose: null,
    "settle-done": null,
    "settle-not-done": null,
    "roll-back": "ROLLING_BACK",
    "rolled-back": null,
    "rollback-failed": null,
    restart: null,
  },
};

/** Runs in these states are over; the others are unfinished and block a new run of the same migration. */
export const finalRunStates: readonly RunState[] = ["COMPLETED", "ROLLED_BACK"];

export const unfinishedRunStates: readonly RunState[] = (Object.keys(runTable) as RunState[]).filter(
  (state) => !finalRunStates.includes(state),
);

/**
 * The state after `event`.
 * @throws CUTOVER_RUN_STATE when the event is illegal in `state`, with the list of legal ones.
 */
export function nextState<State extends string, Event extends string>(
  table: StateTable<State, Event>,
  subject: string,
  state: State,
  event: Event,
): State {
  const next = table[state][event];
  if (next !== null) return next;
  const legal = legalEvents(table, state);
  throw new CutoverError("CUTOVER_RUN_STATE", {
    message:
      `${subject} is ${state}; "${event}" is not possible there, ` +
      (legal.length === 0 ? "it is final" : `only ${legal.join(", ")}`),
    details: { state, event, legal },
  });
}

/** Events that a state allows, in the table's order. */
export function legalEvents<State extends string, Event extends string>(
  table: StateTable<State, Event>,
  state: State,
): readonly Event[] {
  return (Object.keys(table[state]) as Event[]).filter((event) => table[state][event] !== null);
}

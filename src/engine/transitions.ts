import type { Json } from "../core/index.ts";
import type { ErrorRecord, RunEvent, StepState } from "../store/index.ts";
import type { RunMemory } from "./run-memory.ts";
import {
  nextState,
  type PhaseEventName,
  phaseTable,
  type RunEventName,
  runTable,
  type StepEventName,
  stepTable,
} from "./state-tables.ts";

/** A transition of the run as an event. @throws CUTOVER_RUN_STATE when the table forbids it. */
export function runTransition(
  memory: RunMemory,
  event: RunEventName,
  more: { readonly reason?: string; readonly by?: string } = {},
): RunEvent {
  const from = memory.state;
  const to = nextState(runTable, `run ${memory.id}`, from, event);
  return { type: "run.transition", data: { from, to, event, ...more } };
}

/** A transition of a phase as an event. @throws CUTOVER_RUN_STATE when the table forbids it. */
export function phaseTransition(
  memory: RunMemory,
  phase: string,
  event: PhaseEventName,
  reason?: string,
): RunEvent {
  const from = memory.phase(phase);
  const to = nextState(phaseTable, `phase "${phase}"`, from, event);
  const data = { from, to, event, phase };
  return { type: "phase.transition", data: reason === undefined ? data : { ...data, reason } };
}

/** A transition of a step as an event. @throws CUTOVER_RUN_STATE when the table forbids it. */
export function stepTransition(
  memory: RunMemory,
  step: { readonly id: string; readonly phase: string },
  event: StepEventName,
  more: { readonly result?: Json; readonly error?: ErrorRecord; readonly reason?: string } = {},
  /** The state it will be in once the events before this one are applied; default: the state now. */
  from: StepState = memory.step(step.id).state,
): RunEvent {
  const { attempt } = memory.step(step.id);
  const to = nextState(stepTable, `step "${step.id}"`, from, event);
  return {
    type: "step.transition",
    // In the order of canonical JSON, which then has nothing to sort: there are two of these a step.
    data: {
      attempt: event === "start" ? attempt + 1 : attempt,
      event,
      from,
      phase: step.phase,
      ...more,
      step: step.id,
      to,
    },
  };
}

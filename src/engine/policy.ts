import type { PhaseState, RunState } from "../store/index.ts";

/** What the policy sees of a phase. */
export interface PhaseSituation {
  readonly name: string;
  readonly state: PhaseState;
  readonly forwardOnly: boolean;
  readonly stepsLeft: number;
  /** `complete()` calls of a sealed phase that are not recorded yet. */
  readonly completesLeft: number;
  /** Enough people approved the evidence as it stands; true when the phase asks for nobody. */
  readonly approved: boolean;
  /** Exit gates that can change their mind while the phase waits for people. */
  readonly hasGates: boolean;
}

export interface Situation {
  readonly run: RunState;
  /** In the order in which they run. */
  readonly phases: readonly PhaseSituation[];
  /** Emergency steps that have not ended yet, while the rollback is stuck. */
  readonly emergenciesLeft: number;
}

/** What the carrier does next. Each ends with a change of the record, or waits to be woken. */
export type Action =
  | {
      readonly do: "check" | "run-steps" | "gate" | "judge" | "begin" | "complete" | "restart";
      readonly phase: string;
    }
  | { readonly do: "finish" | "roll-back" | "emergency" | "end" }
  | { readonly do: "wait"; readonly for: string };

/** The next thing to do, from the record alone: the same record gives the same action, also after a crash. */
export function decide(situation: Situation): Action {
  switch (situation.run) {
    case "COMPLETED":
    case "ROLLED_BACK":
      return { do: "end" };
    case "ROLLBACK_STUCK":
      return { do: situation.emergenciesLeft > 0 ? "emergency" : "end" };
    case "ROLLING_BACK":
      return { do: "roll-back" };
    case "PAUSED":
      return { do: "wait", for: "somebody who continues it" };
    case "RUNNING":
    case "HOLDING":
      return forward(situation);
  }
}

/** The phase in hand: the first that is not sealed, or sealed with something left to complete. */
export function currentPhase(phases: readonly PhaseSituation[]): PhaseSituation | undefined {
  return phases.find(({ state, completesLeft }) => state !== "SEALED" || completesLeft > 0);
}

function forward({ run, phases }: Situation): Action {
  const phase = currentPhase(phases);
  const holding = run === "HOLDING";
  if (phase === undefined) return holding ? held : { do: "finish" };
  const { name } = phase;
  switch (phase.state) {
    case "PENDING":
      return holding ? held : { do: "check", phase: name };
    // What can end its own hold goes on while the run holds: checks, gates, completion.
    case "CHECKING":
      return { do: "check", phase: name };
    case "RUNNING":
      if (holding) return held;
      return { do: phase.stepsLeft > 0 ? "run-steps" : "gate", phase: name };
    case "GATING":
      return { do: "judge", phase: name };
    case "AWAITING_APPROVAL":
      if (phase.forwardOnly) {
        if (!phase.approved) return { do: "wait", for: "approval before it begins" };
        return holding ? held : { do: "begin", phase: name };
      }
      // Gates stay armed while people are asked.
      return phase.hasGates || phase.approved
        ? { do: "judge", phase: name }
        : { do: "wait", for: "approval" };
    case "SEALED":
      return { do: "complete", phase: name };
    case "ROLLED_BACK":
      // Only above a forward-only phase, and only after somebody continued.
      return holding ? held : { do: "restart", phase: name };
    case "ROLLING_BACK":
      return held;
  }
}

const held: Action = { do: "wait", for: "the reason of its hold to end" };

/** What the run waits for, in words: of a hold, why it holds. Otherwise the reason the run has, if any. */
export const waitText = (action: Action, reason: string): string =>
  action.do === "wait" && (action !== held || reason === "") ? action.for : reason;

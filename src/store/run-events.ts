import type { Json, JsonObject, RouteState } from "../core/index.ts";

/** States of a run, a phase and a step. Persisted; the tables are in docs/spec/run-machine.md. */
export type RunState =
  "RUNNING" | "HOLDING" | "PAUSED" | "ROLLING_BACK" | "ROLLED_BACK" | "ROLLBACK_STUCK" | "COMPLETED";

export type PhaseState =
  | "PENDING"
  | "CHECKING"
  | "RUNNING"
  | "GATING"
  | "AWAITING_APPROVAL"
  | "SEALED"
  | "ROLLING_BACK"
  | "ROLLED_BACK";

export type StepState =
  "PENDING" | "RUNNING" | "DONE" | "FAILED" | "UNKNOWN" | "ROLLING_BACK" | "ROLLED_BACK" | "ROLLBACK_FAILED";

export interface ErrorRecord {
  readonly code: string;
  readonly message: string;
  readonly details?: JsonObject;
}

/**
 * Everything that can happen to a run, as it is stored. `type` and the members of `data` are persisted words.
 * Projections are computed from these events alone (`projection.ts`), so a rebuild gives the same rows.
 */
export type RunEvent =
  | {
      readonly type: "run.created";
      readonly data: {
        readonly migration: string;
        readonly hash: string;
        /** File the definition was loaded from, relative to the project. */
        readonly source: string;
        readonly by: string;
        /** Compiled graph: phases and steps in order, as `plan` printed them. */
        readonly graph: JsonObject;
      };
    }
  | { readonly type: "run.transition"; readonly data: Transition<RunState> & { readonly by?: string } }
  | { readonly type: "run.claimed"; readonly data: { readonly owner: string; readonly fence: number } }
  | {
      readonly type: "run.redefined";
      readonly data: {
        readonly from: string;
        readonly to: string;
        readonly by: string;
        readonly difference: JsonObject;
        readonly graph: JsonObject;
      };
    }
  | { readonly type: "phase.transition"; readonly data: Transition<PhaseState> & { readonly phase: string } }
  | {
      readonly type: "step.transition";
      readonly data: Transition<StepState> & {
        readonly step: string;
        readonly phase: string;
        readonly attempt: number;
        readonly result?: Json;
        readonly error?: ErrorRecord;
      };
    }
  | {
      readonly type: "step.checkpoint";
      readonly data: { readonly step: string; readonly attempt: number; readonly checkpoint: Json };
    }
  | {
      readonly type: "evidence.recorded";
      readonly data: {
        readonly id: string;
        readonly name: string;
        readonly phase?: string;
        readonly step?: string;
        readonly data: JsonObject;
      };
    }
  | {
      readonly type: "verdict.given";
      readonly data: {
        /** Gate, trigger or check that judged. */
        readonly gate: string;
        readonly role: "exit" | "entry" | "way-back" | "trigger" | "step" | "wave" | "success";
        readonly phase?: string;
        readonly step?: string;
        readonly verdict: "pass" | "fail" | "hold";
        readonly reason: string;
        readonly figures?: JsonObject;
        /** Ids of the evidence it rests on. */
        readonly evidence: readonly string[];
      };
    }
  | {
      readonly type: "approval.given";
      readonly data: {
        readonly phase: string;
        readonly by: string;
        readonly reason: string;
        readonly evidence: string;
      };
    }
  | {
      readonly type: "approval.lapsed";
      readonly data: { readonly phase: string; readonly by: string; readonly evidence: string };
    }
  /** A person moved something without the evidence for it; always shown in reports. */
  | {
      readonly type: "override.recorded";
      readonly data: { readonly what: string; readonly by: string; readonly reason: string };
    }
  | {
      readonly type: "trigger.fired";
      readonly data: {
        readonly trigger: string;
        readonly action: string;
        readonly reason: string;
        readonly phase?: string;
        /** The person who fired it; absent when it fired by itself. */
        readonly by?: string;
      };
    }
  /** What had set it off is over, or a person answers for it: what it held or slowed goes on, and it is armed anew. */
  | {
      readonly type: "trigger.recovered";
      readonly data: { readonly trigger: string; readonly reason: string; readonly by?: string };
    }
  | {
      readonly type: "incident.opened";
      readonly data: {
        readonly id: string;
        readonly cause: "trigger" | "gate-failed" | "step-failed" | "manual" | "rollback-stuck";
        readonly summary: string;
        /** What was seen: verdict figures, route counts, the stage before. */
        readonly seen: JsonObject;
      };
    }
  | {
      readonly type: "incident.closed";
      readonly data: { readonly id: string; readonly outcome: string; readonly facts: JsonObject };
    }
  | { readonly type: "route.changed"; readonly data: RouteChange }
  /** What a person decided in a process that does not carry the run; whoever carries it acts on it and answers. */
  | { readonly type: "decision.asked"; readonly data: AskedDecision }
  | {
      readonly type: "decision.answered";
      readonly data: { readonly id: string; readonly error?: ErrorRecord };
    }
  | {
      readonly type: "note.added";
      readonly data: { readonly by: string; readonly text: string; readonly facts?: JsonObject };
    };

/** A decision on its way to the process that carries the run. */
export interface AskedDecision {
  readonly id: string;
  readonly verb: "pause" | "continue" | "approve" | "rollback" | "settle" | "trigger" | "lift";
  readonly by: string;
  readonly reason: string;
  readonly phase?: string;
  readonly evidence?: string;
  readonly step?: string;
  readonly outcome?: "done" | "not-done";
  readonly trigger?: string;
}

interface Transition<State> {
  readonly from: State;
  readonly to: State;
  /** Name of the event in the state table. */
  readonly event: string;
  readonly reason?: string;
}

export interface RouteChange {
  readonly before: RouteState | null;
  readonly after: RouteState;
  readonly by: string;
  readonly reason?: string;
}

/** An event as it stands in the table: position, time and place in the hash chain added. */
export interface StoredEvent {
  /** Position in the store, from 1, without gaps. */
  readonly seq: number;
  /** Wall-clock milliseconds of the writer. */
  readonly at: number;
  /** `run:<id>`, `order:<id>` or `route:<name>`. */
  readonly stream: string;
  readonly type: string;
  readonly data: JsonObject;
  /** SHA-256 of the event before; 64 zeros for the first. */
  readonly previous: string;
  /** SHA-256 over canonical JSON of `{ at, data, previous, seq, stream, type }`. */
  readonly hash: string;
}

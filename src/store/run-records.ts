import type { Json, JsonObject } from "../core/index.ts";
import type { ErrorRecord, PhaseState, RunState, StepState } from "./run-events.ts";

/** Rows computed from events. All times are wall-clock milliseconds. */
export interface RunRecord {
  readonly id: string;
  readonly migration: string;
  readonly hash: string;
  readonly source: string;
  readonly state: RunState;
  /** Why it is in this state, for people; empty when there is nothing to say. */
  readonly reason: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly owner: string | null;
  readonly fence: number;
}

export interface PhaseRecord {
  readonly run: string;
  readonly phase: string;
  readonly state: PhaseState;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

export interface StepRecord {
  readonly run: string;
  readonly step: string;
  readonly phase: string;
  readonly state: StepState;
  readonly attempt: number;
  readonly checkpoint: Json | null;
  readonly result: Json | null;
  readonly error: ErrorRecord | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** Position of the event it began with: none before it tells of this step. */
  readonly seq: number;
}

export interface EvidenceRecord {
  readonly id: string;
  readonly run: string;
  readonly name: string;
  readonly phase: string | null;
  readonly step: string | null;
  readonly at: number;
  readonly data: JsonObject;
}

export interface VerdictRecord {
  readonly run: string;
  readonly at: number;
  readonly gate: string;
  readonly role: string;
  readonly phase: string | null;
  readonly step: string | null;
  readonly verdict: "pass" | "fail" | "hold";
  readonly reason: string;
  readonly figures: JsonObject | null;
  readonly evidence: readonly string[];
}

export interface ApprovalRecord {
  readonly run: string;
  readonly phase: string;
  readonly by: string;
  readonly reason: string;
  readonly evidence: string;
  readonly at: number;
  readonly lapsed: boolean;
}

export interface IncidentRecord {
  readonly id: string;
  readonly run: string;
  readonly cause: string;
  readonly summary: string;
  readonly seen: JsonObject;
  readonly openedAt: number;
  readonly closedAt: number | null;
  readonly outcome: string | null;
  readonly facts: JsonObject | null;
}

import type { Json, JsonObject, MismatchSample, RouteState, Side, Stage } from "../core/index.ts";
import type { ErrorRecord, PhaseState, RunState, StepState } from "../store/index.ts";

/**
 * One run as people and machines see it: plain JSON, made from the record (and, while the run is carried by this
 * process, from its live progress). All times are wall-clock milliseconds, durations milliseconds.
 */
export interface RunView {
  readonly run: RunSummary;
  readonly phases: readonly PhaseView[];
  /** Every unit of the migration, in the order of the definition; empty when it names none. */
  readonly units: readonly UnitView[];
  readonly triggers: readonly TriggerView[];
  readonly routes: readonly RouteView[];
  /** Gates over the whole run and waves, newest verdict each. */
  readonly success: readonly VerdictView[];
  /** Approvals that are wanted now. */
  readonly wanted: readonly WantedApproval[];
  readonly approvals: readonly ApprovalView[];
  /** Everything a person moved without evidence; never left out of any output. */
  readonly overrides: readonly OverrideView[];
  readonly incidents: readonly IncidentView[];
  readonly aside: readonly AsideItem[];
  readonly sidecars: readonly Sidecar[];
  readonly notes: readonly { readonly at: number; readonly by: string; readonly text: string }[];
  readonly next: NextCommand;
}

export interface RunSummary {
  readonly id: string;
  readonly migration: string;
  readonly title: string;
  /** Hash of the definition. */
  readonly hash: string;
  readonly source: string;
  readonly state: RunState;
  readonly reason: string;
  readonly startedBy: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Null while it has not ended. */
  readonly endedAt: number | null;
  readonly elapsedMs: number;
  readonly owner: string | null;
  /** When this view was made. */
  readonly at: number;
  /** Why it does not move now, for people; empty when it moves or nobody carries it. */
  readonly waitsFor: string;
  /** Trigger that slows it down now. */
  readonly throttledBy: string | null;
  /** Calls a second over the last seconds; null when no route was measured lately. */
  readonly callsPerSecond: number | null;
}

export interface PhaseView {
  readonly name: string;
  readonly title: string;
  readonly state: PhaseState;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly elapsedMs: number | null;
  readonly forwardOnly: boolean;
  /** How many people must approve; 0 when nobody. */
  readonly approvals: number;
  /** Only these people may approve; empty: anybody. */
  readonly approvers: readonly string[];
  /** How many steps are in which state. */
  readonly counts: Readonly<Partial<Record<StepState, number>>>;
  /** Every step up to 200; of more, those that are not simply done or pending, and the newest done. */
  readonly steps: readonly StepView[];
  /** Steps left out of `steps`. */
  readonly hiddenSteps: number;
  /** Newest verdict of each gate and check of this phase. */
  readonly verdicts: readonly VerdictView[];
  /** One line: what came of it, or what it does or waits for now. */
  readonly headline: string;
}

export interface StepView {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly state: StepState;
  readonly attempt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly elapsedMs: number | null;
  readonly progress: ProgressView | null;
  readonly result: Json | null;
  readonly error: ErrorRecord | null;
  /** One line for people: result, progress or error. */
  readonly line: string;
}

/**
 * How a unit stands. `judging`: all its steps are done, and a wave's or phase's gates or approvals are still out.
 * `unknown`: nobody can say whether one of its steps took effect. `back`: whatever was begun of it is undone.
 */
export type UnitState =
  "pending" | "moving" | "judging" | "moved" | "failed" | "unknown" | "taking-back" | "back";

/**
 * One unit as its steps and phases leave it; nothing of this is stored. Its steps are those written for it
 * (`step@unit`); a unit without such steps is moved by the steps of all phases that name it.
 */
export interface UnitView {
  readonly name: string;
  readonly title: string;
  readonly priority: string | null;
  readonly wave: string | null;
  readonly state: UnitState;
  readonly stepsDone: number;
  readonly stepsTotal: number;
  /** The effort that the definition expects, milliseconds; null when it says nothing. */
  readonly effortMs: number | null;
  readonly startedAt: number | null;
  /** When it was moved, failed or taken back; null while it is pending or in motion. */
  readonly endedAt: number | null;
  /** One line for people: what failed, or which steps run now; may be empty. */
  readonly line: string;
}

export interface ProgressView {
  readonly done: number | null;
  readonly total: number | null;
  readonly unit: string | null;
  readonly note: string | null;
  readonly share: number | null;
  /** Done, 0 … 1; null when nobody can know. */
  readonly fraction: number | null;
}

export interface VerdictView {
  readonly gate: string;
  readonly role: string;
  readonly step: string | null;
  readonly verdict: "pass" | "fail" | "hold";
  readonly reason: string;
  readonly figures: JsonObject | null;
  readonly evidence: readonly string[];
  /** When holding: expected milliseconds until a verdict; null when nobody can know. */
  readonly waitMs: number | null;
  readonly at: number;
}

export interface TriggerView {
  readonly name: string;
  readonly action: string;
  /** Phases it is armed in; empty means all. */
  readonly phases: readonly string[];
  readonly armed: boolean;
  /** Only a person fires it: `cutover trigger NAME`. */
  readonly manual: boolean;
  /** Nobody has said how its condition is measured: it never fires, and is not armed. */
  readonly unproven: boolean;
  /** Newest verdict, when there is one. */
  readonly last: VerdictView | null;
  /** When it fired last, why, and the person who fired it, if one did. */
  readonly firedAt: number | null;
  readonly firedFor: string | null;
  readonly firedBy: string | null;
  /** When what it fired on was over; null while it stands or when it never fired. */
  readonly recoveredAt: number | null;
}

export interface SideFigures {
  readonly calls: number;
  readonly errors: number;
  /** 0 … 1; null without calls. */
  readonly errorRate: number | null;
  /** Milliseconds; null without calls. */
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

export interface RouteView {
  readonly route: string;
  readonly state: RouteState;
  /** Calls during the whole run, by the side that answered or was tried for a caller. */
  readonly sides: Readonly<Record<Side, SideFigures>>;
  /** Calls a second while one side carried all of it; null when that was never measured. */
  readonly alone: Readonly<Record<Side, number | null>>;
  readonly shadow: {
    readonly calls: number;
    readonly errors: number;
    readonly timeouts: number;
    readonly skipped: number;
  };
  readonly compared: number;
  readonly mismatches: number;
  /** Calls the old side answered because the new one failed. */
  readonly failedOver: number;
  readonly operations: readonly { readonly name: string; readonly compared: number }[];
  readonly samples: readonly MismatchSample[];
  readonly changes: readonly {
    readonly at: number;
    readonly stage: Stage;
    readonly share: number;
    readonly by: string;
    readonly reason: string;
  }[];
  /** At most 60 stretches of equal length, oldest first. */
  readonly series: readonly RoutePoint[];
}

/** One stretch of a route's time. Rates a second, latencies in milliseconds. */
export interface RoutePoint {
  readonly from: number;
  readonly to: number;
  readonly share: number;
  readonly old: { readonly rate: number; readonly errors: number; readonly p99: number | null };
  readonly new: { readonly rate: number; readonly errors: number; readonly p99: number | null };
}

export interface WantedApproval {
  readonly phase: string;
  readonly needed: number;
  /** Only these people may; empty: anybody. */
  readonly from: readonly string[];
  readonly given: readonly string[];
  /** Hash of the evidence that is approved; null while the engine has not stated it. */
  readonly evidence: string | null;
  readonly command: string;
}

export interface ApprovalView {
  readonly phase: string;
  readonly by: string;
  readonly reason: string;
  readonly evidence: string;
  readonly at: number;
  readonly lapsed: boolean;
}

export interface OverrideView {
  readonly at: number;
  readonly what: string;
  readonly by: string;
  readonly reason: string;
}

export interface IncidentView {
  readonly id: string;
  readonly cause: string;
  readonly summary: string;
  readonly seen: JsonObject;
  readonly openedAt: number;
  readonly closedAt: number | null;
  readonly outcome: string | null;
  readonly facts: JsonObject | null;
}

/** Something that was not moved but kept aside for a person, e.g. a corrupt work order. */
export interface AsideItem {
  readonly id: string;
  readonly reason: string;
  readonly step: string;
  /** What else is known about it, e.g. where the original lies. */
  readonly facts: JsonObject;
}

/** A store that keeps the old row of each image, so that the way back is exact where several rows have one image. */
export interface Sidecar {
  readonly store: string;
  /** Old rows that are kept. */
  readonly rows: number;
  readonly step: string;
}

/** What a person can do now. `command` is empty when there is nothing to do. */
export interface NextCommand {
  readonly text: string;
  readonly command: string;
}

/** What the process that carries a run knows beyond the record. */
export interface LiveRun {
  readonly progress: Readonly<Record<string, LiveProgress>>;
  /** Newest judgements, also those too frequent to be recorded. */
  readonly verdicts: readonly LiveVerdict[];
  readonly throttledBy: string | null;
  /** Why it does not move, for people; empty when it does. */
  readonly waitsFor: string;
}

export interface LiveProgress {
  readonly done?: number;
  readonly total?: number;
  readonly unit?: string;
  readonly note?: string;
  readonly share?: number;
}

export interface LiveVerdict {
  readonly gate: string;
  readonly role: string;
  readonly kind: "pass" | "fail" | "hold";
  readonly reason: string;
  readonly figures?: JsonObject;
  readonly waitMs?: number;
  readonly phase?: string;
  readonly step?: string;
  readonly at: number;
}

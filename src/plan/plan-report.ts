import type { ErrorCode, JsonObject } from "../core/index.ts";
import type { Approval, Contingency, Risk, TriggerAction } from "./definition.ts";
import type { Estimate } from "./estimate.ts";
import type { Unit } from "./migration.ts";
import type { EvidenceSort } from "./unproven.ts";

/** What `cutover plan` prints. Plain data: `JSON.stringify` of it is the `--json` answer. */
export interface PlanReport {
  readonly migration: string;
  readonly title: string | undefined;
  readonly hash: string;
  readonly stepCount: number;
  /** In the order they run. */
  readonly phases: readonly PlannedPhase[];
  readonly units: readonly Unit[];
  readonly waves: readonly {
    readonly name: string;
    readonly units: readonly string[];
    readonly exit: readonly string[];
  }[];
  readonly estimate: Estimate;
  /** Working time of all units together, milliseconds. */
  readonly effortMs: number;
  /** Phases without a way back, and the steps in them that cannot be undone. */
  readonly irreversible: readonly { readonly phase: string; readonly steps: readonly string[] }[];
  readonly approvals: readonly {
    readonly phase: string;
    readonly by: number;
    /** Empty: anybody. */
    readonly from: readonly string[];
  }[];
  readonly triggers: readonly {
    readonly name: string;
    readonly action: TriggerAction;
    /** Only a person fires it. */
    readonly manual: boolean;
    /** Milliseconds that its condition must stay bad first; null: it fires at once. */
    readonly for: number | null;
    /** Null: armed throughout. */
    readonly phases: readonly string[] | null;
    /** Nobody has said how its condition is measured: it never fires. */
    readonly unproven: boolean;
  }[];
  readonly wayBack: {
    /** Phases that begin only after their way back was proven. */
    readonly provenBefore: readonly string[];
    readonly notProvenBefore: readonly string[];
    /** The phase with which the way back ends; undefined when it reaches through the whole run. */
    readonly endsWith: string | undefined;
    /** Steps that declare nothing to undo: worth a look before the run. */
    readonly nothingToUndo: readonly string[];
  };
  readonly success: readonly string[];
  /** What nobody has said the proof of: a run holds at the first of them. In the order a run meets them. */
  readonly unproven: readonly PlannedUnproven[];
  readonly contingencies: readonly {
    readonly name: string;
    readonly on: Contingency["on"];
    readonly steps: readonly string[];
  }[];
  readonly risks: readonly Risk[];
  readonly schedule: { readonly start?: string; readonly end?: string } | undefined;
  /** Steps that could not be planned: a run would fail there. */
  readonly problems: readonly (PlanFailure & { readonly step: string })[];
}

export interface PlannedUnproven {
  readonly phase: string;
  readonly role: "entry" | "way-back" | "step" | "exit";
  /** The claim; of a step its id. */
  readonly name: string;
  /** Sorts of evidence that would settle it. */
  readonly by: readonly EvidenceSort[];
  /** Where it was written down. */
  readonly from: string | undefined;
}

export interface PlannedPhase {
  readonly name: string;
  readonly title: string | undefined;
  readonly after: readonly string[];
  readonly units: readonly string[];
  readonly forwardOnly: boolean;
  readonly approval: Approval | undefined;
  readonly patienceMs: number;
  /** Names of the checks and gates. */
  readonly entry: readonly string[];
  readonly wayBack: readonly string[];
  readonly exit: readonly string[];
  readonly steps: readonly PlannedStep[];
  readonly layers: readonly (readonly string[])[];
  readonly estimate: Estimate;
}

export interface PlannedStep {
  readonly id: string;
  readonly name: string;
  readonly unit: string | undefined;
  readonly kind: string;
  readonly summary: string;
  readonly estimateMs: number | undefined;
  readonly touches: readonly string[];
  readonly after: readonly string[];
  readonly layer: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly undo: "rollback" | "nothing" | "impossible";
  /** On the phase's critical path. */
  readonly critical: boolean;
  readonly problem: PlanFailure | undefined;
}

export interface PlanFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  readonly details: JsonObject;
}

import type { Duration, Json, JsonObject } from "../core/index.ts";
import type { GateSpec } from "./gate-spec.ts";
import type { ManualCondition, RunCondition } from "./run-conditions.ts";
import type { StepKind } from "./step-kind.ts";

/** The definition: what `defineMigration` takes. Plain data and step kinds; nothing runs while it is read. */
export interface MigrationInput {
  /** Kebab-case name; runs and routes are recorded under it. */
  readonly name: string;
  readonly title?: string;
  readonly units?: readonly (string | UnitInput)[];
  /** Units that move together, in order; a wave starts when the one before met its gates. */
  readonly waves?: readonly WaveInput[];
  readonly phases: readonly Phase[];
  readonly triggers?: readonly Trigger[];
  /** Asked after a rollback: does the old side answer as before? A "no" leaves the run in ROLLBACK_STUCK. */
  readonly verifyOld?: readonly Check[];
  /** Gates over the whole run, judged at its end and shown in the report. */
  readonly success?: readonly GateSpec[];
  readonly risks?: readonly Risk[];
  readonly contingencies?: readonly Contingency[];
  readonly schedule?: { readonly start?: string; readonly end?: string };
  /** The written plan it was made from; `cutover report --as plan` writes the record's truth back into that text. */
  readonly document?: PlanDocument;
}

export interface PlanDocument {
  /** Path from the definition's folder. */
  readonly file: string;
  /** SHA-256 of its bytes when it was imported. */
  readonly hash: string;
}

export interface UnitInput {
  readonly name: string;
  readonly title?: string;
  /** Priority class, e.g. `P0`. */
  readonly priority?: string;
  readonly after?: readonly string[];
  /** Working time expected, for estimates. */
  readonly effort?: Duration;
}

export interface WaveInput {
  readonly name: string;
  readonly units: readonly string[];
  readonly exit?: readonly GateSpec[];
}

/** Ordered stretch of a migration. */
export interface Phase {
  readonly name: string;
  readonly title?: string;
  /** Phases that must be sealed first; by default the one listed before. */
  readonly after?: readonly string[];
  /** Units this phase moves; all by default. */
  readonly units?: readonly string[];
  readonly entry?: readonly Check[];
  /** A list, or one list per unit: then ids become `step@unit`, and unit dependencies and waves order them. */
  readonly steps: readonly Step[] | ((unit: string) => readonly Step[]);
  readonly exit?: readonly GateSpec[];
  readonly approval?: Approval;
  /** No way back once this phase has begun; needs an approval before it begins. */
  readonly forwardOnly?: boolean;
  /** Proofs of the way back, taken before the phase begins. A phase that moves load should have them. */
  readonly wayBack?: readonly Check[];
  /** How long exit gates may hold before the run asks a person. Default 24 h. */
  readonly patience?: Duration;
}

export interface Approval {
  /** How many different people. */
  readonly by: number;
  /** Only these people, when given. */
  readonly from?: readonly string[];
}

/** A question the tool answers itself, instead of a box that somebody ticks. */
export interface Check {
  readonly name: string;
  /** Looks, touches nothing, and answers with the facts it saw. */
  readonly run: (context: CheckContext) => Promise<CheckResult> | CheckResult;
}

export interface CheckContext {
  readonly signal: AbortSignal;
  readonly runId: string;
  /** Folder of the store, for backups and scratch copies: `<store>/work/<run>`. */
  readonly workDir: string;
}

export interface CheckResult {
  readonly ok: boolean;
  /** One line for people: what was found. */
  readonly note: string;
  readonly facts?: JsonObject;
}

/** One step as written in a phase: a kind and its input. */
export interface Step {
  /** Unique in its phase; defaults to the kind's name. */
  readonly name: string;
  // Input and checkpoint types are the kind's own business; the engine carries them as JSON.
  readonly kind: StepKind;
  readonly input: Json;
  /**
   * Steps of the same phase that come before it: `name` (of the same unit) or `name@unit`.
   * Default: the step listed before; an empty list starts with the phase.
   */
  readonly after?: readonly string[];
  readonly unit?: string;
  /** Limit of one attempt. Default: the kind's, or 1 h. */
  readonly timeout?: Duration;
  /** Attempts after a retryable failure. Default 0. */
  readonly retries?: number;
}

/**
 * What a trigger does when it fires. `alert` records and tells; `pause` stops the run until a person continues it;
 * `throttle` runs one step at a time and lets no share rise, `hold` lets no step and no share begin, both until the
 * trigger recovers; `rollback` takes the run back; `contingency:NAME` runs that procedure beside the run.
 */
export type TriggerAction = "alert" | "pause" | "throttle" | "hold" | "rollback" | `contingency:${string}`;

/** A gate that fires when it fails, a condition of the run, or a person. */
export type TriggerCondition = GateSpec | RunCondition | ManualCondition;

export interface Trigger {
  readonly name: string;
  readonly condition: TriggerCondition;
  readonly action: TriggerAction;
  /** Phases it is armed in; all by default. */
  readonly phases?: readonly string[];
  /** Debounce: the condition must stay bad so long before it fires. Default: it fires at once. */
  readonly for?: Duration;
  /** The condition must stay good so long before the trigger has recovered. Default: it recovers at once. */
  readonly recover?: Duration;
  /** Least time between two firings. Default: none. */
  readonly cooldown?: Duration;
  /** While the condition stays bad, an alert or a procedure comes again after so long. Default: once. */
  readonly repeat?: Duration;
}

export interface Risk {
  readonly risk: string;
  readonly probability: "low" | "medium" | "high";
  readonly impact: "low" | "medium" | "high";
  readonly mitigation: string;
}

/** Emergency procedure that runs as steps: `rollback-stuck` when a rollback cannot finish, `manual` when a person or a trigger asks. */
export interface Contingency {
  readonly name: string;
  readonly on: "rollback-stuck" | "manual";
  readonly steps: readonly Step[];
}

import type {
  Clock,
  Interval,
  Json,
  JsonObject,
  Log,
  RouteDeclaration,
  RouteState,
  Stage,
} from "../core/index.ts";
import type { GateSpec, Verdict } from "./gate-spec.ts";

/**
 * The whole life of a sort of step. The engine knows nothing else about a step: rollout, data and code
 * kinds are all driven through these functions.
 *
 * Order of a life: `validate` and `plan` touch nothing. `start` does the work and may be called again after
 * a crash; it then sees a higher `attempt` and the last saved checkpoint. After a crash in the middle of
 * `start` the engine first asks `verify`. `complete` runs once the phase is sealed. `rollback` undoes whatever
 * `start` did, however far it came; it is registered before `start` begins and must be idempotent.
 */
export interface StepKind {
  /** Name in records, e.g. `backfill`. Persisted. */
  readonly kind: string;
  /** False only for a kind that cannot be undone; such steps belong in forward-only phases. */
  readonly reversible: boolean;
  /** Default limit of one attempt, milliseconds. */
  readonly timeoutMs?: number;
  /** Everything wrong with the input, found without touching anything. */
  validate?(input: Json): readonly StepProblem[];
  /** What the step is for, in one line, from its input alone: for records. Default: the kind's name. */
  summary?(input: Json): string;
  /** What would happen: one line, an estimate, what it touches. Reads at most; touches nothing. */
  plan(input: Json): StepPlan | Promise<StepPlan>;
  /** Does the work. Resolves with the result that is recorded, once. */
  start(context: StepContext): Promise<Json>;
  /**
   * After a crash or timeout: did `start` take effect? `done` records the result without running it again,
   * `not-done` starts it again, `unknown`, and any answer of another shape, holds the run and asks a person. Without
   * this function a step is started again (so `start` must then be safe to repeat).
   */
  verify?(context: StepContext): Promise<StepOutcome>;
  /**
   * `start`, for simulations: it may change routes, judge and wait, all through its context, and touches nothing else. A
   * kind without it is passed over there, as if it had been done at once.
   */
  simulate?(context: StepContext): Promise<Json>;
  complete?(context: StepContext): Promise<void>;
  rollback?(context: StepContext): Promise<void>;
  /** True when `rollback` only tidies up after a crash (ends a process left behind): plans show "nothing to undo". */
  readonly tidiesOnly?: boolean;
  /** Rooms may keep definition-time functions (map functions, closures) out of `input`; this text enters the hash. */
  fingerprint?(input: Json): string;
}

export interface StepProblem {
  readonly message: string;
  readonly remedy: string;
  /** Inside the step's input, e.g. `shares[1]`. */
  readonly place?: string;
}

export interface StepPlan {
  readonly summary: string;
  readonly estimateMs?: number;
  /** What it changes, for people. */
  readonly touches?: readonly string[];
}

export type StepOutcome =
  | { readonly kind: "done"; readonly result: Json }
  | { readonly kind: "not-done" }
  /** `code`: it did nothing yet and waits for people; left out, nobody knows whether it took effect. */
  | {
      readonly kind: "unknown";
      readonly reason: string;
      readonly code?: "CUTOVER_STEP_UNPROVEN" | "CUTOVER_STEP_REVIEW";
    };

export interface StepProgress {
  readonly done?: number;
  readonly total?: number;
  /** Unit of `done`, plural: `rows`, `orders`. */
  readonly unit?: string;
  /** One line for people: what is true now. */
  readonly note?: string;
  readonly share?: number;
}

/**
 * What a running step sees and may do; it may be taken apart, `run: async ({ saveCheckpoint, signal }) => …`.
 * Every write is fenced: it fails once the run's lease is lost.
 */
export interface StepContext {
  readonly runId: string;
  readonly migration: string;
  readonly phase: string;
  /** Id of the step in its run: `phase/name` or `phase/name@unit`. */
  readonly step: string;
  readonly unit: string | undefined;
  readonly input: Json;
  /** 1 for the first start; grows with every restart and retry. */
  readonly attempt: number;
  /** Same for all attempts of this step in this run; hand it to outside systems. */
  readonly idempotencyKey: string;
  /** Grows with every owner of the run; hand it to outside systems that can refuse older ones. */
  readonly fence: number;
  /** Aborts on pause, rollback, lost lease and timeout. Work must stop soon after. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
  /** Folder for this run's backups and scratch copies. */
  readonly workDir: string;
  /** The checkpoint saved last, or undefined. */
  readonly checkpoint: () => Json | undefined;
  /** Saves progress durably; resolves after the commit. */
  readonly saveCheckpoint: (value: Json) => Promise<void>;
  /** Shows progress; not durable, cheap, may be called often. */
  readonly progress: (progress: StepProgress) => void;
  /** Stores an immutable measurement; resolves with its id (content hash). */
  readonly evidence: (name: string, data: JsonObject) => Promise<string>;
  /** Evaluates a gate now, stores evidence and verdict, and returns it. `since` limits the evidence to later intervals. */
  readonly judge: (gate: GateSpec, options?: { readonly since?: number }) => Promise<Verdict>;
  /**
   * Holds the run with this reason and lets it ask a person, while the step goes on: nothing else begins until somebody
   * continues the run or the step withdraws its question. Time spent so does not count towards the attempt's timeout. Not
   * durable: after a crash the step asks again where it still has to.
   */
  readonly ask: (reason: string) => Promise<Question>;
  readonly routes: RouteControl;
}

/** A question that holds the run. */
export interface Question {
  /** True once a person continued the run. */
  answered(): boolean;
  /** Takes the question back; does nothing once it is answered. */
  withdraw(): Promise<void>;
}

/** Stages of routes, as a step may read and change them. */
export interface RouteControl {
  /** Undefined until the migration or an application declared it. */
  get(route: string): Promise<RouteState | undefined>;
  /** What applications declared about it; empty when none is connected yet. */
  declarations(route: string): Promise<readonly RouteDeclaration[]>;
  /**
   * Compare-and-set: changes the route when its epoch is still `epoch` (0 for a route not seen before).
   * @throws CUTOVER_ROUTE_EPOCH when it is not.
   */
  set(
    route: string,
    epoch: number,
    to: { readonly stage: Stage; readonly share: number },
  ): Promise<RouteState>;
  /** Measured intervals that ended after `since` (wall-clock ms), oldest first. */
  intervals(route: string, since: number): Promise<readonly Interval[]>;
}

import type { Json, JsonObject, Side } from "../core/index.ts";

/**
 * Gates as the definition states them: data that can be hashed, printed and reviewed. The engine
 * gathers the evidence and lets the `gates` room judge it.
 */
export type GateSpec = MeasuredGate | CustomGate;

/** What is judged from numbers alone, so its error rates can be shared out. */
export type MeasuredGate = MetricGate | ComposedGate;

/** What is measured. Without `route`, all routes the run has touched are added up. */
export type Measure =
  | { readonly of: "errors" | "mismatches"; readonly route?: string }
  | { readonly of: "latency"; readonly quantile: number; readonly route?: string }
  /** Part of the machine's or container's memory in use, 0 … 1. */
  | { readonly of: "memory" }
  /** A number the migration measures itself; `name` is looked up among its `measures`. */
  | { readonly of: "value"; readonly name: string; readonly read: ValueReader }
  /** A figure of business with many values a side; `read` is asked for one stretch of time after the other. */
  | { readonly of: "mean"; readonly name: string; readonly read: MeanReader; readonly everyMs: number }
  /** Part of the calls that each side gets, at stage `live`. */
  | { readonly of: "split"; readonly route?: string }
  /** Compared answers by operation and cohort. A list stands in place of what applications declare. */
  | {
      readonly of: "coverage";
      readonly route: string;
      readonly operations?: readonly string[];
      readonly cohorts?: readonly string[];
    }
  /** Second writes not done yet, of all doors together. */
  | { readonly of: "backlog"; readonly route: string };

/** Answers with the figure as it is now. `signal` aborts when the run stops, pauses or goes back: nobody waits then. */
export type ValueReader = (context: { readonly signal: AbortSignal }) => Promise<number> | number;

/** The values of one side: themselves, or their number, sum and sum of squares, as a database adds them up. */
export type SideValues =
  readonly number[] | { readonly count: number; readonly sum: number; readonly sumOfSquares: number };

/** What a mean's source answers: both sides, or single values each with its side. A side left out had none. */
export type MeanAnswer =
  | { readonly old?: SideValues; readonly new?: SideValues }
  | readonly { readonly side: Side; readonly value: number }[];

/** The stretch asked for, wall-clock milliseconds, start inclusive, end exclusive. Stretches follow each other without a gap. */
export interface MeanWindow {
  readonly from: number;
  readonly to: number;
  readonly signal: AbortSignal;
  readonly runId: string;
}

/** Answers with the values of that stretch alone. After an error the next stretch begins where the failed one did. */
export type MeanReader = (window: MeanWindow) => Promise<MeanAnswer> | MeanAnswer;

export type Rule =
  /** Anytime-valid: pass when "rate ≥ limit" is rejected at `beta`, fail when "rate ≤ limit" is at `alpha`. */
  | { readonly kind: "below"; readonly limit: number; readonly alpha: number; readonly beta: number }
  /** Anytime-valid against the other side: fail above, pass when "ratio ≥ by" is rejected. See gates. */
  | { readonly kind: "worse-than-old"; readonly by: number; readonly alpha: number; readonly beta: number }
  /** Plain limit: fail when `n` of the last `m` intervals with at least `minSample` calls are over it. */
  | {
      readonly kind: "limit";
      readonly limit: number;
      readonly direction: "above" | "below";
      readonly minSample: number;
      readonly n: number;
      readonly m: number;
      readonly intervalMs: number;
    }
  /** Anytime-valid (asymptotic): fail when the new mean is worse than the old by more than `by`, pass when that is ruled out. */
  | {
      readonly kind: "mean-worse-than-old";
      readonly by: number;
      /** Whether `by` is a part of the old mean, or in the unit of the values. */
      readonly relative: boolean;
      readonly better: "higher" | "lower";
      readonly minSample: number;
      readonly alpha: number;
      readonly beta: number;
    }
  /** Anytime-valid (asymptotic): fail when the new side's mean is shown to be on the bad side of the limit. */
  | {
      readonly kind: "mean-limit";
      readonly limit: number;
      readonly bad: "above" | "below";
      readonly minSample: number;
      readonly alpha: number;
      readonly beta: number;
    }
  /** Anytime-valid: pass when the split is shown to be the assigned one to `within`, fail when it is shown not to be. */
  | { readonly kind: "as-assigned"; readonly within: number; readonly alpha: number; readonly beta: number }
  /** Pass once everything demanded was compared so often; never fails. */
  | { readonly kind: "covered"; readonly atLeast: number }
  /** Pass below the limit for `forMs`; at or above it hold, or fail after `forMs`. */
  | {
      readonly kind: "backlog";
      readonly limit: number;
      readonly over: "hold" | "fail";
      readonly forMs: number;
    };

export interface MetricGate {
  readonly type: "metric";
  /** For people and records, e.g. `errors of queue.submit below 2× old`. */
  readonly name: string;
  readonly measure: Measure;
  readonly rule: Rule;
}

/**
 * Several gates as one, their error rates shared out: `all` fails when one part fails and passes when all have passed,
 * `any` passes when one passes and fails when all have failed. The parts' own alpha and beta do not count.
 */
export interface ComposedGate {
  readonly type: "composed";
  readonly name: string;
  readonly join: "all" | "any";
  readonly parts: readonly MeasuredGate[];
  /** How much of the error rate falls to each part, in any unit. Absent: the same to all. */
  readonly weights?: readonly number[];
  readonly alpha: number;
  readonly beta: number;
}

/** Evidence of any sort, judged by a pure function. */
export interface CustomGate {
  readonly type: "custom";
  readonly name: string;
  /** Gathers the evidence; it is stored before `judge` sees it. */
  readonly collect: (context: {
    readonly signal: AbortSignal;
    readonly runId: string;
  }) => Promise<JsonObject> | JsonObject;
  readonly judge: (evidence: JsonObject) => Verdict;
}

/** Pass, fail, or hold: not enough evidence yet. */
export interface Verdict {
  readonly kind: "pass" | "fail" | "hold";
  /** One line for people: the figures that decided. */
  readonly reason: string;
  /** Figures of the test (e-values, ratio with interval, counts). */
  readonly figures?: JsonObject;
  /** When holding: expected milliseconds until a verdict at today's traffic; absent when nobody can know. */
  readonly waitMs?: number;
}

/** The part of a gate that is data, for hashing and records. */
export function gateToJson(gate: GateSpec): Json {
  const { type, name } = gate;
  if (gate.type === "custom") return { type, name, judge: String(gate.judge) };
  if (gate.type === "composed") {
    const { join, parts, weights, alpha, beta } = gate;
    const shared = { join, alpha, beta, ...(weights === undefined ? {} : { weights }) };
    return { type, name, ...shared, parts: parts.map(gateToJson) };
  }
  return { type, name, measure: measureToJson(gate.measure), rule: { ...gate.rule } };
}

/** A measure without its reader. */
export function measureToJson(measure: Measure): JsonObject {
  if (measure.of !== "value" && measure.of !== "mean") return { ...measure };
  const { read: _, ...data } = measure;
  return data;
}

/** The function a gate reads numbers with, as text; empty where it has none. Part of the hash beside `gateToJson`. */
export function readerText({ measure }: MetricGate): string {
  return measure.of === "value" || measure.of === "mean" ? String(measure.read) : "";
}

/** The metric gates a gate is made of, those inside compositions too; none of a gate of one's own. */
export function metricGates(gate: GateSpec): readonly MetricGate[] {
  if (gate.type === "custom") return [];
  return gate.type === "metric" ? [gate] : gate.parts.flatMap(metricGates);
}

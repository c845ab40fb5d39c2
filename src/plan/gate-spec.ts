import type { Json, JsonObject } from "../core/index.ts";

/**
 * Gates as the definition states them: data that can be hashed, printed and reviewed. The engine
 * gathers the evidence and lets the `gates` room judge it.
 */
export type GateSpec = MetricGate | CustomGate;

/** What is measured. Without `route`, all routes the run has touched are added up. */
export type Measure =
  | { readonly of: "errors" | "mismatches"; readonly route?: string }
  | { readonly of: "latency"; readonly quantile: number; readonly route?: string }
  /** Part of the machine's or container's memory in use, 0 … 1. */
  | { readonly of: "memory" }
  /** A number the migration measures itself; `name` is looked up among its `measures`. */
  | { readonly of: "value"; readonly name: string; readonly read: () => Promise<number> | number };

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
    };

export interface MetricGate {
  readonly type: "metric";
  /** For people and records, e.g. `errors of queue.submit below 2× old`. */
  readonly name: string;
  readonly measure: Measure;
  readonly rule: Rule;
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
  if (gate.type === "custom") return { type: gate.type, name: gate.name, judge: String(gate.judge) };
  const measure: JsonObject =
    gate.measure.of === "value" ? { of: "value", name: gate.measure.name } : { ...gate.measure };
  return { type: gate.type, name: gate.name, measure, rule: { ...gate.rule } };
}

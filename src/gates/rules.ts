/** What is measured, as the plan states it. (Declared here because gates know nothing of plans.) */
export type MeasureInput =
  | { readonly of: "errors" | "mismatches"; readonly route?: string }
  | { readonly of: "latency"; readonly quantile: number; readonly route?: string }
  | { readonly of: "memory" }
  | { readonly of: "value"; readonly name: string };

/** How it is judged, as the plan states it. */
export type RuleInput = BelowRule | WorseThanOldRule | LimitRule;

export interface BelowRule {
  readonly kind: "below";
  /** A rate for errors and mismatches, milliseconds for latency. */
  readonly limit: number;
  readonly alpha: number;
  readonly beta: number;
}

export interface WorseThanOldRule {
  readonly kind: "worse-than-old";
  readonly by: number;
  readonly alpha: number;
  readonly beta: number;
}

export interface LimitRule {
  readonly kind: "limit";
  readonly limit: number;
  readonly direction: "above" | "below";
  readonly minSample: number;
  readonly n: number;
  readonly m: number;
  readonly intervalMs: number;
}

/** A measured number that is not in the intervals: memory, or a value the migration reads itself. */
export interface Reading {
  /** Wall-clock milliseconds. */
  readonly at: number;
  readonly value: number;
}

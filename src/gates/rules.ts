import type { MeanObservation } from "./moments.ts";

/** What is measured, as the plan states it. (Declared here because gates know nothing of plans.) */
export type MeasureInput =
  | { readonly of: "errors" | "mismatches"; readonly route?: string }
  | { readonly of: "latency"; readonly quantile: number; readonly route?: string }
  | { readonly of: "memory" }
  | { readonly of: "value"; readonly name: string }
  /** A figure of business with many values a side, e.g. what an order is worth. */
  | { readonly of: "mean"; readonly name: string }
  /** Part of the calls that each side gets, at stage `live`. */
  | { readonly of: "split"; readonly route?: string }
  /** What was compared. A list stands in place of what the applications declare; an empty one asks for none by name. */
  | {
      readonly of: "coverage";
      readonly route: string;
      readonly operations?: readonly string[];
      readonly cohorts?: readonly string[];
    }
  /** Second writes not done yet, of all doors together. */
  | { readonly of: "backlog"; readonly route: string };

/** How it is judged, as the plan states it. */
export type RuleInput =
  | BelowRule
  | WorseThanOldRule
  | LimitRule
  | MeanWorseRule
  | MeanLimitRule
  | AssignedRule
  | CoveredRule
  | BacklogRule;

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

/** Fails when the new side's mean is shown to be worse than the old side's by more than `by`, passes when that is ruled out. */
export interface MeanWorseRule {
  readonly kind: "mean-worse-than-old";
  readonly by: number;
  /** Whether `by` is a part of the old side's mean (0.05: 5 %), or a number in the unit of the values. */
  readonly relative: boolean;
  readonly better: "higher" | "lower";
  /** Values of each side before there is a verdict. */
  readonly minSample: number;
  readonly alpha: number;
  readonly beta: number;
}

/** Fails when the new side's mean is shown to be on the bad side of `limit`, passes when on the other one. */
export interface MeanLimitRule {
  readonly kind: "mean-limit";
  readonly limit: number;
  readonly bad: "above" | "below";
  readonly minSample: number;
  readonly alpha: number;
  readonly beta: number;
}

/** Passes when the split is shown to be the assigned one to `within`, fails when it is shown not to be. */
export interface AssignedRule {
  readonly kind: "as-assigned";
  /** A part of the smaller side: 0.2 is 50 ± 10 %, 5 ± 1 %. At 0 and 100 % two points. */
  readonly within: number;
  readonly alpha: number;
  readonly beta: number;
}

/** Passes once everything was compared so often; never fails. */
export interface CoveredRule {
  readonly kind: "covered";
  readonly atLeast: number;
}

/** Passes once fewer than `limit` are open for `forMs` without a break. At or above it: holds, or fails after `forMs`. */
export interface BacklogRule {
  readonly kind: "backlog";
  readonly limit: number;
  readonly over: "hold" | "fail";
  readonly forMs: number;
}

/** What a mean's source says of one stretch of time. Stretches of one judge must not overlap. */
export interface MeanReading {
  /** Wall-clock milliseconds. */
  readonly from: number;
  readonly to: number;
  readonly old?: MeanObservation;
  readonly new?: MeanObservation;
}

/** What applications declare about a route's coverage, all doors together. */
export interface Declared {
  readonly operations: readonly string[];
  readonly cohorts: readonly string[];
  /** Operations that are never shadowed, and why. */
  readonly never: Readonly<Record<string, string>>;
}

/** A measured number that is not in the intervals: memory, or a value the migration reads itself. */
export interface Reading {
  /** Wall-clock milliseconds. */
  readonly at: number;
  readonly value: number;
}

import { fromLog, logMean } from "./logarithm.ts";

/** Above this share the old side is too quiet to be compared with side by side, and memory takes over. */
const quietShare = 0.9;
const firstWeight = 0.9;

/**
 * Two tests judge one claim: one compares the sides side by side, the other with the memory of the old side.
 * Their e-values are averaged, which gives an e-value whatever they have in common, so one threshold holds.
 * The test that fits the first stretch has nine tenths of the weight: it loses ln(1/0.9), 2 % of its time, by
 * having company. The weights are settled before that stretch is judged, so they cannot follow the outcome.
 */
export interface BesideAndMemory {
  /** Calls of a stretch, before it is judged; true when memory is to judge it (too). */
  quiet(oldCalls: number, newCalls: number): boolean;
  /** The mean of two e-values. */
  mean(beside: number, memory: number): number;
}

export function besideAndMemory(): BesideAndMemory {
  let besideWeight: number | undefined;
  return {
    quiet(oldCalls, newCalls) {
      const isQuiet = newCalls > quietShare * (oldCalls + newCalls);
      if (newCalls > 0) besideWeight ??= isQuiet ? 1 - firstWeight : firstWeight;
      return isQuiet;
    },
    mean: (beside, memory) =>
      fromLog(logMean(besideWeight ?? firstWeight, Math.log(beside), Math.log(memory))),
  };
}

/** The error budgets of the test with most of the weight, so that its wait is projected to what the mean needs. */
export function bothWays(rule: { readonly alpha: number; readonly beta: number }): {
  readonly alpha: number;
  readonly beta: number;
} {
  return { alpha: rule.alpha * firstWeight, beta: rule.beta * firstWeight };
}

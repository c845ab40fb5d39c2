import { logJeffreys, logLikelihood, logSum } from "./logarithm.ts";
import type { Estimate } from "./verdict.ts";

/**
 * Alternatives as multiples of the limit's odds, so that none ever leaves 0 … 1. Half the weight below is on
 * "never fails": a side without a failure then passes after 1.1·ln(1/β)/limit calls (327 for 1 % at 5 %).
 */
const lower: readonly Alternative[] = [
  { odds: 0, weight: 0.5 },
  { odds: 0.1, weight: 0.25 },
  { odds: 0.3, weight: 0.15 },
  { odds: 0.6, weight: 0.1 },
];
/** Rates above the limit and their weights, for evidence that is gathered stretch by stretch. */
export function higherRates(limit: number): {
  readonly rates: Float64Array;
  readonly lnWeights: Float64Array;
} {
  return {
    rates: Float64Array.from(higher, ({ odds }) => rateAt(odds, limit)),
    lnWeights: Float64Array.from(higher, ({ weight }) => Math.log(weight)),
  };
}

const higher: readonly Alternative[] = [
  { odds: 1.25, weight: 0.1 },
  { odds: 1.5, weight: 0.2 },
  { odds: 2, weight: 0.25 },
  { odds: 3, weight: 0.15 },
  { odds: 5, weight: 0.12 },
  { odds: 10, weight: 0.08 },
  { odds: 30, weight: 0.06 },
  { odds: 100, weight: 0.04 },
];

interface Alternative {
  readonly odds: number;
  readonly weight: number;
}

const rateAt = (odds: number, limit: number): number => (odds * limit) / (1 - limit + odds * limit);

const against = (alternatives: readonly Alternative[], count: number, total: number, limit: number): number =>
  logSum(
    alternatives.map(({ odds, weight }) => {
      return Math.log(weight) + logLikelihood(count, total, rateAt(odds, limit));
    }),
  ) - logLikelihood(count, total, limit);

/** ln of the e-value against "rate ≥ limit": the likelihood averaged over lower rates, over that at the limit. */
export function lnRateBelow(count: number, total: number, limit: number): number {
  return against(lower, count, total, limit);
}

/** ln of the e-value against "rate ≤ limit": the likelihood averaged over higher rates, over that at the limit. */
export function lnRateAbove(count: number, total: number, limit: number): number {
  return against(higher, count, total, limit);
}

/**
 * The rate with an interval that holds at all times at once with probability 1 − `error`: the rates whose
 * likelihood is above `error` times the Jeffreys mixture's (Ville's inequality, inverted).
 */
export function rateInterval(count: number, total: number, error: number): Estimate {
  if (total === 0) return { low: 0, high: 1 };
  const cut = logJeffreys(count, total) + Math.log(error);
  const estimate = count / total;
  // Outside the interval on the side of `end`; inside at the estimate, where the likelihood is greatest.
  const edge = (end: 0 | 1): number => {
    let inside = estimate;
    let outside: number = end;
    for (let round = 0; round < 50; round++) {
      const middle = (inside + outside) / 2;
      if (logLikelihood(count, total, middle) >= cut) inside = middle;
      else outside = middle;
    }
    return outside;
  };
  return { estimate, low: estimate === 0 ? 0 : edge(0), high: estimate === 1 ? 1 : edge(1) };
}

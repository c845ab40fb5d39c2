import { requireCount, requireObject, requirePositive, requireProbability } from "./input.ts";
import { addMoments, type MeanObservation, momentsOf, noMoments, varianceOf } from "./moments.ts";
import { lnNormal } from "./normal.ts";
import type { Estimate } from "./verdict.ts";

export interface MeanSequenceOptions {
  /** Greatest probability that the interval ever misses the mean. */
  readonly alpha: number;
  /** Number of values at which the interval shall be narrowest; default 1,000. It holds at all others as well. */
  readonly tunedFor?: number;
  /** Values before there is an interval: the sequence is asymptotic; default 100. More for skewed or rare values. */
  readonly minSample?: number;
}

export interface MeanSequence {
  /** @throws CUTOVER_GATE_INPUT for sums that no numbers have; nothing is changed then. */
  observe(observation: MeanObservation): void;
  /** The mean with its interval: infinite until there are `minSample` values and they vary. */
  mean(): Estimate & { readonly count: number };
}

/**
 * Half the width of the asymptotic confidence sequence of a mean with deviation 1 after `t` values:
 * `√(2(tρ²+1)/(t²ρ²) · ln(√(tρ²+1)/α))`, Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central
 * limit theory and asymptotic confidence sequences", arXiv 2103.06476, eq. 9. `t` need not be whole: for a
 * difference of two means it is the information 1/(σ₀²/n₀ + σ₁²/n₁).
 */
export function sequenceRadius(t: number, rho: number, alpha: number): number {
  const spread = t * rho * rho + 1;
  return Math.sqrt(((2 * spread) / (t * t * rho * rho)) * Math.log(Math.sqrt(spread) / alpha));
}

/** ρ at which the interval with error `alpha` is narrowest after `tunedFor` values (same paper, appendix). */
export function tunedRho(tunedFor: number, alpha: number): number {
  const budget = -2 * Math.log(alpha);
  return Math.sqrt((budget + Math.log(budget + 1)) / tunedFor);
}

/**
 * ln of the one-sided e-value of that sequence for "the drift is above 0": with `excess` the mean seen, `info` the
 * information on it and S = excess·info, the likelihood ratio averaged over drifts |N(0, ρ²)|,
 * `2/√(Iρ²+1) · exp(ρ²S²/(2(Iρ²+1))) · Φ(ρS/√(Iρ²+1))`.
 */
export function lnDrift(excess: number, info: number, rho: number): number {
  const spread = info * rho * rho + 1;
  const score = (rho * excess * info) / Math.sqrt(spread);
  return Math.LN2 - 0.5 * Math.log(spread) + 0.5 * score * score + lnNormal(score);
}

/**
 * Confidence sequence of a mean: an interval that holds at all times at once with probability 1 − alpha, for any
 * distribution with a variance, from counts, sums and sums of squares alone.
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function meanSequence(options: MeanSequenceOptions): MeanSequence {
  requireObject("options of meanSequence", options);
  const { alpha, tunedFor = 1000, minSample = 100 } = options;
  requireProbability("alpha", alpha);
  requirePositive("tunedFor", tunedFor);
  requireCount("minSample", minSample, 2);
  const rho = tunedRho(tunedFor, alpha);
  let seen = noMoments;

  return {
    observe(observation) {
      seen = addMoments(seen, momentsOf("observation", observation));
    },
    mean() {
      const { count, mean } = seen;
      const variance = varianceOf(seen);
      if (count < minSample || variance === undefined) {
        const estimate = count === 0 ? {} : { estimate: mean };
        return { count, ...estimate, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
      }
      const radius = Math.sqrt(variance) * sequenceRadius(count, rho, alpha);
      return { count, estimate: mean, low: mean - radius, high: mean + radius };
    },
  };
}

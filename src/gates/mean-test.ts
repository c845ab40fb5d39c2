import { requireCount, requireObject, requireOneOf, requirePositive, requireProbability } from "./input.ts";
import { fromLog } from "./logarithm.ts";
import { sequenceRadius } from "./mean-sequence.ts";
import { addMoments, type MeanObservation, momentsOf, noMoments, varianceOf } from "./moments.ts";
import { lnNormal } from "./normal.ts";
import {
  type Allowed,
  type Estimate,
  type Evidence,
  evidenceOf,
  figure,
  type VerdictKind,
} from "./verdict.ts";
import { projectWait, soonest } from "./wait.ts";

export interface MeanTestOptions extends Allowed {
  /** How much worse the new side's mean may be, in the unit of the values; above 0. */
  readonly by: number;
  /** Whether higher or lower values are better. */
  readonly better: "higher" | "lower";
  /** Values of each side before there is a verdict; default 100. More for skewed or rare values. */
  readonly minSample?: number;
}

/** `e` argues for "worse by more than `by`", `ePass` for "worse by less than `by`, or not at all". */
export interface MeanVerdict extends Evidence {
  readonly kind: VerdictKind;
  /** New mean minus old, with a (1 − beta) interval valid at all times; infinite without enough values. */
  readonly difference: Estimate;
  readonly old: { readonly count: number; readonly mean?: number };
  readonly new: { readonly count: number; readonly mean?: number };
  readonly reason: string;
  /** When holding: further traffic until a verdict, in multiples of what was seen; absent when unknowable. */
  readonly waitFraction?: number;
}

export interface MeanTest {
  /** One stretch. @throws CUTOVER_GATE_INPUT for sums that no numbers have; the test is unchanged then. */
  observe(observation: { readonly old?: MeanObservation; readonly new?: MeanObservation }): void;
  verdict(): MeanVerdict;
}

/**
 * Is the new side's mean not worse than the old one's by more than `by`? (Revenue per order, items per call.)
 *
 * The difference of two means moves like a Brownian motion in its information `I = 1/(s₀²/n₀ + s₁²/n₁)`, whatever the
 * two counts (independent increments), so the asymptotic confidence sequence of arXiv 2103.06476 (Waudby-Smith
 * et al., eq. 9) applies with t = I and deviation 1. The e-values are its one-sided form: with S = I·(loss − by), the
 * likelihood ratio averaged over drifts |N(0, ρ²)|,
 * `2/√(Iρ²+1) · exp(ρ²S²/(2(Iρ²+1))) · Φ(ρS/√(Iρ²+1))`. ρ = by: drifts of the size that is asked about.
 *
 * Asymptotic: a mean of many rare large values needs a `minSample` at which the variance is well known.
 * Both sides are pooled over time, so a rhythm they share matters only as far as the share moves with it.
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function meanTest(options: MeanTestOptions): MeanTest {
  requireObject("options of meanTest", options);
  const { alpha, beta, by, better, minSample = 100 } = options;
  requireProbability("alpha", alpha);
  requireProbability("beta", beta);
  requirePositive("by", by);
  requireOneOf("better", better, ["higher", "lower"]);
  requireCount("minSample", minSample, 2);
  const sign = better === "higher" ? -1 : 1;
  let old = noMoments;
  let fresh = noMoments;

  /** Information on the difference; absent while it cannot be known. */
  const information = (): number | undefined => {
    if (Math.min(old.count, fresh.count) < minSample) return undefined;
    const [before, now] = [varianceOf(old), varianceOf(fresh)];
    const most = Math.max(before ?? 0, now ?? 0);
    // A side that always answers the same may vary rarely: it is credited with the other's variance. With two such
    // sides nothing is known of rare values, so there is no verdict.
    return most === 0 ? undefined : 1 / ((before ?? most) / old.count + (now ?? most) / fresh.count);
  };

  const lnE = (excess: number, info: number): number => {
    const spread = info * by * by + 1;
    const score = (by * excess * info) / Math.sqrt(spread);
    return Math.LN2 - 0.5 * Math.log(spread) + 0.5 * score * score + lnNormal(score);
  };

  return {
    observe(observation) {
      requireObject("observation", observation);
      const before = observation.old === undefined ? noMoments : momentsOf("old", observation.old);
      const now = observation.new === undefined ? noMoments : momentsOf("new", observation.new);
      old = addMoments(old, before);
      fresh = addMoments(fresh, now);
    },
    verdict() {
      const info = information();
      const difference = fresh.mean - old.mean;
      const excess = sign * difference - by;
      const fail = info === undefined ? 0 : lnE(excess, info);
      const pass = info === undefined ? 0 : lnE(-excess, info);
      const evidence = evidenceOf(fromLog(fail), fromLog(pass), options);
      const kind: VerdictKind =
        evidence.e >= 1 / alpha ? "fail" : evidence.ePass >= 1 / beta ? "pass" : "hold";
      const radius = info === undefined ? Number.POSITIVE_INFINITY : sequenceRadius(info, by, beta);
      const seen: Estimate = {
        ...(old.count > 0 && fresh.count > 0 ? { estimate: difference } : {}),
        low: difference - radius,
        high: difference + radius,
      };
      const waitFraction =
        kind === "hold" && info !== undefined
          ? soonest(
              projectWait((times) => lnE(-excess, info * times), Math.log(1 / beta)),
              projectWait((times) => lnE(excess, info * times), Math.log(1 / alpha)),
            )
          : undefined;
      const missing = Math.min(old.count, fresh.count) < minSample;
      const sides = `${old.count} and ${fresh.count} values`;
      const limit = `limit ${sign < 0 ? "−" : "+"}${figure(by)}`;
      const found = `new − old ${figure(difference)} (${figure(seen.low)} to ${figure(seen.high)}), ${limit}`;
      return {
        kind,
        ...evidence,
        difference: seen,
        old: { count: old.count, ...(old.count > 0 ? { mean: old.mean } : {}) },
        new: { count: fresh.count, ...(fresh.count > 0 ? { mean: fresh.mean } : {}) },
        reason: missing
          ? `${sides} of old and new, needs ${minSample} of each`
          : info === undefined
            ? `${sides}, but they do not vary, so nothing is known of rare ones`
            : kind === "fail"
              ? `${found} (e ${figure(evidence.e)} ≥ ${figure(1 / alpha)})`
              : `${found}: e ${figure(evidence.ePass)} of ${figure(1 / beta)}`,
        ...(waitFraction === undefined ? {} : { waitFraction }),
      };
    },
  };
}

import {
  refuseValue,
  requireCount,
  requireObject,
  requireOneOf,
  requirePositive,
  requireProbability,
} from "./input.ts";
import { fromLog } from "./logarithm.ts";
import { lnDrift, sequenceRadius } from "./mean-sequence.ts";
import { addMoments, type MeanObservation, momentsOf, noMoments, varianceOf } from "./moments.ts";
import {
  type Allowed,
  type Estimate,
  type Evidence,
  evidenceOf,
  figure,
  percent,
  type VerdictKind,
} from "./verdict.ts";
import { projectWait, soonest } from "./wait.ts";

export interface MeanTestOptions extends Allowed {
  /** How much worse the new side's mean may be, in the unit of the values; above 0. */
  readonly by: number;
  /** True: `by` is a part of the old side's mean instead (0.05: 5 %), which must be above 0. Default false. */
  readonly relative?: boolean;
  /** Whether higher or lower values are better. */
  readonly better: "higher" | "lower";
  /** Values of each side before there is a verdict; default 100. More for skewed or rare values. */
  readonly minSample?: number;
}

/** `e` argues for "worse by more than `by`", `ePass` for "worse by less than `by`, or not at all". */
export interface MeanVerdict extends Evidence {
  readonly kind: VerdictKind;
  /**
   * New mean minus old, with a (1 − beta) interval valid at all times; infinite without enough values. With `relative` a
   * part of the old mean, its interval exact where it matters, at `by`.
   */
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
 * likelihood ratio averaged over drifts |N(0, ρ²)| (`lnDrift`). ρ = by: drifts of the size that is asked about.
 *
 * `relative`: "worse by more than a part of the old mean" is the same claim about the contrast new − (1 ± by)·old, linear in
 * both means, so its information is 1/((1 ± by)²s₀²/n₀ + s₁²/n₁); ρ is by times the old mean, settled with the first
 * `minSample` values and kept.
 *
 * Asymptotic: a mean of many rare large values needs a `minSample` at which the variance is well known.
 * Both sides are pooled over time, so a rhythm they share matters only as far as the share moves with it.
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function meanTest(options: MeanTestOptions): MeanTest {
  requireObject("options of meanTest", options);
  const { alpha, beta, by, better, minSample = 100, relative = false } = options;
  requireProbability("alpha", alpha);
  requireProbability("beta", beta);
  requirePositive("by", by);
  requireOneOf("better", better, ["higher", "lower"]);
  requireCount("minSample", minSample, 2);
  if (typeof relative !== "boolean") refuseValue("relative", "true or false", relative);
  const sign = better === "higher" ? -1 : 1;
  if (relative && sign < 0 && by >= 1)
    refuseValue("by", "below 1: a mean cannot be lower by more than all of it", by);
  let old = noMoments;
  let fresh = noMoments;
  /** The claim is about new − weight·old. */
  const weight = relative ? 1 + sign * by : 1;
  let rho = relative ? undefined : by;

  /** Information on the difference; absent while it cannot be known. */
  const information = (): number | undefined => {
    if (Math.min(old.count, fresh.count) < minSample || (relative && old.mean <= 0)) return undefined;
    const [before, now] = [varianceOf(old), varianceOf(fresh)];
    const most = Math.max(before ?? 0, now ?? 0);
    // A side that always answers the same may vary rarely: it is credited with the other's variance. With two such
    // sides nothing is known of rare values, so there is no verdict.
    return most === 0
      ? undefined
      : 1 / ((weight * weight * (before ?? most)) / old.count + (now ?? most) / fresh.count);
  };

  return {
    observe(observation) {
      requireObject("observation", observation);
      const before = observation.old === undefined ? noMoments : momentsOf("old", observation.old);
      const now = observation.new === undefined ? noMoments : momentsOf("new", observation.new);
      old = addMoments(old, before);
      fresh = addMoments(fresh, now);
      if (Math.min(old.count, fresh.count) >= minSample && old.mean > 0) rho ??= by * old.mean;
    },
    verdict() {
      const info = information();
      // Information is only there once ρ is.
      const drift = rho as number;
      const unit = relative ? old.mean : 1;
      const difference = fresh.mean - old.mean;
      const excess = sign * difference - by * unit;
      const fail = info === undefined ? 0 : lnDrift(excess, info, drift);
      const pass = info === undefined ? 0 : lnDrift(-excess, info, drift);
      const evidence = evidenceOf(fromLog(fail), fromLog(pass), options);
      const kind: VerdictKind =
        evidence.e >= 1 / alpha ? "fail" : evidence.ePass >= 1 / beta ? "pass" : "hold";
      const radius = info === undefined ? Number.POSITIVE_INFINITY : sequenceRadius(info, drift, beta);
      const known = old.count > 0 && fresh.count > 0 && unit > 0;
      const seen: Estimate = known
        ? {
            estimate: difference / unit,
            low: (difference - radius) / unit,
            high: (difference + radius) / unit,
          }
        : { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
      const waitFraction =
        kind === "hold" && info !== undefined
          ? soonest(
              projectWait((times) => lnDrift(-excess, info * times, drift), Math.log(1 / beta)),
              projectWait((times) => lnDrift(excess, info * times, drift), Math.log(1 / alpha)),
            )
          : undefined;
      const missing = Math.min(old.count, fresh.count) < minSample;
      const sides = `${old.count} and ${fresh.count} values`;
      const shown = (value: number): string => (relative ? percent(value) : figure(value)).replace("-", "−");
      const limit = `limit ${sign < 0 ? "−" : "+"}${shown(by)}`;
      const found = known
        ? `new − old ${shown(difference / unit)} (${shown(seen.low)} to ${shown(seen.high)}), ${limit}`
        : "";
      return {
        kind,
        ...evidence,
        difference: seen,
        old: { count: old.count, ...(old.count > 0 ? { mean: old.mean } : {}) },
        new: { count: fresh.count, ...(fresh.count > 0 ? { mean: fresh.mean } : {}) },
        reason: missing
          ? `${sides} of old and new, needs ${minSample} of each`
          : relative && unit <= 0
            ? `the old side's mean is ${figure(unit)}, and a part of it says nothing unless it is above 0`
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

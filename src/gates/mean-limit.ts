import { requireCount, requireFinite, requireObject, requireOneOf, requireProbability } from "./input.ts";
import { fromLog } from "./logarithm.ts";
import { lnDrift, sequenceRadius, tunedRho } from "./mean-sequence.ts";
import { addMoments, type MeanObservation, momentsOf, noMoments, varianceOf } from "./moments.ts";
import {
  type Allowed,
  type Estimate,
  type Evidence,
  evidenceOf,
  figure,
  precise,
  type VerdictKind,
} from "./verdict.ts";
import { projectWait, soonest } from "./wait.ts";

export interface MeanLimitOptions extends Allowed {
  /** In the unit of the values. */
  readonly limit: number;
  /** On which side of the limit the mean is bad. */
  readonly bad: "above" | "below";
  /** Values before there is a verdict; default 100. More for skewed or rare values. */
  readonly minSample?: number;
}

/** `e` argues for "on the bad side", `ePass` for "on the good side". */
export interface MeanLimitVerdict extends Evidence {
  readonly kind: VerdictKind;
  /** With a (1 − beta) interval valid at all times; infinite without enough values. */
  readonly mean: Estimate & { readonly count: number };
  readonly reason: string;
  /** When holding: further traffic until a verdict, in multiples of what was seen; absent when unknowable. */
  readonly waitFraction?: number;
}

export interface MeanLimit {
  /** One stretch. @throws CUTOVER_GATE_INPUT for sums that no numbers have; the test is unchanged then. */
  observe(observation: MeanObservation): void;
  verdict(): MeanLimitVerdict;
}

/** Number of values at which the test shall know most; it holds at all others as well. */
const tunedFor = 1_000;

/**
 * Is a mean below (or above) a limit? The one-sided form of the asymptotic confidence sequence of arXiv 2103.06476
 * (`lnDrift`) on values in units of their deviation: information t after t values, ρ tuned for 1,000 of them.
 * Asymptotic: rare large values need a `minSample` at which the variance is well known.
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function meanLimit(options: MeanLimitOptions): MeanLimit {
  requireObject("options of meanLimit", options);
  const { limit, bad, alpha, beta, minSample = 100 } = options;
  requireFinite("limit", limit);
  requireOneOf("bad", bad, ["above", "below"]);
  requireProbability("alpha", alpha);
  requireProbability("beta", beta);
  requireCount("minSample", minSample, 2);
  const sign = bad === "above" ? 1 : -1;
  let seen = noMoments;

  return {
    observe(observation) {
      seen = addMoments(seen, momentsOf("observation", observation));
    },
    verdict() {
      const { count, mean } = seen;
      const variance = count < minSample ? undefined : varianceOf(seen);
      const deviation = Math.sqrt(variance ?? 0);
      const excess = variance === undefined ? 0 : (sign * (mean - limit)) / deviation;
      const ln = (way: 1 | -1, error: number, times: number): number =>
        variance === undefined ? 0 : lnDrift(way * excess, count * times, tunedRho(tunedFor, error));
      const evidence = evidenceOf(fromLog(ln(1, alpha, 1)), fromLog(ln(-1, beta, 1)), options);
      const { needed } = evidence;
      const kind: VerdictKind =
        evidence.e >= needed.fail ? "fail" : evidence.ePass >= needed.pass ? "pass" : "hold";
      const radius =
        variance === undefined
          ? Number.POSITIVE_INFINITY
          : deviation * sequenceRadius(count, tunedRho(tunedFor, beta), beta);
      const wait =
        kind === "hold" && variance !== undefined
          ? soonest(
              projectWait((times) => ln(-1, beta, times), Math.log(needed.pass)),
              projectWait((times) => ln(1, alpha, times), Math.log(needed.fail)),
            )
          : undefined;
      const [e, need] = kind === "fail" ? [evidence.e, needed.fail] : [evidence.ePass, needed.pass];
      const found = `mean ${precise(mean)} (${precise(mean - radius)} to ${precise(mean + radius)})`;
      return {
        kind,
        ...evidence,
        mean: {
          count,
          ...(count > 0 ? { estimate: mean } : {}),
          low: mean - radius,
          high: mean + radius,
        },
        reason:
          count < minSample
            ? `${count} values, needs ${minSample}`
            : variance === undefined
              ? `${count} values, but they do not vary, so nothing is known of rare ones`
              : `${found}, bad ${bad} ${precise(limit)}: e ${figure(e)} of ${figure(need)}`,
        ...(wait === undefined ? {} : { waitFraction: wait }),
      };
    },
  };
}

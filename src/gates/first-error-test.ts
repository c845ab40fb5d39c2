import { notStarted } from "./change-points.ts";
import { requireCount, requireObject } from "./input.ts";
import { type RatioTest, type RatioTestOptions, type RatioVerdict, ratioTest } from "./ratio-test.ts";
import { evidenceOf, type VerdictKind } from "./verdict.ts";

/** One stretch of time: keys that failed for the first time. */
export interface FirstErrorObservation {
  /** Part of the keys that is assigned to the new side, 0 … 1. Not the measured part of the calls. */
  readonly share: number;
  readonly newFirst: number;
  /** First errors of both sides. */
  readonly allFirst: number;
  /** Grows when the doors forget which keys have failed; default 0. Counts of an earlier period are passed over. */
  readonly period?: number;
  readonly ms?: number;
}

export interface FirstErrorTest {
  /** @throws CUTOVER_GATE_INPUT for counts or shares that cannot be; the test is unchanged then. */
  observe(observation: FirstErrorObservation): void;
  kind(): VerdictKind;
  /** `ratio`, `recent` and `errors` speak of the newest period. */
  verdict(): RatioVerdict;
}

/** Weight of the first period; the rest is for later ones, `1/ln` thinly spread as for later starts. */
const firstPeriod = 0.9;
const periodWeight = (i: number): number =>
  i === 0 ? firstPeriod : (1 - firstPeriod) * (notStarted(i - 1) - notStarted(i));

/**
 * The ratio test on the first error of each key against the *assigned* share, for keys that stay on one side.
 * Keys are assigned by a hash that knows nothing of them. So while both sides treat a key alike, the side of a key's
 * first error is new with probability ρ, independently of all other keys, whatever their traffic: heavy users,
 * users whose every call fails and rhythms change nothing. With ratio r it is `rρ/(1+(r−1)ρ)`; that is exactly the
 * likelihood ratio `L(r)` of `ratioTest` (Ville's inequality, conditional on the number of first errors, as in the
 * sequential comparison of two Poisson streams; Lindon & Malek, arXiv 2011.03567, for two arms).
 * Counted per call instead, equal sides fail 10–28 % of the time at a nominal 1 % (see `bench/gates`).
 *
 * Keys that failed once tell nothing more. Doors may therefore forget and begin a new `period`; a key that always fails is
 * then counted again on the same side, so evidence of periods is not multiplied: each has a test of its own at its
 * part of alpha and beta (Bonferroni).
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function firstErrorTest(options: RatioTestOptions): FirstErrorTest {
  requireObject("options of firstErrorTest", options);
  ratioTest(options);
  const { alpha, beta } = options;
  let weight = periodWeight(0);
  /** Doors number their periods by the clock, so the first one seen is the first. */
  let period: number | undefined;
  let begun = 0;
  /** Best evidence of periods that ended, in units of the whole alpha and beta. */
  let closed = { e: 0, ePass: 0 };

  const fresh = (): RatioTest => ratioTest({ ...options, alpha: alpha * weight, beta: beta * weight });
  let current = fresh();

  const close = (): void => {
    const { e, ePass, tooHigh } = current.verdict();
    closed = {
      e: tooHigh ? Math.max(closed.e, weight * e) : closed.e,
      ePass: Math.max(closed.ePass, weight * ePass),
    };
    weight = periodWeight(++begun);
    current = fresh();
  };

  const kindOf = (now: VerdictKind, e: number): VerdictKind => {
    if (now === "fail" || closed.e >= 1 / alpha) return "fail";
    // An earlier period may clear the new side only while the newest does not lean towards worse.
    return now === "pass" || (closed.ePass >= 1 / beta && e < Math.sqrt(1 / alpha)) ? "pass" : "hold";
  };

  return {
    observe(observation) {
      requireObject("observation", observation);
      const { share, newFirst, allFirst, period: its = 0, ms } = observation;
      requireCount("period", its);
      const counts = { share, newErrors: newFirst, allErrors: allFirst, ...(ms === undefined ? {} : { ms }) };
      if (period !== undefined && its > period) {
        // A refused observation must change nothing, so it is tried on a test of its own first.
        fresh().observe(counts);
        close();
        period = its;
      }
      if (its !== (period ?? its)) return;
      current.observe(counts);
      period = its;
    },
    kind: () => kindOf(current.kind(), closed.ePass >= 1 / beta ? current.verdict().e : 0),
    verdict() {
      const now = current.verdict();
      const e = Math.max(closed.e, weight * now.e);
      const kind = kindOf(now.kind, now.e);
      const { waitFraction, needs, ...rest } = now;
      return {
        ...rest,
        ...evidenceOf(e, Math.max(closed.ePass, weight * now.ePass), options),
        kind,
        reason: `first errors per key ${now.kind === kind ? now.reason : `of an earlier period decided; now ${now.reason}`}`,
        ...(kind === "hold" && waitFraction !== undefined ? { waitFraction } : {}),
        ...(kind === "hold" && needs !== undefined ? { needs } : {}),
      };
    },
  };
}

import { requireObject, requirePart, requireProbability } from "./input.ts";
import { changeMixture, fromStart, sinceTurn } from "./change-points.ts";
import { fromLog, logLikelihood } from "./logarithm.ts";
import { higherRates, lnRateAbove, lnRateBelow, rateInterval } from "./rate-values.ts";
import { type Estimate, type Evidence, evidenceOf, figure, percent, type VerdictKind } from "./verdict.ts";
import { projectWait, soonest } from "./wait.ts";

/** The alternative of twice the limit's odds tells since when the rate looks too high. */
const turnRate = 2;

export interface RateTestOptions {
  /** The rate in question, between 0 and 1, e.g. 0.01. */
  readonly limit: number;
  /** Greatest probability, over all looks together, of failing a side whose rate is at most the limit. */
  readonly alpha: number;
  /** Greatest probability, over all looks together, of passing a side whose rate is at least the limit. */
  readonly beta: number;
}

/** `e` argues for "above the limit", `ePass` for "below the limit". */
export interface RateVerdict extends Evidence {
  readonly kind: VerdictKind;
  /** The rate with a (1 − beta) interval valid at all times. */
  readonly rate: Estimate;
  /** The rate since the stretch from which on it looks too high; absent while it does not. */
  readonly recent?: number;
  readonly count: number;
  readonly total: number;
  readonly reason: string;
  /** When holding: further traffic until a verdict, in multiples of what was seen; absent when unknowable. */
  readonly waitFraction?: number;
}

export interface RateTest {
  /** @throws CUTOVER_GATE_INPUT for counts that cannot be; the test is unchanged then. */
  observe(observation: { readonly count: number; readonly total: number }): void;
  verdict(): RateVerdict;
}

/**
 * Anytime-valid test of a rate against a limit, both ways: likelihood ratios of Bernoulli counts mixed over
 * rates below the limit (pass) and above it, from any stretch on (fail). Without any failure it passes after about
 * 1.1·ln(1/beta)/limit calls; without calls it holds.
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function rateTest(options: RateTestOptions): RateTest {
  requireObject("options of rateTest", options);
  const { limit, alpha, beta } = options;
  requireProbability("limit", limit);
  requireProbability("alpha", alpha);
  requireProbability("beta", beta);
  const failNeeded = Math.log(1 / alpha);
  const passNeeded = Math.log(1 / beta);
  const { rates, lnWeights } = higherRates(limit);
  const alarm = changeMixture(lnWeights);
  const turn = sinceTurn();
  let count = 0;
  let total = 0;

  return {
    observe(observation) {
      requireObject("observation", observation);
      requirePart("count", observation.count, "total", observation.total);
      count += observation.count;
      total += observation.total;
      if (observation.total === 0) return;
      const here = logLikelihood(observation.count, observation.total, limit);
      const gains = rates.map((p) => logLikelihood(observation.count, observation.total, p) - here);
      alarm.observe(gains);
      turn.observe(gains[turnRate] as number, [observation.count, observation.total]);
    },
    verdict() {
      const above = alarm.ln();
      const below = lnRateBelow(count, total, limit);
      const kind: VerdictKind = above >= failNeeded ? "fail" : below >= passNeeded ? "pass" : "hold";
      const rate = rateInterval(count, total, beta);
      const [worse, calls] = turn.sums() ?? [];
      const lately = worse === undefined || calls === undefined ? undefined : worse / calls;
      const waitFraction =
        kind === "hold" && total > 0
          ? soonest(
              projectWait((times) => lnRateBelow(count * times, total * times, limit), passNeeded),
              projectWait(
                (times) => Math.log(fromStart) + lnRateAbove(count * times, total * times, limit),
                failNeeded,
              ),
            )
          : undefined;
      return {
        kind,
        ...evidenceOf(fromLog(above), fromLog(below), options),
        rate,
        count,
        total,
        ...(lately === undefined ? {} : { recent: lately }),
        reason: rateReason(kind, { ...rate, ...(lately === undefined ? {} : { recent: lately }) }, options, {
          above: fromLog(above),
          below: fromLog(below),
        }),
        ...(waitFraction === undefined ? {} : { waitFraction }),
      };
    },
  };
}

function rateReason(
  kind: VerdictKind,
  rate: Estimate & { readonly recent?: number },
  { limit, alpha, beta }: RateTestOptions,
  e: { readonly above: number; readonly below: number },
): string {
  if (rate.estimate === undefined) return `no calls yet, limit ${percent(limit)}`;
  const seen = percent(rate.estimate);
  const interval = `${seen} (${figure(rate.low * 100)}–${figure(rate.high * 100)})`;
  if (kind === "fail") {
    const now = percent(rate.recent ?? rate.estimate);
    return `${now}, limit ${percent(limit)} (e ${figure(e.above)} ≥ ${figure(1 / alpha)})`;
  }
  if (kind === "pass") {
    return `${interval}, below ${percent(limit)} (e ${figure(e.below)} ≥ ${figure(1 / beta)})`;
  }
  return `${interval}, clears below ${percent(limit)}: e ${figure(e.below)} of ${figure(1 / beta)}`;
}

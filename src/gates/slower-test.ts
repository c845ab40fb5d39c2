import type { LatencyCounts } from "../core/index.ts";
import { requireObject, requirePositive, requireProbability } from "./input.ts";
import {
  addLatency,
  bucketBound,
  bucketShift,
  latencyBuckets,
  quantile as quantileOf,
  latencyTotal,
  requireLatency,
  slowerThanBucket,
  slowShare,
} from "./latency.ts";
import { lnRateAbove, lnRateBelow } from "./rate-values.ts";
import { type RateVerdict, rateTest } from "./rate-test.ts";
import { type Evidence, evidenceOf, figure, percent, type VerdictKind } from "./verdict.ts";
import { soonest } from "./wait.ts";

export interface SlowerTestOptions {
  /** The quantile compared, between 0 and 1, e.g. 0.99. */
  readonly quantile: number;
  /** How many times slower the new side may be, e.g. 2. */
  readonly by: number;
  readonly alpha: number;
  readonly beta: number;
  /**
   * One stretch may speak for at most this many times the allowed share of slow calls, one call at least. A machine
   * that stands still for a second makes every call of that second slow: that is one event, not thirty, and the
   * rate test takes calls as independent. Counting less can only lower false alarms. Default: no limit.
   */
  readonly burst?: number;
}

/** `e` argues for "slower than by × old" and needs 2/alpha, `ePass` against it and needs 2/beta. */
export interface SlowerVerdict extends Evidence {
  readonly kind: VerdictKind;
  /** The quantile of each side in ms, as seen; absent without calls. */
  readonly old?: number;
  readonly new?: number;
  /** What new calls are counted against, in ms; absent until the old side's quantile is bounded. */
  readonly thresholds: { readonly fail?: number; readonly pass?: number };
  readonly reason: string;
  /** When holding: further traffic until a verdict, in multiples of what was seen; absent when unknowable. */
  readonly waitFraction?: number;
}

export interface SlowerTest {
  /** One stretch of both sides' latencies. @throws CUTOVER_GATE_INPUT; the test is unchanged then. */
  observe(observation: { readonly old?: LatencyCounts; readonly new?: LatencyCounts }): void;
  verdict(): SlowerVerdict;
}

/**
 * Is the new side's q-quantile more than `by` times the old side's? That is to say: does more than 1 − q of
 * the new side's calls take longer than by · q_old? So each new call is counted as slow or not against a
 * threshold, and the slow ones are judged by the rate test with limit 1 − q.
 *
 * The threshold of a stretch comes from the old calls of *earlier* stretches only. A threshold that may
 * depend on the past but not on what it is about to judge keeps the rate test a supermartingale, so it may
 * move with every stretch. Its own error is bounded: failing counts against by × an upper bound of the old
 * quantile, passing against by × a lower bound, each an anytime-valid bound with half of alpha or beta, the
 * other half being left to the rate test. (Counting against by × the plain estimate gives 7 % false alarms
 * at by = 1 on p99, nominal 1 %, in 300 simulated runs of 60 looks.) With p99 and alpha 1 % the upper bound needs about 600 old calls;
 * until then the test holds. Rates are taken as steady: a rhythm both sides share is judged by `latencyTest`.
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function slowerTest(options: SlowerTestOptions): SlowerTest {
  requireObject("options of slowerTest", options);
  const { quantile, by, alpha, beta, burst = Number.POSITIVE_INFINITY } = options;
  requireProbability("quantile", quantile);
  requirePositive("by", by);
  requireProbability("alpha", alpha);
  requireProbability("beta", beta);
  if (burst !== Number.POSITIVE_INFINITY) requirePositive("burst", burst);
  const limit = slowShare(quantile);
  const rates = { limit, alpha: alpha / 2, beta: beta / 2 };
  const failing = rateTest(rates);
  const passing = rateTest(rates);
  let old: LatencyCounts = [];
  let fresh: LatencyCounts = [];
  let failBucket: number | undefined;
  let passBucket: number | undefined;

  const bound = (): void => {
    const total = latencyTotal(old);
    const proves = (lnE: typeof lnRateBelow, bucket: number, error: number): boolean =>
      lnE(slowerThanBucket(old, bucket), total, limit) >= Math.log(1 / error);
    const shown = old.map(([bucket]) => bucket);
    // The number of slow calls only changes at occupied buckets, so the first bucket proven to be high enough
    // is one of these, and the last one proven to be too low lies just below one.
    const upper = shown.find((bucket) => proves(lnRateBelow, bucket, rates.alpha));
    const lower = shown.findLast((bucket) => proves(lnRateAbove, bucket - 1, rates.beta));
    if (upper !== undefined) failBucket = upper + bucketShift(by, "ceil");
    if (lower !== undefined) passBucket = lower - 1 + bucketShift(by, "floor");
  };

  return {
    observe(observation) {
      requireObject("observation", observation);
      const { old: moreOld = [], new: moreNew = [] } = observation;
      requireLatency("old latency", moreOld);
      requireLatency("new latency", moreNew);
      const total = latencyTotal(moreNew);
      if (failBucket !== undefined) {
        const most = Math.max(1, Math.floor(burst * limit * total));
        failing.observe({ count: Math.min(most, slowerThanBucket(moreNew, failBucket)), total });
      }
      if (passBucket !== undefined) passing.observe({ count: slowerThanBucket(moreNew, passBucket), total });
      fresh = addLatency(fresh, moreNew);
      if (moreOld.length === 0) return;
      old = addLatency(old, moreOld);
      bound();
    },
    verdict() {
      const fail = failing.verdict();
      const pass = passing.verdict();
      const kind: VerdictKind = fail.kind === "fail" ? "fail" : pass.kind === "pass" ? "pass" : "hold";
      const [oldMs, newMs] = [quantileOf(old, quantile), quantileOf(fresh, quantile)];
      const wait = kind === "hold" ? soonest(fail.waitFraction, pass.waitFraction) : undefined;
      return {
        kind,
        ...evidenceOf(fail.e, pass.ePass, options, fail.needed),
        ...(oldMs === undefined ? {} : { old: oldMs }),
        ...(newMs === undefined ? {} : { new: newMs }),
        thresholds: {
          ...(failBucket === undefined ? {} : { fail: milliseconds(failBucket) }),
          ...(passBucket === undefined ? {} : { pass: milliseconds(passBucket) }),
        },
        reason: slowerReason(kind, options, { oldMs, newMs, fail, pass }),
        ...(wait === undefined ? {} : { waitFraction: wait }),
      };
    },
  };
}

const milliseconds = (bucket: number): number =>
  bucketBound(Math.min(latencyBuckets - 1, Math.max(0, bucket)));

function slowerReason(
  kind: VerdictKind,
  { quantile, by }: SlowerTestOptions,
  seen: {
    readonly oldMs: number | undefined;
    readonly newMs: number | undefined;
    readonly fail: RateVerdict;
    readonly pass: RateVerdict;
  },
): string {
  const { oldMs, newMs, fail, pass } = seen;
  if (oldMs === undefined) return `no calls of the old side to compare with yet`;
  if (newMs === undefined) return `old ${figure(oldMs)} ms, no calls of the new side yet`;
  const sides = `old ${figure(oldMs)} ms, new ${figure(newMs)} ms`;
  const slow = (test: RateVerdict): string => percent(test.rate.estimate as number);
  const limit = `${figure(by)}× old (allowed ${percent(slowShare(quantile))})`;
  if (kind === "fail") {
    return `${sides}: ${slow(fail)} of calls over ${limit}, e ${figure(fail.e)} ≥ ${figure(fail.needed.fail)}`;
  }
  if (kind === "pass") {
    return `${sides}: ${slow(pass)} of calls over ${limit}, e ${figure(pass.ePass)} ≥ ${figure(pass.needed.pass)}`;
  }
  return `${sides}, clears below ${figure(by)}× old: e ${figure(pass.ePass)} of ${figure(pass.needed.pass)}`;
}

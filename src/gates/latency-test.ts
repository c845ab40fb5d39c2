import type { LatencyCounts } from "../core/index.ts";
import { requireCount, requirePositive, requireProbability } from "./input.ts";
import { addLatency, bucketShift, latencyTotal, requireLatency, slowerThanBucket } from "./latency.ts";
import { type RatioVerdict, ratioTest } from "./ratio-test.ts";
import { figure, type VerdictKind } from "./verdict.ts";

export interface LatencyTestOptions {
  readonly alpha: number;
  readonly beta: number;
  /** Of the old side; their latencies are the thresholds. Default p50, p75, p90, p95, p99. */
  readonly quantiles?: readonly number[];
  /** How many times slower a new call may be before it counts as slow; default 1. */
  readonly by?: number;
  /** Passes when at every threshold "slow calls are this many times as frequent" is ruled out; default 2. */
  readonly clearBelow?: number;
}

export interface LatencyVerdict {
  readonly kind: VerdictKind;
  /** Mean of the thresholds' e-values; fails at `needed.fail` = 1/alpha. */
  readonly e: number;
  /** Least of the thresholds'; passes at `needed.pass` = 1/beta. */
  readonly ePass: number;
  readonly needed: { readonly fail: number; readonly pass: number };
  /** Frequency of slow calls, new over old, at each threshold. */
  readonly thresholds: readonly { readonly quantile: number; readonly ratio: RatioVerdict["ratio"] }[];
  readonly reason: string;
  /** When holding: the longest of the thresholds' waits; absent when one is unknowable. */
  readonly waitFraction?: number;
}

export interface LatencyTest {
  /** One stretch of both sides' latencies. @throws CUTOVER_GATE_INPUT; the test is unchanged then. */
  observe(observation: { readonly old: LatencyCounts; readonly new: LatencyCounts }): void;
  verdict(): LatencyVerdict;
}

const fiveQuantiles: readonly number[] = [0.5, 0.75, 0.9, 0.95, 0.99];
/** Old calls before thresholds are set: fewer give thresholds that tell nothing, though never wrong alarms. */
const least = 100;

/**
 * Is the new side slower anywhere from the middle to the tail? At the old side's p50, p75, p90, p95 and p99,
 * taken from earlier stretches, a slow call is one above the threshold (above by × it, on the new side), and
 * the ratio test judges the two sides' slow calls of the same stretch. The mean of their e-values is an
 * e-value again. Both sides are counted side by side, so rhythms they share and thresholds estimated badly
 * do no harm: for any threshold t, a new side at most `by` times slower has "new > by·t" no more often than
 * "old > t". It learns nothing at a share of 100 % (`slowerTest` does).
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function latencyTest(options: LatencyTestOptions): LatencyTest {
  const { alpha, beta, quantiles = fiveQuantiles, by = 1, clearBelow = 2 } = options;
  requireCount("number of quantiles", quantiles.length, 1);
  for (const quantile of quantiles) requireProbability("quantile", quantile);
  requirePositive("by", by);
  const tests = quantiles.map((quantile) => ({ quantile, test: ratioTest({ alpha, beta, clearBelow }) }));
  const shift = bucketShift(by, "ceil");
  let old: LatencyCounts = [];

  return {
    observe(observation) {
      requireLatency("old latency", observation.old);
      requireLatency("new latency", observation.new);
      const [oldCalls, newCalls] = [latencyTotal(observation.old), latencyTotal(observation.new)];
      if (latencyTotal(old) >= least && newCalls > 0) {
        for (const { quantile, test } of tests) {
          const bucket = bucketBelow(old, quantile);
          const newErrors = slowerThanBucket(observation.new, bucket + shift);
          const allErrors = newErrors + slowerThanBucket(observation.old, bucket);
          test.observe({ share: newCalls / (oldCalls + newCalls), newErrors, allErrors });
        }
      }
      old = addLatency(old, observation.old);
    },
    verdict() {
      const verdicts = tests.map(({ quantile, test }) => ({ quantile, ...test.verdict() }));
      const e = verdicts.reduce((sum, verdict) => sum + verdict.e, 0) / verdicts.length;
      const ePass = Math.min(...verdicts.map((verdict) => verdict.ePass));
      const kind: VerdictKind = e >= 1 / alpha ? "fail" : ePass >= 1 / beta ? "pass" : "hold";
      const waits = verdicts.map((verdict) => (verdict.kind === "hold" ? verdict.waitFraction : 0));
      const worst = verdicts.reduce((left, right) => (right.e > left.e ? right : left));
      const wait = Math.max(...waits.map((known) => known ?? Number.POSITIVE_INFINITY));
      const needed =
        kind === "fail"
          ? `e ${figure(e)} ≥ ${figure(1 / alpha)}`
          : `e ${figure(ePass)} of ${figure(1 / beta)}`;
      return {
        kind,
        e,
        ePass,
        needed: { fail: 1 / alpha, pass: 1 / beta },
        thresholds: verdicts.map(({ quantile, ratio }) => ({ quantile, ratio })),
        reason: `slow calls at p${figure(worst.quantile * 100)}: ${worst.reason}; all thresholds: ${needed}`,
        ...(kind === "hold" && Number.isFinite(wait) ? { waitFraction: wait } : {}),
      };
    },
  };
}

/**
 * The last bucket below the one that holds the q-quantile, so that at least 1 − q of the old calls are above
 * it, even when all fall into one bucket. `counts` are ascending and not empty.
 */
function bucketBelow(counts: LatencyCounts, q: number): number {
  const rank = q * latencyTotal(counts);
  let seen = 0;
  return (counts.find(([, count]) => (seen += count) >= rank) as readonly [number, number])[0] - 1;
}

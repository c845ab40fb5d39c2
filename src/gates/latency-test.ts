import type { LatencyCounts } from "../core/index.ts";
import { requireArray, requireCount, requireObject, requirePositive, requireProbability } from "./input.ts";
import { addLatency, bucketShift, latencyTotal, requireLatency, slowerThanBucket } from "./latency.ts";
import { fromLog } from "./logarithm.ts";
import { type RatioVerdict, ratioTest } from "./ratio-test.ts";
import { tableEvidence } from "./table-evidence.ts";
import { type Evidence, evidenceOf, figure, type VerdictKind } from "./verdict.ts";

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

/** `e` is the mean of the thresholds' e-values, `ePass` the least of theirs. */
export interface LatencyVerdict extends Evidence {
  readonly kind: VerdictKind;
  /** Frequency of slow calls, new over old, at each threshold. */
  readonly thresholds: readonly { readonly quantile: number; readonly ratio: RatioVerdict["ratio"] }[];
  readonly reason: string;
  /** When holding: the longest of the thresholds' waits; absent when one is unknowable. */
  readonly waitFraction?: number;
}

export interface LatencyTest {
  /** One stretch of both sides' latencies. @throws CUTOVER_GATE_INPUT; the test is unchanged then. */
  observe(observation: { readonly old: LatencyCounts; readonly new: LatencyCounts }): void;
  /** The verdict alone, without intervals and wait: for tight loops. */
  kind(): VerdictKind;
  verdict(): LatencyVerdict;
}

const fiveQuantiles: readonly number[] = [0.5, 0.75, 0.9, 0.95, 0.99];
/** Old calls before thresholds are set: fewer give thresholds that tell nothing, though never wrong alarms. */
const least = 100;

/**
 * Is the new side slower anywhere from the middle to the tail? At the old side's p50, p75, p90, p95 and p99,
 * taken from earlier stretches, a slow call is one above the threshold (above by × it, on the new side), and
 * the two sides' slow and fast calls of the same stretch are compared (`tableEvidence` to fail, the ratio test of slow
 * calls to pass and to estimate). The mean of the thresholds' e-values is an e-value again. Both sides are counted side by side, so rhythms they share and thresholds estimated badly
 * do no harm: for any threshold t, a new side at most `by` times slower has "new > by·t" no more often than
 * "old > t". Failing counts above the quantile's bucket, passing from that bucket on: even when all calls fall
 * into one bucket a slower side then stands out and an equal one still clears. It learns nothing at a share of 100 % (`slowerTest` does).
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function latencyTest(options: LatencyTestOptions): LatencyTest {
  requireObject("options of latencyTest", options);
  const { alpha, beta, quantiles = fiveQuantiles, by = 1, clearBelow = 2 } = options;
  requireArray("quantiles", quantiles);
  requireCount("number of quantiles", quantiles.length, 1);
  for (const quantile of quantiles) requireProbability("quantile", quantile);
  requirePositive("by", by);
  const tests = quantiles.map((quantile) => ({
    quantile,
    table: tableEvidence(),
    failing: ratioTest({ alpha, beta, clearBelow }),
    passing: ratioTest({ alpha, beta, clearBelow }),
  }));
  const shift = bucketShift(by, "ceil");
  let old: LatencyCounts = [];

  return {
    observe(observation) {
      requireObject("observation", observation);
      requireLatency("old latency", observation.old);
      requireLatency("new latency", observation.new);
      const [oldCalls, newCalls] = [latencyTotal(observation.old), latencyTotal(observation.new)];
      if (latencyTotal(old) >= least && newCalls > 0) {
        const share = newCalls / (oldCalls + newCalls);
        const slow = (bucket: number): { newErrors: number; allErrors: number } => {
          const newErrors = slowerThanBucket(observation.new, bucket + shift);
          return { newErrors, allErrors: newErrors + slowerThanBucket(observation.old, bucket) };
        };
        for (const { quantile, table, failing, passing } of tests) {
          const bucket = bucketOf(old, quantile);
          const { newErrors, allErrors } = slow(bucket);
          failing.observe({ share, newErrors, allErrors });
          table.observe(
            {
              old: { slow: allErrors - newErrors, calls: oldCalls },
              new: { slow: newErrors, calls: newCalls },
            },
            (slowerThanBucket(old, bucket) + 0.5) / (latencyTotal(old) + 1),
          );
          passing.observe({ share, ...slow(bucket - 1) });
        }
      }
      old = addLatency(old, observation.old);
    },
    kind() {
      const e = tests.reduce((sum, { table }) => sum + fromLog(table.ln()), 0) / tests.length;
      if (e >= 1 / alpha) return "fail";
      return tests.every(({ passing }) => passing.evidence().ePass >= 1 / beta) ? "pass" : "hold";
    },
    verdict() {
      const verdicts = tests.map(({ quantile, table, failing, passing }) => {
        const { ePass, waitFraction, kind } = passing.verdict();
        return {
          quantile,
          ...failing.verdict(),
          e: fromLog(table.ln()),
          ePass,
          wait: kind === "hold" ? waitFraction : 0,
        };
      });
      const e = verdicts.reduce((sum, verdict) => sum + verdict.e, 0) / verdicts.length;
      const ePass = Math.min(...verdicts.map((verdict) => verdict.ePass));
      const kind: VerdictKind = e >= 1 / alpha ? "fail" : ePass >= 1 / beta ? "pass" : "hold";
      const worst = verdicts.reduce((left, right) => (right.e > left.e ? right : left));
      const wait = Math.max(...verdicts.map((verdict) => verdict.wait ?? Number.POSITIVE_INFINITY));
      const needed =
        kind === "fail"
          ? `e ${figure(e)} ≥ ${figure(1 / alpha)}`
          : `e ${figure(ePass)} of ${figure(1 / beta)}`;
      return {
        kind,
        ...evidenceOf(e, ePass, options),
        thresholds: verdicts.map(({ quantile, ratio }) => ({ quantile, ratio })),
        reason: `slow calls at p${figure(worst.quantile * 100)}: ${worst.reason}; all thresholds: ${needed}`,
        ...(kind === "hold" && Number.isFinite(wait) ? { waitFraction: wait } : {}),
      };
    },
  };
}

/** The bucket that holds the q-quantile; `counts` are ascending and not empty. */
function bucketOf(counts: LatencyCounts, q: number): number {
  const rank = q * latencyTotal(counts);
  let seen = 0;
  return (counts.find(([, count]) => (seen += count) >= rank) as readonly [number, number])[0];
}

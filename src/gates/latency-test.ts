import type { LatencyCounts } from "../core/index.ts";
import { requireArray, requireCount, requireObject, requirePositive, requireProbability } from "./input.ts";
import { addLatency, bucketShift, latencyTotal, requireLatency, slowerThanBucket } from "./latency.ts";
import { bucketsOf, countClasses, partsOf } from "./latency-classes.ts";
import { fromLog } from "./logarithm.ts";
import { type RatioVerdict, ratioTest } from "./ratio-test.ts";
import { type TableEvidence, tableEvidence } from "./table-evidence.ts";
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

/** `e` is the mean of all e-values, `ePass` the least of the thresholds'. */
export interface LatencyVerdict extends Evidence {
  readonly kind: VerdictKind;
  /** The e-value of "calls are slower as a whole"; absent with thresholds of your own. */
  readonly whole?: number;
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
/** Borders of the classes that calls as a whole are compared by: finer ones tell next to nothing more. */
const classQuantiles: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];
/**
 * Part of the error rate that calls as a whole have; the thresholds share the rest. Median seconds in 200 runs as in `bench/gates`,
 * 200 calls/s, with 0, 0.2 and 0.3: +5 % 265 (found in 55 % of the runs), 215 (69 %), 212 (73 %); +10 % 67, 56, 56; 5 % of calls
 * 3× 70, 74, 76; 1 % of calls 10× 197 (76 %), 220 (72 %), 204 (73 %).
 */
const wholeWeight = 0.3;
/** Old calls before thresholds are set: fewer give thresholds that tell nothing, though never wrong alarms. */
const least = 100;

/**
 * Is the new side slower anywhere from the middle to the tail, or as a whole? At the old side's p50, p75, p90, p95 and p99,
 * taken from earlier stretches, a slow call is one above the threshold (above by × it, on the new side), and
 * the two sides' slow and fast calls of the same stretch are compared (`tableEvidence` to fail, the ratio test of slow
 * calls to pass and to estimate); besides, unless `quantiles` names thresholds, all calls by the tenth of the old side's they
 * fall into. The mean of the e-values is an e-value again. Both sides are counted side by side, so rhythms they share and
 * thresholds estimated badly do no harm: for any threshold t, a new side at most `by` times slower has "new > by·t" no more often than
 * "old > t". Failing counts above the quantile's bucket, passing from that bucket on: even when all calls fall
 * into one bucket a slower side then stands out and an equal one still clears. It learns nothing at a share of 100 % (`slowerTest` does).
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function latencyTest(options: LatencyTestOptions): LatencyTest {
  requireObject("options of latencyTest", options);
  const { alpha, beta, quantiles = fiveQuantiles, by = 1, clearBelow = 2 } = options;
  const whole = options.quantiles === undefined ? tableEvidence() : undefined;
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
  const thresholdWeight = (whole === undefined ? 1 : 1 - wholeWeight) / tests.length;
  const shift = bucketShift(by, "ceil");
  let old: LatencyCounts = [];

  const compare = (
    table: TableEvidence,
    observation: Parameters<LatencyTest["observe"]>[0],
    borders: readonly number[],
  ): void =>
    table.observe(
      { old: countClasses(observation.old, borders, 0), new: countClasses(observation.new, borders, shift) },
      partsOf(countClasses(old, borders, 0)),
    );

  const evidence = (): number =>
    tests.reduce(
      (sum, { table }) => sum + thresholdWeight * fromLog(table.ln()),
      whole === undefined ? 0 : wholeWeight * fromLog(whole.ln()),
    );

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
          const bucket = bucketsOf(old, [quantile])[0] as number;
          const { newErrors, allErrors } = slow(bucket);
          failing.observe({ share, newErrors, allErrors });
          compare(table, observation, [bucket]);
          passing.observe({ share, ...slow(bucket - 1) });
        }
        if (whole !== undefined) compare(whole, observation, bucketsOf(old, classQuantiles));
      }
      old = addLatency(old, observation.old);
    },
    kind() {
      if (evidence() >= 1 / alpha) return "fail";
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
      const e = evidence();
      const together = whole === undefined ? undefined : fromLog(whole.ln());
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
        ...(together === undefined ? {} : { whole: together }),
        thresholds: verdicts.map(({ quantile, ratio }) => ({ quantile, ratio })),
        reason: `${together !== undefined && together > worst.e ? "calls are slower as a whole; " : ""}slow calls at p${figure(worst.quantile * 100)}: ${worst.reason}; all together: ${needed}`,
        ...(kind === "hold" && Number.isFinite(wait) ? { waitFraction: wait } : {}),
      };
    },
  };
}

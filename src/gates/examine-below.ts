import type { Interval } from "../core/index.ts";
import { type Examiner, noUse } from "./examiner.ts";
import { requirePositive } from "./input.ts";
import { latencyBucket, latencyTotal, slowerThanBucket, slowShare } from "./latency.ts";
import { rateTest } from "./rate-test.ts";
import type { BelowRule, MeasureInput } from "./rules.ts";
import { estimateFigures, evidenceFigures, figure } from "./verdict.ts";

export type RateMeasure = Extract<MeasureInput, { of: "errors" | "mismatches" | "latency" }>;

/**
 * Judges the new side by the rate test: its errors per call, mismatches per comparison, or for latency the
 * part of calls slower than `limit` ms against 1 − quantile. A latency limit inside a bucket is taken as
 * that bucket's upper bound, so up to 8 % later.
 */
export function examineBelow(measure: RateMeasure, rule: BelowRule): Examiner {
  if (measure.of === "latency") requirePositive("limit", rule.limit);
  const limit = measure.of === "latency" ? slowShare(measure.quantile) : rule.limit;
  const test = rateTest({ limit, alpha: rule.alpha, beta: rule.beta });
  const bucket = measure.of === "latency" ? latencyBucket(rule.limit) : 0;
  const subject = measure.of === "latency" ? `calls over ${figure(rule.limit)} ms` : measure.of;

  const counts = (interval: Interval): { count: number; total: number } => {
    if (measure.of === "errors") return { count: interval.new.errors, total: interval.new.calls };
    if (measure.of === "mismatches") return { count: interval.mismatches, total: interval.compared };
    const { latency } = interval.new;
    return { count: slowerThanBucket(latency, bucket), total: latencyTotal(latency) };
  };

  return {
    add: (interval) => test.observe(counts(interval)),
    remember: noUse,
    read: noUse,
    finding() {
      const { kind, rate, count, total, reason, waitFraction, ...evidence } = test.verdict();
      return {
        kind,
        reason: `${subject} ${reason}`,
        figures: { ...evidenceFigures(evidence), rate: estimateFigures(rate), count, total, limit },
        ...(waitFraction === undefined ? {} : { waitFraction }),
      };
    },
  };
}

import type { LatencyCounts } from "../core/index.ts";
import { requireArray, requireCount, requireFinite, requirePart, requireProbability } from "./input.ts";

/** Buckets 0 … 219; bucket i holds latencies in (bound(i−1), bound(i)], bound(i) = 0.01 ms · 1.08^i. */
export const latencyBuckets = 220;
const first = 0.01;
const growth = Math.log(1.08);

/** Upper bound of bucket `i` in milliseconds. The last bucket also holds everything slower. */
export function bucketBound(i: number): number {
  requirePart("bucket", i, "the last bucket", latencyBuckets - 1);
  return first * Math.exp(growth * i);
}

/** The bucket of a latency in milliseconds ≥ 0; slower than 226 s counts in the last one. */
export function latencyBucket(ms: number): number {
  requireFinite("latency in ms", ms);
  if (ms < 0) requireCount("latency in ms", ms);
  // 1e-9 keeps a bound in its own bucket: ln and exp do not round-trip to the last bit.
  return ms <= first ? 0 : Math.min(latencyBuckets - 1, Math.ceil(Math.log(ms / first) / growth - 1e-9));
}

/** Both counts together, ascending by bucket; repeated buckets are added up. */
export function addLatency(a: LatencyCounts, b: LatencyCounts): LatencyCounts {
  requireArray("latency counts", a);
  requireArray("latency counts", b);
  const sum = new Map<number, number>();
  for (const [bucket, count] of [...a, ...b]) sum.set(bucket, (sum.get(bucket) ?? 0) + count);
  return [...sum].sort(([left], [right]) => left - right);
}

/** Number of latencies counted. */
export function latencyTotal(counts: LatencyCounts): number {
  let total = 0;
  for (const [, count] of counts) total += count;
  return total;
}

/**
 * The q-quantile in milliseconds, as the upper bound of its bucket (so up to 8 % too high); absent when
 * nothing was counted.
 */
export function quantile(counts: LatencyCounts, q: number): number | undefined {
  requireProbability("quantile", q);
  const ascending = addLatency(counts, []);
  const rank = q * latencyTotal(counts);
  let seen = 0;
  for (const [bucket, count] of ascending) {
    seen += count;
    if (seen >= rank && count > 0) return bucketBound(bucket);
  }
  return undefined;
}

/**
 * Calls that were certainly slower than `ms`: those in buckets that begin at or above it. The bucket that
 * contains `ms` does not count, so the figure errs towards "fast" by at most 8 % of latency.
 */
export function slowerThan(counts: LatencyCounts, ms: number): number {
  return slowerThanBucket(counts, latencyBucket(ms));
}

/** Calls in buckets above `bucket`: exactly those slower than its bound. Negative: every call. */
export function slowerThanBucket(counts: LatencyCounts, bucket: number): number {
  requireArray("latency counts", counts);
  let slow = 0;
  for (const [index, count] of counts) if (index > bucket) slow += count;
  return slow;
}

/** 1 − q, the part of calls beyond the q-quantile, without the rounding error of the subtraction. */
export function slowShare(q: number): number {
  return Number((1 - q).toPrecision(12));
}

/**
 * How many buckets a factor spans: rounded up (`"ceil"`) or down, since it seldom falls on a bound. A factor
 * within 0.15 % of a bound counts as on it: 2 is 9.006 buckets, and 10 would make it 2.16.
 */
export function bucketShift(factor: number, round: "ceil" | "floor"): number {
  const exact = Math.log(factor) / growth;
  const near = Math.round(exact);
  if (Math.abs(exact - near) < 0.02) return near;
  return round === "ceil" ? Math.ceil(exact) : Math.floor(exact);
}

/** @throws CUTOVER_GATE_INPUT unless buckets and counts are whole numbers in range. */
export function requireLatency(place: string, counts: LatencyCounts): void {
  requireArray(place, counts);
  for (const pair of counts) {
    requireArray(`${place}: an entry`, pair);
    const [bucket, count] = pair;
    requirePart(`${place}: bucket`, bucket, "the last bucket", latencyBuckets - 1);
    requireCount(`${place}: count of bucket ${bucket}`, count);
  }
}

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LatencyCounts } from "../core/index.ts";
import { addLatency, bucketBound, latencyBucket, latencyBuckets, quantile, slowerThan } from "./index.ts";
import { bucketShift, latencyTotal, slowShare } from "./latency.ts";

const anyCounts: fc.Arbitrary<LatencyCounts> = fc.array(fc.tuple(fc.nat(latencyBuckets - 1), fc.nat(50)));

describe("latencies in buckets", () => {
  test("bounds grow by 8 % from 0.01 ms to 209 s", () => {
    expect(bucketBound(0)).toBeCloseTo(0.01, 12);
    expect(bucketBound(1)).toBeCloseTo(0.0108, 12);
    expect(bucketBound(219) / 1000).toBeCloseTo((0.01 * 1.08 ** 219) / 1000, 6);
  });

  test("every bound lies in its own bucket, and just above it begins the next", () => {
    for (let i = 0; i < latencyBuckets - 1; i++) {
      expect(latencyBucket(bucketBound(i))).toBe(i);
      expect(latencyBucket(bucketBound(i) * 1.0001)).toBe(i + 1);
    }
  });

  test("the fastest and the slowest have a bucket too", () => {
    expect(latencyBucket(0)).toBe(0);
    expect(latencyBucket(1e9)).toBe(latencyBuckets - 1);
  });

  test("adding is commutative, keeps every call and is ascending", () => {
    fc.assert(
      fc.property(anyCounts, anyCounts, (a, b) => {
        const sum = addLatency(a, b);
        expect(sum).toEqual(addLatency(b, a));
        expect(latencyTotal(sum)).toBe(latencyTotal(a) + latencyTotal(b));
        const buckets = sum.map(([bucket]) => bucket);
        expect(buckets).toEqual([...new Set(buckets)].sort((left, right) => left - right));
      }),
    );
  });

  test("a quantile is the bound that this part of the calls stays below", () => {
    const counts: LatencyCounts = [
      [150, 1],
      [100, 98],
      [50, 1],
    ];
    expect(quantile(counts, 0.01)).toBe(bucketBound(50));
    expect(quantile(counts, 0.5)).toBe(bucketBound(100));
    expect(quantile(counts, 0.99)).toBe(bucketBound(100));
    expect(quantile(counts, 0.995)).toBe(bucketBound(150));
  });

  test("without calls there is no quantile", () => {
    expect(quantile([], 0.5)).toBeUndefined();
    expect(quantile([[7, 0]], 0.5)).toBeUndefined();
  });

  test("slower calls are those in buckets beyond the given time", () => {
    const counts: LatencyCounts = [
      [10, 1],
      [11, 2],
      [12, 4],
    ];
    expect(slowerThan(counts, bucketBound(10))).toBe(6);
    expect(slowerThan(counts, bucketBound(10) * 1.01)).toBe(4);
    expect(slowerThan(counts, bucketBound(12))).toBe(0);
  });

  test("twice as slow is nine buckets, and other factors round away from or towards the limit", () => {
    expect(bucketShift(2, "ceil")).toBe(9);
    expect(bucketShift(2, "floor")).toBe(9);
    expect(bucketShift(1.5, "ceil")).toBe(6);
    expect(bucketShift(1.5, "floor")).toBe(5);
    expect(bucketShift(1, "ceil")).toBe(0);
  });

  test("beyond p99 lies one percent", () => {
    expect(slowShare(0.99)).toBe(0.01);
  });
});

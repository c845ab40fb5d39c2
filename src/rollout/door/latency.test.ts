import { expect, test } from "vitest";
import { latencyBound, latencyBucket, latencyBuckets } from "./latency.ts";

test("a latency falls into the bucket whose bounds enclose it", () => {
  for (let i = 1; i < latencyBuckets - 1; i++) {
    expect(latencyBucket(latencyBound(i))).toBe(i);
    expect(latencyBucket(latencyBound(i) * 1.0001)).toBe(i + 1);
    expect(latencyBucket((latencyBound(i) + latencyBound(i - 1)) / 2)).toBe(i);
  }
});

test("what is shorter or longer than all buckets counts in the first or last one", () => {
  expect(latencyBucket(0)).toBe(0);
  expect(latencyBucket(-1)).toBe(0);
  expect(latencyBucket(Number.NaN)).toBe(0);
  expect(latencyBucket(0.01)).toBe(0);
  expect(latencyBucket(10_000_000)).toBe(latencyBuckets - 1);
});

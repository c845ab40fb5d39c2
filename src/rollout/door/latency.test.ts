import fc from "fast-check";
import { expect, test } from "vitest";
import * as gates from "../../gates/index.ts";
import { latencyBucket, latencyBuckets } from "./latency.ts";

test("a latency falls into the bucket whose bounds enclose it", () => {
  for (let i = 1; i < latencyBuckets - 1; i++) {
    expect(latencyBucket(gates.bucketBound(i))).toBe(i);
    expect(latencyBucket(gates.bucketBound(i) * 1.0001)).toBe(i + 1);
    expect(latencyBucket((gates.bucketBound(i) + gates.bucketBound(i - 1)) / 2)).toBe(i);
  }
});

test("what is shorter or longer than all buckets counts in the first or last one", () => {
  expect(latencyBucket(0)).toBe(0);
  expect(latencyBucket(-1)).toBe(0);
  expect(latencyBucket(Number.NaN)).toBe(0);
  expect(latencyBucket(0.01)).toBe(0);
  expect(latencyBucket(10_000_000)).toBe(latencyBuckets - 1);
});

// The door has its own copy, so that an application need not load the statistics; the two must never part.
test("the door counts latencies in the buckets that the gates read", () => {
  expect(latencyBuckets).toBe(gates.latencyBuckets);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), (ms) => {
      expect(latencyBucket(ms)).toBe(gates.latencyBucket(ms));
    }),
  );
});

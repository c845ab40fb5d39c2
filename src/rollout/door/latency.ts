import type { LatencyCounts } from "../../core/index.ts";

/** Buckets of a latency histogram; their bounds, `0.01 ms · 1.08^i`, are told at `LatencyCounts`. */
export const latencyBuckets = 220;

const perBucket = 1 / Math.log(1.08);
// Without it an exact bound would fall into the next bucket by the last bit of the logarithm.
const slack = 1e-9;

/** Bucket of a latency in milliseconds. Anything longer than the last bound counts in the last bucket. */
export function latencyBucket(ms: number): number {
  if (!(ms > 0.01)) return 0;
  return Math.min(latencyBuckets - 1, Math.ceil(Math.log(ms * 100) * perBucket - slack));
}

/** Sparse form for the wire. */
export function latencyCounts(counts: Uint32Array): LatencyCounts {
  const sparse: [number, number][] = [];
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] ?? 0;
    if (count > 0) sparse.push([i, count]);
  }
  return sparse;
}

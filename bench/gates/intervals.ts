import type { Interval, LatencyCounts, SideCounts } from "../../src/core/index.ts";
import { latencyBucket } from "../../src/gates/index.ts";
import type { Random } from "./random.ts";

interface Parts {
  readonly route?: string;
  readonly from?: number;
  readonly to?: number;
  readonly old?: Partial<SideCounts>;
  readonly new?: Partial<SideCounts>;
  readonly compared?: number;
  readonly mismatches?: number;
}

/** The `i`-th second of a door, with nothing in it but what is given. */
export function intervalOf(i: number, parts: Parts = {}): Interval {
  const none = { calls: 0, errors: 0, latency: [] };
  return {
    id: `d:${i}`,
    route: "queue.submit",
    door: "d",
    epoch: 1,
    stage: "live",
    share: 50,
    from: i * 1000,
    to: (i + 1) * 1000,
    shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
    compared: 0,
    mismatches: 0,
    failedOver: 0,
    operations: {},
    ...parts,
    old: { ...none, ...parts.old },
    new: { ...none, ...parts.new },
  };
}

/** Latencies of `calls` calls, log-normal around `median` ms with a shape of 0.6, as services have. */
export function latencies(random: Random, calls: number, median: number): LatencyCounts {
  const counts = new Map<number, number>();
  for (let i = 0; i < calls; i++) {
    const gauss = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
    const bucket = latencyBucket(median * Math.exp(0.6 * gauss));
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => a - b);
}

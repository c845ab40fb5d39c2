import type { LatencyCounts } from "../../src/core/index.ts";
import { bucketBound, latencyBuckets, latencyTest } from "../../src/gates/index.ts";
import { alpha, beta } from "./methods.ts";
import type { Random } from "./random.ts";

/** Parts of the new side's calls and how many times slower they are than the old side's. */
export type Slowness = readonly (readonly [part: number, times: number])[];

export const latencyCases: Readonly<Record<string, Slowness>> = {
  equal: [[1, 1]],
  "+5 %": [[1, 1.05]],
  "+10 %": [[1, 1.1]],
  "+50 %": [[1, 1.5]],
  "5 % of calls 3×": [
    [0.95, 1],
    [0.05, 3],
  ],
  "1 % of calls 10×": [
    [0.99, 1],
    [0.01, 10],
  ],
};

const median = 20;
const shape = 0.6;

/** Φ(z) by Simpson's rule on the density: good to 1e-8, and only used to set up. */
function normal(z: number): number {
  if (z < -8) return 0;
  if (z > 8) return 1;
  const steps = 400;
  const width = z / steps;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const weight = i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2;
    sum += weight * Math.exp(-((i * width) ** 2) / 2);
  }
  return 0.5 + (sum * width) / 3 / Math.sqrt(2 * Math.PI);
}

/** Cumulated part of the calls per bucket: log-normal around 20 ms with a shape of 0.6, mixed as the case says. */
function cumulated(slowness: Slowness): Float64Array {
  return Float64Array.from({ length: latencyBuckets }, (_, i) =>
    i === latencyBuckets - 1
      ? 1
      : slowness.reduce(
          (sum, [part, times]) => sum + part * normal(Math.log(bucketBound(i) / (median * times)) / shape),
          0,
        ),
  );
}

/** Draws buckets by a table of 4,096 starting points, so that each draw looks at one or two buckets. */
function drawing(sums: Float64Array): (random: Random) => number {
  const size = 4096;
  const starts = new Uint8Array(size);
  for (let i = 0, bucket = 0; i < size; i++) {
    while ((sums[bucket] as number) <= i / size) bucket++;
    starts[i] = bucket;
  }
  return (random) => {
    const at = random.next();
    let bucket = starts[Math.floor(at * size)] as number;
    while ((sums[bucket] as number) <= at) bucket++;
    return bucket;
  };
}

function fill(
  random: Random,
  calls: number,
  draw: (random: Random) => number,
  second: Uint32Array,
  all: Uint32Array,
): void {
  for (let i = 0; i < calls; i++) {
    const bucket = draw(random);
    second[bucket] = (second[bucket] as number) + 1;
    all[bucket] = (all[bucket] as number) + 1;
  }
}

function countsOf(counts: Uint32Array): LatencyCounts {
  const pairs: [number, number][] = [];
  for (let i = 0; i < counts.length; i++) if ((counts[i] as number) > 0) pairs.push([i, counts[i] as number]);
  return pairs;
}

/**
 * One-sided Mann–Whitney test of "new is slower" on all that was seen, ties by bucket, normal approximation; true when
 * p < alpha. Repeated each minute, as a script around a statistics library does.
 */
export function mannWhitney(old: Uint32Array, fresh: Uint32Array): boolean {
  let [below, u, ties, oldCalls, newCalls] = [0, 0, 0, 0, 0];
  for (let i = 0; i < old.length; i++) {
    const [x, y] = [old[i] as number, fresh[i] as number];
    u += y * (below + x / 2);
    below += x;
    oldCalls += x;
    newCalls += y;
    ties += (x + y) ** 3 - (x + y);
  }
  const all = oldCalls + newCalls;
  const variance = ((oldCalls * newCalls) / 12) * (all + 1 - ties / (all * (all - 1)));
  const critical = 2.3263; // Φ⁻¹(0.99)
  return variance > 0 && (u - (oldCalls * newCalls) / 2) / Math.sqrt(variance) > critical;
}

export interface LatencyOutcome {
  /** Seconds until "slower", infinite when it was not said. */
  readonly ours: number;
  readonly repeated: number;
}

/** Prepares a case; each call of the result is one run, ended when both methods have spoken. */
export function latencyRun(
  slowness: Slowness,
  callsPerSecond: number,
  share: number,
  seconds: number,
): (random: Random) => LatencyOutcome {
  const [oldDraw, newDraw] = [drawing(cumulated([[1, 1]])), drawing(cumulated(slowness))];
  return (random) => {
    const test = latencyTest({ alpha, beta });
    const [allOld, allNew] = [new Uint32Array(latencyBuckets), new Uint32Array(latencyBuckets)];
    let [ours, repeated] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let second = 1; second <= seconds; second++) {
      const [old, fresh] = [new Uint32Array(latencyBuckets), new Uint32Array(latencyBuckets)];
      const newCalls = random.binomial(callsPerSecond, share);
      fill(random, newCalls, newDraw, fresh, allNew);
      fill(random, callsPerSecond - newCalls, oldDraw, old, allOld);
      if (ours === Number.POSITIVE_INFINITY) {
        test.observe({ old: countsOf(old), new: countsOf(fresh) });
        if (test.kind() === "fail") ours = second;
      }
      if (repeated === Number.POSITIVE_INFINITY && second % 60 === 0 && mannWhitney(allOld, allNew))
        repeated = second;
      if (ours !== Number.POSITIVE_INFINITY && repeated !== Number.POSITIVE_INFINITY) break;
    }
    return { ours, repeated };
  };
}

import type { LatencyCounts } from "../core/index.ts";
import { bucketBound, latencyBuckets } from "../gates/index.ts";
import type { Random } from "./random.ts";
import type { Latency } from "./traffic.ts";

/** Draws latencies by bucket: one random number and one or two steps each. */
export class LatencyDraw {
  readonly #sums: Float64Array;
  readonly #starts: Uint8Array;
  readonly #counts = new Uint32Array(latencyBuckets);

  /** @param times how many times slower than declared */
  constructor(latency: Latency, times = 1) {
    this.#sums = Float64Array.from({ length: latencyBuckets }, (_, i) =>
      i === latencyBuckets - 1 ? 1 : partBelow(latency, bucketBound(i) / times),
    );
    const size = 4_096;
    this.#starts = new Uint8Array(size);
    for (let i = 0, bucket = 0; i < size; i++) {
      while ((this.#sums[bucket] ?? 1) <= i / size) bucket++;
      this.#starts[i] = bucket;
    }
  }

  draw(random: Random, calls: number): LatencyCounts {
    const counts = this.#counts.fill(0);
    for (let i = 0; i < calls; i++) {
      const at = random.next();
      let bucket = this.#starts[Math.floor(at * 4_096)] ?? 0;
      while ((this.#sums[bucket] ?? 1) <= at) bucket++;
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    const pairs: [number, number][] = [];
    for (const [bucket, count] of counts.entries()) if (count > 0) pairs.push([bucket, count]);
    return pairs;
  }
}

function partBelow(latency: Latency, ms: number): number {
  if (latency.shape === "exponential") return 1 - 2 ** (-ms / latency.median);
  return normal(Math.log(ms / latency.median) / latency.sigma);
}

/** Φ(z) by Simpson's rule on the density, good to 1e-8; only used to set up. */
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

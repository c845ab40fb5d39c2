import type { LatencyCounts } from "../core/index.ts";
import { latencyQuantile } from "../gates/index.ts";

/** Adds up latency histograms; sparse, so that an hour of intervals costs what its busy buckets cost. */
export class LatencySum {
  readonly #buckets = new Map<number, number>();

  add(counts: LatencyCounts): void {
    for (const [bucket, calls] of counts) this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + calls);
  }

  /** Milliseconds below which the part `q` (0 … 1) of the calls lies; null without calls. */
  quantile(q: number): number | null {
    if (this.#buckets.size === 0) return null;
    return (
      latencyQuantile(
        [...this.#buckets].sort((a, b) => a[0] - b[0]),
        q,
      ) ?? null
    );
  }
}

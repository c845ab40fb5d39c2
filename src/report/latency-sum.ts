import type { LatencyCounts } from "../core/index.ts";
import { quantile } from "../gates/index.ts";

/** Adds up latency histograms; sparse, so that an hour of intervals costs what its busy buckets cost. */
export class LatencySum {
  readonly #buckets = new Map<number, number>();

  add(counts: LatencyCounts): void {
    for (const [bucket, calls] of counts) this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + calls);
  }

  /** Milliseconds below which the part `q` (between 0 and 1) of the calls lies; null without calls. */
  quantile(q: number): number | null {
    return quantile([...this.#buckets], q) ?? null;
  }
}

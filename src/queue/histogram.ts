/** Times in milliseconds; quantiles to 4 % (half a bucket), `max` and `mean` exact. All 0 when nothing was counted. */
export interface HistogramSummary {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const growth = 1.08;
const first = 0.01;
const buckets = 300; // up to 0.01 ms · 1.08^300 ≈ 29 h

/** Counts durations in buckets that grow by 8 %: fixed memory, however many are added. */
export class Histogram {
  readonly #counts = new Uint32Array(buckets);
  #n = 0;
  #sum = 0;
  #max = 0;

  add(ms: number): void {
    const value = Math.max(0, ms);
    const index = value <= first ? 0 : Math.ceil(Math.log(value / first) / Math.log(growth));
    const at = Math.min(buckets - 1, index);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#n++;
    this.#sum += value;
    this.#max = Math.max(this.#max, value);
  }

  summary(): HistogramSummary {
    return {
      count: this.#n,
      mean: this.#n === 0 ? 0 : this.#sum / this.#n,
      p50: this.#quantile(0.5),
      p99: this.#quantile(0.99),
      max: this.#max,
    };
  }

  /** Middle of the bucket that holds the quantile, never more than the largest value seen. */
  #quantile(q: number): number {
    if (this.#n === 0) return 0;
    const rank = Math.max(1, Math.ceil(q * this.#n));
    let seen = 0;
    for (let i = 0; i < buckets; i++) {
      seen += this.#counts[i] ?? 0;
      if (seen >= rank) return Math.min(this.#max, first * growth ** (i - 0.5));
    }
    return this.#max;
  }
}

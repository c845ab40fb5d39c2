import type { Interval, MismatchSample } from "../../core/index.ts";

/** Kept while no owner takes them; with one route and no traffic, half an hour of intervals. */
const mostIntervals = 2_000;
const mostSamples = 200;
/** Per delivery; even with full histograms and long differences that stays below half a megabyte. */
const intervalsAtOnce = 100;
const samplesAtOnce = 20;
/** Hashes of failed keys in one delivery, some 17 bytes each; one interval has at most 500. */
const hashesAtOnce = 10_000;

/** What was measured and not yet delivered. The oldest give way when there are too many, and are counted. */
export class Outbox {
  #intervals: Interval[] = [];
  #samples: MismatchSample[] = [];
  dropped = 0;

  add(intervals: readonly Interval[], samples: readonly MismatchSample[]): void {
    this.#intervals.push(...intervals);
    this.#samples.push(...samples);
    const over = this.#intervals.length - mostIntervals;
    if (over > 0) {
      this.#intervals.splice(0, over);
      this.dropped += over;
    }
    if (this.#samples.length > mostSamples) this.#samples.splice(0, this.#samples.length - mostSamples);
  }

  get empty(): boolean {
    return this.#intervals.length + this.#samples.length === 0;
  }

  intervals(): readonly Interval[] {
    let hashes = 0;
    const first = this.#intervals.slice(0, intervalsAtOnce);
    const over = first.findIndex(({ firstErrors }) => {
      hashes += (firstErrors?.old ?? 0) + (firstErrors?.new ?? 0);
      return hashes > hashesAtOnce;
    });
    return over < 0 ? first : first.slice(0, Math.max(1, over));
  }

  samples(): readonly MismatchSample[] {
    return this.#samples.slice(0, samplesAtOnce);
  }

  /** Delivered, or refused for good. Identity decides: meanwhile the oldest may have given way. */
  remove(done: readonly (Interval | MismatchSample)[]): void {
    const gone = new Set<unknown>(done);
    this.#intervals = this.#intervals.filter((interval) => !gone.has(interval));
    this.#samples = this.#samples.filter((sample) => !gone.has(sample));
  }
}

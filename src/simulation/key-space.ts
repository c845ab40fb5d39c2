import { shareBuckets, shareLimit } from "../core/index.ts";
import { bucketer } from "../rollout/index.ts";
import type { Random } from "./random.ts";

/**
 * The keys of a route, in the order of their real buckets: those of a share are the first ones, so that its weight is
 * one look into a running sum.
 */
export class KeySpace {
  readonly #limits: Float64Array;
  /** Weight of all keys before this one, in parts of the whole. One longer than there are keys. */
  readonly #before: Float64Array;

  constructor(options: { readonly keys: number; readonly skew: number; readonly salt: string }) {
    const { keys, skew, salt } = options;
    const bucketOf = bucketer(salt);
    // Bucket and key in one number: sorting plain numbers is ten times faster than sorting by a function.
    const order = new Float64Array(keys);
    for (let key = 0; key < keys; key++) order[key] = bucketOf(`key-${key}`) * keys + key;
    order.sort();
    this.#limits = new Float64Array(keys);
    this.#before = new Float64Array(keys + 1);
    let sum = 0;
    for (let i = 0; i < keys; i++) {
      const packed = order[i] ?? 0;
      this.#limits[i] = Math.floor(packed / keys);
      sum += weightOf((packed % keys) + 1, skew);
      this.#before[i + 1] = sum;
    }
    for (let i = 0; i <= keys; i++) this.#before[i] = (this.#before[i] ?? 0) / sum;
  }

  get size(): number {
    return this.#limits.length;
  }

  /** How many keys a share holds, the first ones in the order here. `share`: percent. */
  countOf(share: number): number {
    const limit = shareLimit(share);
    if (limit >= shareBuckets) return this.size;
    return below(this.#limits, this.size, limit);
  }

  /** Part of the calls that the first `count` keys make. */
  weightOf(count: number): number {
    return this.#before[count] ?? 1;
  }

  /** `√Σ w²` over the weights w of all keys, and the greatest: how uneven they are. */
  get unevenness(): { readonly norm: number; readonly heaviest: number } {
    let [squares, heaviest] = [0, 0];
    for (let i = 0; i < this.size; i++) {
      const weight = this.weightOf(i + 1) - this.weightOf(i);
      squares += weight * weight;
      heaviest = Math.max(heaviest, weight);
    }
    return { norm: Math.sqrt(squares), heaviest };
  }

  /** A key between two positions, drawn by weight. */
  draw(random: Random, from: number, to: number): number {
    const [low, high] = [this.weightOf(from), this.weightOf(to)];
    const at = low + random.next() * (high - low);
    return Math.min(to - 1, Math.max(from, below(this.#before, to + 1, at) - 1));
  }

  /**
   * How many keys call at least once, on the mean, when the first `count` keys were asked about in `calls` calls of all
   * keys; of each pair of the map.
   */
  seen(stretches: ReadonlyMap<number, number>): number {
    let [sum, calls] = [0, 0];
    const descending = [...stretches].toSorted(([a], [b]) => b - a);
    for (const [index, [count, made]] of descending.entries()) {
      calls += made;
      const from = descending[index + 1]?.[0] ?? 0;
      for (let i = from; i < count; i++)
        sum += 1 - Math.exp(-calls * (this.weightOf(i + 1) - this.weightOf(i)));
    }
    return sum;
  }
}

const weightOf = (rank: number, skew: number): number => (skew === 0 ? 1 : rank ** -skew);

/** How many of the first `length` sorted values are below `limit`. */
function below(values: Float64Array, length: number, limit: number): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

import type { KeyLoadGauge } from "../../core/index.ts";

/** A power of two. The estimate of the sum of squares has a relative error of √(2/256), 9 %. */
const cells = 256;

/**
 * How unevenly keys call, in two kilobytes whatever their number: a key adds its calls to one of the cells, with a sign of its
 * own, both drawn from its bucket. The squares of the cells then add up to the squares of the keys' calls, on the mean
 * ("count sketch": Charikar, Chen and Farach-Colton, "Finding frequent items in data streams", 2002). Counting keys one
 * by one would take memory without end; this takes some nanoseconds a call.
 */
export class KeyLoad {
  #sums: Float64Array | undefined;
  #calls = 0;

  /** One call of a key with this bucket. */
  add(bucket: number): void {
    const sums = (this.#sums ??= new Float64Array(cells));
    const cell = bucket & (cells - 1);
    // The bit of 256 moved to that of 2, so 1 or -1: a branch on it would be guessed wrong every other time.
    sums[cell] = (sums[cell] as number) + 1 - ((bucket & cells) >> 7);
    this.#calls++;
  }

  /** What it is so far; undefined without calls. */
  read(): KeyLoadGauge | undefined {
    if (this.#sums === undefined) return undefined;
    let [squares, most] = [0, 0];
    for (const sum of this.#sums) {
      squares += sum * sum;
      most = Math.max(most, Math.abs(sum));
    }
    const norm = Math.sqrt(Math.max(squares, this.#calls));
    return { norm: Math.min(this.#calls, Math.ceil(norm)), heaviest: Math.max(1, most) };
  }
}

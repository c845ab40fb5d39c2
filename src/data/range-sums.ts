import type { Digest, Range, Reader } from "./connector.ts";

/**
 * A store that can hash rows where they lie. Two such stores are compared without their rows being read: sums over ranges first, then
 * the hashes of rows in ranges whose sums differ. What they point to is read and decides; a hash alone decides nothing.
 */
export interface SummingReader extends Reader {
  /**
   * One moment of a collection, and the means to sum it. Whoever asks for it disposes of it. Undefined where rows had better be read: the
   * store says so where ranges of keys would cost more than reading everything.
   */
  rangeSums(collection: string, options: SumOptions): Promise<RangeSums | undefined>;
}

export interface SumOptions {
  /** 64 bits that hashes begin from: nobody can prepare rows that look equal. */
  readonly seed: bigint;
  readonly signal?: AbortSignal;
}

/** Everything that is read through one of these is of the same moment. */
export interface RangeSums extends AsyncDisposable {
  /**
   * How rows are hashed. Of two sides with equal forms, rows that differ as the bytes that `scan` gives have different hashes, but for
   * chance (2⁻⁶⁴ a row under a seed nobody knew). Rows that are equal there may have different hashes: that costs a look at them.
   */
  readonly form: string;
  /** About how many bytes a row has. */
  readonly rowBytes: number;
  /** Keys in their order, about `rows` rows apart, from a sample: an empty list for few rows. */
  bounds(rows: number): Promise<readonly Uint8Array[]>;
  /** A digest for each range, in their order: hashes of keys, and of rows, under the seed. */
  sums(ranges: readonly Range[]): Promise<readonly Digest[]>;
  /** All rows of these ranges, which are in order and do not overlap, in the order of their keys. */
  hashes(ranges: readonly Range[]): Promise<HashedRows>;
}

/** Keys of rows and their hashes, by their places from 0 on. */
export interface HashedRows {
  readonly count: number;
  /** The upper and the lower 32 bits of a row's hash. */
  high(place: number): number;
  low(place: number): number;
  key(place: number): Uint8Array;
}

/** The reader as one that can sum; undefined when it cannot. */
export function summing(reader: Reader | undefined): SummingReader | undefined {
  return reader !== undefined && typeof (reader as Partial<SummingReader>).rangeSums === "function"
    ? (reader as SummingReader)
    : undefined;
}

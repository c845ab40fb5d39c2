import type { Digest } from "../connector.ts";

/** Digests of many buckets: 24 bytes each. */
export class BucketSums {
  readonly #shift: bigint;
  readonly #counts: Float64Array;
  readonly #rows: BigUint64Array;
  readonly #keys: BigUint64Array;

  /** 2 to the power of `bits` buckets; `bits` from 1 to 20. */
  constructor(bits: number) {
    const size = 2 ** bits;
    this.#shift = BigInt(64 - bits);
    this.#counts = new Float64Array(size);
    this.#rows = new BigUint64Array(size);
    this.#keys = new BigUint64Array(size);
  }

  /** So that a bucket holds about as many rows as a leaf. */
  static bitsFor(rows: number, leafRows: number): number {
    return Math.min(20, Math.max(4, Math.ceil(Math.log2(Math.max(1, rows / leafRows)))));
  }

  get size(): number {
    return this.#counts.length;
  }

  /** The bucket of a key, by the first bits of its hash. */
  of(keyHash: bigint): number {
    return Number(keyHash >> this.#shift);
  }

  add(bucket: number, keyHash: bigint, rowHash: bigint): void {
    this.#counts[bucket]! += 1;
    this.#rows[bucket]! += rowHash;
    this.#keys[bucket]! += keyHash;
  }

  digest(bucket: number): Digest {
    return {
      count: this.#counts[bucket] ?? 0,
      rows: this.#rows[bucket] ?? 0n,
      keys: this.#keys[bucket] ?? 0n,
    };
  }
}

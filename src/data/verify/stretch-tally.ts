import type { Digest } from "../connector.ts";
import { addDigests, subtractDigests } from "../digest/digest.ts";
import { type DigestOptions, leafRows } from "../digest/leaves.ts";
import type { DigestSum } from "../digest/row-hash.ts";

/** A stretch of keys on two sides: after the one before it, up to and including `upTo`. */
export interface ComparedStretch {
  /** Absent in the last one, which reaches to the end of the range. */
  readonly upTo?: Uint8Array;
  readonly source: Digest;
  readonly target: Digest;
  /** Keys at which both sides differ, in their order. */
  readonly keys: readonly Uint8Array[];
  /** Source less target, by the rows that differ. */
  readonly delta: Digest;
  /** A leaf ends here. One with many differences comes in several stretches. */
  readonly endsLeaf: boolean;
}

/** What two readers side by side have seen since the last stretch. Leaves are those of the source. */
export class StretchTally {
  /** Rows that both have, and those that one of them has in this form. */
  readonly same: DigestSum;
  readonly mine: DigestSum;
  readonly others: DigestSum;
  /** Rows left of this leaf of the source. */
  left: number;
  /** Keys at which both sides differ; nobody else has them. */
  keys: Uint8Array[] = [];
  rows = 0;
  bytes = 0;
  readonly #options: DigestOptions;
  readonly #size: number;

  constructor(options: DigestOptions) {
    const { hash } = options;
    this.#options = options;
    [this.same, this.mine, this.others] = [hash.sum(), hash.sum(), hash.sum()];
    this.left = this.#size = options.leafRows ?? leafRows;
  }

  take(endsLeaf: boolean, upTo?: Uint8Array): ComparedStretch {
    const [shared, ours, theirs] = [this.same.take(), this.mine.take(), this.others.take()];
    if (this.rows > 0) this.#options.onRead?.(this.rows, this.bytes);
    const found: ComparedStretch = {
      ...(upTo === undefined ? {} : { upTo }),
      source: addDigests(shared, ours),
      target: addDigests(shared, theirs),
      keys: this.keys,
      delta: subtractDigests(ours, theirs),
      endsLeaf,
    };
    [this.keys, this.rows, this.bytes] = [[], 0, 0];
    if (endsLeaf) this.left = this.#size;
    return found;
  }
}

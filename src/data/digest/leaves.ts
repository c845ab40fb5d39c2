import { emptyDigest, addDigests } from "./digest.ts";
import { openCursor, type RowCursor } from "./row-cursor.ts";
import type { DigestSum, RowHash } from "./row-hash.ts";
import type { Digest, Leaf, Range, Reader, Row } from "../connector.ts";

/** Rows of a leaf: few enough to be read again for one difference, many enough that leaves are small beside the rows. */
export const leafRows = 1_000;

export interface DigestOptions {
  readonly hash: RowHash;
  /** Default 1000. */
  readonly leafRows?: number;
  readonly signal?: AbortSignal;
  /** Rows and bytes read since the last call. */
  readonly onRead?: (rows: number, bytes: number) => void;
}

/** Digests of all leaves of a range, by one scan. An empty range has one leaf. */
export async function* leavesOf(
  reader: Reader | undefined,
  range: Range,
  options: DigestOptions,
): AsyncGenerator<Leaf> {
  await using rows = openCursor(reader, range, options.signal);
  const sum = options.hash.sum();
  const size = options.leafRows ?? leafRows;
  for (let last: Uint8Array | undefined; await rows.filled();) {
    for (let left = size; left > 0 && (await rows.filled());) {
      const to = Math.min(rows.rows.length, rows.at + left);
      left -= to - rows.at;
      last = rows.rows[to - 1]?.key;
      count(rows, to, options);
      take(rows, to, sum);
    }
    // Whether this was the last leaf is known when the next row is or is not there.
    if (last !== undefined && (await rows.filled())) yield { ...sum.take(), upTo: last };
  }
  yield sum.take();
}

/** The digest of a whole range, by one scan. */
export async function digestRange(
  reader: Reader | undefined,
  range: Range,
  options: DigestOptions,
): Promise<Digest> {
  let whole = emptyDigest;
  for await (const leaf of leavesOf(reader, range, options)) whole = addDigests(whole, leaf);
  return whole;
}

function take(cursor: RowCursor, to: number, sum: DigestSum): void {
  sum.addAll(cursor.rows, cursor.at, to);
  cursor.at = to;
}

function count({ rows, at }: RowCursor, to: number, { onRead }: DigestOptions): void {
  if (onRead === undefined || to === at) return;
  let bytes = 0;
  for (let index = at; index < to; index++) {
    const { key, value } = rows[index] as Row;
    bytes += key.length + value.length;
  }
  onRead(to - at, bytes);
}

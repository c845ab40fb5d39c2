import { compareBytes } from "../bytes.ts";
import type { Digest, Range, Reader, Row } from "../connector.ts";
import { addDigests, subtractDigests } from "../digest/digest.ts";
import { type DigestOptions, leafRows } from "../digest/leaves.ts";
import { openCursor } from "../digest/row-cursor.ts";

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

/** Bytes up to which a loop is quicker than a call. */
const short = 32;

/**
 * Both sides of a range by one scan of each, side by side: rows are compared as bytes, and hashed only for the record, a row that both
 * have once. Leaves are those of the source. No stretch has more than `most` keys that differ.
 */
export async function* comparedStretches(
  source: Reader | undefined,
  target: Reader | undefined,
  range: Range,
  most: number,
  options: DigestOptions,
): AsyncGenerator<ComparedStretch> {
  const { hash, signal, onRead } = options;
  await using left = openCursor(source, range, signal);
  await using right = openCursor(target, range, signal);
  const size = options.leafRows ?? leafRows;
  const [same, mine, others] = [hash.sum(), hash.sum(), hash.sum()];
  let [keys, inLeaf, rows, bytes]: [Uint8Array[], number, number, number] = [[], 0, 0, 0];
  let last: Uint8Array | undefined;
  const stretch = (endsLeaf: boolean, upTo?: Uint8Array): ComparedStretch => {
    const [shared, ours, theirs] = [same.take(), mine.take(), others.take()];
    if (rows > 0) onRead?.(rows, bytes);
    const found: ComparedStretch = {
      ...(upTo === undefined ? {} : { upTo }),
      source: addDigests(shared, ours),
      target: addDigests(shared, theirs),
      keys,
      delta: subtractDigests(ours, theirs),
      endsLeaf,
    };
    [keys, rows, bytes] = [[], 0, 0];
    if (endsLeaf) inLeaf = 0;
    return found;
  };
  for (;;) {
    // Waiting for each row would cost more than comparing it.
    if (left.at >= left.rows.length) await left.filled();
    if (right.at >= right.rows.length) await right.filled();
    const [a, b] = [left.rows[left.at], right.rows[right.at]];
    if (a === undefined && b === undefined) break;
    // Whether a leaf was the last one is known when the next row is or is not there.
    if (a !== undefined && inLeaf >= size) yield stretch(true, last);
    else if (keys.length >= most) yield stretch(false, last);
    const order = a === undefined ? 1 : b === undefined ? -1 : orderOf(a, b);
    if (order <= 0 && a !== undefined) {
      left.at++;
      inLeaf++;
      rows++;
      bytes += a.key.length + a.value.length;
      last = a.key;
    }
    if (order >= 0 && b !== undefined) {
      right.at++;
      rows++;
      bytes += b.key.length + b.value.length;
      last = b.key;
    }
    if (order === 0 && a !== undefined && b !== undefined && alike(a.value, b.value)) {
      same.add(a.key, a.value);
      continue;
    }
    if (order <= 0 && a !== undefined) mine.add(a.key, a.value);
    if (order >= 0 && b !== undefined) others.add(b.key, b.value);
    keys.push(last as Uint8Array);
  }
  yield stretch(true);
}

const orderOf = ({ key: a }: Row, { key: b }: Row): number => (alike(a, b) ? 0 : compareBytes(a, b));

function alike(a: Uint8Array, b: Uint8Array): boolean {
  const { length } = a;
  if (length !== b.length) return false;
  if (length > short) return Buffer.compare(a, b) === 0;
  for (let at = 0; at < length; at++) if (a[at] !== b[at]) return false;
  return true;
}

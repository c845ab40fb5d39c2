import { compareBytes } from "../bytes.ts";
import type { Range, Reader, Row } from "../connector.ts";
import type { DigestOptions } from "../digest/leaves.ts";
import { openCursor } from "../digest/row-cursor.ts";
import { type BlockReader, comparedBlocks } from "./compared-blocks.ts";
import { type ComparedStretch, StretchTally } from "./stretch-tally.ts";

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
  if (givesBlocks(source) && givesBlocks(target)) {
    yield* comparedBlocks(source, target, range, most, options);
    return;
  }
  const { signal } = options;
  await using left = openCursor(source, range, signal);
  await using right = openCursor(target, range, signal);
  const tally = new StretchTally(options);
  let last: Uint8Array | undefined;
  for (;;) {
    // Waiting for each row would cost more than comparing it.
    if (left.at >= left.rows.length) await left.filled();
    if (right.at >= right.rows.length) await right.filled();
    const [a, b] = [left.rows[left.at], right.rows[right.at]];
    if (a === undefined && b === undefined) break;
    // Whether a leaf was the last one is known when the next row is or is not there.
    if (a !== undefined && tally.left === 0) yield tally.take(true, last);
    else if (tally.keys.length >= most) yield tally.take(false, last);
    const order = a === undefined ? 1 : b === undefined ? -1 : orderOf(a, b);
    if (order <= 0 && a !== undefined) {
      left.at++;
      tally.left--;
      tally.rows++;
      tally.bytes += a.key.length + a.value.length;
      last = a.key;
    }
    if (order >= 0 && b !== undefined) {
      right.at++;
      tally.rows++;
      tally.bytes += b.key.length + b.value.length;
      last = b.key;
    }
    if (order === 0 && a !== undefined && b !== undefined && alike(a.value, b.value)) {
      tally.same.add(a.key, a.value);
      continue;
    }
    if (order <= 0 && a !== undefined) tally.mine.add(a.key, a.value);
    if (order >= 0 && b !== undefined) tally.others.add(b.key, b.value);
    tally.keys.push(last as Uint8Array);
  }
  yield tally.take(true);
}

const givesBlocks = (reader: Reader | undefined): reader is BlockReader => reader?.blocks !== undefined;

const orderOf = ({ key: a }: Row, { key: b }: Row): number => (alike(a, b) ? 0 : compareBytes(a, b));

function alike(a: Uint8Array, b: Uint8Array): boolean {
  const { length } = a;
  if (length !== b.length) return false;
  if (length > short) return Buffer.compare(a, b) === 0;
  for (let at = 0; at < length; at++) if (a[at] !== b[at]) return false;
  return true;
}

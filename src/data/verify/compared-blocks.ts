import { compareBytes } from "../bytes.ts";
import type { Range, Reader } from "../connector.ts";
import { BlockCursor } from "../digest/block-cursor.ts";
import type { DigestOptions } from "../digest/leaves.ts";
import { keyAt, keyEnd, keyStart, type RowBlock, valueEnd, valueStart } from "../row-block.ts";
import { type ComparedStretch, StretchTally } from "./stretch-tally.ts";

/** A store that hands rows over in blocks. */
export type BlockReader = Reader & Required<Pick<Reader, "blocks">>;

/**
 * As `comparedStretches`, of two stores whose rows come in blocks: rows that both have are compared many at once, as the bytes of
 * their keys, of their values, and of where they end; none of them becomes an object.
 */
export async function* comparedBlocks(
  source: BlockReader,
  target: BlockReader,
  range: Range,
  most: number,
  options: DigestOptions,
): AsyncGenerator<ComparedStretch> {
  const scan = options.signal === undefined ? {} : { signal: options.signal };
  await using left = new BlockCursor(source.blocks(range, scan), source.name);
  await using right = new BlockCursor(target.blocks(range, scan), target.name);
  const tally = new StretchTally(options);
  let last: Uint8Array | undefined;
  for (;;) {
    if (left.isUsed) await left.fill();
    if (right.isUsed) await right.fill();
    const { block: a, at: row } = left;
    const { block: b, at: other } = right;
    if (a === undefined && b === undefined) break;
    // Whether a leaf was the last one is known when the next row is or is not there.
    if (a !== undefined && tally.left === 0) yield tally.take(true, last);
    else if (tally.keys.length >= most) yield tally.take(false, last);
    const equal = a === undefined || b === undefined ? 0 : run(a, row, b, other, tally.left);
    if (equal > 0 && a !== undefined) {
      const end = row + equal;
      tally.same.addBlock(a, row, end);
      tally.rows += 2 * equal;
      tally.bytes += 2 * sizeOf(a, row, end);
      tally.left -= equal;
      left.at = end;
      right.at += equal;
      // Where a leaf ends here its last key is needed.
      if (tally.left === 0 || left.isUsed) last = Buffer.from(keyAt(a, end - 1));
      continue;
    }
    const order = a === undefined ? 1 : b === undefined ? -1 : compareBytes(keyAt(a, row), keyAt(b, other));
    last = Buffer.from(order <= 0 ? keyAt(a as RowBlock, row) : keyAt(b as RowBlock, other));
    if (order <= 0 && a !== undefined) {
      tally.mine.addBlock(a, row, row + 1);
      tally.rows++;
      tally.bytes += sizeOf(a, row, row + 1);
      tally.left--;
      left.at++;
    }
    if (order >= 0 && b !== undefined) {
      tally.others.addBlock(b, other, other + 1);
      tally.rows++;
      tally.bytes += sizeOf(b, other, other + 1);
      right.at++;
    }
    tally.keys.push(last);
  }
  yield tally.take(true);
}

/** Bytes of rows, keys and values. */
const sizeOf = (block: RowBlock, from: number, to: number): number =>
  keyEnd(block, to - 1) - keyStart(block, from) + valueEnd(block, to - 1) - valueStart(block, from);

/** How many rows from here on, at most `most`, both blocks have alike. */
function run(a: RowBlock, row: number, b: RowBlock, other: number, most: number): number {
  const longest = Math.min(a.count - row, b.count - other, most);
  const [keysA, valuesA] = [keyStart(a, row), valueStart(a, row)];
  const [keysB, valuesB] = [keyStart(b, other), valueStart(b, other)];
  let count = 0;
  while (
    count < longest &&
    keyEnd(a, row + count) - keysA === keyEnd(b, other + count) - keysB &&
    valueEnd(a, row + count) - valuesA === valueEnd(b, other + count) - valuesB
  )
    count++;
  const alike = (rows: number): boolean =>
    same(a.keys, keysA, keyEnd(a, row + rows - 1), b.keys, keysB) &&
    same(a.values, valuesA, valueEnd(a, row + rows - 1), b.values, valuesB);
  if (count === 0 || alike(count)) return count;
  // The first row that differs lies among them: the part before it is halved until nothing is left of it.
  let [least, above] = [0, count];
  while (above - least > 1) {
    const middle = (least + above) >> 1;
    if (alike(middle)) least = middle;
    else above = middle;
  }
  return least;
}

function same(a: Uint8Array, start: number, end: number, b: Uint8Array, from: number): boolean {
  return Buffer.compare(a.subarray(start, end), b.subarray(from, from + end - start)) === 0;
}

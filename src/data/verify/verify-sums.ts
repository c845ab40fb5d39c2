import { compareBytes } from "../bytes.ts";
import type { Digest, Range } from "../connector.ts";
import { addDigests, emptyDigest, equalDigests, subtractDigests } from "../digest/digest.ts";
import { type DigestOptions, digestRange, leafRows as usualLeafRows } from "../digest/leaves.ts";
import { type HashedRows, type RangeSums, summing } from "../range-sums.ts";
import { confirm, type Sides } from "./confirm.ts";
import { examine, readersOf } from "./examine.ts";
import type { Findings } from "./findings.ts";
import type { CollectionVerdict } from "./verify-ranges.ts";

/** Rows of a range: many enough that a range costs little beside them, few enough to be listed for one difference. */
const rangeRows = 256;
/** Bytes of rows that a statement goes through, about half a second: the signal is heard, and what was read is told, between two. */
const statementBytes = 67_108_864;
/** Ranges of a statement at most. */
const mostRanges = 16_384;
/** Rows of one side whose hashes are in memory at once. A range with more is read row by row. */
const mostListed = 100_000;
/** Keys confirmed at once. */
const atOnce = 1_000;

/** A range whose sums differ. */
interface Unequal {
  readonly range: Range;
  readonly source: Digest;
  readonly target: Digest;
}

/**
 * A collection that both stores can sum where it lies: sums of ranges, hashes of the rows of those that differ, and then the rows
 * themselves, which alone decide. Undefined when that cannot be done: rows are to be read.
 */
export async function verifySums(
  sides: Sides,
  collection: string,
  options: DigestOptions,
  findings: Findings,
): Promise<CollectionVerdict | undefined> {
  const [source, target] = readersOf(sides, collection).map(summing);
  if (source === undefined || target === undefined) return undefined;
  const { signal, hash, onRead, leafRows = usualLeafRows } = options;
  const asked = { seed: hash.seed, ...(signal === undefined ? {} : { signal }) };
  // Both moments begin together, as two scans would.
  const opened = await Promise.allSettled([
    source.rangeSums(collection, asked),
    target.rangeSums(collection, asked),
  ]);
  const [mineOpened, othersOpened] = opened;
  await using ours = mineOpened.status === "fulfilled" ? mineOpened.value : undefined;
  await using theirs = othersOpened.status === "fulfilled" ? othersOpened.value : undefined;
  for (const each of opened) if (each.status === "rejected") throw each.reason;
  if (ours === undefined || theirs === undefined || ours.form !== theirs.form) return undefined;

  const ranges = between(collection, await ours.bounds(Math.min(rangeRows, leafRows)));
  let verdict: CollectionVerdict = {
    name: collection,
    by: "sums",
    source: emptyDigest,
    target: emptyDigest,
    leaves: ranges.length,
    unequalLeaves: 0,
  };
  const look = new Look(sides, collection, options, findings, ours, theirs);
  let wanted = atMost(statementBytes / (rangeRows * Math.max(1, ours.rowBytes, theirs.rowBytes)));
  for (let at = 0; at < ranges.length;) {
    signal?.throwIfAborted();
    const part = ranges.slice(at, at + wanted);
    const [mine, others] = await Promise.all([ours.sums(part), theirs.sums(part)]);
    for (const [index, range] of part.entries()) {
      const pair = { range, source: mine[index] as Digest, target: others[index] as Digest };
      verdict = {
        ...verdict,
        source: addDigests(verdict.source, pair.source),
        target: addDigests(verdict.target, pair.target),
      };
      if (equalDigests(pair.source, pair.target)) continue;
      verdict = { ...verdict, unequalLeaves: verdict.unequalLeaves + 1 };
      await look.at(pair);
    }
    const [rows, otherRows] = [rowsOf(mine), rowsOf(others)];
    onRead?.(rows + otherRows, Math.round(rows * ours.rowBytes + otherRows * theirs.rowBytes));
    at += part.length;
    const bytes = Math.max(rows * ours.rowBytes, otherRows * theirs.rowBytes);
    if (bytes > 0) wanted = atMost((part.length * statementBytes) / bytes);
  }
  await look.end();
  return verdict;
}

const atMost = (ranges: number): number => Math.max(1, Math.min(mostRanges, Math.floor(ranges)));

const rowsOf = (digests: readonly Digest[]): number => digests.reduce((sum, { count }) => sum + count, 0);

function between(collection: string, bounds: readonly Uint8Array[]): readonly Range[] {
  return Array.from({ length: bounds.length + 1 }, (_, at) => {
    const [after, upTo] = [bounds[at - 1], bounds[at]];
    return {
      collection,
      ...(after === undefined ? {} : { after }),
      ...(upTo === undefined ? {} : { upTo }),
    };
  });
}

/** Looks into ranges whose sums differ: many at once, as each statement costs time, and no more than fit in memory. */
class Look {
  readonly #sides: Sides;
  readonly #collection: string;
  readonly #options: DigestOptions;
  readonly #findings: Findings;
  readonly #ours: RangeSums;
  readonly #theirs: RangeSums;
  #waiting: Unequal[] = [];
  #rows = 0;

  constructor(
    sides: Sides,
    collection: string,
    options: DigestOptions,
    findings: Findings,
    ours: RangeSums,
    theirs: RangeSums,
  ) {
    this.#sides = sides;
    this.#collection = collection;
    this.#options = options;
    this.#findings = findings;
    this.#ours = ours;
    this.#theirs = theirs;
  }

  async at(unequal: Unequal): Promise<void> {
    const rows = Math.max(unequal.source.count, unequal.target.count);
    if (rows > mostListed) return await this.#read(unequal.range);
    if (this.#rows + rows > mostListed) await this.end();
    this.#waiting.push(unequal);
    this.#rows += rows;
  }

  async end(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#rows = 0;
    if (waiting.length === 0) return;
    const ranges = waiting.map(({ range }) => range);
    const [mine, others] = await Promise.all([this.#ours.hashes(ranges), this.#theirs.hashes(ranges)]);
    const found = subtractDigests(digestOf(mine), digestOf(others));
    const delta = waiting.reduce(
      (sum, { source, target }) => addDigests(sum, subtractDigests(source, target)),
      emptyDigest,
    );
    // Both are of one moment: a store that answers two ways there is not believed, and its rows are read.
    if (found.count !== delta.count || found.rows !== delta.rows) {
      for (const range of ranges) await this.#read(range);
      return;
    }
    const keys = unequalKeys(mine, others);
    for (let at = 0; at < keys.length; at += atOnce) {
      this.#options.signal?.throwIfAborted();
      const places = keys.slice(at, at + atOnce).map((key) => ({ collection: this.#collection, key }));
      const confirmed = await confirm(this.#sides, places);
      // Where nothing moves, a row is not late: two servers have written the same row in two ways.
      this.#findings.add(this.#sides.caughtUp === undefined ? { ...confirmed, arrived: 0 } : confirmed);
    }
  }

  /** Row by row, as stores that cannot sum are compared. */
  async #read(range: Range): Promise<void> {
    const [source, target] = readersOf(this.#sides, this.#collection);
    const quiet = { ...this.#options, onRead: () => {} };
    const delta = subtractDigests(
      await digestRange(source, range, quiet),
      await digestRange(target, range, quiet),
    );
    await examine(this.#sides, range, delta, this.#options, this.#findings);
  }
}

function digestOf(listed: HashedRows): Digest {
  // The halves apart: 100,000 numbers of 32 bits add up to less than 2⁵³.
  let [high, low] = [0, 0];
  for (let at = 0; at < listed.count; at++) {
    high += listed.high(at);
    low += listed.low(at);
  }
  return { count: listed.count, rows: BigInt.asUintN(64, (BigInt(high) << 32n) + BigInt(low)), keys: 0n };
}

/** Keys that one side alone has, or with another hash. */
function unequalKeys(mine: HashedRows, others: HashedRows): readonly Uint8Array[] {
  const keys: Uint8Array[] = [];
  let [left, right] = [0, 0];
  for (;;) {
    const [a, b] = [left < mine.count, right < others.count];
    if (!a && !b) return distinct(keys);
    // The hash is of the key as well: where it is the same nobody need look at the keys.
    if (a && b && mine.low(left) === others.low(right) && mine.high(left) === others.high(right)) {
      left++;
      right++;
      continue;
    }
    const [ours, theirs] = [a ? mine.key(left) : undefined, b ? others.key(right) : undefined];
    const order = ours === undefined ? 1 : theirs === undefined ? -1 : compareBytes(ours, theirs);
    if (order <= 0) left++;
    if (order >= 0) right++;
    keys.push((order <= 0 ? ours : theirs) as Uint8Array);
  }
}

/** Of two lists that were in order no key comes twice. */
function distinct(keys: readonly Uint8Array[]): readonly Uint8Array[] {
  if (keys.every((key, at) => at === 0 || compareBytes(keys[at - 1] as Uint8Array, key) < 0)) return keys;
  const sorted = keys.toSorted(compareBytes);
  return sorted.filter((key, at) => at === 0 || compareBytes(sorted[at - 1] as Uint8Array, key) < 0);
}

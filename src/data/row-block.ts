import type { PackedRows, Row } from "./connector.ts";
import { areaOf, hugeFrom, release } from "./huge-rows.ts";

/**
 * Rows behind one another in two areas, in key order: nothing is made for each of them, and a block goes from one thread to another
 * without a copy.
 */
export interface RowBlock {
  readonly count: number;
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  /** For each row where its key ends in `keys`, then where its value ends in `values`; it begins where the one before ends. */
  readonly ends: Uint32Array;
}

/** The form in which stores of bytes give and take rows packed. */
export const blockForm = "block of rows";

/** Most bytes of a block that is not one large row: as many as can be put into a queue while others wait some milliseconds. */
export const blockBytes = 1_572_864;

/** Copies rows into a block. */
export class BlockBuilder {
  #keys: Buffer = Buffer.allocUnsafeSlow(16_384);
  #values: Buffer;
  #ends = new Uint32Array(2_048);
  #count = 0;
  #keyEnd = 0;
  #valueEnd = 0;
  readonly #most: number;
  #isOver = false;

  /** `values`: bytes of values to be expected. `most`: bytes above which a row is not taken beside others. */
  constructor(values = 65_536, most: number = Infinity) {
    this.#values = Buffer.allocUnsafeSlow(values);
    this.#most = most;
  }

  /** The row that was added last goes beyond the most; its value was not copied, and it has to be dropped. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get count(): number {
    return this.#count;
  }

  /** Keys and values together. */
  get bytes(): number {
    return this.#keyEnd + this.#valueEnd;
  }

  add(key: Uint8Array, value: Uint8Array): void {
    this.addKey(key, 0, key.length);
    this.addValue(value, 0, value.length);
  }

  /** The key of the next row, from `start` to `end` of `bytes`; its value is to follow. */
  addKey(bytes: Uint8Array, start: number, end: number): void {
    const to = this.#keyEnd + end - start;
    if (to > this.#keys.length) this.#keys = grown(this.#keys, this.#keyEnd, to);
    copy(bytes, start, end, this.#keys, this.#keyEnd);
    this.#endKey(to);
  }

  addValue(bytes: Uint8Array, start: number, end: number): void {
    const to = this.#valueEnd + end - start;
    if (this.#count > 0 && this.#keyEnd + to > this.#most) {
      this.#isOver = true;
      return this.#endValue(this.#valueEnd);
    }
    if (to > this.#values.length) {
      // A huge value alone in its buffer is taken as it is.
      if (this.#valueEnd === 0 && end >= hugeFrom && end === bytes.buffer.byteLength) {
        this.#values = Buffer.from(bytes.buffer as ArrayBuffer);
        return this.#endValue(to);
      }
      this.#values = grown(this.#values, this.#valueEnd, to);
    }
    copy(bytes, start, end, this.#values, this.#valueEnd);
    this.#endValue(to);
  }

  /**
   * Rows `from` to `to`, keys without their first `skip` characters; whether keys and values are texts, the first row tells of all. What is
   * no text: nothing was added then, as the bytes cannot be told from it. Not beside `most`.
   */
  addRows(rows: readonly FoundRow[], from: number, to: number, skip: number): "keys" | "values" | undefined {
    const keys = joined(rows, from, to, 0, skip);
    if (keys?.includes(replaced) === true) return "keys";
    const values = joined(rows, from, to, 1, 0);
    if (values?.includes(replaced) === true) return "values";
    const [keysTold, valuesTold] = [
      withText(this.#keys, this.#keyEnd, keys ?? ""),
      withText(this.#values, this.#valueEnd, values ?? ""),
    ];
    [this.#keys, this.#values] = [keysTold.area, valuesTold.area];
    for (let at = from; at < to; at++) {
      const [key, value] = rows[at] as FoundRow;
      if (typeof key !== "string") this.addKey(key, skip, key.length);
      else
        this.#endKey(
          this.#keyEnd + (keysTold.plain ? key.length - skip : Buffer.byteLength(rest(key, skip))),
        );
      if (typeof value !== "string") this.addValue(value, 0, value.length);
      else this.#endValue(this.#valueEnd + (valuesTold.plain ? value.length : Buffer.byteLength(value)));
    }
    return undefined;
  }

  /** Bytes of the value that was added last. */
  get lastSize(): number {
    return this.#valueEnd - (this.#count < 2 ? 0 : (this.#ends[2 * this.#count - 3] as number));
  }

  /** Key and value that were added last, as views. */
  last(): readonly [key: Uint8Array, value: Uint8Array] {
    const start = this.#count < 2 ? 0 : (this.#ends[2 * this.#count - 4] as number);
    return [
      this.#keys.subarray(start, this.#keyEnd),
      this.#values.subarray(this.#valueEnd - this.lastSize, this.#valueEnd),
    ];
  }

  /** Takes back the row that was added last. */
  drop(): void {
    this.#isOver = false;
    this.#count--;
    this.#keyEnd = this.#count === 0 ? 0 : (this.#ends[2 * this.#count - 2] as number);
    this.#valueEnd = this.#count === 0 ? 0 : (this.#ends[2 * this.#count - 1] as number);
  }

  /** What was added; undefined without any row. Nothing is to be added any more. */
  done(): RowBlock | undefined {
    if (this.#count === 0) return undefined;
    return {
      count: this.#count,
      keys: this.#keys.subarray(0, this.#keyEnd),
      values: this.#values.subarray(0, this.#valueEnd),
      ends: this.#ends.subarray(0, 2 * this.#count),
    };
  }

  #endKey(to: number): void {
    if (2 * this.#count >= this.#ends.length) {
      const ends = new Uint32Array(2 * this.#ends.length);
      ends.set(this.#ends);
      this.#ends = ends;
    }
    this.#ends[2 * this.#count] = this.#keyEnd = to;
  }

  #endValue(to: number): void {
    this.#ends[2 * this.#count + 1] = this.#valueEnd = to;
    this.#count++;
  }
}

/** A key and a value, each as its bytes or as the text that they are. */
export type FoundRow = readonly [string | Uint8Array, string | Uint8Array];

/** What stands in a text where bytes were no UTF-8. */
export const replaced = "\ufffd";

const rest = (key: string, skip: number): string => (skip === 0 ? key : key.slice(skip));

/** Texts behind one another: written with one call, where each by itself would cost one. Undefined of bytes. */
function joined(
  rows: readonly FoundRow[],
  from: number,
  to: number,
  part: 0 | 1,
  skip: number,
): string | undefined {
  if (typeof rows[from]?.[part] !== "string") return undefined;
  let all = "";
  for (let at = from; at < to; at++) all += rest((rows[at] as FoundRow)[part] as string, skip);
  return all;
}

function grown(area: Buffer, used: number, least: number): Buffer {
  // Twice as much, also above the size of a huge value: rows would be copied again and again, each to make room for the next one.
  const size = Math.max(least, 2 * area.length);
  const larger = size < hugeFrom ? Buffer.allocUnsafeSlow(size) : areaOf(size);
  area.copy(larger, 0, 0, used);
  // Left to the collector, areas that were outgrown made it look for them all the time. A huge one may be a value that somebody gave.
  if (area.length < hugeFrom) release(area.buffer as ArrayBuffer);
  return larger;
}

/** The area with a text behind what is used of it. `plain`: of as many bytes as characters, each character is one. */
function withText(
  area: Buffer,
  used: number,
  text: string,
): { readonly area: Buffer; readonly plain: boolean } {
  const bytes = Buffer.byteLength(text, "utf8");
  const roomy = used + bytes > area.length ? grown(area, used, used + bytes) : area;
  roomy.write(text, used, "utf8");
  return { area: roomy, plain: bytes === text.length };
}

/** Bytes up to which a loop is quicker than a call. */
const short = 24;

function copy(from: Uint8Array, start: number, end: number, to: Buffer, at: number): void {
  if (end - start > short) Buffer.prototype.copy.call(from, to, at, start, end);
  else for (let place = start, next = at; place < end; place++, next++) to[next] = from[place] as number;
}

/** As views where it is one row. */
export function blockOf(rows: readonly Row[]): RowBlock | undefined {
  const [only] = rows;
  if (rows.length === 1 && only !== undefined)
    return {
      count: 1,
      keys: only.key,
      values: only.value,
      ends: Uint32Array.of(only.key.length, only.value.length),
    };
  const builder = new BlockBuilder();
  for (const { key, value } of rows) builder.add(key, value);
  return builder.done();
}

/** As `blockOf`, of rows whose bytes somebody else may have, too. */
export function copyOf(rows: readonly Row[]): RowBlock | undefined {
  const builder = new BlockBuilder();
  for (const { key, value } of rows)
    builder.add(key, value.length < hugeFrom ? value : Uint8Array.from(value));
  return builder.done();
}

export const keyStart = ({ ends }: RowBlock, at: number): number =>
  at === 0 ? 0 : (ends[2 * at - 2] as number);
export const keyEnd = ({ ends }: RowBlock, at: number): number => ends[2 * at] as number;
export const valueStart = ({ ends }: RowBlock, at: number): number =>
  at === 0 ? 0 : (ends[2 * at - 1] as number);
export const valueEnd = ({ ends }: RowBlock, at: number): number => ends[2 * at + 1] as number;

/** Views of one row. */
export const keyAt = (block: RowBlock, at: number): Uint8Array =>
  block.keys.subarray(keyStart(block, at), keyEnd(block, at));
export const valueAt = (block: RowBlock, at: number): Uint8Array =>
  block.values.subarray(valueStart(block, at), valueEnd(block, at));

/** Keys and values together. */
export const bytesOf = ({ keys, values }: RowBlock): number => keys.length + values.length;

/** Each row for itself, as views. */
export function rowsOfBlock(block: RowBlock): readonly Row[] {
  return Array.from({ length: block.count }, (_, at) => ({
    key: keyAt(block, at),
    value: valueAt(block, at),
  }));
}

/** Rows that stores of bytes hand over without making an object of each. */
export class BlockRows implements PackedRows {
  readonly format: string = blockForm;
  readonly block: RowBlock;
  readonly #owned: boolean;

  /** `owned`: nobody else has bytes in the areas of the block. */
  constructor(block: RowBlock, owned = false) {
    this.block = block;
    this.#owned = owned;
  }

  get count(): number {
    return this.block.count;
  }

  get bytes(): number {
    return bytesOf(this.block);
  }

  /** Copies: a checkpoint that has one keeps no block. */
  get first(): Uint8Array {
    return Buffer.from(keyAt(this.block, 0));
  }

  get last(): Uint8Array {
    return Buffer.from(keyAt(this.block, this.block.count - 1));
  }

  rows(): readonly Row[] {
    return rowsOfBlock(this.block);
  }

  filter(keep: (key: Uint8Array) => boolean): BlockRows | undefined {
    const kept = this.rows().filter(({ key }) => keep(key));
    if (kept.length === this.count) return this;
    const block = blockOf(kept);
    return block === undefined ? undefined : new BlockRows(block);
  }

  /** Gives the memory back at once. Only when nobody looks at the rows any more. */
  free(): void {
    if (this.#owned) freeBlock(this.block);
  }
}

/** Gives back the memory of a block whose areas nobody else has: the collector would let many pile up. */
export function freeBlock({ values }: RowBlock): void {
  const { buffer } = values;
  if (buffer instanceof ArrayBuffer) release(buffer);
}

/** A block that is one huge row: of such one is enough in memory. */
export const isHugeBlock = ({ values }: RowBlock): boolean => values.length >= hugeFrom;

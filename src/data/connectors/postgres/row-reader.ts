import { CutoverError } from "../../../core/index.ts";
import type { Row } from "../../connector.ts";
import { encodeKey } from "../../key-codec.ts";
import { CopyRows } from "./copy-rows.ts";
import { dateText, timestampText, timestampTextOf } from "./instants.ts";
import { numericText, numericTextLength } from "./numeric-text.ts";
import type { Shape, ShapeColumn } from "./shape.ts";

const segmentBytes = 1_048_576;
/** How a record says what a column is (`encodeRecord`). */
export const tags = { null: 0, integer: 1, real: 2, text: 3, binary: 4, false: 5, true: 6 } as const;

/** Where the fields of one row lie, by column; a length of -1 is NULL. */
export interface Fields {
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
}

/**
 * Makes rows of what `COPY … TO STDOUT (FORMAT binary)` gives. Rows are written one behind the other into large buffers: making
 * the values of each column first and encoding them then took four times as long.
 */
export class RowReader extends CopyRows {
  #rows: Row[] = [];
  #bytes = 0;
  readonly #shape: Shape;
  readonly #fields: Fields;
  #out = Buffer.allocUnsafe(segmentBytes);
  #at = 0;

  /** `header`: a COPY begins, default true. */
  constructor(shape: Shape, options: { readonly header?: boolean } = {}) {
    super(options);
    this.#shape = shape;
    const count = shape.columns.length;
    this.#fields = { starts: new Int32Array(count), lengths: new Int32Array(count) };
  }

  /** Rows read since `take`, and the bytes of their keys and values. */
  get count(): number {
    return this.#rows.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Key of the row that came last. */
  get last(): Uint8Array | undefined {
    return this.#rows.at(-1)?.key;
  }

  take(): Row[] {
    const rows = this.#rows;
    this.#rows = [];
    this.#bytes = 0;
    return rows;
  }

  protected row(data: Buffer, from: number): number {
    const { columns, raw } = this.#shape;
    const { starts, lengths } = this.#fields;
    let at = from;
    let longer = 0;
    for (let column = 0; column < columns.length; column++) {
      const length = data.readInt32BE(at);
      at += 4;
      starts[column] = at;
      lengths[column] = length;
      if (length <= 0) continue;
      if ((columns[column] as ShapeColumn).kind === "numeric") longer += numericTextLength(data, at);
      at += length;
    }
    // No column becomes longer than this: numbers 9 bytes, uuids and times some 50, keys at most double.
    const most = 3 * (at - from) + 64 * columns.length + longer;
    if (this.#out.length - this.#at < most) {
      this.#out = Buffer.allocUnsafe(Math.max(segmentBytes, most));
      this.#at = 0;
    }
    const start = this.#at;
    const middle = writeKey(this.#shape, data, this.#fields, this.#out, start);
    let place = middle;
    if (raw) place = copyBytes(data, starts[1] as number, lengths[1] as number, this.#out, place);
    else {
      this.#out[place++] = 1;
      for (let column = 0; column < columns.length; column++)
        place = writeColumn(
          columns[column] as ShapeColumn,
          data,
          starts[column] as number,
          lengths[column] as number,
          this.#out,
          place,
        );
    }
    this.#at = place;
    this.#bytes += place - start;
    this.#rows.push({ key: this.#out.subarray(start, middle), value: this.#out.subarray(middle, place) });
    return at;
  }
}

function writeColumn(
  { kind }: ShapeColumn,
  data: Buffer,
  at: number,
  length: number,
  out: Buffer,
  to: number,
): number {
  if (length < 0) {
    out[to] = tags.null;
    return to + 1;
  }
  switch (kind) {
    case "boolean":
      out[to] = data[at] === 1 ? tags.true : tags.false;
      return to + 1;
    case "int8":
      out[to] = tags.integer;
      return copyBytes(data, at, 8, out, to + 1);
    case "int4":
    case "int2": {
      const value = kind === "int4" ? data.readInt32BE(at) : data.readInt16BE(at);
      out[to] = tags.integer;
      out.writeInt32BE(value < 0 ? -1 : 0, to + 1);
      return out.writeInt32BE(value, to + 5);
    }
    case "float8":
      out[to] = tags.real;
      return out.writeDoubleBE(data.readDoubleBE(at), to + 1);
    case "float4":
      out[to] = tags.real;
      return out.writeDoubleBE(data.readFloatBE(at), to + 1);
    case "date":
      return ascii(dateText(data.readInt32BE(at)), out, to);
    case "timestamp":
    case "timestamptz":
      return ascii(instantText(data, at, kind === "timestamptz"), out, to);
    case "uuid":
      return ascii(uuidText(data, at), out, to);
    case "jsonb":
      // One byte of version, then the text.
      return text(data, at + 1, length - 1, out, to, tags.text);
    case "bytes":
    case "raw":
      return text(data, at, length, out, to, tags.binary);
    case "text":
    case "padded":
    case "json":
    case "enum":
    case "other":
      return text(data, at, length, out, to, tags.text);
    case "numeric":
      return ascii(numericText(data, at), out, to);
  }
}

function text(data: Buffer, at: number, length: number, out: Buffer, to: number, tag: number): number {
  out[to] = tag;
  out.writeUInt32BE(length, to + 1);
  return copyBytes(data, at, length, out, to + 5);
}

function ascii(written: string, out: Buffer, to: number): number {
  out[to] = tags.text;
  out.writeUInt32BE(written.length, to + 1);
  return to + 5 + out.write(written, to + 5, "latin1");
}

/** A loop is quicker than a call for what is short. */
export function copyBytes(data: Buffer, at: number, length: number, out: Buffer, to: number): number {
  if (length > 48) data.copy(out, to, at, at + length);
  else for (let i = 0; i < length; i++) out[to + i] = data[at + i] as number;
  return to + length;
}

function instantText(data: Buffer, at: number, zone: boolean): string {
  const high = data.readInt32BE(at);
  if (high > 2_097_151 || high < -2_097_152) return timestampText(data.readBigInt64BE(at), zone);
  return timestampTextOf(high * 4_294_967_296 + data.readUInt32BE(at + 4), zone);
}

function uuidText(data: Buffer, at: number): string {
  const hex = data.toString("hex", at, at + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The key of a row in COPY's binary form, as `encodeKey` makes it. */
export function writeKey(
  shape: Shape,
  data: Buffer,
  { starts, lengths }: Fields,
  out: Buffer,
  from: number,
): number {
  let to = from;
  for (const column of shape.key) {
    const at = starts[column] as number;
    const length = lengths[column] as number;
    const { kind } = shape.columns[column] as ShapeColumn;
    switch (kind) {
      case "raw":
        to = copyBytes(data, at, length, out, to);
        break;
      case "boolean":
        to = wholeNumber(data[at] as number, out, to);
        break;
      case "int2":
        to = wholeNumber(data.readInt16BE(at), out, to);
        break;
      case "int4":
      case "date":
        to = wholeNumber(data.readInt32BE(at), out, to);
        break;
      case "int8":
      case "timestamp":
      case "timestamptz": {
        const high = data.readInt32BE(at);
        if (high > 2_097_151 || high < -2_097_152) to += encodeKey([data.readBigInt64BE(at)]).copy(out, to);
        else to = wholeNumber(high * 4_294_967_296 + data.readUInt32BE(at + 4), out, to);
        break;
      }
      case "uuid":
        out[to++] = 0x20;
        to += out.write(uuidText(data, at), to, "latin1");
        out[to++] = 0;
        out[to++] = 0;
        break;
      case "bytes":
      case "text":
      case "padded": {
        let end = at + length;
        if (kind === "padded") while (end > at && data[end - 1] === 0x20) end--;
        to = escaped(kind === "bytes" ? 0x30 : 0x20, data, at, end, out, to);
        break;
      }
      case "float4":
      case "float8":
      case "numeric":
      case "json":
      case "jsonb":
      case "enum":
      case "other":
        // None of these is in a key (`keyKinds`).
        throw new CutoverError("CUTOVER_INTERNAL", { message: `expected a type of keys, found ${kind}` });
    }
  }
  return to;
}

/** A whole number up to 2⁵³: its float64 with the bits turned so that they sort, then 80 00: nothing was rounded. */
export function wholeNumber(value: number, out: Buffer, to: number): number {
  out[to] = 0x10;
  out.writeDoubleBE(value, to + 1);
  if (value >= 0) out[to + 1] = (out[to + 1] as number) | 0x80;
  else for (let i = to + 1; i < to + 9; i++) out[i] = ~(out[i] as number);
  out[to + 9] = 0x80;
  out[to + 10] = 0;
  return to + 11;
}

/** Text or binary of a key. */
export function escaped(
  tag: number,
  data: Buffer,
  at: number,
  end: number,
  out: Buffer,
  from: number,
): number {
  let to = from;
  out[to++] = tag;
  for (let i = at; i < end; i++) {
    const byte = data[i] as number;
    out[to++] = byte;
    if (byte === 0) out[to++] = 0xff;
  }
  out[to++] = 0;
  out[to++] = 0;
  return to;
}

import { encodeKey } from "../../key-codec.ts";
import { keyOfValue, valueOfText } from "./column-kind.ts";
import { copyBytes, escaped, type Fields, tags, wholeNumber } from "./row-reader.ts";
import type { Shape, ShapeColumn } from "./shape.ts";

const segmentBytes = 262_144;

/**
 * Makes key and value of rows that the log gives as texts, one behind the other in large buffers: a value for each column first
 * made three times the garbage, which a transaction of many rows does not leave time to collect.
 */
export class LogRowWriter {
  #out: Buffer = Buffer.allocUnsafe(0);
  #at = 0;

  /** `lengths`: -1 for NULL. Undefined when a column of the key is NULL, or is no key. */
  write(
    shape: Shape,
    data: Buffer,
    { starts, lengths }: Fields,
  ): { readonly key: Uint8Array; readonly value: Uint8Array } | undefined {
    const { columns } = shape;
    // Texts of numbers and flags may be shorter than what they become; columns of keys are there twice, at most double.
    let most = 0;
    for (const length of lengths) most += Math.max(0, length) + 16;
    for (const column of shape.key) most += 2 * Math.max(0, lengths[column] as number) + 64;
    if (this.#out.length - this.#at < most) {
      this.#out = Buffer.allocUnsafe(Math.max(segmentBytes, most));
      this.#at = 0;
    }
    const out = this.#out;
    const start = this.#at;
    let to = start;
    for (const column of shape.key) {
      to = writeKeyText(
        (columns[column] as ShapeColumn).kind,
        data,
        starts[column] as number,
        lengths[column] as number,
        out,
        to,
      );
      if (to < 0) return undefined;
    }
    const middle = to;
    out[to++] = 1;
    for (let column = 0; column < columns.length; column++)
      to = writeText(
        (columns[column] as ShapeColumn).kind,
        data,
        starts[column] as number,
        lengths[column] as number,
        out,
        to,
      );
    this.#at = to;
    return { key: out.subarray(start, middle), value: out.subarray(middle, to) };
  }
}

/** Of at most 15 digits, so that a double holds it. */
function isShort(length: number): boolean {
  return length > 0 && length <= 15;
}

function smallNumber(data: Buffer, at: number, length: number): number {
  const minus = data[at] === 0x2d;
  let value = 0;
  for (let i = minus ? at + 1 : at; i < at + length; i++) value = value * 10 + (data[i] as number) - 0x30;
  return minus ? -value : value;
}

function writeKeyText(
  kind: ShapeColumn["kind"],
  data: Buffer,
  at: number,
  length: number,
  out: Buffer,
  to: number,
): number {
  if (length < 0) return -1;
  if ((kind === "int4" || kind === "int8" || kind === "int2") && isShort(length))
    return wholeNumber(smallNumber(data, at, length), out, to);
  if (kind === "text" || kind === "uuid") return escaped(0x20, data, at, at + length, out, to);
  const value = keyOfValue(kind, valueOfText(kind, data.subarray(at, at + length)));
  if (value === undefined || value === null) return -1;
  return to + encodeKey([value]).copy(out, to);
}

function writeText(
  kind: ShapeColumn["kind"],
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
      out[to] = data[at] === 0x74 ? tags.true : tags.false;
      return to + 1;
    case "int2":
    case "int4":
    case "int8": {
      out[to] = tags.integer;
      if (!isShort(length))
        return out.writeBigInt64BE(BigInt(data.toString("latin1", at, at + length)), to + 1);
      const value = smallNumber(data, at, length);
      out.writeInt32BE(Math.floor(value / 4_294_967_296), to + 1);
      return out.writeInt32BE(value | 0, to + 5);
    }
    case "float4":
    case "float8":
      out[to] = tags.real;
      return out.writeDoubleBE(valueOfText(kind, data.subarray(at, at + length)) as number, to + 1);
    case "bytes":
    case "raw": {
      const bytes = valueOfText(kind, data.subarray(at, at + length)) as Uint8Array;
      out[to] = tags.binary;
      out.writeUInt32BE(bytes.length, to + 1);
      out.set(bytes, to + 5);
      return to + 5 + bytes.length;
    }
    case "text":
    case "padded":
    case "uuid":
    case "timestamp":
    case "timestamptz":
    case "date":
    case "numeric":
    case "json":
    case "jsonb":
    case "enum":
    case "other":
      out[to] = tags.text;
      out.writeUInt32BE(length, to + 1);
      return copyBytes(data, at, length, out, to + 5);
  }
}

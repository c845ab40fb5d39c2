import { CutoverError } from "../../../core/index.ts";
import { equalBytes, keyText } from "../../bytes.ts";
import type { Row } from "../../connector.ts";
import { decodeRecord, type RecordValue, TextBytes } from "../../record-codec.ts";
import { textOfValue } from "./column-kind.ts";
import { daysOfText, writeInstant } from "./instants.ts";
import { numericBytes } from "./numeric-bytes.ts";
import { asMessage, copyDataMessage, messageHead } from "./raw-messages.ts";
import { type Fields, writeKey } from "./row-reader.ts";
import { keyColumns, keyOfRecord, type Shape, type ShapeColumn } from "./shape.ts";

const segmentBytes = 262_144;
/** What COPY's binary form begins with. */
export const copyHeader: Buffer = Buffer.concat([
  Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"),
  Buffer.alloc(8),
]);
/** And ends with. */
export const copyTrailer: Buffer = Buffer.from([0xff, 0xff]);

/** A value is not of its column's own type, such as an integer for a `numeric`: the server has to read it from its text. */
export class UnfitRow extends Error {}

/** Whether rows of this table can go in COPY's binary form. */
export function isBinary({ columns }: Shape): boolean {
  return columns.every(({ kind }) => kind !== "other");
}

/**
 * Messages with rows as `COPY … FROM STDIN (FORMAT binary)` takes them: the server writes one while the next is made.
 * @throws UnfitRow; CUTOVER_DATA_REFUSED for a row whose key is not that of its value
 */
export function* copyRows(shape: Shape, rows: readonly Row[], store: string): Generator<Uint8Array> {
  const { columns, raw } = shape;
  const fields = { starts: new Int32Array(columns.length), lengths: new Int32Array(columns.length) };
  yield copyDataMessage(copyHeader);
  let out = Buffer.allocUnsafe(segmentBytes);
  let at = messageHead;
  let scratch = Buffer.allocUnsafe(4_096);
  for (const { key, value } of rows) {
    // Each column becomes longer by at most 16 bytes: those of a number of base 10,000 and its heads.
    const most = value.length + 16 * columns.length + key.length + 16;
    if (out.length - at < most) {
      if (at > messageHead) yield asMessage(out.subarray(0, at));
      out = Buffer.allocUnsafe(Math.max(segmentBytes, messageHead + most));
      at = messageHead;
    }
    at = out.writeInt16BE(columns.length, at);
    if (raw) {
      for (const bytes of [key, value]) {
        at = out.writeInt32BE(bytes.length, at);
        out.set(bytes, at);
        at += bytes.length;
      }
      continue;
    }
    at = writeRecord(columns, value, out, at, fields);
    if (at < 0) throw new UnfitRow("a value is not of its column's own type");
    if (shape.key.some((column) => (fields.lengths[column] as number) < 0))
      throw keyDiffers(shape, key, value, store);
    let longest = 0;
    for (const column of shape.key) longest += 2 * (fields.lengths[column] as number) + 48;
    if (scratch.length < longest) scratch = Buffer.allocUnsafe(longest);
    const length = writeKey(shape, out, fields, scratch, 0);
    if (!equalBytes(scratch.subarray(0, length), key)) throw keyDiffers(shape, key, value, store);
  }
  if (at > messageHead) yield asMessage(out.subarray(0, at));
  yield copyDataMessage(copyTrailer);
}

/** Where the record's end lies in `out`, or -1 when it does not fit. */
function writeRecord(
  columns: readonly ShapeColumn[],
  value: Uint8Array,
  out: Buffer,
  from: number,
  { starts, lengths }: Fields,
): number {
  const data = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (data[0] !== 1) return -1;
  let at = 1;
  let to = from;
  for (let column = 0; column < columns.length; column++) {
    if (at >= data.length) return -1;
    const { kind } = columns[column] as ShapeColumn;
    const tag = data[at++] as number;
    starts[column] = to + 4;
    let length = -1;
    if (tag === 1) {
      length = kind === "int8" ? 8 : kind === "int4" ? 4 : kind === "int2" ? 2 : -1;
      if (length < 0 || at + 8 > data.length) return -1;
      const high = data.readInt32BE(at);
      const low = data.readInt32BE(at + 4);
      if (length === 8) {
        out.writeInt32BE(high, to + 4);
        out.writeInt32BE(low, to + 8);
      } else {
        if (high !== (low < 0 ? -1 : 0)) return -1;
        if (length === 4) out.writeInt32BE(low, to + 4);
        else if (low < -32_768 || low > 32_767) return -1;
        else out.writeInt16BE(low, to + 4);
      }
      at += 8;
    } else if (tag === 2) {
      if (at + 8 > data.length) return -1;
      const real = data.readDoubleBE(at);
      at += 8;
      if (kind === "float8") {
        out.writeDoubleBE(real, to + 4);
        length = 8;
      } else if (kind === "float4" && Object.is(Math.fround(real), real)) {
        out.writeFloatBE(real, to + 4);
        length = 4;
      } else return -1;
    } else if (tag === 3 || tag === 4) {
      if (at + 4 > data.length) return -1;
      const size = data.readUInt32BE(at);
      at += 4;
      if (at + size > data.length) return -1;
      length = writeBytes(kind, tag === 4, data, at, size, out, to + 4);
      if (length < 0) return -1;
      at += size;
    } else if (tag === 5 || tag === 6) {
      if (kind !== "boolean") return -1;
      out[to + 4] = tag - 5;
      length = 1;
    } else if (tag !== 0) return -1;
    lengths[column] = length;
    out.writeInt32BE(length, to);
    to += 4 + Math.max(0, length);
  }
  return at === data.length ? to : -1;
}

/** How long the field is, or -1. */
function writeBytes(
  kind: ShapeColumn["kind"],
  binary: boolean,
  data: Buffer,
  at: number,
  size: number,
  out: Buffer,
  to: number,
): number {
  if (binary !== (kind === "bytes")) return -1;
  switch (kind) {
    case "bytes":
    case "text":
    case "padded":
    case "json":
    case "enum":
      if (size > 48) data.copy(out, to, at, at + size);
      else for (let i = 0; i < size; i++) out[to + i] = data[at + i] as number;
      return size;
    case "jsonb":
      out[to] = 1;
      data.copy(out, to + 1, at, at + size);
      return size + 1;
    case "uuid": {
      const written = data.toString("latin1", at, at + size);
      if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(written)) return -1;
      return out.write(written.replaceAll("-", ""), to, "hex");
    }
    case "numeric": {
      const bytes = numericBytes(data.toString("latin1", at, at + size));
      return bytes === undefined ? -1 : bytes.copy(out, to);
    }
    case "date": {
      const days = daysOfText(data.toString("latin1", at, at + size));
      if (days === undefined) return -1;
      out.writeInt32BE(days, to);
      return 4;
    }
    case "timestamp":
    case "timestamptz":
      return writeInstant(data, at, size, kind === "timestamptz", out, to) ? 8 : -1;
    case "boolean":
    case "int2":
    case "int4":
    case "int8":
    case "float4":
    case "float8":
    case "other":
    case "raw":
      return -1;
  }
}

/**
 * The columns of a row as texts that PostgreSQL reads, null for NULL.
 * @throws CUTOVER_DATA_REFUSED for a value of another form, or one whose key is not the row's
 */
export function rowTexts(shape: Shape, { key, value }: Row, store: string): readonly (string | null)[] {
  const refuse = (reason: string, column?: string): CutoverError =>
    new CutoverError("CUTOVER_DATA_REFUSED", {
      message: `${store} cannot hold row ${keyText(key)} of "${shape.collection.name}": ${reason}`,
      place: store,
      details: {
        collection: shape.collection.name,
        key: Buffer.from(key.subarray(0, 256)).toString("hex"),
        ...(column === undefined ? {} : { column }),
        reason,
      },
    });
  let values: readonly RecordValue[];
  try {
    values = shape.raw ? [key, value] : decodeRecord(value);
  } catch (error) {
    throw refuse((error as Error).message);
  }
  const { columns } = shape;
  if (values.length !== columns.length)
    throw refuse(
      `expected ${columns.length} columns (${columns.map(({ name }) => name).join(", ")}), found ${values.length}`,
    );
  const own = keyOfRecord(shape, values);
  if (own === undefined || !equalBytes(own, key)) throw keyDiffers(shape, key, value, store);
  return columns.map(({ name, kind, type }, at) => {
    const column = values[at] as RecordValue;
    if (column === null) return null;
    const text = textOfValue(kind, column);
    if (text === undefined) {
      const found =
        column instanceof Uint8Array
          ? "binary"
          : typeof column === "object"
            ? "text that is not valid UTF-8"
            : typeof column;
      throw refuse(`expected a value for column "${name}" (${type}), found ${found}`, name);
    }
    if (text.includes("\0"))
      throw refuse(`text of column "${name}" holds a NUL character, which PostgreSQL does not take`, name);
    return text;
  });
}

/** Messages with rows as `COPY … FROM STDIN` takes them as text. */
export function* copyTexts(rows: Iterable<readonly (string | null)[]>): Generator<Uint8Array> {
  let lines = "";
  for (const row of rows) {
    lines += `${row.map((text) => (text === null ? "\\N" : text.replace(/[\\\t\n\r]/g, escapeOf))).join("\t")}\n`;
    if (lines.length < segmentBytes) continue;
    yield copyDataMessage(Buffer.from(lines));
    lines = "";
  }
  if (lines !== "") yield copyDataMessage(Buffer.from(lines));
}

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };
const escapeOf = (char: string): string => escapes[char] ?? char;

function keyDiffers(shape: Shape, key: Uint8Array, value: Uint8Array, store: string): CutoverError {
  const values = shape.raw ? [key, value] : decodeRecord(value);
  const own = keyColumns(shape).map(({ name }, at) => `${name} ${shown(values[shape.key[at] as number])}`);
  return new CutoverError("CUTOVER_DATA_REFUSED", {
    message: `${store} cannot hold row ${keyText(key)} of "${shape.collection.name}": expected the key that its value tells (${own.join(", ")}), found ${keyText(key)}`,
    place: store,
    details: { collection: shape.collection.name, key: Buffer.from(key.subarray(0, 256)).toString("hex") },
    remedy: "give a map that changes columns of the key both in the key and in the value",
  });
}

function shown(value: RecordValue | undefined): string {
  if (value instanceof Uint8Array) return keyText(value);
  if (value instanceof TextBytes) return keyText(value.bytes);
  return typeof value === "string" ? JSON.stringify(value.slice(0, 64)) : String(value);
}

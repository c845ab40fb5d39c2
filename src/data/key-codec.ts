import { CutoverError } from "../core/index.ts";
import { TextBytes } from "./record-codec.ts";

/** A column of a key. Booleans are 0 and 1 where a store keeps them so. */
export type KeyValue = null | bigint | number | string | TextBytes | Uint8Array;

const tags = { null: 0x05, number: 0x10, text: 0x20, binary: 0x30 } as const;

/**
 * The columns of a key as bytes whose order is the order of the columns: NULL, then numbers by value (integers and
 * floating-point numbers among each other), then text by its UTF-8 bytes, then binary. This is SQLite's BINARY order, and
 * PostgreSQL's under COLLATE "C".
 *
 * A number is the nearest float64 with its bits turned so that they sort, and what is missing to the exact integer in two
 * bytes. Rounding keeps order, so integers of 64 bits and fractions compare exactly. Text and binary end with 00 00; a 00
 * inside is written 00 ff.
 */
export function encodeKey(values: readonly KeyValue[]): Buffer {
  return Buffer.concat(values.map(encodeColumn));
}

/** Numbers that are whole come as `bigint`, others as `number`. @throws CUTOVER_DATA_REFUSED for bytes that are no key */
export function decodeKey(key: Uint8Array): KeyValue[] {
  const data = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  const values: KeyValue[] = [];
  let place = 0;
  while (place < data.length) {
    const tag = data[place++] as number;
    if (tag === tags.null) values.push(null);
    else if (tag === tags.number && place + 10 <= data.length) {
      values.push(decodeNumber(data, place));
      place += 10;
    } else if (tag === tags.text || tag === tags.binary) {
      const end = endOf(data, place);
      const bytes = unescape(data.subarray(place, end));
      values.push(tag === tags.binary ? bytes : textOf(bytes));
      place = end + 2;
    } else throw notKey(data);
  }
  return values;
}

/** Letters of a text column that are shown. */
const shownText = 64;

/** The columns of a key for people, as `(7, "a")`; undefined for bytes that `encodeKey` has not made. */
export function columnsText(key: Uint8Array): string | undefined {
  let values: readonly KeyValue[];
  try {
    values = decodeKey(key);
    // A key has no NULL, so that a byte 05 of a key-value store is none.
    if (values.length === 0 || values.includes(null)) return undefined;
    if (Buffer.compare(encodeKey(values), key) !== 0) return undefined;
  } catch {
    return undefined;
  }
  return `(${values.map(columnText).join(", ")})`;
}

function columnText(value: KeyValue): string {
  const cut = (text: string): string => (text.length <= shownText ? text : `${text.slice(0, shownText)}…`);
  if (typeof value === "string") return JSON.stringify(cut(value));
  if (value instanceof TextBytes) return `0x${cut(Buffer.from(value.bytes).toString("hex"))}`;
  return value instanceof Uint8Array ? `0x${cut(Buffer.from(value).toString("hex"))}` : String(value);
}

function encodeColumn(value: KeyValue): Buffer {
  if (value === null) return Buffer.from([tags.null]);
  if (typeof value === "bigint" || typeof value === "number") return encodeNumber(value);
  const binary = value instanceof Uint8Array;
  const bytes = binary ? value : value instanceof TextBytes ? value.bytes : Buffer.from(value);
  const zeros = bytes.reduce((sum, byte) => (byte === 0 ? sum + 1 : sum), 0);
  const column = Buffer.alloc(bytes.length + zeros + 3);
  column[0] = binary ? tags.binary : tags.text;
  if (zeros === 0) column.set(bytes, 1);
  else {
    let place = 1;
    for (const byte of bytes) {
      column[place++] = byte;
      if (byte === 0) column[place++] = 0xff;
    }
  }
  return column;
}

function encodeNumber(value: bigint | number): Buffer {
  const near = Number(value) + 0;
  if (Number.isNaN(near))
    throw new CutoverError("CUTOVER_DATA_REFUSED", {
      message: "expected a key that has an order, found NaN",
    });
  const column = Buffer.alloc(11);
  column[0] = tags.number;
  column.writeDoubleBE(near === 0 ? 0 : near, 1);
  if ((column[1] as number) < 0x80) column[1] = (column[1] as number) | 0x80;
  else for (let i = 1; i < 9; i++) column[i] = ~(column[i] as number);
  const missing = typeof value === "bigint" ? Number(value - BigInt(near)) : 0;
  column.writeUInt16BE(missing + 0x8000, 9);
  return column;
}

function decodeNumber(data: Buffer, place: number): bigint | number {
  const bits = Buffer.from(data.subarray(place, place + 8));
  if ((bits[0] as number) >= 0x80) bits[0] = (bits[0] as number) & 0x7f;
  else for (let i = 0; i < 8; i++) bits[i] = ~(bits[i] as number);
  const near = bits.readDoubleBE(0);
  const missing = data.readUInt16BE(place + 8) - 0x8000;
  // Beyond 64 bits only floating-point numbers are left.
  return Number.isInteger(near) && Math.abs(near) <= 2 ** 63 && BigInt(near) + BigInt(missing) < 2n ** 63n
    ? BigInt(near) + BigInt(missing)
    : near;
}

/** Place of the 00 00 that ends a column. */
function endOf(data: Buffer, from: number): number {
  for (let place = data.indexOf(0, from); place >= 0; place = data.indexOf(0, place + 2)) {
    const next = data[place + 1];
    if (next === 0) return place;
    if (next !== 0xff) break;
  }
  throw notKey(data);
}

function unescape(bytes: Buffer): Buffer {
  if (!bytes.includes(0)) return bytes;
  const out = Buffer.alloc(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    out[length++] = bytes[i] as number;
    if (bytes[i] === 0) i++;
  }
  return out.subarray(0, length);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array): string | TextBytes {
  try {
    return utf8.decode(bytes);
  } catch {
    return new TextBytes(bytes);
  }
}

function notKey(data: Buffer): CutoverError {
  return new CutoverError("CUTOVER_DATA_REFUSED", {
    message: `expected the key of a table's row, found other bytes: ${data.subarray(0, 32).toString("hex")}`,
    remedy: "give what encodeKey gave",
  });
}

import { CutoverError } from "../core/index.ts";

/**
 * A row of a table as bytes: its columns in their order, with their types kept exactly. A map function decodes one, changes
 * what it has to, and encodes it again.
 *
 * - `null`: NULL
 * - `bigint`: an integer of 64 bits
 * - `number`: a floating-point number, also ±Infinity and NaN
 * - `boolean`: a boolean
 * - `string`: text; `TextBytes` where the text is no valid UTF-8
 * - `Uint8Array`: binary
 */
export type RecordValue = null | bigint | number | boolean | string | TextBytes | Uint8Array;

/** Text as the bytes it is stored in, for text that is no valid UTF-8. */
export class TextBytes {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

const version = 1;
const tags = { null: 0, integer: 1, real: 2, text: 3, binary: 4, false: 5, true: 6 } as const;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Version (1 byte), then each column: tag (1 byte), and by tag nothing, an int64, a float64 (both big-endian), or the
 * length (4 bytes) and the bytes.
 * @throws CUTOVER_DATA_REFUSED for a value of another type or an integer of more than 64 bits
 */
export function encodeRecord(values: readonly RecordValue[]): Uint8Array {
  let size = 1;
  const parts = values.map(bytesIn);
  for (const [column, value] of values.entries()) {
    const part = parts[column];
    if (part !== undefined) size += 5 + part.length;
    else size += typeof value === "bigint" || typeof value === "number" ? 9 : 1;
  }
  const data = Buffer.allocUnsafe(size);
  let place = data.writeUInt8(version, 0);
  for (const [column, value] of values.entries()) {
    const part = parts[column];
    if (part !== undefined) {
      place = data.writeUInt8(value instanceof Uint8Array ? tags.binary : tags.text, place);
      place = data.writeUInt32BE(part.length, place);
      data.set(part, place);
      place += part.length;
    } else if (typeof value === "bigint") {
      if (BigInt.asIntN(64, value) !== value)
        throw refused(column, `an integer of more than 64 bits: ${value}`);
      place = data.writeUInt8(tags.integer, place);
      place = data.writeBigInt64BE(value, place);
    } else if (typeof value === "number") {
      place = data.writeUInt8(tags.real, place);
      place = data.writeDoubleBE(value, place);
    } else if (value === null) place = data.writeUInt8(tags.null, place);
    else if (typeof value === "boolean") place = data.writeUInt8(value ? tags.true : tags.false, place);
    else throw refused(column, `a value of type ${typeof value}`);
  }
  return data;
}

/** @throws CUTOVER_DATA_REFUSED when the bytes are no record, or one of a newer version */
export function decodeRecord(bytes: Uint8Array): RecordValue[] {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (data[0] !== version) throw refused(-1, data.length === 0 ? "no bytes" : `version ${data[0]}`);
  const values: RecordValue[] = [];
  let place = 1;
  try {
    while (place < data.length) {
      const tag = data[place++] as number;
      switch (tag) {
        case tags.null:
          values.push(null);
          break;
        case tags.integer:
          values.push(data.readBigInt64BE(place));
          place += 8;
          break;
        case tags.real:
          values.push(data.readDoubleBE(place));
          place += 8;
          break;
        case tags.text:
        case tags.binary: {
          const end = place + 4 + data.readUInt32BE(place);
          if (end > data.length) throw new RangeError("the end is missing");
          const part = data.subarray(place + 4, end);
          values.push(tag === tags.binary ? part : textOf(part));
          place = end;
          break;
        }
        case tags.false:
        case tags.true:
          values.push(tag === tags.true);
          break;
        default:
          throw new RangeError(`unknown tag ${tag}`);
      }
    }
  } catch (error) {
    throw refused(values.length, (error as Error).message);
  }
  return values;
}

function bytesIn(value: RecordValue): Uint8Array | undefined {
  if (typeof value === "string") return Buffer.from(value);
  if (value instanceof Uint8Array) return value;
  return value instanceof TextBytes ? value.bytes : undefined;
}

function textOf(bytes: Uint8Array): string | TextBytes {
  try {
    return utf8.decode(bytes);
  } catch {
    return new TextBytes(bytes);
  }
}

function refused(column: number, found: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_REFUSED", {
    message: `expected a record of format ${version}, found ${found}${column < 0 ? "" : ` in column ${column + 1}`}`,
    details: { column: column + 1, found },
    remedy: "give what encodeRecord gave, or columns of the types it takes",
  });
}

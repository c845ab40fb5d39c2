import { CutoverError } from "../core/index.ts";
import type { Change } from "./connector.ts";

/** One committed transaction as the journal keeps it. */
export interface JournalRecord {
  /** Wall-clock milliseconds. */
  readonly at: number;
  /** Of the move that wrote it; empty: an application did. */
  readonly origin: string;
  readonly changes: readonly Change[];
}

const version = 1;
/** Length that stands for a removed row. */
const gone = 0xffff_ffff;

/**
 * Version (1 byte), time (float64), origin (length 4 bytes, UTF-8), number of changes (4 bytes), then for each change:
 * collection, key and value, each after its length in 4 bytes; a length of 2³² − 1 says that the row is gone.
 */
export function encodeRecordOf({ at, origin, changes }: JournalRecord): Buffer {
  const from = Buffer.from(origin);
  const names = new Map<string, Buffer>();
  let size = 17 + from.length;
  for (const { collection, key, value } of changes) {
    let name = names.get(collection);
    if (name === undefined) names.set(collection, (name = Buffer.from(collection)));
    size += 12 + name.length + key.length + (value?.length ?? 0);
  }
  const bytes = Buffer.allocUnsafe(size);
  let place = bytes.writeUInt8(version, 0);
  place = bytes.writeDoubleBE(at, place);
  const part = (part: Uint8Array): void => {
    place = bytes.writeUInt32BE(part.length, place);
    bytes.set(part, place);
    place += part.length;
  };
  part(from);
  place = bytes.writeUInt32BE(changes.length, place);
  for (const { collection, key, value } of changes) {
    part(names.get(collection) as Buffer);
    part(key);
    if (value === null) place = bytes.writeUInt32BE(gone, place);
    else part(value);
  }
  return bytes;
}

/** @throws CUTOVER_DATA_FORMAT when a newer version wrote it or bytes are missing */
export function decodeRecordOf(bytes: Uint8Array, place: string): JournalRecord {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 17;
  try {
    if (data[0] !== version) throw new RangeError(`format ${data[0]}, this program knows ${version}`);
    const part = (length: number): Buffer => {
      if (at + length > data.length) throw new RangeError("its end is missing");
      return data.subarray(at, (at += length));
    };
    const word = (): number => data.readUInt32BE((at += 4) - 4);
    const time = data.readDoubleBE(1);
    at = 9;
    const origin = part(word()).toString();
    const changes = Array.from({ length: word() }, (): Change => {
      const collection = part(word()).toString();
      const key = part(word());
      const length = word();
      return { collection, key, value: length === gone ? null : part(length) };
    });
    return { at: time, origin, changes };
  } catch (error) {
    throw new CutoverError("CUTOVER_DATA_FORMAT", {
      message: `a record of the journal cannot be read: ${(error as Error).message}`,
      place,
      cause: error,
    });
  }
}

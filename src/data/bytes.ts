import { columnsText } from "./key-codec.ts";

/** Order, equality and fixed-width numbers of keys, as unsigned bytes. Only what is shown to people reads what the bytes mean. */

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Eight bytes, big-endian: the order of the bytes is the order of the numbers. */
export function bytesOfNumber(number: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeUInt32BE(Math.floor(number / 2 ** 32), 0);
  bytes.writeUInt32BE(number >>> 0, 4);
  return bytes;
}

export function numberOfBytes(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
}

/** A key for messages and records: the start of it, printable as it is or as hex; of a row of a table its columns. */
export function keyText(key: Uint8Array): string {
  const shown = key.subarray(0, 64);
  const more = key.length > shown.length ? `… (${key.length} bytes)` : "";
  const printable = shown.length > 0 && shown.every((byte) => byte > 0x20 && byte < 0x7f);
  if (printable) return `"${Buffer.from(shown).toString("latin1")}"${more}`;
  return columnsText(key) ?? `0x${Buffer.from(shown).toString("hex")}${more}`;
}

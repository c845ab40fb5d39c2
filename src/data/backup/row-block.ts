import type { Row } from "../connector.ts";

/** Rows of one leaf as bytes. */
export function encodeBlock(rows: readonly Row[]): Buffer {
  const block = Buffer.allocUnsafe(
    rows.reduce((sum, { key, value }) => sum + 8 + key.length + value.length, 0),
  );
  let at = 0;
  for (const { key, value } of rows) {
    at = block.writeUInt32BE(key.length, at);
    at = block.writeUInt32BE(value.length, at);
    block.set(key, at);
    block.set(value, at + key.length);
    at += key.length + value.length;
  }
  return block;
}

/** Undefined when the bytes are no rows. */
export function decodeBlock(block: Buffer): readonly Row[] | undefined {
  const rows: Row[] = [];
  for (let at = 0; at < block.length;) {
    if (at + 8 > block.length) return undefined;
    const keyEnd = at + 8 + block.readUInt32BE(at);
    const end = keyEnd + block.readUInt32BE(at + 4);
    if (end > block.length) return undefined;
    rows.push({ key: block.subarray(at + 8, keyEnd), value: block.subarray(keyEnd, end) });
    at = end;
  }
  return rows;
}

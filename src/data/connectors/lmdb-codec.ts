import { hugeFrom } from "../huge-rows.ts";

/** Bytes that rows are copied into before the next part is begun. */
const partBytes = 262_144;
/** Rows from here on get memory of their own: a part that one small row keeps alive is no waste, a huge one would be. */
const ownFrom = 32_768;

let part: Buffer = Buffer.alloc(0);
let used = 0;

/**
 * A copy of the bytes that lies with others in one buffer. The package hands out its own memory, which the next read
 * overwrites; a buffer for each key and value instead takes three times as long to scan.
 */
function keep(bytes: Uint8Array, start: number, end: number): Buffer {
  const size = end - start;
  if (size >= ownFrom) return Buffer.from(Uint8Array.prototype.slice.call(bytes, start, end).buffer);
  if (size > part.length - used) {
    part = Buffer.allocUnsafeSlow(partBytes);
    used = 0;
  }
  const from = used;
  // A loop is quicker than a call for what is short.
  if (size > 128) Buffer.prototype.copy.call(bytes, part, from, start, end);
  else for (let at = 0; at < size; at++) part[from + at] = bytes[start + at] as number;
  used += size;
  return part.subarray(from, used);
}

/**
 * Whether the package read this value into a buffer made for it, as it does with those that are too large for its own one, which it
 * marks. A view of it anew: the package gives that one a `length` of its own, which others do not reckon with.
 */
function isOwn(bytes: Uint8Array & { readonly isGlobal?: boolean }, size: number): boolean {
  return size >= hugeFrom && bytes.isGlobal !== true && bytes.buffer.byteLength === size;
}

/** Keys as they are: read by ranges, so many at once. */
export const keyBytes: {
  writeKey(key: Uint8Array, to: Uint8Array, start: number): number;
  readKey(bytes: Uint8Array, start: number, end: number): Buffer;
} = {
  writeKey: (key, to, start) => {
    to.set(key, start);
    return start + key.length;
  },
  readKey: keep,
};

/** Values as they are. Point reads use `getBinary`, which copies each by itself. */
export const valueBytes: {
  encode(value: Uint8Array): Uint8Array;
  decode(bytes: Uint8Array, size: number): Buffer;
} = {
  encode: (value) => value,
  decode: (bytes, size) =>
    isOwn(bytes, size) ? Buffer.from(bytes.buffer as ArrayBuffer) : keep(bytes, 0, size),
};

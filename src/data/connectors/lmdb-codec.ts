import { giveBack, hugeFrom, moved } from "../huge-rows.ts";
import { type BlockBuilder, keyEnd, keyStart, type RowBlock, valueEnd, valueStart } from "../row-block.ts";

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
  writeKey(key: Uint8Array | BlockRow, to: Uint8Array, start: number): number;
  readKey(bytes: Uint8Array, start: number, end: number): Buffer;
} = {
  writeKey: (key, to, start) => {
    if (!(key instanceof BlockRow)) {
      to.set(key, start);
      return start + key.length;
    }
    return key.writeKey(to, start);
  },
  readKey: (bytes, start, end) => {
    if (into === undefined) return keep(bytes, start, end);
    into.addKey(bytes, start, end);
    return nothing;
  },
};

/** Values as they are. Point reads use `getBinary`, which copies each by itself. */
export const valueBytes: {
  encode(value: Uint8Array | BlockRow): Uint8Array;
  decode(bytes: Uint8Array, size: number): Buffer;
} = {
  encode: (value) => (value instanceof BlockRow ? value.value() : value),
  decode: (bytes, size) => {
    const own = isOwn(bytes, size);
    if (into === undefined) return own ? moved(new Uint8Array(bytes.buffer)) : keep(bytes, 0, size);
    const value = own ? moved(new Uint8Array(bytes.buffer)) : bytes;
    into.addValue(value, 0, size);
    if (own && into.isOver) giveBack(value);
    return nothing;
  },
};

/** Where rows go that are read now; otherwise each is kept for itself. */
let into: BlockBuilder | undefined;
const nothing: Buffer = Buffer.alloc(0);

/** Runs `read`, in which what is read of keys and values goes into `builder`: nothing is made for each of them. */
export function readInto<T>(builder: BlockBuilder, read: () => T): T {
  into = builder;
  try {
    return read();
  } finally {
    into = undefined;
  }
}

/** One row of a block after the other, to be written as key and as value: nothing is made for each but a view of the value. */
export class BlockRow {
  readonly #block: RowBlock;
  #at = 0;

  constructor(block: RowBlock) {
    this.#block = block;
  }

  at(row: number): this {
    this.#at = row;
    return this;
  }

  writeKey(to: Uint8Array, start: number): number {
    const { keys } = this.#block;
    const end = keyEnd(this.#block, this.#at);
    let next = start;
    for (let from = keyStart(this.#block, this.#at); from < end; from++) to[next++] = keys[from] as number;
    return next;
  }

  value(): Uint8Array {
    return this.#block.values.subarray(valueStart(this.#block, this.#at), valueEnd(this.#block, this.#at));
  }
}

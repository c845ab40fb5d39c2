/**
 * MurmurHash3, the 32-bit variant for x86 (Austin Appleby, public domain): spreads keys evenly, is the same in
 * every language, and costs some 60 ns for a UUID, most of it for reading 36 letters. Not for secrets.
 */
const c1 = 0xcc9e2d51;
const c2 = 0x1b873593;

/** Hash of bytes, as an unsigned 32-bit number. */
export function murmur3(bytes: Uint8Array, seed = 0): number {
  const whole = bytes.length & ~3;
  let hash = seed | 0;
  for (let i = 0; i < whole; i += 4) {
    const block =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    hash = mix(hash, block);
  }
  const rest = bytes.length - whole;
  if (rest > 0) hash ^= scramble(tail(bytes, whole));
  return finish(hash, bytes.length) >>> 0;
}

/**
 * A function that hashes `prefix + text` (as UTF-8) and has done the prefix already.
 * ASCII texts are hashed without being encoded; any other takes the way over bytes.
 */
export function prefixHasher(prefix: string, seed = 0): (text: string) => number {
  const begun = begin(prefix, seed);
  return (text) => hashAfter(begun, text) >>> 0;
}

/** The same hash, as one of so many parts of all hashes: `floor(hash / 2³² · parts)`. At most 2²⁰ parts: then it is exact. */
export function prefixDivider(prefix: string, parts: number): (text: string) => number {
  const begun = begin(prefix, 0);
  return (text) => (((hashAfter(begun, text) >>> 0) * parts) / 4_294_967_296) | 0;
}

/** A hash that has come as far as its prefix. */
interface Begun {
  readonly prefix: string;
  readonly seed: number;
  /** Of the prefix's whole blocks. */
  readonly hash: number;
  /** The prefix's other bytes. */
  readonly carry: number;
  /** How many bits of `carry` they take: 0, 8, 16 or 24. */
  readonly bits: number;
  /** Bytes of the prefix. */
  readonly length: number;
}

function begin(prefix: string, seed: number): Begun {
  const head = encoder.encode(prefix);
  const whole = head.length & ~3;
  let hash = seed | 0;
  for (let i = 0; i < whole; i += 4) hash = mix(hash, tail(head.subarray(0, i + 4), i));
  const bits = 8 * (head.length - whole);
  return { prefix, seed, hash, carry: tail(head, whole), bits, length: head.length };
}

/**
 * Goes on from a prefix. Signed: an unsigned number is boxed when it is above 2³¹, which is every other one, so that no
 * processor can guess where a branch on it goes. The steps of a block are written out: as functions of their own they are
 * called once a block where the compiler has inlined this into a caller and has no budget left for them, and that made a
 * UUID cost 60 ns more in processes with several routes than in those with one.
 */
function hashAfter(begun: Begun, text: string): number {
  const { bits } = begun;
  const { length } = text;
  const bytes = begun.length + length;
  let hash = begun.hash;
  let seen = 0;
  let i = 0;
  if (bits > 0) {
    // The text's first letters fill the block that the prefix has begun.
    let block = begun.carry;
    for (let at = bits; at < 32 && i < length; at += 8, i++) {
      const code = text.charCodeAt(i);
      seen |= code;
      block |= code << at;
    }
    hash ^= scramble(block);
    // A text too short to fill it ends in it.
    if (bits + 8 * i < 32) return seen > 127 ? hashBytes(begun, text) : finish(hash, bytes);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  const whole = length - ((length - i) & 3);
  for (; i < whole; i += 4) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    seen |= a | b | c | d;
    const block = Math.imul(a | (b << 8) | (c << 16) | (d << 24), c1);
    hash ^= Math.imul((block << 15) | (block >>> 17), c2);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  if (i < length) {
    let block = 0;
    for (let at = 0; i < length; at += 8, i++) {
      const code = text.charCodeAt(i);
      seen |= code;
      block |= code << at;
    }
    hash ^= scramble(block);
  }
  return seen > 127 ? hashBytes(begun, text) : finish(hash, bytes);
}

function hashBytes({ prefix, seed }: Begun, text: string): number {
  return murmur3(encoder.encode(prefix + text), seed) | 0;
}

const encoder = new TextEncoder();

/** The bytes from `at` on, at most three or a block, little-endian. */
function tail(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < bytes.length; i++) value |= (bytes[i] as number) << (8 * (i - at));
  return value;
}

function scramble(block: number): number {
  const k = Math.imul(block, c1);
  return Math.imul((k << 15) | (k >>> 17), c2);
}

function mix(hash: number, block: number): number {
  const h = hash ^ scramble(block);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number, length: number): number {
  let h = hash ^ length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * MurmurHash3, the 32-bit variant for x86 (Austin Appleby, public domain): spreads keys evenly, is the same in
 * every language, and costs some 30 ns for a UUID. Not for secrets.
 */
const c1 = 0xcc9e2d51;
const c2 = 0x1b873593;

/** Hash of bytes, as an unsigned 32-bit number. */
export function murmur3(bytes: Uint8Array, seed = 0): number {
  const whole = bytes.length & ~3;
  let hash = seed | 0;
  for (let i = 0; i < whole; i += 4) hash = mix(hash, word(bytes, i, 4));
  const rest = bytes.length - whole;
  if (rest > 0) hash ^= scramble(word(bytes, whole, rest));
  return finish(hash, bytes.length);
}

/**
 * A function that hashes `prefix + text` (as UTF-8) and has done the prefix already.
 * ASCII texts are hashed without being encoded; any other takes the way over bytes.
 */
export function prefixHasher(prefix: string, seed = 0): (text: string) => number {
  const head = encoder.encode(prefix);
  const whole = head.length & ~3;
  let hash0 = seed | 0;
  for (let i = 0; i < whole; i += 4) hash0 = mix(hash0, word(head, i, 4));
  // Bytes of the prefix that do not fill a block; the text's own blocks are shifted behind them.
  const carry0 = word(head, whole, head.length - whole);
  const shift = 8 * (head.length - whole);
  const back = 32 - shift;

  return (text) => {
    const length = text.length;
    const end = length & ~3;
    let hash = hash0;
    let carry = carry0;
    let seen = 0;
    let i = 0;
    for (; i < end; i += 4) {
      const a = text.charCodeAt(i);
      const b = text.charCodeAt(i + 1);
      const c = text.charCodeAt(i + 2);
      const d = text.charCodeAt(i + 3);
      seen |= a | b | c | d;
      const block = a | (b << 8) | (c << 16) | (d << 24);
      hash = mix(hash, carry | (block << shift));
      carry = shift === 0 ? 0 : block >>> back;
    }
    let bits = shift;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      seen |= code;
      carry |= code << bits;
      bits += 8;
      if (bits === 32) {
        hash = mix(hash, carry);
        carry = 0;
        bits = 0;
      }
    }
    if (seen > 127) return murmur3(encoder.encode(prefix + text), seed);
    if (bits > 0) hash ^= scramble(carry);
    return finish(hash, head.length + length);
  };
}

const encoder = new TextEncoder();

/** Up to four bytes, little-endian. */
function word(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value |= (bytes[at + i] ?? 0) << (8 * i);
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
  return (h ^ (h >>> 16)) >>> 0;
}

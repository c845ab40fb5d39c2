import { keyEnd, keyStart, type RowBlock, valueEnd, valueStart } from "../row-block.ts";

/** `block-hash.wat`, assembled. */
export const assembled: string = [
  "AGFzbQEAAAABKQZgAn5+AX5gAX4AYAJ/fwBgBH9/fn4BfmADf39+AX5gB39/f39/f34AAwgHAAABAgMEBQUDAQAYBhUEfgFCAAt+AUIAC34B",
  "QgALfgFCAAsHLwYGbWVtb3J5AgAFYmVnaW4AAgdzdHJpcGVzAAMDZW5kAAQEaGFzaAAFA3N1bQAGCuIFByEAIAAgAULP1tO+0ser2UJ+fEIf",
  "iUKHla+vmLbem55/fgsjACAAQgAgARAAhUKHla+vmLbem55/fkLj3MqV/M7y9YV/fAs1ACAAQtbrgu7q/Yn14AB8JAAgAELP1tO+0ser2UJ8",
  "JAEgACQCIABCh5Wvr5i23puef30kAwtvAgR+AX8jACECIwEhAyMCIQQjAyEFIAAgAWohBgJAA0AgACAGTw0BIAIgACkAABAAIQIgAyAAKQAI",
  "EAAhAyAEIAApABAQACEEIAUgACkAGBAAIQUgAEEgaiEADAALCyACJAAgAyQBIAQkAiAFJAML1AICAX4BfyACQiBaBEAjAEIBiSMBQgeJfCMC",
  "QgyJIwNCEol8fCEEIAQjABABIQQgBCMBEAEhBCAEIwIQASEEIAQjAxABIQQFIANCxc/ZsvHluuonfCEECyAEIAJ8IQQgACABaiEFAkADQCAA",
  "QQhqIAVLDQEgBEIAIAApAAAQAIVCG4lCh5Wvr5i23puef35C49zKlfzO8vWFf3whBCAAQQhqIQAMAAsLIABBBGogBU0EQCAEIAA1AABCh5Wv",
  "r5i23puef36FQheJQs/W077Sx6vZQn5C+fPd8Zn2masWfCEEIABBBGohAAsCQANAIAAgBU8NASAEIAAxAABCxc/ZsvHluuonfoVCC4lCh5Wv",
  "r5i23puef34hBCAAQQFqIQAMAAsLIAQgBEIhiIVCz9bTvtLHq9lCfiEEIAQgBEIdiIVC+fPd8Zn2masWfiEEIAQgBEIgiIULKwEBfyABQWBx",
  "IQMgAwRAIAIQAiAAIAMQAwsgACADaiABIANrIAGtIAIQBAtyAgN/AX4gAiADQQN0aiEHAkADQCACIAdPDQEgAigCACEIIAIoAgQhCSAAIARq",
  "IAggBGsgBhAFIQpBAEEAKQMIIAp8NwMIQQBBACkDACABIAVqIAkgBWsgChAFfDcDACAIIQQgCSEFIAJBCGohAgwACwsL",
].join("");

/** As much of it as is needed: it is declared for browsers alone. */
declare const WebAssembly: {
  instantiate(code: Uint8Array): Promise<{ readonly instance: { readonly exports: object } }>;
};

interface Assembled {
  readonly memory: { readonly buffer: ArrayBuffer };
  begin(seed: bigint): void;
  stripes(at: number, length: number): void;
  end(at: number, length: number, total: bigint, seed: bigint): bigint;
  hash(at: number, length: number, seed: bigint): bigint;
  sum(
    keys: number,
    values: number,
    ends: number,
    count: number,
    key: number,
    value: number,
    seed: bigint,
  ): void;
}

/** Where things lie in the memory of 24 pages: two sums, ends of rows, then their bytes. */
const endsAt = 16;
const mostRows = 32_768;
const bytesAt = endsAt + 8 * mostRows;
/** Bytes that are copied there at once. */
const mostBytes = 24 * 65_536 - bytesAt;
/** A value of more is hashed in parts, each whole stripes of 32 bytes. */
const partBytes = 1_048_576;

/**
 * XXH64 by WebAssembly. A block of rows is copied there as it lies and hashed with one call: row by row, two views and two calls
 * for each took five times as long.
 */
export class BlockHash {
  readonly #code: Assembled;
  readonly #bytes: Uint8Array;
  readonly #ends: Uint32Array;
  readonly #sums: BigUint64Array;

  private constructor(code: Assembled) {
    const { buffer } = code.memory;
    this.#code = code;
    this.#bytes = new Uint8Array(buffer);
    this.#ends = new Uint32Array(buffer, endsAt, 2 * mostRows);
    this.#sums = new BigUint64Array(buffer, 0, 2);
  }

  /** One for the process: whatever is asked of it is done when the call returns. */
  static load(): Promise<BlockHash> {
    return (loaded ??= WebAssembly.instantiate(Buffer.from(assembled, "base64")).then(
      ({ instance }) => new BlockHash(instance.exports as Assembled),
    ));
  }

  hash(bytes: Uint8Array, seed: bigint): bigint {
    const { length } = bytes;
    if (length > partBytes) return BigInt.asUintN(64, this.#inParts(bytes, seed));
    this.#bytes.set(bytes, bytesAt);
    return BigInt.asUintN(64, this.#code.hash(bytesAt, length, seed));
  }

  /** Adds the hashes of these rows to `sums`: first those of rows, then those of keys, as `RowHash.row` and `key` make them. */
  add(block: RowBlock, from: number, to: number, seed: bigint, sums: BigUint64Array): void {
    for (let at = from; at < to;) {
      const until = fitting(block, at, to);
      if (until > at) this.#addPart(block, at, until, seed, sums);
      else {
        const key = this.hash(block.keys.subarray(keyStart(block, at), keyEnd(block, at)), seed);
        sums[1]! += key;
        sums[0]! += this.hash(block.values.subarray(valueStart(block, at), valueEnd(block, at)), key);
      }
      at = Math.max(until, at + 1);
    }
  }

  #addPart(block: RowBlock, from: number, to: number, seed: bigint, sums: BigUint64Array): void {
    const [key, value] = [keyStart(block, from), valueStart(block, from)];
    const valuesAt = bytesAt + keyEnd(block, to - 1) - key;
    this.#bytes.set(block.keys.subarray(key, keyEnd(block, to - 1)), bytesAt);
    this.#bytes.set(block.values.subarray(value, valueEnd(block, to - 1)), valuesAt);
    this.#ends.set(block.ends.subarray(2 * from, 2 * to));
    this.#sums.fill(0n);
    this.#code.sum(bytesAt - key, valuesAt - value, endsAt, to - from, key, value, seed);
    sums[0]! += this.#sums[0] as bigint;
    sums[1]! += this.#sums[1] as bigint;
  }

  #inParts(bytes: Uint8Array, seed: bigint): bigint {
    const { length } = bytes;
    const whole = length - (length % 32);
    this.#code.begin(seed);
    for (let at = 0; at < whole; at += partBytes) {
      const end = Math.min(whole, at + partBytes);
      this.#bytes.set(bytes.subarray(at, end), bytesAt);
      this.#code.stripes(bytesAt, end - at);
    }
    this.#bytes.set(bytes.subarray(whole), bytesAt);
    return this.#code.end(bytesAt, length - whole, BigInt(length), seed);
  }
}

let loaded: Promise<BlockHash> | undefined;

/** Up to which row they fit in at once; none when the first one alone is too large. */
function fitting(block: RowBlock, from: number, to: number): number {
  const [key, value] = [keyStart(block, from), valueStart(block, from)];
  const bytes = (until: number): number =>
    keyEnd(block, until - 1) - key + valueEnd(block, until - 1) - value;
  let until = Math.min(to, from + mostRows);
  while (until > from && bytes(until) > mostBytes) until = from + ((until - from) >> 1);
  return until;
}

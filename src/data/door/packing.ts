import { CutoverError } from "../../core/index.ts";

/**
 * Fields of messages. Numbers are big-endian; bytes and texts (UTF-8) come after their length in 4 bytes, what may be absent
 * after the length 2³² − 1.
 */

const absent = 0xffff_ffff;

/** Below this a loop is faster than the call into the engine that copies bytes. */
const shortPart = 24;

/** Writes fields into one growing buffer. */
export class Packer {
  #buffer: Buffer;
  #length = 0;

  /** `size` is a guess at the length, bytes; a right one saves copies. */
  constructor(size = 64) {
    this.#buffer = Buffer.allocUnsafe(Math.max(16, size));
  }

  get length(): number {
    return this.#length;
  }

  byte(value: number): this {
    const at = this.#grow(1);
    this.#buffer[at] = value;
    return this;
  }

  word(value: number): this {
    const at = this.#grow(4);
    writeWord(this.#buffer, at, value);
    return this;
  }

  float(value: number): this {
    const at = this.#grow(8);
    this.#buffer.writeDoubleBE(value, at);
    return this;
  }

  bytes(part: Uint8Array): this {
    const { length } = part;
    const at = this.#grow(4 + length);
    const buffer = this.#buffer;
    writeWord(buffer, at, length);
    if (length > shortPart) buffer.set(part, at + 4);
    else for (let i = 0; i < length; i++) buffer[at + 4 + i] = part[i] as number;
    return this;
  }

  optional(part: Uint8Array | null | undefined): this {
    return part === null || part === undefined ? this.word(absent) : this.bytes(part);
  }

  text(text: string): this {
    return this.bytes(Buffer.from(text));
  }

  /** What was written; the packer is not used afterwards. */
  done(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #grow(by: number): number {
    const at = this.#length;
    this.#length = at + by;
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#buffer.length * 2));
      larger.set(this.#buffer.subarray(0, at));
      this.#buffer = larger;
    }
    return at;
  }
}

/**
 * Reads fields out of one message. Bytes are parts of the message, not copies.
 * @throws CUTOVER_DATA_FORMAT in every call that would read past the end
 */
export class Unpacker {
  readonly #data: Buffer;
  readonly #place: string;
  #at = 0;

  constructor(data: Buffer, place: string) {
    this.#data = data;
    this.#place = place;
  }

  get isEmpty(): boolean {
    return this.#at >= this.#data.length;
  }

  byte(): number {
    return this.#data[this.#take(1)] as number;
  }

  word(): number {
    return readWord(this.#data, this.#take(4));
  }

  float(): number {
    return this.#data.readDoubleBE(this.#take(8));
  }

  bytes(): Buffer {
    return this.#part(this.word());
  }

  optional(): Buffer | undefined {
    const length = this.word();
    return length === absent ? undefined : this.#part(length);
  }

  text(): string {
    return this.bytes().toString();
  }

  /** @throws CUTOVER_DATA_FORMAT when something is left, as it was meant to say something */
  end(): void {
    const left = this.#data.length - this.#at;
    if (left > 0) throw damaged(this.#place, `${left} bytes behind its last field`);
  }

  #part(length: number): Buffer {
    const at = this.#take(length);
    return this.#data.subarray(at, at + length);
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#data.length)
      throw damaged(this.#place, `${this.#data.length - at} bytes where ${length} were to come`);
    this.#at = at + length;
    return at;
  }
}

/** CUTOVER_DATA_FORMAT for what no end of this version sends. */
export function damaged(place: string, found: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_FORMAT", {
    message: `expected what a door to data sends, found ${found}`,
    place,
    remedy: "give the address of a door to data, and use the same version of cutover on both sides",
  });
}

export function writeWord(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
}

export function readWord(buffer: Uint8Array, at: number): number {
  return (
    (((buffer[at] as number) << 24) |
      ((buffer[at + 1] as number) << 16) |
      ((buffer[at + 2] as number) << 8) |
      (buffer[at + 3] as number)) >>>
    0
  );
}

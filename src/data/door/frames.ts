import { damaged, readWord, writeWord } from "./packing.ts";

/**
 * A frame: length of the rest (4 bytes), type (1 byte), call (4 bytes), then the payload. A message is one or more frames of
 * one type and call; all but its last one are full and have the top bit of the type set. Messages of several calls may lie interleaved, so a
 * large one does not keep small ones waiting.
 */
export const frameTypes = {
  hello: 1,
  call: 2,
  credit: 3,
  cancel: 4,
  pong: 5,
  welcome: 16,
  part: 17,
  result: 18,
  error: 19,
  ping: 20,
} as const;

export type FrameType = keyof typeof frameTypes;

const typeNames: ReadonlyMap<number, FrameType> = new Map(
  Object.entries(frameTypes).map(([name, code]) => [code, name as FrameType]),
);

/** One whole message. */
export interface Message {
  readonly type: FrameType;
  /** Which call it belongs to; 0: the connection itself. */
  readonly call: number;
  readonly payload: Buffer;
}

const more = 0x80;
/** Length, type, call. */
const headerBytes = 9;
/** What lies in a frame beside its payload and length. */
const frameOverhead = headerBytes - 4;
/** Most payload of one frame. */
export const longestFrame = 262_144;

/** The frames of a message, as parts to write one after the other: the payload is not copied. */
export function* framesOf(type: FrameType, call: number, payload: Uint8Array): Generator<Uint8Array> {
  let at = 0;
  do {
    const part = payload.length <= longestFrame ? payload : payload.subarray(at, at + longestFrame);
    at += part.length;
    const header = Buffer.allocUnsafe(headerBytes);
    writeWord(header, 0, part.length + frameOverhead);
    header[4] = frameTypes[type] | (at < payload.length ? more : 0);
    writeWord(header, 5, call);
    yield header;
    if (part.length > 0) yield part;
  } while (at < payload.length);
}

interface Growing {
  readonly type: FrameType;
  readonly parts: Buffer[];
}

/** Makes messages of what comes in, whatever the pieces in which it comes. Holds at most `most` bytes of messages that are not whole. */
export class FrameReader {
  readonly #place: string;
  readonly #most: number;
  readonly #header = Buffer.allocUnsafe(headerBytes);
  #headerHas = 0;
  #body: Buffer | undefined;
  #bodyHas = 0;
  readonly #growing = new Map<number, Growing>();
  #held = 0;

  constructor(place: string, most: number) {
    this.#place = place;
    this.#most = most;
  }

  /**
   * The messages that `chunk` makes whole. Payloads may be parts of `chunk`.
   * @throws CUTOVER_DATA_FORMAT; nothing that comes after can be read then
   */
  *read(chunk: Buffer): Generator<Message> {
    let at = 0;
    for (;;) {
      if (this.#headerHas < headerBytes) {
        if (at === chunk.length) return;
        const taken = Math.min(headerBytes - this.#headerHas, chunk.length - at);
        chunk.copy(this.#header, this.#headerHas, at, at + taken);
        this.#headerHas += taken;
        at += taken;
        if (this.#headerHas < headerBytes) return;
      }
      const length = this.#length();
      // One without payload is whole with its header.
      if (this.#body === undefined && chunk.length - at >= length) {
        const whole = chunk.subarray(at, at + length);
        at += length;
        yield* this.#frame(whole);
        continue;
      }
      if (at === chunk.length) return;
      this.#body ??= Buffer.allocUnsafe(length);
      const taken = Math.min(length - this.#bodyHas, chunk.length - at);
      chunk.copy(this.#body, this.#bodyHas, at, at + taken);
      this.#bodyHas += taken;
      at += taken;
      if (this.#bodyHas === length) yield* this.#frame(this.#body);
    }
  }

  /** Length of the payload. Looked at before anything is kept for it. */
  #length(): number {
    const length = readWord(this.#header, 0) - frameOverhead;
    if (length < 0 || length > longestFrame)
      throw damaged(this.#place, `a frame of ${length + frameOverhead} bytes`);
    if (!typeNames.has((this.#header[4] as number) & ~more))
      throw damaged(this.#place, `a frame of type ${this.#header[4]}`);
    return length;
  }

  *#frame(payload: Buffer): Generator<Message> {
    const code = this.#header[4] as number;
    const type = typeNames.get(code & ~more) as FrameType;
    const call = readWord(this.#header, 5);
    this.#headerHas = 0;
    this.#body = undefined;
    this.#bodyHas = 0;
    const growing = this.#growing.get(call);
    const last = (code & more) === 0;
    if (growing === undefined) {
      if (last) yield { type, call, payload };
      else this.#keep(payload, call, { type, parts: [] }, last);
      return;
    }
    // What stands beside a message that grows, as a cancel does, is no part of it.
    if (growing.type !== type) {
      if (!last) throw damaged(this.#place, "two messages of one call at once");
      yield { type, call, payload };
      return;
    }
    this.#keep(payload, call, growing, last);
    if (!last) return;
    this.#growing.delete(call);
    const whole = Buffer.concat(growing.parts);
    this.#held -= whole.length;
    yield { type, call, payload: whole };
  }

  #keep(payload: Buffer, call: number, growing: Growing, last: boolean): void {
    // Many short frames would cost far more than their bytes.
    if (!last && payload.length < longestFrame)
      throw damaged(this.#place, "a frame that is neither full nor the last one of its message");
    growing.parts.push(payload);
    this.#growing.set(call, growing);
    this.#held += payload.length;
    if (this.#held > this.#most) throw damaged(this.#place, `messages of more than ${this.#most} bytes`);
  }
}

import { formatSize } from "../size.ts";

/**
 * What a program writes, kept within `limit` bytes: the first quarter and the last three quarters, because
 * errors stand at the end and what was started stands at the beginning.
 */
export class BoundedOutput {
  readonly #headLimit: number;
  readonly #tailLimit: number;
  readonly #head: Buffer[] = [];
  #headBytes = 0;
  #tail: Buffer[] = [];
  #tailBytes = 0;
  #total = 0;

  constructor(limit: number) {
    this.#headLimit = Math.floor(limit / 4);
    this.#tailLimit = limit - this.#headLimit;
  }

  /** Bytes written in all, kept or not. */
  get total(): number {
    return this.#total;
  }

  get cut(): boolean {
    return this.#total > this.#headLimit + this.#tailLimit;
  }

  write(chunk: Buffer): void {
    this.#total += chunk.length;
    const intoHead = Math.min(chunk.length, this.#headLimit - this.#headBytes);
    if (intoHead > 0) {
      this.#head.push(chunk.subarray(0, intoHead));
      this.#headBytes += intoHead;
    }
    if (intoHead < chunk.length) {
      this.#tail.push(chunk.subarray(intoHead));
      this.#tailBytes += chunk.length - intoHead;
      // Joined only when twice the limit has come together: each byte is copied at most once more.
      if (this.#tailBytes > 2 * this.#tailLimit) this.#trim();
    }
  }

  /** The text as UTF-8; where something was left out, a line says how much. */
  text(): string {
    this.#trim();
    const head = Buffer.concat(this.#head);
    const tail = Buffer.concat(this.#tail);
    if (!this.cut) return Buffer.concat([head, tail]).toString("utf8");
    const left = this.#total - head.length - tail.length;
    return `${wholeEnd(head).toString("utf8")}\n… ${formatSize(left)} left out …\n${wholeStart(tail).toString("utf8")}`;
  }

  #trim(): void {
    const joined = Buffer.concat(this.#tail);
    // A copy, so that the large buffers it was cut from can be freed.
    this.#tail = [Buffer.from(joined.subarray(Math.max(0, joined.length - this.#tailLimit)))];
    this.#tailBytes = this.#tail[0]?.length ?? 0;
  }
}

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/** Without the half character a cut may have left at the start. */
function wholeStart(bytes: Buffer): Buffer {
  let from = 0;
  while (from < 3 && isContinuation(bytes[from])) from++;
  return bytes.subarray(from);
}

/** Without the half character a cut may have left at the end. */
function wholeEnd(bytes: Buffer): Buffer {
  for (let back = 1; back <= 4 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (isContinuation(byte)) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.subarray(0, bytes.length - back) : bytes;
  }
  return bytes;
}

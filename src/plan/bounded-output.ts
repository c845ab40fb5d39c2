/**
 * What a process wrote, bounded: the first and the last part stay, the middle is counted. Errors stand at the end,
 * the reason for them often at the start.
 */
export class BoundedOutput {
  readonly #headLimit: number;
  readonly #tailLimit: number;
  readonly #head: Buffer[] = [];
  readonly #tail: Buffer[] = [];
  #headBytes = 0;
  #tailBytes = 0;
  #leftOut = 0;

  /** @param limit bytes kept in all: a quarter of the start, the rest of the end. Default 32 KiB. */
  constructor(limit: number = 32_768) {
    this.#headLimit = Math.floor(limit / 4);
    this.#tailLimit = limit - this.#headLimit;
  }

  push(chunk: Buffer): void {
    const room = this.#headLimit - this.#headBytes;
    const start = chunk.subarray(0, Math.max(0, room));
    if (start.length > 0) {
      this.#head.push(start);
      this.#headBytes += start.length;
    }
    const rest = chunk.subarray(start.length);
    if (rest.length === 0) return;
    this.#tail.push(rest);
    this.#tailBytes += rest.length;
    while (this.#tailBytes > this.#tailLimit) this.#drop(this.#tailBytes - this.#tailLimit);
  }

  #drop(excess: number): void {
    const first = this.#tail[0];
    if (first === undefined) return;
    const gone = Math.min(excess, first.length);
    if (gone === first.length) this.#tail.shift();
    else this.#tail[0] = first.subarray(gone);
    this.#tailBytes -= gone;
    this.#leftOut += gone;
  }

  get bytes(): number {
    return this.#headBytes + this.#tailBytes + this.#leftOut;
  }

  /** The kept text; where bytes were left out, a line says how many. */
  text(): string {
    const head = Buffer.concat(this.#head).toString("utf8");
    const tail = Buffer.concat(this.#tail).toString("utf8");
    return this.#leftOut === 0 ? head + tail : `${head}\n… ${this.#leftOut} bytes left out …\n${tail}`;
  }
}

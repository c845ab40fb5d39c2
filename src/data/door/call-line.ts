/** Calls of one connection that run at a time; those after them stand in line. */
const atOnce = 8;
/** Bytes and calls in line from which on nothing more is read. */
const mostBytes = 33_554_432;
const mostCalls = 1_000;

/** Keeps a client from asking for more at a time than its application can bear. */
export class CallLine {
  readonly #waiting: { readonly bytes: number; readonly start: () => Promise<void> }[] = [];
  #running = 0;
  #bytes = 0;
  #closed = false;

  /** Whether so much stands in line that nothing more is to be read. */
  get isFull(): boolean {
    return this.#bytes > mostBytes || this.#waiting.length > mostCalls;
  }

  /** `start` is called when it is this call's turn, and does not throw. */
  add(bytes: number, start: () => Promise<void>): void {
    this.#waiting.push({ bytes, start });
    this.#bytes += bytes;
    this.#next();
  }

  /** What stands in line is not begun any more. */
  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
  }

  #next(): void {
    while (this.#running < atOnce && !this.#closed) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#bytes -= next.bytes;
      this.#running++;
      void next.start().then(() => {
        this.#running--;
        this.#next();
      });
    }
  }
}

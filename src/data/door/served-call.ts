import type { CutoverError } from "../../core/index.ts";

/** A call that a server has taken: how much of the answer the client has room for, and whether it still wants it. */
export class ServedCall {
  /** The write it has begun at the store. */
  writing: Promise<unknown> | undefined;
  readonly #abort = new AbortController();
  #credit: number;
  #wake: (() => void) | undefined;
  #why: CutoverError | undefined;

  /** `credit`: bytes of parts that may be sent before the client allows more. */
  constructor(credit: number) {
    this.#credit = credit;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** What the client is told when it was the server who ended the call. */
  get why(): CutoverError | undefined {
    return this.#why;
  }

  allow(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit > 0) this.#wake?.();
  }

  /** Waits until the client has room. The last part may take more than there is: rows are not cut. */
  async room(): Promise<void> {
    while (this.#credit <= 0 && !this.signal.aborted)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    this.signal.throwIfAborted();
  }

  spend(bytes: number): void {
    this.#credit -= bytes;
  }

  /** The client does not want it any more. */
  cancel(): void {
    this.#abort.abort(new Error("the client does not wait for it any more"));
    this.#wake?.();
  }

  end(why: CutoverError): void {
    this.#why ??= why;
    this.#abort.abort(why);
    this.#wake?.();
  }
}

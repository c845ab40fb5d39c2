import { CutoverError } from "../../core/index.ts";
import type { Reader } from "../connector.ts";

/** Snapshots keep a store from giving up space, so one client holds only so many. */
const most = 64;

/** Readers of one moment that a client holds, each under a number. */
export class HeldSnapshots {
  readonly #place: string;
  readonly #readers = new Map<number, Reader>();
  #last = 0;
  #making = 0;

  constructor(place: string) {
    this.#place = place;
  }

  /** @throws CUTOVER_DATA_UNAVAILABLE when there are too many */
  async open(make: () => Promise<Reader>): Promise<{ readonly number: number; readonly reader: Reader }> {
    if (this.#readers.size + this.#making >= most)
      throw new CutoverError("CUTOVER_DATA_UNAVAILABLE", {
        message: `expected at most ${most} snapshots of one connection at a time, found more`,
        place: this.#place,
        remedy: "dispose of snapshots that are not read any more",
      });
    this.#making++;
    try {
      const reader = await make();
      const number = ++this.#last;
      this.#readers.set(number, reader);
      return { number, reader };
    } finally {
      this.#making--;
    }
  }

  /** Undefined when there is none of this number. */
  at(number: number): Reader | undefined {
    return this.#readers.get(number);
  }

  async end(number: number): Promise<void> {
    const reader = this.#readers.get(number);
    this.#readers.delete(number);
    await reader?.[Symbol.asyncDispose]();
  }

  async endAll(): Promise<void> {
    await Promise.allSettled([...this.#readers.keys()].map((number) => this.end(number)));
  }
}

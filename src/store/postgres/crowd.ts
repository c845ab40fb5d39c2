import type { StoredEvent } from "../run-events.ts";

/** So many commits in a row before each of which others had written twice as many events as it did, and it is crowded. */
const dense = 4;
const most = 2 * dense;
/** After so many in a row before which others wrote nothing it is alone. */
const calm = 3;
/** After so many in a row nobody is taken to claim beside it: who commits seldom may wait for the end of the chain all the same. */
const quiet = 1_000;

/**
 * Whether other processes commit more often than this one. Then its own commits must not hold the end of the chain while it
 * is deciding: everybody would wait for one process at a time.
 */
export class Crowd {
  #last: number | undefined;
  #density = 0;
  #calm = 0;
  /** Own commits since others were seen. */
  #since = quiet;

  get isDense(): boolean {
    return this.#density >= dense;
  }

  /** Nobody else seems to commit. */
  get isAlone(): boolean {
    return this.#calm >= calm;
  }

  /** Others may be about to claim as well. */
  get hasOthers(): boolean {
    return this.#since < quiet;
  }

  /** This process has added these events. */
  committed(events: readonly StoredEvent[]): void {
    const [first, last] = [events[0], events.at(-1)];
    if (first === undefined || last === undefined) return;
    const others = this.#last === undefined ? 0 : first.seq - 1 - this.#last;
    const isCrowded = others >= 2 * events.length;
    this.#density = isCrowded ? Math.min(most, this.#density + 1) : Math.max(0, this.#density - 2);
    this.#calm = others === 0 ? this.#calm + 1 : 0;
    this.#since = others === 0 ? this.#since + 1 : 0;
    this.#last = last.seq;
  }
}

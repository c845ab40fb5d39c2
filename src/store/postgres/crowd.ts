import type { StoredEvent } from "../run-events.ts";

/** So many commits in a row before each of which others had written twice as many events as it did, and it is crowded. */
const dense = 4;
const most = 2 * dense;
/** After so many in a row before which others wrote nothing it is alone. */
const calm = 3;
/** For so many commits it is remembered that it was crowded, and that there were others: they may commit seldom, and wait. */
const memory = 64;
const longMemory = 1_000;

/**
 * Whether other processes commit more often than this one. Then its own commits must not hold the end of the chain while it
 * is deciding: everybody would wait for one process at a time.
 */
export class Crowd {
  #last: number | undefined;
  #density = 0;
  #calm = 0;
  /** Commits since others were seen, and since it was crowded. */
  #sinceOthers = longMemory;
  #sinceDense = 0;
  readonly #company: () => boolean;

  /** @param company whether other processes have said that they are there: until more is known they are as busy as can be */
  constructor(company: () => boolean) {
    this.#company = company;
  }

  get isDense(): boolean {
    return this.#density >= dense;
  }

  /** Nobody else seems to commit. */
  get isAlone(): boolean {
    return this.#calm >= calm;
  }

  /** Others may be about to claim as well. */
  get hasOthers(): boolean {
    return this.#sinceOthers < longMemory || this.#company();
  }

  /** It was crowded lately: others may be so still. */
  get wasDense(): boolean {
    return this.hasOthers && this.#sinceDense < memory;
  }

  /** This process has added these events. */
  committed(events: readonly StoredEvent[]): void {
    const [first, last] = [events[0], events.at(-1)];
    if (first === undefined || last === undefined) return;
    const others = this.#last === undefined ? 0 : first.seq - 1 - this.#last;
    const isCrowded = others >= 2 * events.length;
    this.#density = isCrowded ? Math.min(most, this.#density + 1) : Math.max(0, this.#density - 2);
    this.#calm = others === 0 ? this.#calm + 1 : 0;
    this.#sinceOthers = others > 0 ? 0 : this.#sinceOthers + 1;
    this.#sinceDense = this.isDense ? 0 : this.#sinceDense + 1;
    this.#last = last.seq;
  }
}

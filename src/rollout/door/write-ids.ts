import type { Side } from "../../core/index.ts";

/** What a side's function of a write sees as `this`. */
export interface Write {
  /**
   * The same at every call for this write, on both sides. Later writes of a key have greater ids, as text: a side that
   * keeps the id of the last write of each key, and leaves alone what comes with one that is not greater, takes each
   * write once and never goes back.
   */
  readonly id: string;
  readonly operation: string;
  readonly key: string | undefined;
  /** The side that is called. */
  readonly side: Side;
  /** 0 for the call a caller waits for, then counted from 1. */
  readonly attempt: number;
  /** True when an earlier call for this write may have been made to this side. */
  readonly again: boolean;
}

/**
 * Ids that grow: nine characters of milliseconds, four that count within one, and six of the door. They never go back
 * while the door lives, whatever its clock does, and never below one that was seen.
 */
export class WriteIds {
  readonly #door: string;
  #ms = 0;
  #count = 0;

  /** @param door six letters that no other door of the host has */
  constructor(door: string) {
    this.#door = door;
  }

  next(now: number, above = ""): string {
    if (above !== "") this.saw(above);
    if (now > this.#ms) {
      this.#ms = now;
      this.#count = 0;
    } else this.#count++;
    return `${text(Math.floor(this.#ms), 9)}${text(this.#count, 4)}-${this.#door}`;
  }

  /** The next ones are greater than this. */
  saw(id: string): void {
    const ms = this.timeOf(id);
    const count = Number.parseInt(id.slice(9, 13), 36);
    if (ms > this.#ms) {
      this.#ms = ms;
      this.#count = count;
    } else if (ms === this.#ms) this.#count = Math.max(this.#count, count);
  }

  /** Wall-clock milliseconds at which the id was made. */
  timeOf(id: string): number {
    return Number.parseInt(id.slice(0, 9), 36);
  }
}

function text(value: number, width: number): string {
  return value.toString(36).padStart(width, "0");
}

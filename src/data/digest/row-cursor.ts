import { CutoverError } from "../../core/index.ts";
import { compareBytes, keyText } from "../bytes.ts";
import type { Range, Reader, Row } from "../connector.ts";
import { freeAreas, freeHuge, isHuge } from "../huge-rows.ts";
import { ReadAhead } from "./read-ahead.ts";

/**
 * Rows of a range one after the other. The next batch is asked for while this one is worked on, so that two stores are
 * read at the same time; not beside a huge row, of which one is enough in memory.
 */
export class RowCursor implements AsyncDisposable {
  readonly #batches: ReadAhead<readonly Row[]>;
  readonly #name: string;
  readonly #frees: boolean;
  #last: Uint8Array | undefined;
  /** The batch at hand and where in it the cursor stands. */
  rows: readonly Row[] = [];
  at = 0;
  #done = false;

  /** `name`: the store, for messages. `frees`: rows are not looked at once the cursor has passed their batch. */
  constructor(batches: AsyncIterable<readonly Row[]>, name: string, frees = false) {
    this.#name = name;
    this.#frees = frees;
    this.#batches = new ReadAhead(batches);
  }

  /** Whether a row stands here; fetches the next batch when this one is used up. */
  async filled(): Promise<boolean> {
    while (this.at >= this.rows.length) {
      if (this.#done) return false;
      this.#leave();
      const next = await this.#batches.next();
      if (next === undefined) {
        this.#done = true;
        return false;
      }
      this.rows = next;
      this.at = 0;
      this.#ordered();
      if (!this.rows.some(isHuge)) this.#batches.ask();
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#done = true;
    this.#leave();
    await this.#batches[Symbol.asyncDispose]();
    freeAreas();
  }

  /** Lets go of the batch at hand. */
  #leave(): void {
    if (this.#frees) freeHuge(this.rows);
    this.rows = [];
    this.at = 0;
  }

  /** Ranges mean nothing in a store whose order is another one: a wrong connector would look like a wrong copy. */
  #ordered(): void {
    for (const { key } of this.rows) {
      if (this.#last !== undefined && compareBytes(this.#last, key) >= 0)
        throw new CutoverError("CUTOVER_DATA_ORDER", {
          message: `expected keys in the order of their bytes, each once, found ${keyText(key)} after ${keyText(this.#last)}`,
          place: this.#name,
        });
      this.#last = key;
    }
  }
}

/**
 * Cursor over a range of a store, or over nothing where the store has no such collection. For whoever looks at values no more once
 * the cursor has passed them.
 */
export function openCursor(reader: Reader | undefined, range: Range, signal?: AbortSignal): RowCursor {
  if (reader === undefined) return new RowCursor(nothing(), "");
  return new RowCursor(
    reader.scan(range, signal === undefined ? {} : { signal }),
    reader.name,
    reader.givesCopies,
  );
}

async function* nothing(): AsyncGenerator<readonly Row[]> {}

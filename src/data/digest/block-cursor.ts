import { CutoverError } from "../../core/index.ts";
import { keyText } from "../bytes.ts";
import { freeAreas } from "../huge-rows.ts";
import { ReadAhead } from "./read-ahead.ts";
import { freeBlock, isHugeBlock, keyAt, keyEnd, keyStart, type RowBlock } from "../row-block.ts";

/**
 * Rows one after the other, in blocks that are nobody else's. The next one is asked for while this one is worked on, not beside a huge
 * row; the memory of a block is given back when the cursor leaves it.
 */
export class BlockCursor implements AsyncDisposable {
  readonly #blocks: ReadAhead<RowBlock>;
  readonly #name: string;
  #last: Uint8Array | undefined;
  /** The block at hand, absent behind the last one, and where in it the cursor stands. */
  block: RowBlock | undefined;
  at = 0;
  #done = false;

  /** `name`: the store, for messages. */
  constructor(blocks: AsyncIterable<RowBlock>, name: string) {
    this.#name = name;
    this.#blocks = new ReadAhead(blocks);
  }

  /** Whether the block at hand is used up. */
  get isUsed(): boolean {
    return this.block === undefined ? !this.#done : this.at >= this.block.count;
  }

  /** Fetches the next block in the place of one that is used up. */
  async fill(): Promise<void> {
    while (this.isUsed) {
      this.#leave();
      const next = await this.#blocks.next();
      if (next === undefined) {
        this.#done = true;
        return;
      }
      this.block = next;
      this.#ordered(next);
      if (!isHugeBlock(next)) this.#blocks.ask();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#done = true;
    this.#leave();
    await this.#blocks[Symbol.asyncDispose]();
    freeAreas();
  }

  #leave(): void {
    if (this.block !== undefined) freeBlock(this.block);
    this.block = undefined;
    this.at = 0;
  }

  /** Ranges mean nothing in a store whose order is another one: a wrong connector would look like a wrong copy. */
  #ordered(block: RowBlock): void {
    for (let at = 0; at < block.count; at++) {
      const before = at === 0 ? this.#last : undefined;
      if (
        at === 0 ? before === undefined || isBefore(before, 0, before.length, block, 0) : inOrder(block, at)
      )
        continue;
      const last = before ?? keyAt(block, at - 1);
      throw new CutoverError("CUTOVER_DATA_ORDER", {
        message: `expected keys in the order of their bytes, each once, found ${keyText(keyAt(block, at))} after ${keyText(last)}`,
        place: this.#name,
      });
    }
    this.#last = Buffer.from(keyAt(block, block.count - 1));
  }
}

const inOrder = (block: RowBlock, at: number): boolean =>
  isBefore(block.keys, keyStart(block, at - 1), keyEnd(block, at - 1), block, at);

/** Whether a key lies before the one of a row. A loop: a call for each of them would cost more than the rest. */
function isBefore(bytes: Uint8Array, start: number, end: number, block: RowBlock, at: number): boolean {
  const { keys } = block;
  const to = keyEnd(block, at);
  let other = keyStart(block, at);
  for (let place = start; place < end && other < to; place++, other++) {
    const difference = (bytes[place] as number) - (keys[other] as number);
    if (difference !== 0) return difference < 0;
  }
  return end - start < to - keyStart(block, at);
}

import { type ByteEngine, type ByteView, type Put, reserved } from "./capture-engine.ts";
import type { Change, ChunkLimit, Collection, Range, Reader, Row } from "./connector.ts";
import { copyOf, keyAt, type RowBlock } from "./row-block.ts";
import { turnOfOthers } from "./turn-of-others.ts";

/** Rows read at once by a scan. */
const scanLimit: ChunkLimit = { rows: 1_000, bytes: 8_388_608 };
const blockLimit: ChunkLimit = { rows: 10_000, bytes: 786_432 };

/** Everything as one view shows it. */
export class Moment implements Reader {
  readonly name: string;
  readonly givesCopies: boolean;
  readonly #collections: readonly Collection[];
  readonly #view: ByteView;
  readonly #known: (collection: string) => void;

  constructor(
    { name, copies = false }: Pick<ByteEngine, "name" | "copies">,
    collections: readonly Collection[],
    view: ByteView,
    known: (collection: string) => void,
  ) {
    this.name = name;
    this.givesCopies = copies;
    this.#collections = collections;
    this.#view = view;
    this.#known = known;
  }

  collections(): Promise<readonly Collection[]> {
    return Promise.resolve(this.#collections);
  }

  async get(collection: string, wanted: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    this.#known(collection);
    return getFrom(this.#view, collection, wanted);
  }

  scan(
    range: Range,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<readonly Row[], void, void> {
    this.#known(range.collection);
    return scanOf(this.#view, range, options.signal);
  }

  async count(range: Range): Promise<number> {
    this.#known(range.collection);
    return this.#view.count(placeOf(range.collection).range(range));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#view.close();
  }
}

export function getFrom(
  view: ByteView,
  collection: string,
  wanted: readonly Uint8Array[],
): Promise<readonly (Uint8Array | undefined)[]> {
  const at = placeOf(collection);
  return view.get(
    at.collection,
    wanted.map((key) => at.key(key)),
  );
}

export async function* scanOf(
  view: ByteView,
  range: Range,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly Row[], void, void> {
  let rest = range;
  for (let end = false; !end;) {
    signal?.throwIfAborted();
    const part = await rowsOf(view, rest, scanLimit);
    end = part.end;
    const last = part.rows.at(-1);
    if (last === undefined) return;
    rest = { ...range, after: last.key };
    yield part.rows;
    await turnOfOthers();
  }
}

/** As `scanOf`, rows in blocks. */
export async function* blocksOf(
  view: ByteView,
  range: Range,
  signal: AbortSignal | undefined,
): AsyncGenerator<RowBlock, void, void> {
  let rest = range;
  for (let end = false; !end;) {
    signal?.throwIfAborted();
    const part =
      view.block === undefined || isOwn(range)
        ? await rowsOf(view, rest, scanLimit).then(({ rows, end: over }) => ({
            block: copyOf(rows),
            end: over,
          }))
        : await view.block(rest, blockLimit);
    ({ end } = part);
    const { block } = part;
    if (block === undefined) return;
    rest = { ...range, after: Buffer.from(keyAt(block, block.count - 1)) };
    yield block;
    await turnOfOthers();
  }
}

/** Collections of moves: their rows lie among the records, each after the name of its collection. */
export const ownPrefix: string = "cutover_";
export const isOwn = ({ collection }: { readonly collection: string }): boolean =>
  collection.startsWith(ownPrefix);

interface Place {
  readonly collection: string;
  readonly key: (key: Uint8Array) => Uint8Array;
  readonly range: (range: Range) => Range;
  readonly row: (row: Row) => Row;
}

export function placeOf(collection: string): Place {
  if (!isOwn({ collection }))
    return { collection, key: (key) => key, range: (range) => range, row: (row) => row };
  const start = Buffer.from(`x${collection}\0`);
  const key = (own: Uint8Array): Uint8Array => Buffer.concat([start, own]);
  return {
    collection: reserved,
    key,
    range: ({ after, upTo }) => ({
      collection: reserved,
      after: after === undefined ? start.subarray(0, -1) : key(after),
      upTo: upTo === undefined ? Buffer.from(`x${collection}\u0001`) : key(upTo),
    }),
    row: (row) => ({ key: row.key.subarray(start.length), value: row.value }),
  };
}

export const placed = (change: Change): Put => {
  const at = placeOf(change.collection);
  return { collection: at.collection, key: at.key(change.key), value: change.value };
};

export async function rowsOf(
  view: ByteView,
  range: Range,
  limit: ChunkLimit,
): Promise<{ readonly rows: readonly Row[]; readonly end: boolean }> {
  const at = placeOf(range.collection);
  const part = await view.rows(at.range(range), limit);
  return isOwn(range) ? { rows: part.rows.map(at.row), end: part.end } : part;
}

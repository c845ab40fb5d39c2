import {
  type ByteEngine,
  type ByteView,
  type Put,
  type PutBlock,
  reserved,
  type WriteBody,
} from "../capture-engine.ts";
import type { Change, ChunkLimit, Collection, Range, Row } from "../connector.ts";
import { freeAreas, giveBack, hugeFrom } from "../huge-rows.ts";
import {
  BlockBuilder,
  isHugeBlock,
  keyAt,
  keyEnd,
  keyStart,
  type RowBlock,
  valueAt,
  valueEnd,
  valueStart,
} from "../row-block.ts";
import { BlockRow, readInto } from "./lmdb-codec.ts";
import type { LmdbDb, LmdbRange, LmdbRead, LmdbRoot } from "./lmdb-driver.ts";
import { namedDatabase, structureBytes } from "./lmdb-root.ts";
import type { Opening } from "./lmdb-opening.ts";
import { closedStore, storeError } from "./place.ts";
import type { WriteHold } from "./write-hold.ts";

/** The package refuses longer keys. */
const longestKey = 1_978;
/** How long the write of another process may go unseen by one who follows the log. */
const lookAgainMs = 50;
/** Rows from which on a transaction is queued: fewer are written sooner than told of. */
const queuedFrom = 64;
/** Bytes that the values of a block have at first, as it grows where it has to. */
const firstArea = 262_144;
/** Stands among the records while a transaction is refused, and never after it. */
const refusedKey: Buffer = Buffer.from("r");

/**
 * LMDB has one writer at a time over all processes, and snapshots that cost nothing: bodies run inside the write
 * transaction, so that what they read is what every process has committed.
 */
export class LmdbEngine implements ByteEngine {
  readonly name: string;
  readonly copies: boolean = true;
  readonly inOrder: boolean = true;
  readonly pollMs: number = lookAgainMs;
  readonly #root: LmdbRoot;
  readonly #databases: ReadonlyMap<string, LmdbDb>;
  readonly #problems: readonly Collection[];
  readonly #listeners = new Set<() => void>();
  readonly #opening: Opening;
  readonly #hold: WriteHold;
  /** Bytes of values in the block before: the next one will have about as many. */
  #before = 0;
  #closed = false;
  /** Something was refused by the driver or the disk. */
  #failed = false;
  #last: Promise<unknown> | undefined;

  /** `databases`: what each collection is, the reserved one among them; `""` is the root. Leaves `opening` when it is closed. */
  constructor(
    name: string,
    root: LmdbRoot,
    databases: ReadonlyMap<string, LmdbDb>,
    problems: readonly Collection[],
    opening: Opening,
  ) {
    this.name = name;
    this.#root = root;
    this.#databases = databases;
    this.#problems = problems;
    this.#opening = opening;
    this.#hold = opening.join();
  }

  collections(): Promise<readonly Collection[]> {
    return this.#mapped(async () => {
      this.#open();
      const names = [...this.#databases.keys()].filter((name) => name !== reserved);
      const found = names.map((name): Collection => {
        const rows = this.#db(name).getStats().entryCount;
        // The root counts its named databases too.
        return rows === undefined || name === "" ? { name } : { name, rows };
      });
      return Promise.resolve([...found, ...this.#problems]);
    });
  }

  has(collection: string): boolean {
    return this.#databases.has(collection);
  }

  refusal({ collection, key, value }: Change): string | undefined {
    if (key.length === 0) return "LMDB has no empty keys";
    if (key.length > longestKey)
      return `LMDB keys are at most ${longestKey} bytes long, this one is ${key.length}`;
    if (value !== null && value.length > 0xffff_0000) return "LMDB values are smaller than 4 GiB";
    if (collection === "" && value !== null && namedDatabase(key, value) !== undefined)
      return "in the root it could not be told from a named database";
    return undefined;
  }

  refusalIn(
    collection: string,
    block: RowBlock,
  ): { readonly key: Uint8Array; readonly reason: string } | undefined {
    const { count } = block;
    for (let at = 0; at < count; at++) {
      const length = keyEnd(block, at) - keyStart(block, at);
      const size = valueEnd(block, at) - valueStart(block, at);
      // Whether it is one is looked at where it may be.
      if (length > 0 && length <= longestKey && size !== structureBytes && size < hugeFrom) continue;
      const key = keyAt(block, at);
      const reason = this.refusal({ collection, key, value: valueAt(block, at) });
      if (reason !== undefined) return { key, reason };
    }
    return undefined;
  }

  view(): ByteView {
    this.#open();
    const transaction = this.#root.useReadTransaction();
    let open = true;
    return {
      record: (key) => this.#db(reserved).getBinary(key, { transaction }),
      get: (collection, keys) =>
        this.#mapped(() =>
          Promise.resolve(
            keys.map((key) =>
              key.length === 0 || key.length > longestKey
                ? undefined
                : this.#visible(collection, key, this.#db(collection).getBinary(key, { transaction })),
            ),
          ),
        ),
      rows: (range, limit) => this.#mapped(() => Promise.resolve(this.#rows(range, limit, transaction))),
      block: (range, limit) => this.#mapped(() => Promise.resolve(this.#block(range, limit, transaction))),
      count: (range) => this.#mapped(() => Promise.resolve(this.#count(range, transaction))),
      close: () => {
        if (open) transaction.done();
        open = false;
        return Promise.resolve();
      },
    };
  }

  async write(body: WriteBody, durable: boolean, rows: readonly Put[] = [], block?: PutBlock): Promise<void> {
    this.#open();
    await this.#hold.run(async () => {
      await this.#begin(body, rows, block);
      if (durable) await this.#mapped(() => this.#root.flushed);
    });
    for (const listener of this.#listeners) listener();
  }

  onWrite(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#hold.done();
    this.#opening.leave(this.#hold);
    // The package waits for what it wrote last to be on disk, of a commit that failed for ever: something else has to be last.
    if (this.#failed) await this.#db(reserved).remove(refusedKey).catch(ignore);
    await this.#root.close();
    freeAreas();
  }

  async #begin(body: WriteBody, rows: readonly Put[], block: PutBlock | undefined): Promise<void> {
    const queued = block !== undefined || rows.length >= queuedFrom;
    let refused: { readonly error: unknown } | undefined;
    const records = this.#db(reserved);
    const decide = (beside: readonly Put[]): void => {
      try {
        // What throws in here does not end the transaction, so nothing is written before the body has returned.
        const puts = body((key) => records.getBinary(key));
        for (const put of beside) this.#put(put);
        for (const put of puts) this.#put(put);
      } catch (error) {
        refused = { error };
        if (queued) void records.put(refusedKey, refusedKey);
      }
    };
    await this.#mapped(() => {
      const done = queued
        ? this.#queued(records, () => decide([]), rows, block)
        : this.#root.transaction(() => decide(rows));
      // At the end of the turn the package makes a promise of its own for the commit. When that fails and nobody has heard of it, the
      // process ends.
      setImmediate(() => void this.#root.committed.then(ignore, ignore));
      return done;
    });
    if (refused !== undefined) throw refused.error;
  }

  /**
   * Rows go into the queue of the package's own writing thread, which costs the caller's less than half of writing them in the
   * transaction's function. What is asked for in one turn of the event loop is one transaction; that `decide` has refused is
   * told to the writing thread by a record which rows are written without alone.
   */
  #queued(
    records: LmdbDb,
    decide: () => void,
    rows: readonly Put[],
    block: PutBlock | undefined,
  ): Promise<unknown> {
    return Promise.all([
      // First, because a function would otherwise join one that waits in an earlier transaction.
      records.remove(refusedKey),
      this.#root.transaction(decide),
      records.ifNoExists(refusedKey, () => {
        for (const put of rows) this.#put(put);
        if (block !== undefined) this.#putAll(block);
      }),
      records.remove(refusedKey),
    ]);
  }

  /** Its promise settles with the transaction. */
  #put({ collection, key, value }: Put): void {
    const db = this.#db(collection);
    this.#settles(value === null ? db.remove(key) : db.put(key, value));
  }

  /** Mostly the same promise for all that is asked for in one turn: when it fails, so do those that are waited for. */
  #settles(done: Promise<unknown>): void {
    if (done === this.#last) return;
    this.#last = done;
    done.catch(ignore);
  }

  #putAll({ collection, block }: PutBlock): void {
    const db = this.#db(collection);
    const row = new BlockRow(block);
    for (let at = 0; at < block.count; at++) {
      row.at(at);
      this.#settles(db.put(row, row));
    }
  }

  /** What stands in the range, as a block: as many bytes as before are not copied twice. */
  #block(
    range: Range,
    limit: ChunkLimit,
    transaction: LmdbRead,
  ): { readonly block?: RowBlock; readonly end: boolean } {
    const root = range.collection === "";
    const builder = new BlockBuilder(Math.min(limit.bytes, Math.max(firstArea, this.#before)), limit.bytes);
    const end = readInto(builder, () => {
      for (const _ of this.#db(range.collection).getRange({ ...bounds(range), transaction })) {
        if (builder.isOver || builder.count > limit.rows) {
          builder.drop();
          return false;
        }
        if (root && builder.lastSize === structureBytes && namedDatabase(...builder.last()) !== undefined) {
          builder.drop();
          continue;
        }
        // Full: to see whether more lies behind would copy a row that is thrown away, and one row may be huge.
        if (builder.bytes >= limit.bytes) return false;
      }
      return true;
    });
    const block = builder.done();
    this.#before = block === undefined || isHugeBlock(block) ? 0 : block.values.length;
    return block === undefined ? { end } : { block, end };
  }

  #rows(
    range: Range,
    limit: ChunkLimit,
    transaction: LmdbRead,
  ): { readonly rows: readonly Row[]; readonly end: boolean } {
    const rows: Row[] = [];
    let bytes = 0;
    const root = range.collection === "";
    for (const { key, value } of this.#db(range.collection).getRange({ ...bounds(range), transaction })) {
      if (root && namedDatabase(key, value) !== undefined) continue;
      bytes += key.length + value.length;
      if (rows.length >= limit.rows || (bytes > limit.bytes && rows.length > 0)) {
        giveBack(value);
        return { rows, end: false };
      }
      rows.push({ key, value });
      // Full: to see whether more lies behind would copy a row that is thrown away, and one row may be huge.
      if (bytes >= limit.bytes) return { rows, end: false };
    }
    return { rows, end: true };
  }

  #count(range: Range, transaction: LmdbRead): number {
    const db = this.#db(range.collection);
    const options = { ...bounds(range), transaction };
    if (range.collection !== "") return db.getKeysCount(options);
    let count = 0;
    for (const { key, value } of db.getRange(options)) if (namedDatabase(key, value) === undefined) count++;
    return count;
  }

  #visible(collection: string, key: Uint8Array, value: Buffer | undefined): Buffer | undefined {
    return collection === "" && value !== undefined && namedDatabase(key, value) !== undefined
      ? undefined
      : value;
  }

  #db(collection: string): LmdbDb {
    return this.#databases.get(collection) as LmdbDb;
  }

  #open(): void {
    if (this.#closed) throw closedStore(this.name);
  }

  async #mapped<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#failed = true;
      throw storeError(await causeOf(error), this.name);
    }
  }
}

const ignore = (): void => {};

/** A commit that failed says why in a promise of its own, whose rejection somebody has to hear. */
function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { readonly commitError?: Promise<unknown> };
  return commitError === undefined
    ? Promise.resolve(error)
    : commitError.then(
        () => error,
        (cause: unknown) => cause,
      );
}

/** The package begins behind this one by default when keys have a reader of their own. */
export const lowestKey: Buffer = Buffer.of(0);

/** Ends of the range as LMDB takes them: no key is longer than the longest, so a longer end may be cut there. */
function bounds({ after, upTo }: Range): LmdbRange {
  const start = after === undefined || after.length === 0 ? undefined : after.subarray(0, longestKey);
  if (upTo !== undefined && upTo.length === 0) return { limit: 0 };
  return {
    ...(start === undefined ? { start: lowestKey } : { start, exclusiveStart: true }),
    ...(upTo === undefined ? {} : { end: upTo.subarray(0, longestKey), inclusiveEnd: true }),
  };
}

import { type ByteEngine, type ByteView, reserved, type WriteBody } from "../capture-engine.ts";
import type { Change, ChunkLimit, Collection, Range, Row } from "../connector.ts";
import type { LmdbDb, LmdbRange, LmdbRead, LmdbRoot } from "./lmdb-driver.ts";
import { namedDatabase } from "./lmdb-root.ts";
import { closedStore, storeError } from "./place.ts";

/** The package refuses longer keys. */
const longestKey = 1_978;
/** How long the write of another process may go unseen by one who follows the log. */
const lookAgainMs = 50;

/**
 * LMDB has one writer at a time over all processes, and snapshots that cost nothing: bodies run inside the write
 * transaction, so that what they read is what every process has committed.
 */
export class LmdbEngine implements ByteEngine {
  readonly name: string;
  readonly pollMs: number = lookAgainMs;
  readonly #root: LmdbRoot;
  readonly #databases: ReadonlyMap<string, LmdbDb>;
  readonly #problems: readonly Collection[];
  readonly #listeners = new Set<() => void>();
  #closed = false;
  #writing = new Set<Promise<void>>();

  /** `databases`: what each collection is, the reserved one among them; `""` is the root. */
  constructor(
    name: string,
    root: LmdbRoot,
    databases: ReadonlyMap<string, LmdbDb>,
    problems: readonly Collection[],
  ) {
    this.name = name;
    this.#root = root;
    this.#databases = databases;
    this.#problems = problems;
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

  view(): ByteView {
    this.#open();
    const transaction = this.#root.useReadTransaction();
    let open = true;
    return {
      record: (key) => this.#db(reserved).get(key, { transaction }),
      get: (collection, keys) =>
        this.#mapped(() =>
          Promise.resolve(
            keys.map((key) =>
              key.length === 0 || key.length > longestKey
                ? undefined
                : this.#visible(collection, key, this.#db(collection).get(key, { transaction })),
            ),
          ),
        ),
      rows: (range, limit) => this.#mapped(() => Promise.resolve(this.#rows(range, limit, transaction))),
      count: (range) => this.#mapped(() => Promise.resolve(this.#count(range, transaction))),
      close: () => {
        if (open) transaction.done();
        open = false;
        return Promise.resolve();
      },
    };
  }

  async write(body: WriteBody, durable: boolean): Promise<void> {
    this.#open();
    const work = this.#transact(body, durable);
    this.#writing.add(work);
    try {
      await work;
    } finally {
      this.#writing.delete(work);
    }
    for (const listener of this.#listeners) listener();
  }

  onWrite(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#writing);
    await this.#root.close();
  }

  async #transact(body: WriteBody, durable: boolean): Promise<void> {
    let refused: { readonly error: unknown } | undefined;
    await this.#mapped(() =>
      this.#root.transaction(() => {
        try {
          // What throws in here does not end the transaction, so nothing is written before the body has returned.
          const puts = body((key) => this.#db(reserved).get(key));
          for (const { collection, key, value } of puts) {
            const db = this.#db(collection);
            // Their promises settle with the transaction.
            if (value === null) void db.remove(key);
            else void db.put(key, value);
          }
        } catch (error) {
          refused = { error };
        }
      }),
    );
    if (refused !== undefined) throw refused.error;
    if (durable) await this.#mapped(() => this.#root.flushed);
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
      if (rows.length >= limit.rows || (bytes > limit.bytes && rows.length > 0)) return { rows, end: false };
      rows.push({ key, value });
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
      throw storeError(error, this.name);
    }
  }
}

/** Ends of the range as LMDB takes them: no key is longer than the longest, so a longer end may be cut there. */
function bounds({ after, upTo }: Range): LmdbRange {
  const start = after === undefined || after.length === 0 ? undefined : after.subarray(0, longestKey);
  if (upTo !== undefined && upTo.length === 0) return { limit: 0 };
  return {
    ...(start === undefined ? {} : { start, exclusiveStart: true }),
    ...(upTo === undefined ? {} : { end: upTo.subarray(0, longestKey), inclusiveEnd: true }),
  };
}

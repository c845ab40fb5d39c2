import type { ByteEngine, ByteView, Put, WriteBody } from "../capture-engine.ts";
import { reserved } from "../capture-engine.ts";
import type { Change, ChunkLimit, Collection, Range, Row } from "../connector.ts";
import type { CapturedLevel } from "./leveldb-captured.ts";
import type { LevelOperation } from "./leveldb-driver.ts";
import { firstReserved, keyIn, type Layout, type Stretch } from "./leveldb-keys.ts";
import { bytesOfTexts } from "./leveldb-texts.ts";
import { closedStore, storeError } from "./place.ts";

const asBytes = { keyEncoding: "buffer", valueEncoding: "buffer" } as const;
/**
 * Rows fetched by one call into the native iterator, and bytes: its own default of 16 KB takes half as much time again as 64 KB,
 * and so do 512 KB, which no cache of a processor holds.
 */
const fetchAtOnce = { rows: 1_000, bytes: 65_536 };
/** Operations of waiting writers that are put into one batch. */
const groupAtMost = 20_000;

interface Waiting {
  readonly body: WriteBody;
  readonly rows: readonly Put[];
  readonly durable: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * LevelDB has batches and no transactions: writers stand in a line here, and those who wait while a batch is written go
 * together into the next. That the journal has no gaps in any snapshot follows from there being one batch at a time.
 */
export class LevelEngine implements ByteEngine {
  readonly name: string;
  readonly copies: boolean = true;
  readonly #db: CapturedLevel;
  readonly #layouts: ReadonlyMap<string, Layout>;
  readonly #listeners = new Set<() => void>();
  /** Records with keys of one byte: they are looked at by every write. The database is open nowhere else. */
  readonly #known = new Map<string, Uint8Array | undefined>();
  /** Whose keys are not all text, as far as was seen. */
  readonly #binary: Set<Layout>;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(name: string, db: CapturedLevel, layouts: ReadonlyMap<string, Layout>) {
    this.name = name;
    this.#db = db;
    this.#layouts = layouts;
    this.#binary = new Set([layouts.get(reserved) as Layout]);
  }

  async collections(): Promise<readonly Collection[]> {
    this.#open();
    const found: Collection[] = [];
    for (const [name, { stretches }] of this.#layouts) {
      if (name === reserved) continue;
      let bytes = 0;
      for (const { from, to } of stretches) bytes += await this.#db.approximateSize(from, to, asBytes);
      // What is still in memory is not counted, so nothing means that it does not know.
      found.push(bytes === 0 ? { name } : { name, bytes });
    }
    return found;
  }

  has(collection: string): boolean {
    return this.#layouts.has(collection);
  }

  refusal({ collection, key }: Change): string | undefined {
    if (collection === "" && Buffer.compare(key, firstReserved) >= 0)
      return "keys from 24 bytes ff on are kept for Cutover's own records";
    return undefined;
  }

  view(): ByteView {
    this.#open();
    const db = this.#db;
    const snapshot = db.snapshot();
    const options = { ...asBytes, snapshot, fillCache: false };
    const layout = (collection: string): Layout => this.#layouts.get(collection) as Layout;
    return {
      record: (key) => db.getSync(keyIn(layout(reserved), key), options) as Uint8Array | undefined,
      get: (collection, keys) =>
        this.#mapped(
          db.getMany(
            keys.map((key) => keyIn(layout(collection), key)),
            options,
          ) as Promise<(Uint8Array | undefined)[]>,
        ),
      rows: (range, limit) =>
        this.#mapped(readRows(db, layout(range.collection), range, limit, options, this.#binary)),
      count: (range) => this.#mapped(countRows(db, layout(range.collection), range, options)),
      close: () => snapshot.close(),
    };
  }

  write(body: WriteBody, durable: boolean, rows: readonly Put[] = []): Promise<void> {
    this.#open();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ body, rows, durable, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  onWrite(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#db.close();
  }

  async #run(): Promise<void> {
    // Writes of one turn of the event loop go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group: Waiting[] = [];
      const operations: LevelOperation[] = [];
      const records = new Map<string, Uint8Array | null>();
      while (operations.length < groupAtMost) {
        const next = this.#waiting.shift();
        if (next === undefined) break;
        try {
          this.#collect(next, operations, records);
          group.push(next);
        } catch (error) {
          next.reject(error);
        }
      }
      for (const [name, value] of records) {
        if (name.length === 1)
          operations.push(this.#operation({ collection: reserved, key: Buffer.from(name, "latin1"), value }));
      }
      await this.#writeGroup(group, operations, records);
    }
    // In the same turn as the last look at who waits: a writer that comes after it has to start the next round.
    this.#running = undefined;
  }

  #collect(
    { body, rows }: Waiting,
    operations: LevelOperation[],
    records: Map<string, Uint8Array | null>,
  ): void {
    const puts = body((key) => this.#record(key, records));
    for (const put of rows) this.#add(put, operations, records);
    for (const put of puts) this.#add(put, operations, records);
  }

  #add(put: Put, operations: LevelOperation[], records: Map<string, Uint8Array | null>): void {
    if (put.collection === reserved) {
      records.set(textOf(put.key), put.value);
      // Each transaction of the group has its own number of the last one, and only the last of them stays.
      if (put.key.length === 1) return;
    }
    operations.push(this.#operation(put));
  }

  async #writeGroup(
    group: readonly Waiting[],
    operations: readonly LevelOperation[],
    records: ReadonlyMap<string, Uint8Array | null>,
  ): Promise<void> {
    try {
      if (operations.length > 0)
        await this.#db.raw(
          operations,
          group.some(({ durable }) => durable),
        );
    } catch (error) {
      this.#known.clear();
      const told = storeError(error, this.name);
      for (const { reject } of group) reject(told);
      return;
    }
    for (const [key, value] of records) if (key.length === 1) this.#known.set(key, value ?? undefined);
    for (const { resolve } of group) resolve();
    for (const listener of this.#listeners) listener();
  }

  #operation({ collection, key, value }: Put): LevelOperation {
    const full = keyIn(this.#layouts.get(collection) as Layout, key);
    return value === null ? { type: "del", key: full } : { type: "put", key: full, value };
  }

  #record(key: Uint8Array, fresh: ReadonlyMap<string, Uint8Array | null>): Uint8Array | undefined {
    const name = textOf(key);
    const written = fresh.get(name);
    if (written !== undefined) return written ?? undefined;
    if (this.#known.has(name)) return this.#known.get(name);
    const full = keyIn(this.#layouts.get(reserved) as Layout, key);
    const found = this.#db.getSync(full, asBytes) as Uint8Array | undefined;
    if (name.length === 1) this.#known.set(name, found);
    return found;
  }

  #open(): void {
    if (this.#closed || this.#db.status !== "open") throw closedStore(this.name);
  }

  async #mapped<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw storeError(error, this.name);
    }
  }
}

const textOf = (key: Uint8Array): string => Buffer.from(key).toString("latin1");

/** The parts of the stretches that the range reaches into, with its ends as options of an iterator. */
function* parts(layout: Layout, { after, upTo }: Range): Generator<object> {
  const low = after === undefined ? undefined : keyIn(layout, after);
  const high = upTo === undefined ? undefined : keyIn(layout, upTo);
  for (const { from, to } of layout.stretches satisfies readonly Stretch[]) {
    const begin = low !== undefined && Buffer.compare(low, from) >= 0 ? { gt: low } : { gte: from };
    const end = high !== undefined && Buffer.compare(high, to) < 0 ? { lte: high } : { lt: to };
    yield { ...begin, ...end };
  }
}

async function readRows(
  db: CapturedLevel,
  layout: Layout,
  range: Range,
  limit: ChunkLimit,
  options: object,
  binary: Set<Layout>,
): Promise<{ readonly rows: readonly Row[]; readonly end: boolean }> {
  const rows: Row[] = [];
  const skip = layout.prefix.length;
  const highWaterMarkBytes = Math.min(fetchAtOnce.bytes, limit.bytes);
  let bytes = 0;
  for (const part of parts(layout, range)) {
    const asText = !binary.has(layout);
    const iterator = db.unhidden(() => db.iterator({ ...options, ...part, highWaterMarkBytes }), asText);
    try {
      for (;;) {
        const wanted = Math.min(fetchAtOnce.rows, limit.rows - rows.length + 1);
        const found = (await iterator.nextv(wanted)) as [Uint8Array | string, Uint8Array][];
        if (found.length === 0) break;
        const keys = asText
          ? bytesOfTexts(found.map(([key]) => key as string))
          : found.map(([key]) => key as Uint8Array);
        if (keys === undefined) {
          binary.add(layout);
          return await readRows(db, layout, range, limit, options, binary);
        }
        for (const [at, key] of keys.entries()) {
          const value = (found[at] as (typeof found)[0])[1];
          bytes += key.length - skip + value.length;
          // One row more than asked for tells that there is more.
          if (rows.length >= limit.rows || (bytes > limit.bytes && rows.length > 0))
            return { rows, end: false };
          rows.push({ key: skip === 0 ? key : key.subarray(skip), value });
        }
        // Full: to see whether more lies behind would read a row that is thrown away, and one row may be huge.
        if (bytes >= limit.bytes) return { rows, end: false };
      }
    } finally {
      await iterator.close();
    }
  }
  return { rows, end: true };
}

async function countRows(db: CapturedLevel, layout: Layout, range: Range, options: object): Promise<number> {
  let count = 0;
  for (const part of parts(layout, range)) {
    const highWaterMarkBytes = fetchAtOnce.bytes;
    const keys = db.unhidden(() => db.keys({ ...options, ...part, highWaterMarkBytes }));
    try {
      for (let found = await keys.nextv(10_000); found.length > 0; found = await keys.nextv(10_000))
        count += found.length;
    } finally {
      await keys.close();
    }
  }
  return count;
}

import {
  type ByteEngine,
  type ByteView,
  type FarBlock,
  type Put,
  type PutBlock,
  reserved,
  type WriteBody,
} from "../capture-engine.ts";
import { keys } from "../capture-records.ts";
import type { Change, ChunkLimit, Collection, Range } from "../connector.ts";
import { keyAt, type RowBlock, rowsOfBlock } from "../row-block.ts";
import type { CapturedLevel } from "./leveldb-captured.ts";
import type { KeyStretch, NoText, OpenCall, ThreadData } from "./leveldb-calls.ts";
import type { LevelIterator, LevelOperation, LevelSnapshot } from "./leveldb-driver.ts";
import { firstReserved, keyIn, type Layout } from "./leveldb-keys.ts";
import { fetchAtOnce, LevelReading, type ReadBlock } from "./leveldb-reading.ts";
import { LevelThread } from "./leveldb-thread-link.ts";
import { closedStore, storeError } from "./place.ts";

const asBytes = { keyEncoding: "buffer", valueEncoding: "buffer" } as const;
/** Rows that were read here, or bytes on disk that are to be read, from which on a thread reads. */
export interface ThreadFrom {
  readonly rows: number;
  readonly bytes: number;
}

/** A thread takes some MB and 50 ms, which a few rows are not worth. */
export const defaultThreadFrom: ThreadFrom = { rows: 20_000, bytes: 4_194_304 };
/** Rows and bytes of a block of a scan. */
const scanLimit: ChunkLimit = { rows: 10_000, bytes: 786_432 };
/** Operations of waiting writers that are put into one batch. */
const groupAtMost = 20_000;

interface Waiting {
  readonly body: WriteBody;
  readonly rows: readonly Put[];
  readonly block: PutBlock | undefined;
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
  /** What is not all text, as far as was seen. */
  readonly #noText = new Map<Layout, NoText>();
  /** How a thread opens the database once more. */
  readonly #again: Pick<ThreadData, "location" | "options">;
  readonly #threadFrom: ThreadFrom;
  #read = 0;
  #thread: LevelThread | undefined;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(
    name: string,
    db: CapturedLevel,
    layouts: ReadonlyMap<string, Layout>,
    again: Pick<ThreadData, "location" | "options">,
    threadFrom: ThreadFrom,
  ) {
    this.name = name;
    this.#again = again;
    this.#threadFrom = threadFrom;
    db.beforeClose = () => this.#thread?.close();
    this.#db = db;
    this.#layouts = layouts;
    this.#noText.set(layouts.get(reserved) as Layout, { keys: true, values: true });
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

  refusalIn(
    collection: string,
    block: RowBlock,
  ): { readonly key: Uint8Array; readonly reason: string } | undefined {
    // Keys come in their order, so that the last one tells of all.
    const key = keyAt(block, block.count - 1);
    const reason = this.refusal({ collection, key, value: null });
    return reason === undefined ? undefined : { key, reason };
  }

  view(): ByteView {
    this.#open();
    const db = this.#db;
    const snapshot = db.snapshot();
    const options = { ...asBytes, snapshot, fillCache: false };
    const layout = (collection: string): Layout => this.#layout(collection);
    return {
      record: (key) => db.getSync(keyIn(layout(reserved), key), options) as Uint8Array | undefined,
      get: (collection, wanted) =>
        this.#mapped(
          db.getMany(
            wanted.map((key) => keyIn(layout(collection), key)),
            options,
          ) as Promise<(Uint8Array | undefined)[]>,
        ),
      rows: async (range, limit) => {
        const { block, end } = await this.#mapped(this.#block(range, limit, snapshot));
        return { rows: block === undefined ? [] : rowsOfBlock(block), end };
      },
      block: (range, limit) => this.#mapped(this.#block(range, limit, snapshot)),
      count: (range) => this.#mapped(countRows(db, layout(range.collection), range, options)),
      close: () => snapshot.close(),
    };
  }

  async chunk(range: Range, limit: ChunkLimit): Promise<FarBlock | undefined> {
    this.#open();
    await this.#startThread(range);
    const thread = this.#thread;
    // It takes some 50 ms to have the database open. Read here meanwhile, rows would be objects of this thread, and its young generation grow.
    if (thread === undefined || !(await thread.reads())) return undefined;
    const { block, end, noText, record } = await this.#mapped(thread.read(this.#call(range), limit));
    this.#learn(range, noText);
    return { ...(block === undefined ? {} : { block }), end, sequence: record };
  }

  async blocks(range: Range): Promise<AsyncIterable<RowBlock> | undefined> {
    this.#open();
    await this.#startThread(range);
    const thread = this.#thread;
    // All of a scan is read where it was begun.
    return thread !== undefined && (await thread.reads()) ? this.#scan(thread, range) : undefined;
  }

  write(body: WriteBody, durable: boolean, rows: readonly Put[] = [], block?: PutBlock): Promise<void> {
    this.#open();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ body, rows, block, durable, resolve, reject });
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

  async *#scan(thread: LevelThread, range: Range): AsyncGenerator<RowBlock, void, void> {
    try {
      for await (const { block, noText } of thread.scan(this.#call(range), scanLimit)) {
        this.#learn(range, noText);
        yield block;
      }
    } catch (error) {
      throw storeError(error, this.name);
    }
  }

  /** When so much was read, or is to be, that it is worth a thread. */
  async #startThread(range: Range): Promise<void> {
    if (this.#thread !== undefined) return;
    if (this.#read < this.#threadFrom.rows) {
      let bytes = 0;
      for (const { gt, gte, lt, lte } of stretchesOf(this.#layout(range.collection), range))
        bytes += await this.#db.approximateSize(
          (gt ?? gte) as Uint8Array,
          (lt ?? lte) as Uint8Array,
          asBytes,
        );
      if (bytes < this.#threadFrom.bytes) return;
    }
    const recordKey = keyIn(this.#layout(reserved), keys.sequence);
    this.#open();
    this.#thread ??= new LevelThread({ ...this.#again, recordKey });
  }

  #call(range: Range): OpenCall {
    const layout = this.#layout(range.collection);
    return {
      stretches: [...stretchesOf(layout, range)],
      prefix: layout.prefix,
      noText: this.#noText.get(layout) ?? { keys: false, values: false },
    };
  }

  async #block(range: Range, limit: ChunkLimit, snapshot: LevelSnapshot): Promise<ReadBlock> {
    const iterate = (how: object, textKeys: boolean): LevelIterator<unknown> =>
      this.#db.unhidden(() => this.#db.iterator(how), textKeys);
    const reading = new LevelReading(iterate, { ...this.#call(range), snapshot });
    try {
      const found = await reading.read(limit, true);
      this.#read += found.block?.count ?? 0;
      this.#learn(range, reading.noText);
      return found;
    } finally {
      await reading.close();
    }
  }

  #learn({ collection }: Range, { keys, values }: NoText): void {
    const layout = this.#layout(collection);
    const known = this.#noText.get(layout);
    this.#noText.set(layout, {
      keys: keys || known?.keys === true,
      values: values || known?.values === true,
    });
  }

  #layout(collection: string): Layout {
    return this.#layouts.get(collection) as Layout;
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
    { body, rows, block }: Waiting,
    operations: LevelOperation[],
    records: Map<string, Uint8Array | null>,
  ): void {
    const puts = body((key) => this.#record(key, records));
    for (const put of rows) this.#add(put, operations, records);
    if (block !== undefined) {
      const { collection } = block;
      for (const { key, value } of rowsOfBlock(block.block))
        operations.push(this.#operation({ collection, key, value }));
    }
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
function* stretchesOf(layout: Layout, { after, upTo }: Range): Generator<KeyStretch> {
  const low = after === undefined ? undefined : keyIn(layout, after);
  const high = upTo === undefined ? undefined : keyIn(layout, upTo);
  for (const { from, to } of layout.stretches) {
    const begin = low !== undefined && Buffer.compare(low, from) >= 0 ? { gt: low } : { gte: from };
    const end = high !== undefined && Buffer.compare(high, to) < 0 ? { lte: high } : { lt: to };
    yield { ...begin, ...end };
  }
}

async function countRows(db: CapturedLevel, layout: Layout, range: Range, options: object): Promise<number> {
  let count = 0;
  for (const part of stretchesOf(layout, range)) {
    const highWaterMarkBytes = fetchAtOnce.bytes;
    const all = db.unhidden(() => db.keys({ ...options, ...part, highWaterMarkBytes }));
    try {
      for (let found = await all.nextv(10_000); found.length > 0; found = await all.nextv(10_000))
        count += found.length;
    } finally {
      await all.close();
    }
  }
  return count;
}

import { CutoverError } from "../core/index.ts";
import { compareBytes } from "./bytes.ts";
import { refuseOptions } from "./capture-options.ts";
import type { CapturedStore } from "./capture-store.ts";
import type { Change } from "./connector.ts";

export interface WriterOptions {
  /** Default `""`. */
  readonly collection?: string;
  /**
   * The epoch this application writes under: a number, or how to find it before every write, e.g. from the state of a
   * route. Writes below the epoch the store is fenced at are refused. Default 0.
   */
  readonly epoch?: number | (() => number);
  /** Whether a write is on disk when it resolves; otherwise it may be lost with the machine. Default false. */
  readonly durable?: boolean;
}

export type BatchOperation =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: Uint8Array };

export interface KeyRange {
  readonly gt?: Uint8Array;
  readonly gte?: Uint8Array;
  readonly lt?: Uint8Array;
  readonly lte?: Uint8Array;
  /** Rows at most. */
  readonly limit?: number;
}

/**
 * What an application writes through while its data moves: the calls of a key-value store, keys and values as bytes.
 * Every write and what the journal keeps of it are one transaction. Without an open slot there is no journal.
 *
 * @example
 * const db = captureWriter(store);
 * await db.put(key, value);
 * await db.batch([{ type: "del", key }, { type: "put", key: other, value }]);
 * for await (const [key, value] of db.iterator({ gte: start, lt: end })) …
 */
export class CaptureWriter {
  readonly #store: CapturedStore;
  readonly #collection: string;
  readonly #epoch: () => number;
  readonly #durable: boolean;

  constructor(store: CapturedStore, options: WriterOptions = {}) {
    const { collection = "", epoch = 0, durable = false, ...unknown } = options;
    refuseOptions("a writer", unknown);
    this.#store = store;
    this.#collection = collection;
    this.#epoch = typeof epoch === "number" ? () => epoch : epoch;
    this.#durable = durable;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.#store.get(this.#collection, [key]))[0];
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return [...(await this.#store.get(this.#collection, keys))];
  }

  async has(key: Uint8Array): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  /** @throws CUTOVER_DATA_FENCED, CUTOVER_DATA_REFUSED, CUTOVER_DATA_FULL, as do all writes */
  put(key: Uint8Array, value: Uint8Array): Promise<void> {
    return this.batch([{ type: "put", key, value }]);
  }

  del(key: Uint8Array): Promise<void> {
    return this.batch([{ type: "del", key }]);
  }

  /** All of the operations or none, in this order. Without operations: collects them until `write()`. */
  batch(operations: readonly BatchOperation[]): Promise<void>;
  batch(): CollectedBatch;
  batch(operations?: readonly BatchOperation[]): Promise<void> | CollectedBatch {
    if (operations === undefined) return new CollectedBatch((collected) => this.batch(collected));
    const changes = operations.map((operation): Change => ({
      collection: this.#collection,
      key: operation.key,
      value: operation.type === "put" ? operation.value : null,
    }));
    return this.#store.write(changes, { epoch: this.#epoch(), durable: this.#durable });
  }

  /** Rows in the order of their keys, as they stood when the first was read. */
  async *iterator(range: KeyRange = {}): AsyncGenerator<[Uint8Array, Uint8Array], void, void> {
    const { gt, gte, lt, lte, limit = Number.POSITIVE_INFINITY, ...unknown } = range;
    refuseOptions("an iterator", unknown);
    let left = limit;
    if (left <= 0) return;
    const after = gt ?? (gte === undefined ? undefined : before(gte));
    const upTo = lte ?? lt;
    const rows = this.#store.scan({
      collection: this.#collection,
      ...(after === undefined ? {} : { after }),
      ...(upTo === undefined ? {} : { upTo }),
    });
    for await (const part of rows) {
      for (const { key, value } of part) {
        if (gte !== undefined && compareBytes(key, gte) < 0) continue;
        if (lt !== undefined && compareBytes(key, lt) >= 0) return;
        yield [key, value];
        if (--left <= 0) return;
      }
    }
  }

  async *keys(range: KeyRange = {}): AsyncGenerator<Uint8Array, void, void> {
    for await (const [key] of this.iterator(range)) yield key;
  }

  async *values(range: KeyRange = {}): AsyncGenerator<Uint8Array, void, void> {
    for await (const [, value] of this.iterator(range)) yield value;
  }
}

/** Operations collected for one transaction. */
export class CollectedBatch {
  readonly #operations: BatchOperation[] = [];
  readonly #write: (operations: readonly BatchOperation[]) => Promise<void>;
  #written = false;

  constructor(write: (operations: readonly BatchOperation[]) => Promise<void>) {
    this.#write = write;
  }

  get length(): number {
    return this.#operations.length;
  }

  put(key: Uint8Array, value: Uint8Array): this {
    this.#operations.push({ type: "put", key, value });
    return this;
  }

  del(key: Uint8Array): this {
    this.#operations.push({ type: "del", key });
    return this;
  }

  clear(): this {
    this.#operations.length = 0;
    return this;
  }

  /** Once only. */
  async write(): Promise<void> {
    if (this.#written)
      throw new CutoverError("CUTOVER_DATA_CLOSED", {
        message: "expected a batch that was not written yet, found one that was",
        remedy: "begin a new batch",
      });
    this.#written = true;
    await this.#write(this.#operations);
  }
}

/** A writer for an application whose data is moved. */
export function captureWriter(store: CapturedStore, options: WriterOptions = {}): CaptureWriter {
  return new CaptureWriter(store, options);
}

/** A key below `key` with nothing, or next to nothing, between them; undefined: nothing is below it. */
function before(key: Uint8Array): Uint8Array | undefined {
  const last = key.at(-1);
  if (last === undefined) return undefined;
  if (last === 0) return key.subarray(0, -1);
  return Buffer.concat([key.subarray(0, -1), Buffer.from([last - 1]), Buffer.alloc(64, 0xff)]);
}

import { type Clock, CutoverError, systemClock } from "../../core/index.ts";
import { type ByteEngine, type ByteView, type Put, reserved, type WriteBody } from "../capture-engine.ts";
import { CapturedStore } from "../capture-store.ts";
import { SortedBytes } from "./memory-table.ts";

export interface MemoryStoreOptions {
  /** Default one, `""`. */
  readonly collections?: readonly string[];
  /** For messages and records; default `memory`. */
  readonly name?: string;
  readonly clock?: Clock;
  /** What an earlier store of this process held: opening it again finds everything. */
  readonly contents?: MemoryContents;
}

/** What a memory store holds, to open it again. */
export type MemoryContents = Map<string, SortedBytes>;

/** A store that lives as long as its process: for tests, and as the smallest example of a connector. */
export function openMemoryStore(options: MemoryStoreOptions = {}): CapturedStore {
  const { collections = [""], clock = systemClock, contents = new Map(), name = "memory" } = options;
  for (const collection of [...collections, reserved])
    if (!contents.has(collection)) contents.set(collection, new SortedBytes());
  return new CapturedStore(new MemoryEngine(name, contents), clock);
}

class MemoryEngine implements ByteEngine {
  readonly name: string;
  readonly #tables: MemoryContents;
  readonly #listeners = new Set<() => void>();
  #closed = false;

  constructor(name: string, tables: MemoryContents) {
    this.name = name;
    this.#tables = tables;
  }

  collections(): Promise<readonly { name: string; rows: number; bytes: number }[]> {
    const all = [...this.#tables].filter(([name]) => name !== reserved);
    return Promise.resolve(all.map(([name, { size, bytes }]) => ({ name, rows: size, bytes })));
  }

  has(collection: string): boolean {
    return this.#tables.has(collection);
  }

  refusal(): undefined {
    return undefined;
  }

  view(): ByteView {
    this.#open();
    const tables = new Map([...this.#tables].map(([name, table]) => [name, table.snapshot()]));
    const table = (name: string): SortedBytes => tables.get(name)?.table ?? new SortedBytes();
    return {
      record: (key) => table(reserved).get(key),
      get: (collection, keys) => Promise.resolve(keys.map((key) => table(collection).get(key))),
      rows: (range, limit) => Promise.resolve(table(range.collection).rows(range, limit)),
      count: (range) => Promise.resolve(table(range.collection).count(range)),
      // oxlint-disable-next-line require-await -- the interface is one of stores that wait
      close: async () => {
        for (const { end } of tables.values()) end();
      },
    };
  }

  // oxlint-disable-next-line require-await -- what the body throws has to become a rejection
  async write(body: WriteBody, _durable: boolean, rows: readonly Put[] = []): Promise<void> {
    this.#open();
    const puts = [...rows, ...body((key) => this.#tables.get(reserved)?.get(key))];
    // The caller keeps its buffers and may write into them again.
    for (const { collection, key, value } of puts)
      this.#tables.get(collection)?.set(Buffer.from(key), value === null ? null : Buffer.from(value));
    for (const listener of this.#listeners) listener();
  }

  onWrite(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #open(): void {
    if (this.#closed)
      throw new CutoverError("CUTOVER_DATA_CLOSED", {
        message: "expected an open store, found one that was closed",
        place: this.name,
      });
  }
}

import type {
  Change,
  ChunkLimit,
  DataStore,
  LogBatch,
  Position,
  Range,
  Row,
  Transaction,
} from "../../data/index.ts";
import type { ContractTools } from "../store-contract/tools.ts";

/** An empty store and how an application writes to it. */
export interface ConnectorSubject<Store extends DataStore = DataStore> {
  readonly store: Store;
  /** A collection without rows. */
  readonly collection: string;
  /**
   * A row the store can hold, made of a key and a value of any bytes; keys of rows are ordered as the keys given. Default:
   * the row is these bytes. A store of tables makes an encoded row of them.
   */
  readonly row?: (key: Uint8Array, value: Uint8Array) => Row;
  /** Why the store cannot hold an empty key; absent: it can. */
  readonly noEmptyKey?: string;
  /** Longest key in bytes that `row` is given; default 512. */
  readonly longestKey?: number;
  /** Size of the largest value that is tried, bytes; default 5,000,000. */
  readonly largestValue?: number;
  /** One transaction of an application. Rows are those of `row`. */
  readonly write: (changes: readonly Change[], epoch: number) => Promise<void>;
  /** A transaction that has written and not ended yet; left out where an application cannot hold one open. */
  readonly begin?: (changes: readonly Change[], epoch: number) => Promise<OpenTransaction>;
  /** The log gives every change as a transaction of its own. Default false: as they were committed. */
  readonly changesStandAlone?: boolean;
  /** Why a scan is not one moment, only each batch of it; absent: it is. */
  readonly scansMove?: string;
  /** Closes the store and opens it again: the same data, another handle. Default: it cannot be opened again. */
  readonly reopen?: () => Promise<ConnectorSubject<Store>>;
  /** What is left to do once the store is closed. */
  readonly close?: () => Promise<void>;
}

export interface OpenTransaction {
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** A subject with the short words the tests are written in. */
export interface ConnectorCase {
  readonly subject: ConnectorSubject;
  readonly store: DataStore;
  readonly collection: string;
  row(key: Uint8Array | string, value: Uint8Array | string): Row;
  set(key: Uint8Array | string, value: Uint8Array | string): Change;
  gone(key: Uint8Array | string): Change;
  range(after?: Uint8Array | string, upTo?: Uint8Array | string): Range;
  write(...changes: readonly Change[]): Promise<void>;
  /** All rows as `[key, value]` in hex, by a scan. */
  content(): Promise<readonly (readonly [string, string])[]>;
  /** Applies as a move with the origin `move`. */
  apply(write: {
    readonly rows?: readonly Row[];
    readonly changes?: readonly Change[];
    readonly job?: string;
    readonly fence?: number;
    readonly checkpoint?: string;
  }): Promise<void>;
  /** The log after `from`, up to where it ends now. */
  logged(slot: string, from: Position, without?: readonly string[]): Promise<readonly Transaction[]>;
  reopen(): Promise<ConnectorCase>;
  close(): Promise<void>;
}

export interface ConnectorTools extends ContractTools {
  readonly withSubject: (title: string, body: (given: ConnectorCase) => Promise<void>) => void;
}

export const plenty: ChunkLimit = { rows: 10_000, bytes: 1 << 28 };

export const bytes = (data: Uint8Array | string): Uint8Array =>
  typeof data === "string" ? Buffer.from(data) : data;

export const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");

export const pairs = (rows: readonly Row[]): readonly (readonly [string, string])[] =>
  rows.map(({ key, value }) => [hex(key), hex(value)] as const);

/** Every transaction up to where the log ends when this is called; bounded, so that a log that stalls fails a test. */
export async function logged(
  store: DataStore,
  slot: string,
  from: Position,
  without: readonly string[] = [],
): Promise<readonly Transaction[]> {
  const end = await store.head();
  const stop = AbortSignal.timeout(20_000);
  const found: Transaction[] = [];
  if (from >= end) return found;
  for await (const batch of store.log(slot, from, { signal: stop, without })) {
    found.push(...batch.transactions);
    if (batch.head >= end) break;
  }
  return found;
}

/** The next batch with transactions in it. */
export async function nextFull(log: AsyncIterator<LogBatch>): Promise<LogBatch> {
  for (;;) {
    const { value, done } = (await log.next()) as IteratorResult<LogBatch, undefined>;
    if (done === true) return { transactions: [], head: "" };
    if (value.transactions.length > 0) return value;
  }
}

export function opened(subject: ConnectorSubject): ConnectorCase {
  const { store, collection } = subject;
  const make = subject.row ?? ((key, value) => ({ key, value }));
  const row = (key: Uint8Array | string, value: Uint8Array | string): Row => make(bytes(key), bytes(value));
  const keyOf = (key: Uint8Array | string): Uint8Array => row(key, "").key;
  let open = true;
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    await store[Symbol.asyncDispose]();
    await subject.close?.();
  };
  return {
    subject,
    store,
    collection,
    row,
    set: (key, value) => ({ collection, ...row(key, value) }),
    gone: (key) => ({ collection, key: keyOf(key), value: null }),
    range: (after, upTo) => ({
      collection,
      ...(after === undefined ? {} : { after: keyOf(after) }),
      ...(upTo === undefined ? {} : { upTo: keyOf(upTo) }),
    }),
    write: (...changes) => subject.write(changes, 0),
    content: async () => {
      const found: Row[] = [];
      for await (const part of store.scan({ collection })) found.push(...part);
      return pairs(found);
    },
    apply: ({ rows = [], changes = [], job = "job", fence = 1, checkpoint = "saved" }) =>
      store.applyTxn({
        job,
        fence,
        origin: "move",
        changes,
        rows: rows.map(({ key, value }) => ({ collection, key, value })),
        checkpoint: bytes(checkpoint),
      }),
    logged: (slot, from, without) => logged(store, slot, from, without),
    reopen: async () => {
      if (subject.reopen === undefined) throw new TypeError("this subject cannot be opened again");
      open = false;
      await store[Symbol.asyncDispose]();
      return opened(await subject.reopen());
    },
    close,
  };
}

import { asError, CutoverError } from "../../core/index.ts";
import type { BlockRow } from "./lmdb-codec.ts";

/** What is used of the package `lmdb`, an optional peer, by its shape. */
export interface LmdbDriver {
  open(options: LmdbOptions): LmdbRoot;
}

/** Keys and values as bytes, copied by `lmdb-codec.ts`. */
export interface LmdbBytes {
  readonly encoding: "binary";
  readonly encoder: object;
  readonly keyEncoder: object;
  readonly cache: false;
  readonly strictAsyncOrder: true;
}

export interface LmdbOptions extends LmdbBytes {
  readonly path: string;
  readonly maxDbs: number;
  readonly noSubdir?: boolean;
  readonly mapSize?: number;
}

export interface LmdbDb {
  /** In memory of its own. */
  getBinary(key: Uint8Array, options?: { readonly transaction?: LmdbRead }): Buffer | undefined;
  /** Twice the row of a block stands for its key and its value. */
  put(key: Uint8Array | BlockRow, value: Uint8Array | BlockRow): Promise<boolean>;
  remove(key: Uint8Array): Promise<boolean>;
  /** The writes that `body` asks for are made when there is no such key. */
  ifNoExists(key: Uint8Array, body: () => void): Promise<boolean>;
  getRange(options: LmdbRange): Iterable<{ readonly key: Buffer; readonly value: Buffer }>;
  getKeys(options: LmdbRange): Iterable<Buffer>;
  getKeysCount(options: LmdbRange): number;
  getStats(): { readonly entryCount?: number };
}

export interface LmdbRoot extends LmdbDb {
  /** Thenables, which look at what is under way when `then` is called. */
  readonly committed: Promise<unknown>;
  readonly flushed: Promise<unknown>;
  openDB(options: LmdbBytes & { readonly name: string; readonly create?: boolean }): LmdbDb | undefined;
  transaction<T>(action: () => T): Promise<T>;
  useReadTransaction(): LmdbRead;
  close(): Promise<void>;
}

export interface LmdbRead {
  done(): void;
}

export interface LmdbRange {
  readonly start?: Uint8Array;
  readonly exclusiveStart?: boolean;
  readonly end?: Uint8Array;
  readonly inclusiveEnd?: boolean;
  readonly limit?: number;
  readonly transaction?: LmdbRead;
}

/** @throws CUTOVER_DRIVER_MISSING when the package is not installed */
export async function loadLmdb(
  load: () => Promise<unknown> = () => import("lmdb" as string),
): Promise<LmdbDriver> {
  try {
    const loaded = (await load()) as Partial<LmdbDriver> & { readonly default?: LmdbDriver };
    return loaded.open === undefined ? (loaded.default as LmdbDriver) : (loaded as LmdbDriver);
  } catch (error) {
    throw new CutoverError("CUTOVER_DRIVER_MISSING", {
      message: `expected the package "lmdb" for an LMDB, found: ${asError(error).message.split("\n")[0]}`,
      remedy: "run `npm install lmdb` in the project that uses Cutover",
      details: { package: "lmdb" },
      cause: error,
    });
  }
}

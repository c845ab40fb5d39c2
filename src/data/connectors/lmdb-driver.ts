import { asError, CutoverError } from "../../core/index.ts";

/** What is used of the package `lmdb`, an optional peer, by its shape. */
export interface LmdbDriver {
  open(options: LmdbOptions): LmdbRoot;
}

export interface LmdbOptions {
  readonly path: string;
  readonly encoding: "binary";
  readonly keyEncoding: "binary";
  readonly maxDbs: number;
  readonly noSubdir?: boolean;
  readonly mapSize?: number;
  readonly cache: false;
}

export interface LmdbDb {
  get(key: Uint8Array, options?: { readonly transaction?: LmdbRead }): Buffer | undefined;
  put(key: Uint8Array, value: Uint8Array): Promise<boolean>;
  remove(key: Uint8Array): Promise<boolean>;
  getRange(options: LmdbRange): Iterable<{ readonly key: Buffer; readonly value: Buffer }>;
  getKeysCount(options: LmdbRange): number;
  getStats(): { readonly entryCount?: number };
}

export interface LmdbRoot extends LmdbDb {
  readonly flushed: Promise<unknown>;
  openDB(options: {
    readonly name: string;
    readonly create?: boolean;
    readonly encoding: "binary";
    readonly keyEncoding: "binary";
    readonly cache: false;
  }): LmdbDb | undefined;
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

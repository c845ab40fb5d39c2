import { asError, CutoverError } from "../../core/index.ts";

/** What is used of the package `classic-level`, an optional peer, by its shape. */
export interface LevelDb {
  readonly status: string;
  open(options?: object): Promise<void>;
  close(): Promise<void>;
  put(key: unknown, value: unknown, options?: object): Promise<void>;
  get(key: unknown, options?: object): Promise<unknown>;
  getMany(keys: readonly unknown[], options?: object): Promise<unknown[]>;
  getSync(key: unknown, options?: object): unknown;
  del(key: unknown, options?: object): Promise<void>;
  batch(operations: readonly object[], options?: object): Promise<void>;
  batch(): LevelChainedBatch;
  clear(options?: object): Promise<void>;
  iterator(options?: object): LevelIterator<[unknown, unknown]>;
  keys(options?: object): LevelIterator<unknown>;
  values(options?: object): LevelIterator<unknown>;
  sublevel(name: string, options?: object): LevelDb;
  snapshot(): LevelSnapshot;
  approximateSize(start: Uint8Array, end: Uint8Array, options?: object): Promise<number>;
}

export interface LevelIterator<Entry> extends AsyncIterable<Entry> {
  nextv(size: number): Promise<Entry[]>;
  seek(target: unknown, options?: object): void;
  close(): Promise<void>;
}

export interface LevelChainedBatch {
  put(key: unknown, value: unknown, options?: object): this;
  del(key: unknown, options?: object): this;
  write(options?: object): Promise<void>;
}

export interface LevelSnapshot {
  close(): Promise<void>;
}

export interface LevelOperation {
  readonly type: "put" | "del";
  readonly key: Uint8Array | string;
  readonly value?: Uint8Array | string;
}

/** The methods that implementations of abstract-level write: keys and values come encoded, after all hooks. */
export interface LevelHooks extends LevelDb {
  _put(key: Uint8Array | string, value: Uint8Array | string, options: LevelWriteOptions): Promise<void>;
  _del(key: Uint8Array | string, options: LevelWriteOptions): Promise<void>;
  _batch(operations: readonly LevelOperation[], options: LevelWriteOptions): Promise<void>;
  _chainedBatch(): unknown;
  _clear(options: LevelRange): Promise<void>;
  _iterator(options: LevelRange): unknown;
  _close(): Promise<void>;
}

export interface LevelWriteOptions {
  readonly sync?: boolean;
}

export interface LevelRange {
  readonly gt?: Uint8Array | string;
  readonly gte?: Uint8Array | string;
  readonly lt?: Uint8Array | string;
  readonly lte?: Uint8Array | string;
  readonly limit?: number;
  readonly reverse?: boolean;
  readonly keyEncoding?: string;
  readonly snapshot?: unknown;
}

export type LevelClass = new (location: string, options: object) => LevelHooks;

/** @throws CUTOVER_DRIVER_MISSING when the package is not installed */
export async function loadLevel(
  load: () => Promise<unknown> = () => import("classic-level" as string),
): Promise<LevelClass> {
  try {
    return ((await load()) as { readonly ClassicLevel: LevelClass }).ClassicLevel;
  } catch (error) {
    throw new CutoverError("CUTOVER_DRIVER_MISSING", {
      message: `expected the package "classic-level" for a LevelDB, found: ${asError(error).message.split("\n")[0]}`,
      remedy: "run `npm install classic-level` in the project that uses Cutover",
      details: { package: "classic-level" },
      cause: error,
    });
  }
}

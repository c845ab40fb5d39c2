import type {
  LevelClass,
  LevelHooks,
  LevelOperation,
  LevelRange,
  LevelWriteOptions,
} from "./leveldb-driver.ts";
import { firstReserved } from "./leveldb-keys.ts";

/** A write of the application, with keys as they lie in the database. */
export interface LevelWrite {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** The database, and the way past what the application sees of it. */
export interface CapturedLevel extends LevelHooks {
  /** Set once the store is ready; before it nothing is written. */
  onWrite: (writes: readonly LevelWrite[], sync: boolean) => Promise<void>;
  /** Lets go of the database elsewhere in this process: the cache that all read through goes with this one. */
  beforeClose: () => Promise<void> | undefined;
  afterClose: () => void;
  raw(operations: readonly LevelOperation[], sync: boolean): Promise<void>;
  /** Runs `body`, whose iterators see everything; with `textKeys` they give keys as the texts that the driver makes of them. */
  unhidden<T>(body: () => T, textKeys?: boolean): T;
}

/** Keys removed in one transaction by `clear`. */
const clearAtOnce = 1_000;

/**
 * A `ClassicLevel` whose writes all go through `onWrite`, and whose iterators do not show the reserved keys. Done in the
 * hooks that implementations of abstract-level write: what comes here has been encoded and prefixed, so that sublevels,
 * encodings, chained batches and hooks of the application work as they always do.
 */
export function captureLevel(Level: LevelClass, location: string, options: object): CapturedLevel {
  class Captured extends Level implements CapturedLevel {
    onWrite: CapturedLevel["onWrite"] = (writes, sync) =>
      this.raw(
        writes.map(({ key, value }) => (value === null ? { type: "del", key } : { type: "put", key, value })),
        sync,
      );
    beforeClose: CapturedLevel["beforeClose"] = () => undefined;
    afterClose: CapturedLevel["afterClose"] = () => {};
    #unhidden = false;
    #textKeys = false;

    raw(operations: readonly LevelOperation[], sync: boolean): Promise<void> {
      return super._batch(operations, { sync });
    }

    unhidden<T>(body: () => T, textKeys = false): T {
      this.#unhidden = true;
      this.#textKeys = textKeys;
      try {
        return body();
      } finally {
        this.#unhidden = false;
        this.#textKeys = false;
      }
    }

    override _put(
      key: Uint8Array | string,
      value: Uint8Array | string,
      { sync = false }: LevelWriteOptions,
    ): Promise<void> {
      return this.onWrite([{ key: bytes(key), value: bytes(value) }], sync);
    }

    override _del(key: Uint8Array | string, { sync = false }: LevelWriteOptions): Promise<void> {
      return this.onWrite([{ key: bytes(key), value: null }], sync);
    }

    override _batch(
      operations: readonly LevelOperation[],
      { sync = false }: LevelWriteOptions,
    ): Promise<void> {
      const writes = operations.map(({ type, key, value }) => ({
        key: bytes(key),
        value: type === "put" && value !== undefined ? bytes(value) : null,
      }));
      return this.onWrite(writes, sync);
    }

    /** The one of abstract-level, which ends in `_batch`; the native one would write past it. */
    override _chainedBatch(): unknown {
      const general = Object.getPrototypeOf(Level.prototype) as LevelHooks;
      return general._chainedBatch.call(this);
    }

    /** Key by key: the journal has to tell of each. */
    override async _clear(options: LevelRange): Promise<void> {
      const keys = this.keys({ ...options, keyEncoding: "buffer" });
      try {
        for (;;) {
          const found = (await keys.nextv(clearAtOnce)) as Uint8Array[];
          if (found.length === 0) return;
          await this.onWrite(
            found.map((key) => ({ key, value: null })),
            false,
          );
        }
      } finally {
        await keys.close();
      }
    }

    override async _close(): Promise<void> {
      await this.beforeClose();
      await super._close();
      this.afterClose();
    }

    override _iterator(options: LevelRange): unknown {
      if (!this.#unhidden) return super._iterator(hideReserved(options));
      // Here and not where the iterator is asked for, which would make texts of the ends of its range, too.
      return super._iterator(this.#textKeys ? { ...options, keyEncoding: "utf8" } : options);
    }
  }
  return new Captured(location, options);
}

function hideReserved(options: LevelRange): LevelRange {
  const end = options.lt ?? options.lte;
  if (end !== undefined && Buffer.compare(bytes(end), firstReserved) < 0) return options;
  const { lte: _, ...rest } = options;
  return { ...rest, lt: firstReserved };
}

const bytes = (data: Uint8Array | string): Uint8Array =>
  typeof data === "string" ? Buffer.from(data) : data;

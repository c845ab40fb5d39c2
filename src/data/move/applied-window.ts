import { covers, type Fence } from "../fence.ts";

/** How much a window keeps before it becomes coarser. */
export interface WindowLimits {
  /** Bytes of keys and transaction numbers; beyond, transactions are kept without their keys. */
  readonly bytes: number;
  /** Transactions kept without keys; beyond, only the largest number is kept. */
  readonly transactions: number;
}

export const defaultWindowLimits: WindowLimits = { bytes: 65_536, transactions: 2_048 };

/** One applied change that a chunk read before it may not undo. */
export interface WindowEntry {
  readonly range: number;
  readonly key: Uint8Array;
  /** The last transaction applied to the key. Whoever writes a key after another has seen that one's transaction. */
  readonly tx: string;
}

/** What of a window goes into a checkpoint. */
export interface WindowContents {
  readonly entries: readonly WindowEntry[];
  readonly transactions: readonly string[];
  readonly upTo: string | undefined;
}

/**
 * Which transactions were applied to which keys since the snapshot that copied rows may still come from. A copied row whose key is
 * here under a transaction that its chunk has not seen is older than what the target holds.
 *
 * It is kept small in three ways: keys that the copy has passed are forgotten, and so is what the newest chunk has seen, as later
 * ones see it too; a window that is still too large forgets the keys, then all transactions but the largest number. The coarser it
 * is, the more chunks are read again: none is copied that might be too old.
 */
export class AppliedWindow {
  readonly #limits: WindowLimits;
  /** By range, then by key as latin1 text. */
  readonly #keys = new Map<number, Map<string, string>>();
  readonly #transactions = new Set<string>();
  #upTo: string | undefined;
  #bytes = 0;

  constructor(limits: WindowLimits = defaultWindowLimits, contents?: WindowContents) {
    this.#limits = limits;
    if (contents === undefined) return;
    for (const { range, key, tx } of contents.entries) this.#put(range, textOf(key), tx);
    for (const tx of contents.transactions) this.#transactions.add(tx);
    this.#upTo = contents.upTo;
  }

  get empty(): boolean {
    return this.#keys.size === 0 && this.#transactions.size === 0 && this.#upTo === undefined;
  }

  /** Bytes of keys and numbers. */
  get bytes(): number {
    return this.#bytes;
  }

  add(range: number, key: Uint8Array, tx: string): void {
    this.#put(range, textOf(key), tx);
    if (this.#bytes > this.#limits.bytes) this.#forgetKeys();
  }

  /** Whether rows of a chunk can be judged one by one; otherwise it has to be read again. */
  judges(fence: Fence): boolean {
    if (this.#upTo !== undefined && !coversAll(fence, this.#upTo)) return false;
    for (const tx of this.#transactions) if (!covers(fence, tx)) return false;
    return true;
  }

  /** Whether a row read under `fence` is older than what was applied to its key. */
  isOlder(range: number, key: Uint8Array, fence: Fence): boolean {
    const tx = this.#keys.get(range)?.get(textOf(key));
    return tx !== undefined && !covers(fence, tx);
  }

  /** Whether no key of this range is kept, so that no row of it has to be looked up. */
  isEmptyFor(range: number): boolean {
    return !this.#keys.has(range);
  }

  /** Forgets what every chunk read from now on has seen. */
  prune(fence: Fence): void {
    this.#forget((_range, _key, tx) => covers(fence, tx));
    for (const tx of this.#transactions) if (covers(fence, tx)) this.#transactions.delete(tx);
    if (this.#upTo !== undefined && coversAll(fence, this.#upTo)) this.#upTo = undefined;
  }

  /** Forgets the keys of a range up to and including `upTo`, or all of them: the copy has passed them. */
  passed(range: number, upTo: Uint8Array | undefined): void {
    const end = upTo === undefined ? undefined : textOf(upTo);
    this.#forget((at, key) => at === range && (end === undefined || key <= end));
  }

  contents(): WindowContents {
    const entries = [...this.#keys].flatMap(([range, keys]) =>
      [...keys].map(([key, tx]) => ({ range, key: Buffer.from(key, "latin1"), tx })),
    );
    return { entries, transactions: [...this.#transactions], upTo: this.#upTo };
  }

  #put(range: number, key: string, tx: string): void {
    let keys = this.#keys.get(range);
    if (keys === undefined) this.#keys.set(range, (keys = new Map<string, string>()));
    const before = keys.get(key);
    this.#bytes += before === undefined ? key.length + tx.length : tx.length - before.length;
    keys.set(key, tx);
  }

  #forget(done: (range: number, key: string, tx: string) => boolean): void {
    for (const [range, keys] of this.#keys) {
      for (const [key, tx] of keys) {
        if (!done(range, key, tx)) continue;
        keys.delete(key);
        this.#bytes -= key.length + tx.length;
      }
      if (keys.size === 0) this.#keys.delete(range);
    }
  }

  #forgetKeys(): void {
    for (const keys of this.#keys.values()) for (const tx of keys.values()) this.#transactions.add(tx);
    this.#keys.clear();
    this.#bytes = 0;
    if (this.#transactions.size <= this.#limits.transactions) return;
    for (const tx of this.#transactions) {
      if (this.#upTo === undefined || BigInt(tx) > BigInt(this.#upTo)) this.#upTo = tx;
    }
    this.#transactions.clear();
  }
}

/** Whether the snapshot has seen every transaction up to this number that was ever committed. */
function coversAll(fence: Fence, upTo: string): boolean {
  return fence.kind === "sequence" ? covers(fence, upTo) : BigInt(upTo) < BigInt(fence.xmin);
}

/** One character a byte: comparing two of them compares the bytes. */
function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

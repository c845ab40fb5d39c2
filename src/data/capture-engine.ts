import type { Change, ChunkLimit, Collection, Range, Row } from "./connector.ts";
import type { RowBlock } from "./row-block.ts";

/**
 * What an ordered store of bytes has to be able to do so that `CapturedStore` makes a source and target of it: snapshots
 * and all-or-nothing batches. Capture, fences, jobs and checkpoints are written once, above this.
 */
export interface ByteEngine {
  /** As in `Reader.name`. */
  readonly name: string;
  /** A write that is on disk has all before it there too, so that only the last of several needs to be waited for. */
  readonly inOrder?: boolean;
  /** How long a change by another process may go unseen by one who follows the log; absent: there is no other process. */
  readonly pollMs?: number;
  /** Values that views give are the caller's alone, and bytes given to a write are not looked at once it has settled. */
  readonly copies?: boolean;
  /** Views show also what is written after they began: each call on one is of its own moment, so none is given out as a snapshot. */
  readonly viewsMove?: boolean;
  collections(): Promise<readonly Collection[]>;
  /** Whether rows can be kept under this name. */
  has(collection: string): boolean;
  /** Why the store cannot hold this row; undefined when it can. */
  refusal(change: Change): string | undefined;
  /** One snapshot of everything, records included, unless views move. */
  view(): ByteView;
  /**
   * Rows from the start of the range, read in a snapshot of now beside this thread. Undefined where a view has to read them; absent:
   * always.
   */
  chunk?(range: Range, limit: ChunkLimit): Promise<FarBlock | undefined>;
  /** All rows of the range in a snapshot of now, read beside this thread; the blocks are the caller's. Else as `chunk`. */
  blocks?(range: Range): Promise<AsyncIterable<RowBlock> | undefined>;
  /** As `refusal`, for the first row of the block that the store cannot hold. */
  refusalIn?(
    collection: string,
    block: RowBlock,
  ): { readonly key: Uint8Array; readonly reason: string } | undefined;
  /**
   * Runs `body` while no other writer can, and applies what it returns and `rows`, all or nothing. When `body` throws, nothing
   * is applied and the error goes to the caller. Resolves when the result is visible, with `durable` when it is on disk.
   * What is known before stands in `rows`, as an engine may write that beside the caller's thread, and behind them in `block`, which
   * only an engine that has `refusalIn` is given.
   */
  write(body: WriteBody, durable: boolean, rows?: readonly Put[], block?: PutBlock): Promise<void>;
  /** Calls `listener` after every write of this process; gives back how to stop. */
  onWrite(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Reads the records as they are now and says what to write. Synchronous: it may run inside a database's transaction. */
export type WriteBody = (record: (key: Uint8Array) => Uint8Array | undefined) => readonly Put[];

export interface Put {
  /** `reserved` for records. */
  readonly collection: string;
  readonly key: Uint8Array;
  /** Null: remove it. */
  readonly value: Uint8Array | null;
}

/** Rows of one collection. */
export interface PutBlock {
  readonly collection: string;
  readonly block: RowBlock;
}

export interface FarBlock {
  readonly block?: RowBlock;
  /** No rows of the range lie behind these. */
  readonly end: boolean;
  /** The record of the last transaction's number, as the snapshot has it. */
  readonly sequence: Uint8Array | undefined;
}

export interface ByteView {
  readonly record: (key: Uint8Array) => Uint8Array | undefined;
  get(collection: string, keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** Rows from the start of the range; `reserved` is a collection too. */
  rows(range: Range, limit: ChunkLimit): Promise<{ readonly rows: readonly Row[]; readonly end: boolean }>;
  /** The same as a block, which is the caller's; absent where rows come packed in no form. */
  block?(range: Range, limit: ChunkLimit): Promise<{ readonly block?: RowBlock; readonly end: boolean }>;
  count(range: Range): Promise<number>;
  close(): Promise<void>;
}

/** The collection in which records of capture, jobs and fences lie. No application's collection can have this name. */
export const reserved = "\u0000cutover";

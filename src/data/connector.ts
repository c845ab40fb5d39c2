import type { JsonObject } from "../core/index.ts";
import type { Fence } from "./fence.ts";
import type { RowBlock } from "./row-block.ts";

/**
 * What a store must be able to do so that its data can be moved, checked and moved back. A connector opens such a store;
 * the suite in `cutover/testing` proves one. Everything is bytes: nothing here reads what a key or value means.
 */

/** One row. Keys are ordered as unsigned bytes; a connector whose store orders otherwise encodes its keys so that they do. */
export interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A named set of rows: a table, a sublevel, a folder. A key-value store without such parts has one, named `""`. */
export interface Collection {
  readonly name: string;
  /** About how many, and how many bytes with keys; absent when the store cannot say cheaply. */
  readonly rows?: number;
  readonly bytes?: number;
  /** Columns of a table in the order in which a value holds them. Absent: values are the store's own bytes. */
  readonly columns?: readonly Column[];
  /** Why it cannot be moved, e.g. that it has no primary key. Absent: it can. */
  readonly problem?: string;
  /** What rows of a move would be held to, and cannot be. Absent: nothing, or it can be switched off. Only what is moved to is asked. */
  readonly enforced?: Enforced;
}

/** By name, what acts on a row as it comes although a move brings rows in an order of its own, with what was done to them already. */
export interface Enforced {
  readonly foreignKeys: readonly string[];
  readonly triggers: readonly string[];
}

export interface Column {
  readonly name: string;
  /** As the store names it, e.g. `timestamp with time zone`. */
  readonly type: string;
  /** Place in the primary key from 1 on; 0: no part of it. */
  readonly key: number;
  readonly nullable: boolean;
}

/** Keys after `after` up to and including `upTo`; an absent end is open. */
export interface Range {
  readonly collection: string;
  readonly after?: Uint8Array;
  readonly upTo?: Uint8Array;
}

export interface ChunkLimit {
  readonly rows: number;
  /** Keys and values together; at least one row is given, however large. */
  readonly bytes: number;
  /** The rows may come packed, as the target takes them in the source's form (`packing`). Default false. */
  readonly packed?: boolean;
}

/**
 * Rows as a store sends them and another one of its kind takes them: nobody in between makes an object of each. There is at
 * least one.
 */
export interface PackedRows {
  /** Kind of store and types of the columns. A target is given its own form alone. */
  readonly format: string;
  readonly count: number;
  /** Of what is sent. */
  readonly bytes: number;
  /** Keys of the first and the last row. */
  readonly first: Uint8Array;
  readonly last: Uint8Array;
  /** Each for itself. */
  rows(): readonly Row[];
  /** Those whose keys are to be kept; undefined when none is. */
  filter(keep: (key: Uint8Array) => boolean): PackedRows | undefined;
  /** Gives back their memory, where nobody else has it: nobody looks at them any more. Absent: that is the collector's. */
  free?(): void;
}

/** Rows as they stood in one snapshot, in key order. */
export interface Chunk {
  readonly rows: readonly Row[];
  /** The rows when they come packed; `rows` is empty then. */
  readonly packed?: PackedRows;
  /** Which transactions the snapshot has seen. */
  readonly fence: Fence;
  /** No rows of the range lie after these. */
  readonly end: boolean;
}

/**
 * Place in a log: text whose order is the order of the log (numbers are written with a fixed width). Positions of two
 * stores have nothing to do with each other.
 */
export type Position = string;

/** What became of one key. A change applies by key, whatever stood there before. */
export interface Change {
  readonly collection: string;
  readonly key: Uint8Array;
  /** Null: the row is gone. */
  readonly value: Uint8Array | null;
}

/** One committed transaction of the source. */
export interface Transaction {
  /** Its number as fences know it: a journal's sequence number, PostgreSQL's 64-bit transaction id. */
  readonly tx: string;
  /** Following the log from here begins after this transaction. */
  readonly position: Position;
  /** When it was committed, wall-clock milliseconds of the source. */
  readonly at: number;
  readonly changes: readonly Change[];
}

/** What a log gives at a time. Without transactions it says that there was nothing new up to `head`. */
export interface LogBatch {
  readonly transactions: readonly Transaction[];
  /** The log is read completely up to here. */
  readonly head: Position;
}

/** Count and sums over rows; those of two ranges that do not overlap add up to those of both. Sums are modulo 2⁶⁴. */
export interface Digest {
  readonly count: number;
  /** Sum of the seeded hashes of key and value. */
  readonly rows: bigint;
  /** Sum of the seeded hashes of the keys alone. */
  readonly keys: bigint;
}

/** The digest of one stretch of keys: after the leaf before, up to and including `upTo`. */
export interface Leaf extends Digest {
  /** Absent in the last leaf, which reaches to the end of the range. */
  readonly upTo?: Uint8Array;
}

/** Reads what is there, apart from any move. */
export interface Reader extends AsyncDisposable {
  /** For people and records, without passwords: `leveldb:data/old`. */
  readonly name: string;
  /**
   * Values that it gives are the caller's alone: whoever is done with a huge one may give its memory back at once. Absent: the
   * store, or somebody else, may look at the same bytes.
   */
  readonly givesCopies?: boolean;
  collections(): Promise<readonly Collection[]>;
  /** Values of these keys, undefined for a key that is not there; in the order asked for. */
  get(collection: string, keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** All rows of the range in key order, in batches, as one snapshot where the store can. */
  scan(range: Range, options?: { readonly signal?: AbortSignal }): AsyncIterable<readonly Row[]>;
  /** As `scan`, with rows in blocks that are the caller's alone. Absent: rows are objects here from the start. */
  blocks?(range: Range, options?: { readonly signal?: AbortSignal }): AsyncIterable<RowBlock>;
  count(range: Range): Promise<number>;
  /**
   * A reader of one moment: whatever is read through it, of whichever collection, is as it stood then. Whoever asks for it
   * disposes of it. Absent where the store has no such thing: each scan is then of a moment of its own.
   */
  snapshot?(): Promise<Reader>;
}

/** A store that data is moved from, while it is written to. */
export interface Source extends Reader {
  /**
   * From now on every change is kept in the log for `slot`, until `release`. Resolves with the position to follow from:
   * every transaction that a later snapshot has not seen lies after it. Again for a slot that exists: its position.
   * A slot that is captured anew begins after every position that the store gave before.
   * @throws CUTOVER_DATA_SLOT_LOST when the slot existed and what it kept is gone.
   */
  capture(slot: string): Promise<Position>;
  /** At most `limit` rows of the range from its start, read in one snapshot. */
  snapshotChunk(range: Range, limit: ChunkLimit): Promise<Chunk>;
  /** In which form rows of this collection can be given packed. Undefined, and absent: in none. */
  packing?(collection: string): Promise<string | undefined>;
  /**
   * Committed transactions after `from`, in the order of the log. Goes on until `signal` aborts; gives a batch at least
   * once a second, an empty one when nothing came. What moves wrote here under an origin of `without` is left out.
   */
  log(
    slot: string,
    from: Position,
    options: { readonly signal: AbortSignal; readonly without?: readonly string[] },
  ): AsyncIterable<LogBatch>;
  /** What lies at or before `position` need not be kept for this slot any more. */
  acknowledge(slot: string, position: Position): Promise<void>;
  /** Ends the capture. Nothing to do when there is none. */
  release(slot: string): Promise<void>;
  /**
   * End of the log now. A transaction that a snapshot read before has seen lies at or before it, also when it was visible
   * before it was on disk (PostgreSQL: the end of what was inserted, not of what was flushed).
   */
  head(): Promise<Position>;
  /** Bytes of log kept for this slot, for the throttle; absent when the store cannot say cheaply. */
  retained?(slot: string): Promise<number>;
  /**
   * Refuses writes of every epoch below `epoch`, waits until transactions that were open have ended, then resolves with
   * the head: no transaction of an older epoch lies after it. Kept over restarts of the store.
   */
  fence(epoch: number, options: { readonly signal: AbortSignal }): Promise<Position>;
  /**
   * Takes writes again under `epoch`. Nothing changes when the store is fenced at more than `epoch + 1`: the lift comes late, from a
   * crossing that is over, and must not open the store under a later one. 0 ends every fence.
   */
  lift(epoch: number): Promise<void>;
}

/** One transaction on the target. All of it is there afterwards, or nothing. */
export interface TargetWrite {
  /** Which move this is; its checkpoint is kept under this name. */
  readonly job: string;
  /** Grows with every owner of the job. A write with a smaller one than seen before is refused: CUTOVER_LEASE_LOST. */
  readonly fence: number;
  /** Recorded with the rows, so that a log of this store can leave them out: the way back must not go in a ring. */
  readonly origin: string;
  /** By key, in this order. */
  readonly changes: readonly Change[];
  /** Copied rows, written after the changes. */
  readonly rows: readonly (Row & { readonly collection: string })[];
  /** Copied rows of one collection in the form that the target's `packing` names. */
  readonly packed?: { readonly collection: string; readonly rows: PackedRows };
  /**
   * Replaces the one saved before. At most a few 100 KB. Absent: the saved one stays, and a job that has none has none;
   * with no changes and rows this claims the job: from then on smaller fences are refused.
   */
  readonly checkpoint?: Uint8Array;
  /**
   * False: it need not be on disk when it resolves, as long as no later write is there without it; the end of the process does
   * it no harm. Default true, which a store may always take it for.
   */
  readonly durable?: boolean;
}

/**
 * A store that data is moved to. Collections whose names begin with `cutover_` are the move's own: they are made at the
 * first write, hold bytes as they are whatever the store's other rows look like, can be read by name like others, and are
 * left out of `collections()` and of the log.
 */
export interface Target extends Reader {
  /** What a write was given is not looked at any more once it has settled. Absent: the store may keep those bytes. */
  readonly takesCopies?: boolean;
  /** Why the store could not hold this row, told without writing it. Absent: that is known only when it is written. */
  refusal?(change: Change): string | undefined;
  /** @throws CUTOVER_LEASE_LOST; a value that does not fit: CUTOVER_DATA_REFUSED, naming collection, key and reason. */
  applyTxn(write: TargetWrite): Promise<void>;
  /** In which form rows of this collection are taken packed. Undefined, and absent: in none. */
  packing?(collection: string): Promise<string | undefined>;
  /**
   * Whether a write that holds packed rows of this collection and a checkpoint alone may be given while the one before it, of the same
   * job and such rows, is under way. Two are at most. They are committed in the order in which they were given, and none behind one
   * that failed. Absent: a write is given when all before have settled.
   */
  abreast?(collection: string): Promise<boolean>;
  /** What `applyTxn` saved last for this job; undefined before. */
  checkpoint(job: string): Promise<Uint8Array | undefined>;
  /** Forgets job and checkpoint. */
  forget(job: string): Promise<void>;
}

/** A turn of the switch to this store. */
export interface Turning {
  /** The store that was in charge so far. */
  readonly from: Reader;
  /** Within the pause of writes, when only what takes no time may be done. False: before it, as often as one likes. */
  readonly paused: boolean;
}

/** Most connectors can do both. */
export interface DataStore extends Source, Target {
  /**
   * Makes ready what lies in no rows, before applications write here: sequences of PostgreSQL, so that the first number given after
   * the turn is none that was given before. Called before the pause, where what fails stops nobody, and again in it when all
   * is applied. Resolves with what was done, for the record. Absent: there is nothing of that kind.
   */
  beforeTurn?(turning: Turning): Promise<JsonObject>;
}

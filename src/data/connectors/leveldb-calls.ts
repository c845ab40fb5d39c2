import type { RowBlock } from "../row-block.ts";

/** What the thread that reads a LevelDB is told, and what it answers; see `leveldb-thread-link.ts`. */

/** How the database is opened once more: with the same words, so that both have the same one. */
export interface ThreadData {
  readonly location: string;
  readonly options: object;
  /** Key of the record that is read together with rows. */
  readonly recordKey: Uint8Array;
}

/** A stretch of keys as options of an iterator. */
export interface KeyStretch {
  readonly gt?: Uint8Array;
  readonly gte?: Uint8Array;
  readonly lt?: Uint8Array;
  readonly lte?: Uint8Array;
}

/** What of rows is no text, as far as was seen. */
export interface NoText {
  readonly keys: boolean;
  readonly values: boolean;
}

/** Rows behind one another in the snapshot that is taken when this comes. */
export interface OpenCall {
  readonly stretches: readonly KeyStretch[];
  /** What keys begin with and are given without. */
  readonly prefix: Uint8Array;
  readonly noText: NoText;
}

/** One block of the reading `reading`, which begins with `open`; after the last one it is closed. */
export interface ReadCall {
  readonly id: number;
  readonly reading: number;
  readonly open?: OpenCall;
  readonly rows: number;
  readonly bytes: number;
  /** Nothing more is to be read. */
  readonly last: boolean;
}

export type ToThread = ReadCall | { readonly close: number } | "end";

export interface ReadAnswer {
  readonly id: number;
  readonly block?: RowBlock;
  /** No rows lie behind these. */
  readonly end: boolean;
  readonly noText: NoText;
  /** The record in the same snapshot. */
  readonly record?: Uint8Array;
}

export type FromThread = ReadAnswer | { readonly id: number; readonly failed: string } | "ready";

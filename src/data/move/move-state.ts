import { compareBytes } from "../bytes.ts";
import type { Change, Chunk, LogBatch, PackedRows, Position, Range, Row } from "../connector.ts";
import { AppliedWindow, type WindowLimits } from "./applied-window.ts";
import {
  type Checkpoint,
  type CopyPlace,
  decodeCheckpoint,
  encodeCheckpoint,
  type MoveCounts,
} from "./checkpoint.ts";

/** A chunk with the end of the log at a moment after it was read. */
export interface ReadChunk {
  /** Index of its range. */
  readonly range: number;
  /** Where it begins: after this key, or at the start of the range. */
  readonly after: Uint8Array | undefined;
  readonly chunk: Chunk;
  readonly head: Position;
}

/** What a chunk gives the target. `again`: it was too old to be judged and has to be read anew. */
export type Copied =
  { readonly rows: readonly Row[]; readonly packed?: PackedRows; readonly collection: string } | "again";

/**
 * Where a move stands, and the rules by which changes and copied rows go together (docs/spec/data.md). Between two calls it is what
 * a checkpoint says: whoever makes one of `encode()` and writes it together with what the calls before gave out can end at any
 * moment and be taken up by `MoveState.restored`. After a call whose outcome was not written it is of no use any more.
 */
export class MoveState {
  readonly ranges: readonly Range[];
  readonly #counts: { -readonly [Name in keyof MoveCounts]: number };
  readonly #window: AppliedWindow;
  /** Indexes of the ranges of each collection. */
  readonly #rangesOf: ReadonlyMap<string, readonly number[]>;
  #position: Position;
  #place: CopyPlace;

  private constructor(saved: Checkpoint, limits: WindowLimits | undefined) {
    this.ranges = saved.ranges;
    this.#position = saved.position;
    this.#place = saved.place;
    this.#counts = { ...saved.counts };
    this.#window = new AppliedWindow(limits, saved.window);
    const rangesOf = new Map<string, number[]>();
    for (const [index, { collection }] of saved.ranges.entries()) {
      rangesOf.set(collection, [...(rangesOf.get(collection) ?? []), index]);
    }
    this.#rangesOf = rangesOf;
  }

  /** A move that has not begun: everything is to be copied, and the log followed from where its capture began. */
  static begun(ranges: readonly Range[], position: Position, limits?: WindowLimits): MoveState {
    const window = { entries: [], transactions: [], upTo: undefined };
    const counts = { rows: 0, bytes: 0, changes: 0, dropped: 0, outside: 0, aside: 0 };
    const place = { range: 0, after: undefined };
    return new MoveState({ ranges, position, place, counts, window }, limits);
  }

  /** @throws CUTOVER_DATA_FORMAT when the bytes are no checkpoint, or one of a newer version */
  static restored(bytes: Uint8Array, limits?: WindowLimits): MoveState {
    return new MoveState(decodeCheckpoint(bytes), limits);
  }

  /** The log is applied up to here. */
  get position(): Position {
    return this.#position;
  }

  get place(): CopyPlace {
    return this.#place;
  }

  /** All ranges are copied. What is left to do is to follow the log. */
  get copied(): boolean {
    return this.#place.range >= this.ranges.length;
  }

  get counts(): MoveCounts {
    return { ...this.#counts };
  }

  /** So many rows more lie in quarantine, or fewer. What a move before this one left there is not counted. */
  countAside(more: number): void {
    this.#counts.aside = Math.max(0, this.#counts.aside + more);
  }

  /**
   * Takes committed transactions in the order of the log: those not applied yet, up to and including `upTo`. Gives the changes
   * of keys that this move carries, in order; every one is applied, whatever stands there.
   */
  apply(batch: LogBatch, upTo?: Position): readonly Change[] {
    const changes: Change[] = [];
    for (const { tx, position, changes: all } of batch.transactions) {
      if (position <= this.#position) continue;
      if (upTo !== undefined && position > upTo) break;
      for (const change of all) {
        const range = this.#rangeOf(change);
        if (range < 0) this.#counts.outside++;
        else {
          changes.push(change);
          if (!this.#hasPassed(range, change.key)) this.#window.add(range, change.key, tx);
        }
      }
      this.#position = position;
    }
    const head = upTo !== undefined && batch.head > upTo ? upTo : batch.head;
    if (head > this.#position) this.#position = head;
    this.#counts.changes += changes.length;
    return changes;
  }

  /**
   * Whether the log is applied as far as it went when the chunk was read. A chunk copied before has values which earlier changes,
   * applied later, would take back for a moment.
   */
  isReady({ head }: ReadChunk): boolean {
    return this.#position >= head;
  }

  /** Takes the rows of the next chunk that are not older than an applied change, and moves the copy on. */
  copy({ range, after, chunk }: ReadChunk): Copied {
    const { rows, packed, fence, end } = chunk;
    if (range !== this.#place.range || !sameKey(after, this.#place.after) || !this.#window.judges(fence)) {
      return "again";
    }
    const all = this.#window.isEmptyFor(range);
    const keep = (key: Uint8Array): boolean => !this.#window.isOlder(range, key, fence);
    const kept = all ? rows : rows.filter(({ key }) => keep(key));
    const keptPacked = all ? packed : packed?.filter(keep);
    const count = kept.length + (keptPacked?.count ?? 0);
    this.#counts.rows += count;
    this.#counts.dropped += rowsIn(chunk) - count;
    for (const { key, value } of kept) this.#counts.bytes += key.length + value.length;
    this.#counts.bytes += keptPacked?.bytes ?? 0;
    const last = lastOf(chunk) ?? after;
    this.#place = end ? { range: range + 1, after: undefined } : { range, after: last };
    this.#window.passed(range, end ? undefined : last);
    this.#window.prune(fence);
    const collection = this.ranges[range]?.collection ?? "";
    return { rows: kept, ...(keptPacked === undefined ? {} : { packed: keptPacked }), collection };
  }

  encode(): Uint8Array {
    const window = this.#window.contents();
    const { ranges, counts, position, place } = this;
    return encodeCheckpoint({ ranges, position, place, counts, window });
  }

  #rangeOf({ collection, key }: Change): number {
    for (const index of this.#rangesOf.get(collection) ?? []) {
      if (isIn(this.ranges[index], key)) return index;
    }
    return -1;
  }

  #hasPassed(range: number, key: Uint8Array): boolean {
    if (range !== this.#place.range) return range < this.#place.range;
    const { after } = this.#place;
    return after !== undefined && compareBytes(key, after) <= 0;
  }
}

export function rowsIn({ rows, packed }: Chunk): number {
  return packed?.count ?? rows.length;
}

/** Key of a chunk's last row. */
export function lastOf({ rows, packed }: Chunk): Uint8Array | undefined {
  return packed?.last ?? rows.at(-1)?.key;
}

function isIn(range: Range | undefined, key: Uint8Array): boolean {
  if (range === undefined) return false;
  const { after, upTo } = range;
  if (after !== undefined && compareBytes(key, after) <= 0) return false;
  return upTo === undefined || compareBytes(key, upTo) <= 0;
}

/** The keys of a range that are left after a place in it. */
export function restOf(ranges: readonly Range[], { range, after }: CopyPlace): Range | undefined {
  const whole = ranges[range];
  if (whole === undefined) return undefined;
  return after === undefined ? whole : { ...whole, after };
}

function sameKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return compareBytes(a, b) === 0;
}

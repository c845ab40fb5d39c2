import { isAscii } from "node:buffer";
import { giveBack, hugeFrom } from "../huge-rows.ts";
import { BlockBuilder, type FoundRow, type RowBlock } from "../row-block.ts";
import type { KeyStretch, NoText } from "./leveldb-calls.ts";
import type { LevelIterator, LevelSnapshot } from "./leveldb-driver.ts";

/**
 * Rows fetched by one call into the native iterator, and bytes: its own default of 16 KB takes half as much time again as 64 KB,
 * and so do 512 KB, which no cache of a processor holds.
 */
export const fetchAtOnce = { rows: 1_000, bytes: 65_536 } as const;

/** Behind every key of a database. */
const behindAll = Buffer.alloc(64, 0xff);

const asBytes = { keyEncoding: "buffer", valueEncoding: "buffer" } as const;

interface Limit {
  readonly rows: number;
  readonly bytes: number;
}

export interface ReadBlock {
  readonly block?: RowBlock;
  /** No rows lie behind these. */
  readonly end: boolean;
}

/** How an iterator is opened; with `textKeys` it gives keys as the texts that the driver makes of them. */
export type Iterate = (options: object, textKeys: boolean) => LevelIterator<unknown>;

/** The value of a key, read where this is called and copied once; absent, huge values are fetched as others are. */
export type ValueOf = (key: Uint8Array, options: object) => unknown;

/** What is read, in which snapshot. */
export interface LevelStretches {
  readonly snapshot: LevelSnapshot;
  readonly stretches: readonly KeyStretch[];
  /** What keys begin with and are given without. */
  readonly prefix: Uint8Array;
  readonly noText: NoText;
}

type Found = readonly FoundRow[];

/** Rows behind a huge one that are read one by one, too: huge ones are seldom alone. */
const singlyAfter = 16;

/**
 * Up to so many characters a value is read faster as a text than as a buffer, which takes 1 µs to be made: of 100 bytes 0.7 against 1.4 µs,
 * of 1,000 1.6 against 2.0. Beyond ASCII texts take longer: of 100 bytes 0.9 to 1.6 µs, of 1,000 5.
 */
const shortText = { plain: 1_000, other: 150 } as const;
/** Values of what was fetched that are looked at for that. */
const sampled = 16;
/** Fetches with nothing but short values before texts are tried again. */
const calmAfter = 16;

const isShort = ([, value]: FoundRow): boolean => {
  if (value.length <= shortText.other || value.length > shortText.plain)
    return value.length <= shortText.other;
  return typeof value === "string" ? Buffer.byteLength(value) === value.length : isAscii(value);
};

const bytesOfFound = (found: Found): number => found.reduce((sum, [, value]) => sum + value.length, 0);
const isHugeFound = ([, value]: Found[number]): boolean => value.length >= hugeFrom;

/**
 * Rows of some stretches of keys in one snapshot, as blocks. While what one call into the driver has fetched is copied into a block,
 * the next is fetched; not beside a huge row. Calls come one after the other.
 */
export class LevelReading {
  readonly #iterate: Iterate;
  readonly #valueOf: ValueOf | undefined;
  readonly #of: LevelStretches;
  /** Characters that each key begins with and is given without. */
  readonly #skip: number;
  readonly #noText: { keys: boolean; values: boolean };
  /** Values are read as texts, for as long as they are short. */
  #textValues: boolean;
  /** Fetches one after the other, as bytes, that would have been better as texts. */
  #calm = 0;
  #stretch = 0;
  #iterator: LevelIterator<unknown> | undefined;
  #found: Found = [];
  #at = 0;
  #coming: Promise<Found> | undefined;
  /** The key taken last of this stretch, as it lies in the database. */
  #last: Uint8Array | undefined;
  /** Bytes of the block before: the next one will be about as large. */
  #before = 0;
  /** How many rows from here on are read one by one: the first to see whether it is a huge one. */
  #singly = 1;

  constructor(iterate: Iterate, of: LevelStretches, valueOf?: ValueOf) {
    this.#iterate = iterate;
    this.#valueOf = valueOf;
    this.#of = of;
    this.#skip = Buffer.from(of.prefix).toString("utf8").length;
    this.#noText = { ...of.noText };
    // Where values are not looked at before they are read, each huge one would become a text.
    this.#textValues = valueOf !== undefined && !of.noText.values;
  }

  get noText(): NoText {
    return this.#noText;
  }

  /** At most `limit` of the next rows, though at least one. `last`: there will be no other call. */
  async read(limit: Limit, last: boolean): Promise<ReadBlock> {
    const builder = new BlockBuilder(Math.max(fetchAtOnce.bytes, this.#before));
    let end = false;
    while (builder.count < limit.rows && (builder.count === 0 || builder.bytes < limit.bytes)) {
      if (this.#at >= this.#found.length && !(await this.#fetch())) {
        end = true;
        break;
      }
      const to = this.#fit(builder, limit);
      if (to === this.#at) break;
      const more = !last || this.#hasRoomForMore(builder, limit);
      if (to === this.#found.length && more) this.#ask();
      const odd = builder.addRows(this.#found, this.#at, to, this.#skipOf());
      if (odd !== undefined) {
        await this.#asBytes(odd);
        continue;
      }
      for (this.#at = to; builder.bytes > limit.bytes && builder.count > 1; this.#at--) builder.drop();
      const [passed] = this.#found[this.#at - 1] as Found[0];
      this.#last = typeof passed === "string" ? Buffer.from(passed, "utf8") : passed;
    }
    this.#before = builder.bytes < hugeFrom ? builder.bytes : Math.min(builder.bytes, limit.bytes);
    if (this.#at >= this.#found.length) this.#found = [];
    const block = builder.done();
    return block === undefined ? { end } : { block, end };
  }

  async close(): Promise<void> {
    await this.#leave();
    // A huge row that was fetched behind the last block, which had no room for it.
    giveBackAll(this.#found.slice(this.#at));
    this.#found = [];
  }

  /** Whether there are more rows, which are at hand then. */
  async #fetch(): Promise<boolean> {
    while (this.#stretch < this.#of.stretches.length) {
      const found =
        this.#singly > 0 && this.#valueOf !== undefined ? await this.#one(this.#valueOf) : await this.#many();
      this.#found = found;
      this.#at = 0;
      if (found.length > 0) {
        if (found.some(isHugeFound)) {
          this.#singly = singlyAfter;
          // The driver goes on to the next row as soon as it has one, and holds both as long as it is open.
          await this.#leave();
        } else if (this.#singly > 0) this.#singly--;
        if (this.#valueOf !== undefined && !this.#noText.values) await this.#weigh(found);
        return true;
      }
      await this.#leave();
      this.#last = undefined;
      this.#stretch++;
    }
    return false;
  }

  /** Whether the next values are read as texts, by those that have just come. */
  async #weigh(found: Found): Promise<void> {
    const step = Math.ceil(found.length / sampled);
    const seen = found.filter((_, at) => at % step === 0);
    const short = seen.filter(isShort).length;
    if (this.#textValues) {
      if (4 * short >= 3 * seen.length) return;
    } else if (short < seen.length || ++this.#calm < calmAfter) {
      if (short < seen.length) this.#calm = 0;
      return;
    }
    this.#textValues = !this.#textValues;
    this.#calm = 0;
    await this.#leave();
  }

  async #many(): Promise<Found> {
    this.#ask();
    const found = await (this.#coming as Promise<Found>);
    this.#coming = undefined;
    return found;
  }

  /**
   * The next row alone: its key by an iterator that fetches no values, then its value. An iterator copies a value for itself, in whichever
   * thread of the pool it runs, and again for us; each of these threads keeps memory for one.
   */
  async #one(valueOf: ValueOf): Promise<Found> {
    const keys = this.#open({ values: false }, false);
    let key: Uint8Array | undefined;
    try {
      const [found] = (await keys.nextv(1)) as (readonly [Uint8Array])[];
      key = found?.[0];
    } finally {
      // Before the value is read: it would hold the row, too.
      await keys.close();
    }
    if (key === undefined) return [];
    const value = valueOf(key, { ...asBytes, snapshot: this.#of.snapshot, fillCache: false }) as Uint8Array;
    return [[key, value]];
  }

  #ask(): void {
    if (this.#singly > 0 && this.#valueOf !== undefined) return;
    if (this.#coming !== undefined || this.#stretch >= this.#of.stretches.length) return;
    if (this.#iterator === undefined && this.#found.length > this.#at) return;
    this.#iterator ??= this.#open();
    this.#coming = this.#iterator.nextv(fetchAtOnce.rows) as Promise<unknown> as Promise<Found>;
    this.#coming.catch(() => undefined);
  }

  #open(more: object = {}, textKeys = !this.#noText.keys): LevelIterator<unknown> {
    const { stretches, snapshot } = this.#of;
    const { gt, gte, ...end } = stretches[this.#stretch] as KeyStretch;
    const low = this.#last ?? gt;
    const begin = low === undefined ? { gte } : { gt: low };
    const valueEncoding = this.#textValues ? "utf8" : "buffer";
    const how = {
      ...asBytes,
      valueEncoding,
      snapshot,
      fillCache: false,
      highWaterMarkBytes: fetchAtOnce.bytes,
    };
    return this.#iterate({ ...how, ...begin, ...end, ...more }, textKeys);
  }

  /** Up to which row of those at hand the limit takes them, as far as that can be told from their texts. */
  #fit(builder: BlockBuilder, limit: Limit): number {
    const most = Math.min(this.#found.length, this.#at + limit.rows - builder.count);
    let bytes = builder.bytes;
    let at = this.#at;
    for (; at < most; at++) {
      const [key, value] = this.#found[at] as Found[0];
      bytes += key.length - this.#skip + value.length;
      if (bytes > limit.bytes && (at > this.#at || builder.count > 0)) break;
    }
    return at;
  }

  #hasRoomForMore(builder: BlockBuilder, limit: Limit): boolean {
    return (
      builder.count + this.#found.length < limit.rows && builder.bytes + 2 * fetchAtOnce.bytes < limit.bytes
    );
  }

  /** Characters, or bytes where keys are bytes. */
  #skipOf(): number {
    return typeof this.#found[this.#at]?.[0] === "string" ? this.#skip : this.#of.prefix.length;
  }

  /** Reads anew from behind the key taken last. */
  async #asBytes(odd: keyof NoText): Promise<void> {
    this.#noText[odd] = true;
    if (odd === "values") this.#textValues = false;
    await this.#leave();
    [this.#found, this.#at] = [[], 0];
  }

  async #leave(): Promise<void> {
    const iterator = this.#iterator;
    this.#iterator = undefined;
    const ahead = await this.#coming?.catch(() => undefined);
    const fetched = ahead ?? this.#found;
    this.#coming = undefined;
    if (iterator === undefined) return;
    try {
      // What was fetched last stays with a closed iterator until the collector comes by, which knows nothing of that memory: a
      // gigabyte of dead rows piled up. Fetching nothing lets go of it.
      if (bytesOfFound(fetched) >= fetchAtOnce.bytes / 2) {
        iterator.seek(behindAll, { keyEncoding: "buffer" });
        await iterator.nextv(1);
      }
    } finally {
      await iterator.close();
    }
    giveBackAll(ahead ?? []);
  }
}

function giveBackAll(found: Found): void {
  for (const [, value] of found) if (typeof value !== "string") giveBack(value);
}

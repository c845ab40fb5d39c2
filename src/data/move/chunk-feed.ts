import { type Clock, CutoverError, faultPoint } from "../../core/index.ts";
import type { ChunkLimit, Range, Source } from "../connector.ts";
import type { Bell } from "./bell.ts";
import type { CopyPlace } from "./checkpoint.ts";
import { type ChunkSizing, firstChunk, nextChunk } from "./chunk-size.ts";
import { lastOf, type ReadChunk, restOf, rowsIn } from "./move-state.ts";

export interface ChunkFeedOptions {
  readonly source: Pick<Source, "snapshotChunk" | "head">;
  readonly ranges: readonly Range[];
  readonly sizing: ChunkSizing;
  /** Of collections whose rows come packed, with how large their chunks are. */
  readonly packed: { readonly collections: ReadonlySet<string>; readonly sizing: ChunkSizing };
  readonly clock: Clock;
  readonly bell: Bell;
  /** Why nothing may be read now; asked before every chunk. */
  readonly held: () => Promise<string | undefined>;
  /** Two chunks may be written at a time. Default false. */
  readonly abreast?: boolean;
}

/** A chunk that was read, and how. */
export interface Measured extends ReadChunk {
  readonly bytes: number;
  readonly ms: number;
  readonly asked: ChunkLimit;
}

/** Chunks in memory: those being written and one that is read meanwhile. */
const most = { one: 2, abreast: 3 };
/** How long to wait before asking again whether reading may go on. */
const askAgainMs = 250;

/** Reads chunks one after the other, ahead of those who write them. */
export class ChunkFeed {
  readonly #options: ChunkFeedOptions;
  readonly #ready: Measured[] = [];
  /** Taken and not written yet. */
  readonly #writing = new Set<Measured>();
  #next: CopyPlace;
  #limit: ChunkLimit;
  #packedLimit: ChunkLimit;
  #reading: Promise<void> | undefined;
  #since = 0;
  #round = 0;
  /** Times that a chunk was thrown away since the last one that was taken. */
  #again = 0;
  #closed = false;
  #held: string | undefined;
  #failed: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(options: ChunkFeedOptions, place: CopyPlace) {
    this.#options = options;
    this.#next = place;
    this.#limit = firstChunk(options.sizing);
    this.#packedLimit = firstChunk(options.packed.sizing, true);
    this.#fill();
  }

  /** Why no chunk is read now. */
  get held(): string | undefined {
    return this.#held;
  }

  /** Since when a chunk is being read, on the monotonic clock. */
  get readingSince(): number | undefined {
    return this.#reading === undefined || this.#held !== undefined ? undefined : this.#since;
  }

  /**
   * The chunk that comes next, when it was read.
   * @throws what reading it threw
   */
  peek(): ReadChunk | undefined {
    if (this.#ready.length === 0 && this.#failed !== undefined) throw this.#failed.error;
    return this.#ready[0];
  }

  /** Gives out the chunk that comes next; `written` says that it may be forgotten. */
  take(): Measured {
    const chunk = this.#ready.shift();
    if (chunk === undefined)
      throw new CutoverError("CUTOVER_INTERNAL", { message: "expected a chunk that was read, found none" });
    this.#again = 0;
    this.#writing.add(chunk);
    this.#fill();
    return chunk;
  }

  /** The chunk was written in `ms`. Only now is there room for another one behind it. */
  written(chunk: Measured, ms: number): void {
    this.#writing.delete(chunk);
    const measured = { rows: rowsIn(chunk.chunk), ms: Math.max(ms, chunk.ms) };
    const { sizing, packed } = this.#options;
    if (chunk.asked.packed === true) this.#packedLimit = nextChunk(packed.sizing, chunk.asked, measured);
    else this.#limit = nextChunk(sizing, chunk.asked, measured);
    this.#fill();
  }

  /** Throws away what was read ahead and reads again from `place`, in snapshots taken from now on. */
  restart(place: CopyPlace): void {
    this.#round++;
    this.#again++;
    this.#ready.length = 0;
    this.#next = place;
    this.#fill();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#reading;
  }

  #fill(): void {
    if (this.#closed || this.#reading !== undefined || this.#failed !== undefined || !this.#hasRoom()) return;
    const range = restOf(this.#options.ranges, this.#next);
    if (range === undefined) return;
    this.#reading = this.#read(range, this.#next, this.#round)
      .catch((error: unknown) => {
        this.#failed = { error };
      })
      .finally(() => {
        this.#reading = undefined;
        this.#options.bell.ring();
        this.#fill();
      });
  }

  /** A chunk larger than asked for is one huge row: nothing is read beside it. */
  #hasRoom(): boolean {
    const held = [...this.#writing, ...this.#ready];
    const large = held.some(({ bytes, asked }) => bytes > asked.bytes);
    return !large && held.length < (this.#options.abreast === true ? most.abreast : most.one);
  }

  async #read(range: Range, { range: index, after }: CopyPlace, round: number): Promise<void> {
    const { source, clock, held } = this.#options;
    // A fresh snapshot that has not seen enough either waits for a transaction of the source: no use to ask without a break.
    if (this.#again > 1) await this.#pause();
    for (;;) {
      this.#held = await held();
      if (this.#closed) return;
      if (this.#held === undefined) break;
      await this.#pause();
    }
    const asked = this.#options.packed.collections.has(range.collection) ? this.#packedLimit : this.#limit;
    this.#since = clock.monotonic();
    const chunk = await source.snapshotChunk(range, asked);
    const ms = clock.monotonic() - this.#since;
    // After the chunk: whatever it has seen lies at or before this.
    const head = await source.head();
    faultPoint("data.move.chunk-read");
    if (round !== this.#round) return;
    let bytes = chunk.packed?.bytes ?? 0;
    for (const { key, value } of chunk.rows) bytes += key.length + value.length;
    this.#ready.push({ range: index, after, chunk, head, bytes, ms, asked });
    this.#next = chunk.end
      ? { range: index + 1, after: undefined }
      : { range: index, after: lastOf(chunk) ?? after };
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.#wake = undefined;
        resolve();
      };
      const timer = this.#options.clock.after(askAgainMs, done);
      this.#wake = done;
    });
  }
}

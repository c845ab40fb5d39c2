import { asError, CutoverError, faultPoint } from "../../core/index.ts";
import type { Change, Collection, PackedRows, Position } from "../connector.ts";
import { asideChange } from "../aside-change.ts";
import { freeAreas, freeHuge } from "../huge-rows.ts";
import { Bell } from "./bell.ts";
import { ChunkFeed, type Measured } from "./chunk-feed.ts";
import { type HoldMeasures, holdReason } from "./holding.ts";
import { type Before, type Images, mapped, type PlacedRow, unchanged, type Written } from "./images.ts";
import { LogFeed } from "./log-feed.ts";
import type { MoveSettings } from "./move-options.ts";
import type { MoveState } from "./move-state.ts";
import { type MoveEvent, type MoveProgress, RateMeter } from "./progress.ts";
import { StallWatch } from "./stall-watch.ts";

/** Bytes of changes that one transaction of the target takes, and that wait for one, at most about. */
const changesAtOnce = 4_194_304;
const changesWaiting = 4_194_304;
/** How often the source is told what it need not keep, and asked how much it keeps, milliseconds. */
const acknowledgeEveryMs = 1_000;
const askRetainedEveryMs = 1_000;

const closeWithinMs = 5_000;

/** Where a move ends: when everything is copied and, with a position, the log is applied to there and not further. */
export interface Stop {
  readonly position?: Position;
}

/** Collections whose rows the target takes in the source's form, and those of them of which it takes two writes at a time. */
export interface Forms {
  readonly packed: ReadonlySet<string>;
  readonly abreast: ReadonlySet<string>;
}

/** What one transaction of the target is going to hold. */
interface Due {
  readonly changes: readonly Change[];
  readonly rows: readonly PlacedRow[];
  readonly packed?: { readonly collection: string; readonly rows: PackedRows };
  /** The chunk that is among it. */
  readonly chunk?: Measured;
}

/** A write that the target has not answered. */
interface UnderWay {
  readonly abreast: boolean;
  readonly done: Promise<void>;
}

/** Carries a move on from where it stands, until it is told to stop. */
export class Mover {
  readonly #settings: MoveSettings;
  readonly #state: MoveState;
  readonly #images: Images;
  readonly #bell = new Bell();
  readonly #rate = new RateMeter();
  readonly #log: LogFeed;
  readonly #chunks: ChunkFeed;
  readonly #watch: StallWatch;
  readonly #totals: { readonly rows?: number; readonly bytes?: number };
  #stop: Stop | undefined;
  #paused = false;
  #failed: { readonly error: unknown } | undefined;
  /** In their order: one, or two of packed rows alone. */
  #underWay: readonly UnderWay[] = [];
  readonly #forms: Forms;
  /** What the target has saved, what of it is on disk there, and what the source was told. */
  #saved: Position;
  #kept: Position;
  #acknowledged: Position;
  #savedAt: number;
  #acknowledgedAt: number;
  #retained: { readonly at: number; readonly bytes: number | undefined } | undefined;

  constructor(settings: MoveSettings, state: MoveState, collections: readonly Collection[], forms: Forms) {
    const { source, target, slot, without, clock, sizing, packedSizing, map, stalledAfterMs } = settings;
    this.#settings = settings;
    this.#state = state;
    this.#forms = forms;
    this.#saved = this.#kept = this.#acknowledged = state.position;
    this.#savedAt = this.#acknowledgedAt = clock.monotonic();
    this.#totals = totalsOf(state, collections);
    this.#images = map === undefined ? unchanged : mapped(map, target);
    const bell = this.#bell;
    const feed = { source, clock, bell };
    this.#log = new LogFeed({ ...feed, slot, from: state.position, without, most: changesWaiting });
    const { ranges } = state;
    this.#chunks = new ChunkFeed(
      {
        ...feed,
        ranges,
        sizing,
        packed: { collections: forms.packed, sizing: packedSizing },
        held: () => this.#held(),
        abreast: forms.abreast.size > 0,
      },
      state.place,
    );
    this.#rate.add(clock.monotonic(), state.counts);
    const tell = (event: MoveEvent): void => this.#tell(event);
    this.#watch = new StallWatch({
      clock,
      afterMs: stalledAfterMs,
      onEvent: tell,
      reason: () => this.#waitsFor(),
    });
  }

  stopAt(stop: Stop): void {
    this.#stop = stop;
    this.#bell.ring();
  }

  /** Ends the move after what is being written. */
  pause(): void {
    this.#paused = true;
    this.#bell.ring();
  }

  /** Resolves with whether the move came to where it was to stop; false after a pause. */
  async run(onCopied: () => void): Promise<boolean> {
    const { clock, progressEveryMs } = this.#settings;
    const tick = (): void => {
      this.#tell({ type: "progress", progress: this.progress() });
      timer = clock.after(progressEveryMs, tick);
    };
    let timer = clock.after(progressEveryMs, tick);
    try {
      let copied = false;
      for (;;) {
        if (this.#failed !== undefined) throw this.#failed.error;
        if (this.#paused) {
          await this.#settled();
          return false;
        }
        const due = await this.#gather();
        if (due !== undefined) await this.#write(due);
        if (this.#state.copied) await this.#settled();
        if (this.#state.copied && !copied) {
          copied = true;
          onCopied();
          this.#tell({ type: "copied", progress: this.progress() });
        }
        if (this.#isOver()) {
          await this.#acknowledge();
          return true;
        }
        if (due === undefined && !this.#paused) await this.#bell.heard();
      }
    } finally {
      timer.cancel();
      this.#watch.close();
      // Whoever began it may close the stores then.
      await Promise.allSettled(this.#underWay.map(({ done }) => done));
      await this.#close();
    }
  }

  /** A source that does not answer any more does not hold up the end. */
  async #close(): Promise<void> {
    const { clock } = this.#settings;
    const late = Promise.withResolvers<void>();
    const timer = clock.after(closeWithinMs, late.resolve);
    await Promise.race([Promise.all([this.#log.close(), this.#chunks.close()]), late.promise]);
    timer.cancel();
    freeAreas();
  }

  progress(): MoveProgress {
    const { counts, copied, position } = this.#state;
    const { rows: totalRows, bytes: totalBytes } = this.#totals;
    const now = this.#settings.clock.monotonic();
    const { rows, bytes } = copied ? { rows: 0, bytes: 0 } : this.#rate.at(now);
    const { held } = this.#chunks;
    return {
      ...counts,
      copied,
      position,
      rowsPerSecond: rows,
      bytesPerSecond: bytes,
      lagMs: this.#log.waitsFor,
      ...(totalRows === undefined ? {} : { totalRows }),
      ...(totalBytes === undefined ? {} : { totalBytes }),
      ...(copied
        ? {}
        : (leftOf(totalRows, counts.rows + counts.dropped, rows) ?? leftOf(totalBytes, counts.bytes, bytes))),
      ...(held === undefined ? {} : { held }),
    };
  }

  /** Takes what there is to write. Changes always come first, and a chunk only when the log has come to where it was read. */
  async #gather(): Promise<Due | undefined> {
    const state = this.#state;
    const before = state.position;
    const batch = this.#log.take(changesAtOnce);
    const upTo = state.copied ? this.#stop?.position : undefined;
    const changes = batch === undefined ? [] : state.apply(batch, upTo);
    const applied = await this.#images.ofChanges(changes, this.#before());
    if (state.position !== before) this.#watch.moved();

    let copied: Written = { changes: [], rows: [] };
    let packed: Due["packed"];
    const chunk = this.#chunks.peek();
    const taken = chunk !== undefined && state.isReady(chunk) ? state.copy(chunk) : undefined;
    if (taken === "again") this.#chunks.restart(state.place);
    else if (taken !== undefined) {
      if (taken.packed !== undefined) packed = { collection: taken.collection, rows: taken.packed };
      copied = await this.#images.ofRows(taken.collection, taken.rows, this.#before());
    }
    const written = copied.changes.length === 0 ? applied.changes : [...applied.changes, ...copied.changes];
    await this.#countAside(written, applied.reason ?? copied.reason);
    const isChunk = taken !== undefined && taken !== "again";
    if (changes.length === 0 && !isChunk && !this.#isSaveDue()) return undefined;
    return {
      changes: written,
      rows: copied.rows,
      ...(packed === undefined ? {} : { packed }),
      ...(isChunk ? { chunk: this.#chunks.take() } : {}),
    };
  }

  #before(): Before {
    return { aside: this.#state.counts.aside > 0, now: this.#settings.clock.now() };
  }

  async #countAside(changes: readonly Change[], reason = ""): Promise<void> {
    const { asideLimit, job, target } = this.#settings;
    const more = await asideChange(target, changes);
    if (more === 0) return;
    this.#state.countAside(more);
    const { aside } = this.#state.counts;
    if (more < 0) return;
    if (aside > asideLimit) {
      throw new CutoverError("CUTOVER_DATA_UNMAPPED", {
        message: `expected at most ${asideLimit} rows without an image, found ${aside}; one of them: ${reason}`,
        place: job,
        details: { job, aside, limit: asideLimit, reason },
        remedy: "let the map function give these rows an image, or raise `asideLimit`; then resume",
      });
    }
    this.#tell({ type: "aside", rows: more, reason });
  }

  /** Begins a write, and waits until another one may be gathered. */
  async #write(due: Due): Promise<void> {
    const abreast = this.#isAbreast(due);
    if (!abreast || this.#underWay.some((one) => !one.abreast)) await this.#settled();
    const one = { abreast, done: this.#carry(due) };
    this.#underWay = [...this.#underWay, one];
    const end = (): void => {
      this.#underWay = this.#underWay.filter((other) => other !== one);
      this.#bell.ring();
    };
    one.done.then(end, (error: unknown) => {
      this.#failed ??= { error };
      end();
    });
    if (!abreast) await this.#settled();
    else if (this.#underWay.length > 1) await this.#underWay[0]?.done;
  }

  /**
   * Packed rows alone may go beside packed rows: they are of other keys, and what changes came with either is written already. A chunk that
   * is one huge row goes alone.
   */
  #isAbreast({ changes, rows, packed, chunk }: Due): boolean {
    const alone = packed !== undefined && chunk !== undefined && changes.length + rows.length === 0;
    return alone && this.#forms.abreast.has(packed.collection) && chunk.bytes <= chunk.asked.bytes;
  }

  /** Waits for all writes. @throws what the first of them threw */
  async #settled(): Promise<void> {
    await Promise.allSettled(this.#underWay.map(({ done }) => done));
    if (this.#failed !== undefined) throw this.#failed.error;
  }

  async #carry({ changes, rows, packed, chunk }: Due): Promise<void> {
    const { source, target, map, clock, job, fence, origin } = this.#settings;
    const { position } = this.#state;
    const checkpoint = this.#state.encode();
    const began = clock.monotonic();
    faultPoint("data.move.before-write");
    // What a power cut takes back before all is copied is done again, as the checkpoint goes back with it: waiting for the disk
    // at each chunk cost a third of the rate. What is acknowledged has to stay.
    const durable = this.#state.copied || began - this.#acknowledgedAt >= acknowledgeEveryMs;
    const copied = { rows, ...(packed === undefined ? {} : { packed }) };
    await target.applyTxn({ job, fence, origin, changes, ...copied, checkpoint, durable });
    faultPoint("data.move.written");
    this.#saved = position;
    if (durable) this.#kept = position;
    this.#savedAt = clock.monotonic();
    this.#watch.moved();
    this.#rate.add(this.#savedAt, this.#state.counts);
    if (chunk !== undefined) {
      // A map may have kept a row it was given.
      if (source.givesCopies === true && target.takesCopies === true && map === undefined) {
        freeHuge(rows);
        packed?.rows.free?.();
      }
      this.#chunks.written(chunk, this.#savedAt - began);
    }
    if (durable && this.#savedAt - this.#acknowledgedAt >= acknowledgeEveryMs) await this.#acknowledge();
  }

  /** Only what the target has on disk: what is acknowledged is gone. */
  async #acknowledge(): Promise<void> {
    const { source, slot, clock } = this.#settings;
    const position = this.#kept;
    this.#acknowledgedAt = clock.monotonic();
    if (position === this.#acknowledged) return;
    faultPoint("data.move.before-acknowledge");
    await source.acknowledge(slot, position);
    faultPoint("data.move.acknowledged");
    this.#acknowledged = position;
  }

  #isOver(): boolean {
    if (!this.#state.copied || this.#stop === undefined) return false;
    const { position } = this.#stop;
    return position === undefined || (this.#state.position >= position && this.#saved >= position);
  }

  /** A place in the log is worth a transaction of its own now and then, so that the source need not keep what is behind it. */
  #isSaveDue(): boolean {
    const { position, copied } = this.#state;
    if (position === this.#saved) return false;
    const stop = this.#stop?.position;
    if (copied && stop !== undefined && position >= stop) return true;
    return this.#settings.clock.monotonic() - this.#savedAt >= this.#settings.checkpointEveryMs;
  }

  async #held(): Promise<string | undefined> {
    const { hold, source, slot, clock } = this.#settings;
    const now = clock.monotonic();
    if (source.retained !== undefined && !(this.#retained && now - this.#retained.at < askRetainedEveryMs)) {
      this.#retained = { at: now, bytes: await source.retained(slot) };
    }
    const found: HoldMeasures = {
      lagMs: this.#log.waitsFor,
      retainedBytes: this.#retained?.bytes,
      latencyMs: hold.latency === undefined ? undefined : await hold.latency.measure(),
    };
    return holdReason(hold, found);
  }

  /** What the move waits for although something is to be done. */
  #waitsFor(): string | undefined {
    const { source, target, clock, stalledAfterMs } = this.#settings;
    const { copied, position } = this.#state;
    if (this.#underWay.length > 0) return `${target.name} has not answered to a write`;
    const { held } = this.#chunks;
    if (!copied && held !== undefined) return held;
    if (clock.monotonic() - this.#log.heardAt >= stalledAfterMs)
      return `the log of ${source.name} says nothing`;
    if (!copied) {
      if (this.#chunks.readingSince !== undefined) return `${source.name} has not answered to a read`;
      return `rows that were read wait for the log of ${source.name}, which has come to ${position}`;
    }
    const stop = this.#stop?.position;
    return stop === undefined
      ? undefined
      : `the log of ${source.name} has come to ${position}, not to ${stop}`;
  }

  #tell(event: MoveEvent): void {
    try {
      this.#settings.onEvent(event);
    } catch (error) {
      this.#failed ??= { error: asError(error) };
      this.#bell.ring();
    }
  }
}

/** Time until `total` is reached; undefined when it is not known, or nothing moves. */
function leftOf(
  total: number | undefined,
  done: number,
  perSecond: number,
): { readonly leftMs: number } | undefined {
  if (total === undefined || !(perSecond > 0)) return undefined;
  return { leftMs: (Math.max(0, total - done) / perSecond) * 1_000 };
}

/** Rows and bytes of whole collections; of parts of them nothing is known. */
function totalsOf(
  { ranges }: MoveState,
  collections: readonly Collection[],
): { readonly rows?: number; readonly bytes?: number } {
  let rows: number | undefined = 0;
  let bytes: number | undefined = 0;
  for (const { collection, after, upTo } of ranges) {
    const found = collections.find(({ name }) => name === collection);
    const whole = after === undefined && upTo === undefined;
    rows = whole && rows !== undefined && found?.rows !== undefined ? rows + found.rows : undefined;
    bytes = whole && bytes !== undefined && found?.bytes !== undefined ? bytes + found.bytes : undefined;
  }
  return { ...(rows === undefined ? {} : { rows }), ...(bytes === undefined ? {} : { bytes }) };
}

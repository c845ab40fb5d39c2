import { CutoverError } from "../../core/index.ts";
import type { DataStore, Position, Target } from "../connector.ts";
import { keptIn } from "../map.ts";
import { endMove } from "../move/begin.ts";
import { decodeCheckpoint, encodeCheckpoint, type MoveCounts } from "../move/checkpoint.ts";
import { requireFree } from "../move/enforced.ts";
import { type Move, startMove } from "../move/move-data.ts";
import type { MoveEvent } from "../move/progress.ts";
import { keptUnder } from "../verify/kept-rows.ts";
import type { Touched } from "../verify/touched.ts";
import { otherSide, type Side } from "./arrows.ts";
import type { Ground } from "./ground.ts";
import { SinceCrossing } from "./since-crossing.ts";
import type { StreamName } from "./stream-names.ts";

/** The stream of changes that leads to one side of a crossing. */
export class Stream {
  readonly to: Side;
  readonly source: DataStore;
  readonly target: DataStore;
  readonly name: StreamName;
  /** What the stream that leads back has brought; undefined for the other one. */
  readonly since: SinceCrossing | undefined;
  /** Rows set aside on the old side since this object was made. */
  aside = 0;
  readonly #ground: Ground;

  constructor(ground: Ground, to: Side) {
    this.#ground = ground;
    this.to = to;
    this.source = ground.sides[otherSide(to)];
    this.target = ground.sides[to];
    this.name = ground.names[to];
    this.since = to === "old" ? new SinceCrossing(this.name.job, ground.wayBack !== undefined) : undefined;
  }

  /**
   * Keeps the log of the source from now on, for a stream that has nothing to copy: both sides are equal, or will be before the
   * source takes writes. Called before the switch is turned to the source, so that nothing written there is missed.
   */
  async arm(): Promise<void> {
    const { fence, wayBack, collections } = this.#ground;
    const { job, slot } = this.name;
    // Changes come in the order in which they were made, so that foreign keys hold; what triggers do was done on the other side.
    await requireFree(this.target, collections[this.to], ({ triggers }) => triggers);
    // An owner that was left behind must not take away the log of the one who came after it.
    await this.target.applyTxn({ job, fence, origin: job, changes: [], rows: [] });
    // What an earlier crossing left is not to be applied by this one.
    await this.source.release(slot);
    const position = await this.source.capture(slot);
    await this.#forgetNotes();
    // Rows that an earlier way back set aside say nothing of this one.
    if (wayBack !== undefined && this.to === "old") {
      await this.#forgetKept(keptIn.aside, wayBack.name);
      await this.#forgetKept(keptIn.images, wayBack.name);
    }
    const ranges = collections[otherSide(this.to)].map((collection) => ({ collection }));
    const counts = { ...noCounts, aside: await this.#countAside() };
    const place = { range: ranges.length, after: undefined };
    const window = { entries: [], transactions: [], upTo: undefined };
    const checkpoint = encodeCheckpoint({ ranges, position, place, counts, window });
    await this.target.applyTxn({ job, fence, origin: job, changes: [], rows: [], checkpoint });
  }

  /** Ends it: the source keeps no log for it any more. */
  async disarm(): Promise<void> {
    await endMove({ source: this.source, target: this.target, ...this.name });
    const { wayBack } = this.#ground;
    if (this.to === "new") return;
    await this.#forgetNotes();
    // Where images lie is of no use without the stream. What was set aside stays for people.
    if (wayBack !== undefined) await this.#forgetKept(keptIn.images, wayBack.name);
    await this.target.forget(this.name.job);
  }

  /** How far it was applied, as the target says alone; undefined when there is no such stream. */
  async applied(): Promise<
    | {
        readonly position: Position;
        readonly counts: MoveCounts;
        /** Everything was copied. */
        readonly copied: boolean;
      }
    | undefined
  > {
    const saved = await this.target.checkpoint(this.name.job);
    if (saved === undefined) return undefined;
    const { position, counts, place, ranges } = decodeCheckpoint(saved);
    return { position, counts, copied: place.range >= ranges.length };
  }

  /** Applies what the source's log has, and goes on until it is told to stop. */
  start(
    options: {
      readonly touched?: Touched;
      readonly signal?: AbortSignal;
      readonly onEvent?: (event: MoveEvent) => void;
    } = {},
  ): Move {
    const { fence, clock, map, signal: whole } = this.#ground;
    const { touched, signal = whole, onEvent } = options;
    const target = touched?.target(this.target) ?? this.target;
    return startMove({
      source: touched?.source(this.source) ?? this.source,
      target: this.#receiving(target),
      ...this.name,
      fence,
      ...(this.to === "new" && map !== undefined ? { map } : {}),
      asideLimit: Number.MAX_SAFE_INTEGER,
      progressEveryMs: 250,
      ...(onEvent === undefined ? {} : { onEvent }),
      clock,
      signal,
    });
  }

  /** Applies everything that the source had when this was called. */
  async catchUp(touched?: Touched, signal?: AbortSignal): Promise<void> {
    const position = await this.source.head();
    const move = this.start({
      ...(touched === undefined ? {} : { touched }),
      ...(signal === undefined ? {} : { signal }),
    });
    move.stopAt(position);
    const { finished } = await move.done;
    if (!finished) (signal ?? this.#ground.signal).throwIfAborted();
  }

  /** The target as rows of the source are written to it one by one. */
  receiver(touched: Touched): Target {
    return this.#receiving(touched.target(this.target));
  }

  /** Keeps on the old side that both sides were equal at the turn of this epoch. */
  async begin(epoch: number): Promise<void> {
    if (this.since === undefined) return;
    const { job } = this.name;
    const { fence } = this.#ground;
    const changes = [this.since.begun(epoch)];
    await this.target.applyTxn({ job, fence, origin: job, changes, rows: [] });
  }

  #receiving(target: Target): Target {
    const { wayBack, clock } = this.#ground;
    const { since } = this;
    if (since === undefined) return target;
    const onAside = (more: number, reason: string): void => this.#setAside(more, reason);
    return since.noting(target, (old) => (wayBack === undefined ? old : wayBack.target(old, clock, onAside)));
  }

  /** `more`: negative when rows have found an image. */
  #setAside(more: number, reason: string): void {
    const { limits } = this.#ground;
    this.aside += more;
    if (more < 0 || this.aside <= limits.aside) return;
    throw new CutoverError("CUTOVER_DATA_UNMAPPED", {
      message: `expected at most ${limits.aside} rows without an image on the old side, found ${this.aside}; one of them: ${reason}`,
      place: this.target.name,
      details: { aside: this.aside, limit: limits.aside, reason },
      remedy: "let the way back give these rows an image, or raise the limit of rows set aside",
    });
  }

  async #forgetNotes(): Promise<void> {
    if (this.since === undefined) return;
    for (const name of this.since.names) await this.#forgetKept(this.since.collection, name);
  }

  async #forgetKept(collection: string, name: string): Promise<void> {
    const { job } = this.name;
    const { fence } = this.#ground;
    for await (const batch of keptUnder(this.target, collection, name)) {
      const changes = batch.map(({ kept: key }) => ({ collection, key, value: null }));
      await this.target.applyTxn({ job, fence, origin: job, changes, rows: [] });
    }
  }

  async #countAside(): Promise<number> {
    const { wayBack, map } = this.#ground;
    if (map === undefined) return 0;
    const name = this.to === "new" ? (map.name ?? "") : wayBack?.name;
    if (name === undefined) return 0;
    let rows = 0;
    for await (const batch of keptUnder(this.target, keptIn.aside, name)) rows += batch.length;
    return rows;
  }
}

const noCounts: MoveCounts = { rows: 0, bytes: 0, changes: 0, dropped: 0, outside: 0, aside: 0 };

import { CutoverError, faultPoint, hasCode, type JsonObject, sleep } from "../../core/index.ts";
import type { Position } from "../connector.ts";
import type { Place, SourceRow } from "../map.ts";
import type { Move } from "../move/move-data.ts";
import { proofOf } from "../backup/proof.ts";
import { otherSide, type Side } from "./arrows.ts";
import type { PredictedPause } from "./crossing-events.ts";
import { notFollowed, preflight } from "./crossing-errors.ts";
import { differs, Equality, type Live, type Proven, takenOf } from "./equality.ts";
import type { Ground } from "./ground.ts";
import { PlaceTaken } from "./place-taken.ts";
import { rehearse } from "./rehearsal.ts";
import { requireWayBack, sampleWayBack } from "./sampled-rows.ts";
import { Stream } from "./stream.ts";
import { TouchedSides } from "./touched-sides.ts";
import { tryLog, tryRow } from "./tried-row.ts";

/** How often the log is applied while a verification runs. */
const followEveryMs = 500;
/** Times that everything is read and what differs is written, without a log. */
const passes = 20;

/** One attempt to bring the data to a side: what its arrows do, in both directions. */
export class Course {
  readonly to: Side;
  /** The stream that leads to the side, and the one that is going to lead away from it. */
  readonly arriving: Stream;
  readonly leaving: Stream;
  readonly #ground: Ground;
  readonly #equality: Equality;
  readonly #touched: TouchedSides;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #move: Move | undefined;
  #row: SourceRow | undefined;
  #provenMs = 0;
  /** What the arrows found out, for the record. */
  predicted: PredictedPause | undefined;
  proven: Proven | undefined;
  /** On the way back: places compared before the pause because they were written since the crossing, instead of everything. */
  checked: number | undefined;
  /** On the way back: rows of the old side that a verification of everything before the pause has written. */
  mended: number | undefined;
  applied = 0;
  looked = 0;
  /** Rows written in the pause because the log was gone. */
  compared: number | undefined;
  settled: JsonObject | undefined;

  constructor(ground: Ground, to: Side) {
    this.#ground = ground;
    this.to = to;
    this.arriving = new Stream(ground, to);
    this.leaving = new Stream(ground, otherSide(to));
    this.#equality = new Equality(ground, to);
    this.#touched = new TouchedSides(to);
    this.#signal = AbortSignal.any([ground.signal, this.#stop.signal]);
  }

  /** Whether changes come by a log. Without one all is compared in the pause, however long that takes. */
  get hasLog(): boolean {
    return this.#move !== undefined;
  }

  /** The stream that will lead away from the side can be made. */
  get leads(): boolean {
    return this.leaving.to === "new" || !this.#ground.oneWay;
  }

  async prepare(): Promise<void> {
    const { sides, backup } = this.#ground;
    let follows = await this.#follows();
    if (backup !== undefined) await requireProof(backup);
    if (this.leads) await this.leaving.arm();
    faultPoint("data.cutover.armed");
    await sides[this.to].beforeTurn?.({ from: sides[otherSide(this.to)], paused: false });
    await this.#equality.ready();
    this.#touched.begin();
    if (follows) follows = await this.#verified();
    this.#row = await this.#tryBefore();
    if (!follows) return;
    const { move, predicted } = await rehearse(
      this.#ground,
      this.arriving,
      this.#touched,
      this.#equality,
      this.#provenMs,
      this.#signal,
    );
    this.#move = move;
    this.predicted = predicted;
  }

  /** Applies the log up to its end. */
  async apply(position: Position): Promise<void> {
    const { sides } = this.#ground;
    const move = this.#move;
    if (move !== undefined) {
      const before = move.progress()?.changes ?? 0;
      move.stopAt(position);
      const { finished, progress } = await move.done;
      this.applied = progress.changes - before;
      if (!finished) this.#signal.throwIfAborted();
    }
    // What is only known once all rows are there, e.g. the last number of a sequence; short, as nobody can write.
    if (move !== undefined) await this.#settle(sides);
  }

  /** Both sides stand still: the log is applied. */
  async compare(signal: AbortSignal): Promise<void> {
    if (this.#move === undefined) {
      await this.#compareAll(signal);
      await this.#settle(this.#ground.sides);
      return;
    }
    if (this.to === "new") await this.#requireEqual(signal);
    else await this.#makeEqual(signal);
  }

  /** The side that is to take charge takes writes and gives them back; a row of the new side is the old row again. */
  async try(): Promise<void> {
    const row = await tryRow(this.#ground, this.to, this.#row);
    if (row !== undefined && this.to === "new") await requireWayBack(this.#ground, row);
  }

  /** Ends the stream that led here. `epoch`: of the turn, where this crossing has made it and both sides were equal then. */
  async finish(epoch: number | undefined): Promise<void> {
    if (epoch !== undefined && this.to === "new" && this.leads) await this.leaving.begin(epoch);
    await this.arriving.disarm();
    await this.#forgetTries();
  }

  /** An attempt to go back was given up, and the new side stays in charge under this epoch: what was noted before still holds. */
  async goesOn(before: number, epoch: number): Promise<void> {
    const { since, target } = this.arriving;
    if (since !== undefined && (await since.since(target)) === before) await this.arriving.begin(epoch);
  }

  /** Lets go of everything. Resolves when nothing that was begun goes on any more. */
  async close(): Promise<void> {
    this.#stop.abort(new CutoverError("CUTOVER_DATA_CLOSED", { message: "the attempt is over" }));
    await this.#move?.done.catch(() => {});
  }

  async #follows(): Promise<boolean> {
    const found = await this.arriving.applied();
    if (found?.copied === true) return true;
    if (this.to === "old") return false;
    throw notFollowed(
      this.arriving.target.name,
      found === undefined ? "none" : "one that has not copied everything",
    );
  }

  /** False when the log that leads back is gone: then everything is compared in the pause. */
  async #verified(): Promise<boolean> {
    try {
      await this.#verify();
      return true;
    } catch (error) {
      if (this.to === "new" || !hasCode(error, "CUTOVER_DATA_SLOT_LOST")) throw error;
      this.#ground.tell({ type: "part", words: "finds the log gone that leads back" });
      return false;
    }
  }

  async #verify(): Promise<void> {
    const { tell } = this.#ground;
    tell({ type: "part", words: "brings the other side up to date" });
    await this.#caughtUp();
    const noted = await this.#noted();
    tell({
      type: "part",
      words: noted ? "compares what was written since the cutover" : "compares both sides",
    });
    if (this.to === "new") {
      const { clock } = this.#ground;
      const began = clock.monotonic();
      this.proven = await this.#followed((live) => this.#equality.everything(this.#signal, live));
      this.#provenMs = clock.monotonic() - began;
      if (!this.proven.equal) throw differs(this.#ground, this.proven.differences, "before the cutover");
      await this.#sample();
    } else if (noted) await this.#mend(await this.#followed(() => this.#checkNoted()));
    else await this.#mendAll();
  }

  /** The log is applied while the body reads; nothing of it goes on after that. */
  async #followed<T>(body: (live: Live) => Promise<T>): Promise<T> {
    const over = new AbortController();
    const following = this.#follow(over.signal);
    try {
      return await body({ caughtUp: () => this.#caughtUp(), touched: this.#touched.live });
    } finally {
      over.abort();
      await following;
    }
  }

  /**
   * The new side says what is right. What differs is written, and read again in the pause. Nobody applies the log meanwhile: what was
   * read before could take a later row back.
   */
  async #mend(places: readonly Place[]): Promise<void> {
    await this.#takeBack(places);
    this.#touched.again({ sourceKeys: [], targetPlaces: places });
  }

  /** Compares everything on the way back, again where more differs than one verification lists. */
  async #mendAll(): Promise<void> {
    this.mended = 0;
    for (let pass = 1; ; pass++) {
      this.proven = await this.#followed((live) => this.#equality.everythingBack(this.#signal, live));
      const { differences, more } = this.proven;
      await this.#mend(differences);
      this.mended += differences.length;
      if (!more) return;
      if (pass === passes || differences.length === 0)
        throw differs(this.#ground, differences, "before the way back");
    }
  }

  /** Whether it is known on the old side what was brought there since both were equal, under the epoch that is in charge. */
  async #noted(): Promise<boolean> {
    const { since } = this.arriving;
    if (since === undefined || this.#ground.check === "all") return false;
    const [began, { epoch }] = [await since.since(this.arriving.target), await this.#ground.switch.read()];
    return began === epoch;
  }

  /** Reads that. Some of what is not equal may be late. */
  async #checkNoted(): Promise<readonly Place[]> {
    const { since } = this.arriving;
    const wrong: Place[] = [];
    if (since === undefined) return wrong;
    this.checked = 0;
    for await (const { looked, places } of this.#equality.since(since, this.#signal)) {
      this.checked += looked;
      wrong.push(...places);
    }
    return wrong;
  }

  async #sample(): Promise<void> {
    const { wayBack, tell } = this.#ground;
    if (wayBack === undefined) return;
    tell({ type: "part", words: "tries rows of the new side through the way back" });
    await sampleWayBack(this.#ground, () => this.#caughtUp());
  }

  async #tryBefore(): Promise<SourceRow | undefined> {
    this.#ground.tell({ type: "part", words: "writes a row as it is, and waits for it in the log" });
    const row = this.leads
      ? await tryLog(this.#ground, this.to, this.#signal)
      : await tryRow(this.#ground, this.to, undefined);
    await this.#forgetTries();
    return row;
  }

  /** Catching up is one after the other: two moves of one job would take it from each other. */
  #last: Promise<void> = Promise.resolve();
  #caughtUp(): Promise<void> {
    const run = (): Promise<void> => this.arriving.catchUp(this.#touched.touched, this.#signal);
    const next = this.#last.then(run, run);
    this.#last = next.catch(() => {});
    return next;
  }

  /** The log does not grow while everything is read. What fails here fails for whoever catches up next. */
  async #follow(over: AbortSignal): Promise<void> {
    const { clock } = this.#ground;
    const signal = AbortSignal.any([over, this.#signal]);
    try {
      for (;;) {
        await sleep(clock, followEveryMs, signal);
        await this.#caughtUp();
      }
    } catch {
      await this.#last;
    }
  }

  async #settle(sides: Ground["sides"]): Promise<void> {
    this.settled = await sides[this.to].beforeTurn?.({ from: sides[otherSide(this.to)], paused: true });
  }

  async #requireEqual(signal: AbortSignal): Promise<void> {
    const touched = this.#touched.now();
    if (touched.complete) {
      const { looked, differences } = await this.#equality.look(touched, signal);
      this.looked = looked;
      const taken = takenOf(differences);
      if (taken.length > 0) throw new PlaceTaken(this.#ground, taken, differences);
      const clashes = this.#equality.seesClashes
        ? []
        : await this.#equality.clashes(touched.targetPlaces, signal);
      if (clashes.length > 0) throw differs(this.#ground, clashes, "when writers were stopped");
      if (differences.length === 0) return;
      if (this.#ground.map === undefined)
        throw differs(this.#ground, differences, "when writers were stopped");
    }
    // Which row an image came from is not known from its place: what looks wrong is decided by reading everything.
    this.proven = await this.#equality.everything(signal);
    if (!this.proven.equal) throw differs(this.#ground, this.proven.differences, "when writers were stopped");
  }

  async #makeEqual(signal: AbortSignal): Promise<void> {
    const touched = this.#touched.now();
    if (touched.complete) {
      const { looked, differences } = await this.#equality.look(touched, signal);
      this.looked = looked;
      if (differences.length === 0) return;
    }
    await this.#compareAll(signal);
  }

  /** Reads everything and writes to the old side what differs, until nothing does. */
  async #compareAll(signal: AbortSignal): Promise<void> {
    let written = 0;
    for (let pass = 1; ; pass++) {
      this.#ground.tell({ type: "part", words: "compares everything, and writes what differs" });
      this.proven = await this.#equality.everything(signal);
      const { differences, equal } = this.proven;
      if (equal) break;
      if (pass === passes || differences.length === 0)
        throw differs(this.#ground, differences, "after everything that differed was written");
      await this.#takeBack(differences);
      written += differences.length;
    }
    this.compared = written;
  }

  async #takeBack(places: readonly Place[]): Promise<void> {
    await this.#equality.takeBack(this.arriving, places, this.#touched.touched);
  }

  async #forgetTries(): Promise<void> {
    const { sides, names } = this.#ground;
    await sides[this.to].forget(names.tries);
  }
}

async function requireProof(dir: string): Promise<void> {
  if ((await proofOf(dir)) !== undefined) return;
  throw preflight(
    dir,
    "a backup that was restored once and found equal",
    "no proof of it",
    "restore it to a scratch store: `cutover data restore`, or the step `backup`, which does",
  );
}

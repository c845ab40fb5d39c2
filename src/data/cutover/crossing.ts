import { asError, faultPoint, hasCode, sleep, untilAborted } from "../../core/index.ts";
import type { Position } from "../connector.ts";
import {
  afterArrow,
  type Arrow,
  type Attempt,
  type CrossingState,
  aboveEpoch,
  nextArrow,
  otherSide,
  type Side,
  stateAfter,
} from "./arrows.ts";
import { Course } from "./course.ts";
import { alreadyThere, decidedOtherwise, pauseEnded } from "./crossing-errors.ts";
import type { Crossing } from "./crossing-events.ts";
import type { CrossingOptions, GoBackOptions } from "./crossing-options.ts";
import { type Ground, readGround } from "./ground.ts";
import { PlaceTaken } from "./place-taken.ts";
import type { Standing } from "./switch.ts";

/** What brings writers back is tried again: some 6 s in all. */
const tries = 7;
const firstBreakMs = 50;

/** A process that ends after an arrow leaves it to the next one to go on. */
const points: Readonly<Record<Exclude<Arrow["do"], "end">, string>> = {
  prepare: "data.cutover.prepared",
  intend: "data.cutover.intended",
  close: "data.cutover.closed",
  drain: "data.cutover.drained",
  apply: "data.cutover.applied",
  compare: "data.cutover.compared",
  try: "data.cutover.tried",
  turn: "data.cutover.turned",
  lift: "data.cutover.lifted",
  withdraw: "data.cutover.withdrawn",
  finish: "data.cutover.finished",
};

/**
 * Brings the new side in charge: everything that takes long while applications write, then a pause in which the old side refuses
 * writes, the log is applied to its end, what was touched is read again, and the switch is turned. Any failure before the
 * turn gives the old side back; after it there is only forward. docs/spec/data.md, section 8.
 *
 * Begun again with the state that was saved last, it goes on after a crash at any moment.
 *
 * @throws CUTOVER_DATA_NOT_FOLLOWED, CUTOVER_DATA_PREFLIGHT, CUTOVER_DATA_PAUSE_TOO_LONG, CUTOVER_DATA_DIFFERS,
 * CUTOVER_DATA_EPOCH, CUTOVER_DATA_OPTIONS, and what stores and switch throw
 */
export function crossOver(options: CrossingOptions): Promise<Crossing> {
  return cross(options, "new");
}

/**
 * Brings the old side back in charge, with all that was written on the new one: its log is applied until the rest is small, then
 * as in `crossOver` with the sides exchanged. When that log is gone, everything is compared and written in the pause.
 *
 * `check: "all"` compares every row before the pause, and not only what was written since the crossing.
 *
 * @throws as `crossOver`
 */
export function goBack(options: GoBackOptions): Promise<Crossing> {
  return cross(options, "old");
}

async function cross(options: GoBackOptions, to: Side): Promise<Crossing> {
  const ground = await readGround(options, to);
  await using work = new Work(ground, options.state ?? { to }, options.save);
  return await work.run();
}

/** Goes from arrow to arrow as `nextArrow` says. */
class Work implements AsyncDisposable {
  readonly #ground: Ground;
  readonly #save: (state: CrossingState) => Promise<void>;
  #course: Course;
  #state: CrossingState;
  #attempt: Attempt = {};
  #failure: unknown;
  #pause: Pause | undefined;
  /** What was left alone when the pause was over; it has to end before anything else is done to the side that is a copy. */
  readonly #left: Promise<unknown>[] = [];

  constructor(
    ground: Ground,
    state: CrossingState,
    save: (state: CrossingState) => Promise<void> = () => Promise.resolve(),
  ) {
    this.#ground = ground;
    this.#state = state;
    this.#save = save;
    this.#course = new Course(ground, state.to);
  }

  async run(): Promise<Crossing> {
    for (;;) {
      const standing = await this.#surely(() => this.#ground.switch.read());
      this.#notice(standing);
      const arrow = nextArrow(this.#state, standing, this.#attempt);
      if (arrow.do === "end") return await this.#end(arrow.crossed, standing);
      try {
        const position = await this.#perform(arrow, standing);
        this.#attempt = afterArrow(this.#attempt, arrow, position);
      } catch (error) {
        // What gives a side back, and what comes after the turn, was tried long enough.
        if (isLast(arrow, this.#state.to)) throw asError(error);
        this.#fail(error);
        continue;
      }
      faultPoint(points[arrow.do]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pause?.over();
    await this.#course.close();
    await Promise.allSettled(this.#left);
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#attempt = { ...this.#attempt, failed: true };
  }

  /** Somebody wants it to end, or has ended it. */
  #notice({ side, epoch }: Standing): void {
    const { to, epoch: mine } = this.#state;
    const { signal } = this.#ground;
    if (side === to || this.#attempt.failed) return;
    if (signal.aborted) this.#fail(signal.reason);
    else if (this.#attempt.intended && mine !== undefined && epoch >= mine)
      this.#fail(decidedOtherwise(this.#ground.switch.name, { side, epoch }));
  }

  async #perform(arrow: Exclude<Arrow, { do: "end" }>, standing: Standing): Promise<Position | undefined> {
    const { sides, clock, tell, limits } = this.#ground;
    const began = clock.monotonic();
    const course = this.#course;
    let position: Position | undefined;
    switch (arrow.do) {
      case "prepare":
        if (course.leads) await this.#keep({ ...this.#state, armed: true });
        await course.prepare();
        break;
      case "intend":
        await this.#keep({ ...stateAfter(this.#state, arrow), known: this.#known(standing) });
        break;
      case "close":
        await sides[arrow.side].fence(arrow.epoch, { signal: this.#ground.signal });
        break;
      case "drain":
        this.#pause = new Pause(this.#ground, course.hasLog ? limits.abortMs : undefined);
        position = await this.#drain(arrow, this.#pause);
        break;
      case "apply":
        await this.#within(arrow, course.apply(arrow.position));
        break;
      case "compare":
        await this.#within(arrow, course.compare(this.#pause?.signal ?? this.#ground.signal));
        break;
      case "try":
        await this.#within(arrow, course.try());
        break;
      case "turn":
        await this.#turn(arrow.to);
        break;
      case "lift":
        await this.#surely(() => sides[arrow.side].lift(arrow.epoch));
        this.#pause?.over();
        break;
      case "withdraw":
        await this.#withdraw(arrow, standing);
        break;
      case "finish":
        // Another epoch was decided by somebody who has not looked whether both sides are equal.
        await this.#surely(() =>
          course.finish(standing.epoch === this.#state.epoch ? standing.epoch : undefined),
        );
        await this.#keep({ ...stateAfter(this.#state, arrow), known: this.#known(standing) });
        break;
    }
    tell({ type: "arrow", name: arrow.do, ms: clock.monotonic() - began });
    return position;
  }

  async #drain(arrow: Arrow & { do: "drain" }, pause: Pause): Promise<Position> {
    try {
      return await this.#ground.sides[arrow.side].fence(arrow.epoch, { signal: pause.signal });
    } catch (error) {
      throw this.#reason(arrow, error);
    }
  }

  /** A turn that somebody else was quicker with is no fault: the standing says how to go on. */
  async #turn(to: Standing): Promise<void> {
    const goesOn = to.side === this.#state.to;
    try {
      if (goesOn) await this.#ground.switch.turn(to);
      else await this.#surely(() => this.#ground.switch.turn(to));
    } catch (error) {
      if (goesOn || !hasCode(error, "CUTOVER_DATA_EPOCH")) throw error;
    }
  }

  /** Everything that this attempt began has ended before the next one may begin. */
  async #withdraw(arrow: Arrow, { side, epoch }: Standing): Promise<void> {
    await this.#course.close();
    await Promise.allSettled(this.#left);
    // Only an attempt's own decision leaves no gap in which somebody else may have been in charge.
    if (side === "new" && epoch === this.#state.epoch)
      await this.#surely(() => this.#course.goesOn(epoch - aboveEpoch, epoch));
    await this.#surely(() => this.#keep(stateAfter(this.#state, arrow)));
    this.#course = new Course(this.#ground, this.#state.to);
    this.#pause = undefined;
  }

  /** Waits for work in the pause as long as the pause may last. */
  async #within(arrow: Arrow, work: Promise<void>): Promise<void> {
    const settled = work.catch(() => {});
    try {
      await untilAborted(work, this.#pause?.signal ?? this.#ground.signal);
    } catch (error) {
      this.#left.push(settled);
      throw this.#reason(arrow, error);
    }
  }

  #reason(arrow: Arrow, error: unknown): Error {
    if (this.#pause?.tooLong !== true) return asError(error);
    const { sides, limits } = this.#ground;
    return pauseEnded(sides[otherSide(this.#state.to)].name, limits.abortMs, arrow.do);
  }

  /** What must not fail for a moment's trouble. */
  async #surely<T>(body: () => Promise<T>): Promise<T> {
    for (let round = 1; ; round++) {
      try {
        return await body();
      } catch (error) {
        const settled = hasCode(error, "CUTOVER_LEASE_LOST") || hasCode(error, "CUTOVER_DATA_EPOCH");
        if (settled || round === tries) throw error;
        await sleep(this.#ground.clock, firstBreakMs * 2 ** (round - 1));
      }
    }
  }

  async #keep(state: CrossingState): Promise<void> {
    await this.#save(state);
    this.#state = state;
  }

  #known(standing: Standing): Crossing {
    const { predicted, proven, checked, mended, applied, looked, compared, settled, arriving } = this.#course;
    const { position } = this.#attempt;
    const pauseMs = this.#pause?.lasted;
    const now = {
      standing,
      ...(position === undefined ? {} : { position, applied, looked }),
      ...(pauseMs === undefined ? {} : { pauseMs }),
      ...(predicted === undefined ? {} : { predicted }),
      ...(proven === undefined ? {} : { seed: proven.seed, digests: proven.digests }),
      ...(checked === undefined ? {} : { checked }),
      ...(mended === undefined ? {} : { mended }),
      ...(arriving.aside === 0 ? {} : { aside: arriving.aside }),
      ...(compared === undefined ? {} : { compared }),
      ...(settled === undefined ? {} : { settled }),
    };
    return { ...this.#state.known, ...now };
  }

  async #end(crossed: boolean, standing: Standing): Promise<Crossing> {
    if (crossed) return { ...this.#state.known, standing };
    if (this.#failure instanceof PlaceTaken) throw await this.#failure.named();
    throw asError(this.#failure ?? alreadyThere(this.#ground.switch.name, standing));
  }
}

/** Whether a failure of the arrow leaves nothing else to do. */
function isLast(arrow: Arrow, to: Side): boolean {
  if (arrow.do === "turn") return arrow.to.side !== to;
  return arrow.do === "lift" || arrow.do === "withdraw" || arrow.do === "finish";
}

/** The time in which writers are stopped. */
class Pause {
  readonly signal: AbortSignal;
  tooLong = false;
  lasted: number | undefined;
  readonly #over: () => number | undefined;

  constructor({ clock, signal }: Ground, abortMs: number | undefined) {
    const began = clock.monotonic();
    const limit = new AbortController();
    const timer =
      abortMs === undefined
        ? undefined
        : clock.after(abortMs, () => {
            this.tooLong = true;
            limit.abort(new Error("the pause has lasted too long"));
          });
    this.signal = AbortSignal.any([signal, limit.signal]);
    this.#over = () => {
      timer?.cancel();
      return clock.monotonic() - began;
    };
  }

  /** The first call says how long it lasted. */
  over(): void {
    const ms = this.#over();
    this.lasted ??= ms;
  }
}

import {
  asError,
  type Clock,
  CutoverError,
  type Duration,
  formatDuration,
  hasCode,
  type Json,
  type JsonObject,
  markPlace,
  sleep,
} from "../../core/index.ts";
import type { Step, StepContext, StepKind, StepPlan, StepProblem } from "../../plan/index.ts";
import type { Position } from "../connector.ts";
import { Stream } from "../cutover/stream.ts";
import type { Move } from "../move/move-data.ts";
import type { ReverseSyncOptions } from "./crossing-input.ts";
import { backProblems, backText, checkDuration, groundOf } from "./crossing-setting.ts";
import { crossingOptions } from "./cutover-data.ts";
import {
  type OpenedPair,
  openPair,
  type Pair,
  pairInput,
  pairOf,
  pairProblems,
  pairText,
  pairWords,
} from "./pair.ts";
import { askSaved, finish, save, type Saved, savedOf } from "./saved.ts";
import {
  attemptLimitMs,
  type DataStepPlacement,
  durationMs,
  given,
  optionsOf,
  placement,
  Problems,
} from "./step-input.ts";
import { tellAside } from "./aside-evidence.ts";
import { count } from "./step-progress.ts";
import { storeName, type StoreRef } from "./store-ref.ts";

const known: Readonly<Record<Exclude<keyof ReverseSyncOptions, keyof DataStepPlacement>, true>> = {
  ...crossingOptions,
  for: true,
  lag: true,
  follow: true,
  asideLimit: true,
};

const defaultForMs = 86_400_000;
const defaultLagMs = 60_000;
/** How often it is asked how far the old side is behind. */
const askEveryMs = 250;

interface Setting {
  readonly pair: Pair;
  readonly options: Partial<ReverseSyncOptions>;
}

interface ReverseSaved extends Saved {
  /** Wall-clock milliseconds. */
  readonly since: number;
}

/**
 * A step that keeps the old store up to date with what is written on the new one after `cutoverData` of the same stores, collections
 * and map, for a time: so the way back is short, and seen to work. It fails when the old side falls behind. With the end of
 * its phase the new side keeps no log for it any more, and refuses no writers of older epochs, unless `follow` says so.
 *
 * ```ts
 * reverseSync("leveldb:data/old", "lmdb:data/new", { for: "24h", lag: "10s" })
 * ```
 */
export function reverseSync(from: StoreRef, to: StoreRef, stepOptions: ReverseSyncOptions = {}): Step {
  const options = optionsOf<ReverseSyncOptions>(stepOptions);
  const pair = pairOf(from, to, options);
  const input = {
    ...pairInput(pair),
    ...given({
      for: options.for,
      lag: options.lag,
      follow: options.follow,
      asideLimit: options.asideLimit,
      estimate: options.estimate,
    }),
  };
  return markPlace(
    {
      ...placement("reverseSync", options),
      kind: reverseKind({ pair, options }, stepOptions),
      input,
    } as Step,
    reverseSync as (...args: never[]) => unknown,
  );
}

function reverseKind(setting: Setting, stepOptions: unknown): StepKind {
  const { pair, options } = setting;
  return {
    kind: "reverseSync",
    reversible: true,
    timeoutMs: attemptLimitMs + forMs(options),
    validate: () => problems(setting, stepOptions),
    summary: () => words(setting),
    plan: () => plan(setting),
    start: (context) => start(context, setting),
    verify: askSaved,
    complete: (context) => complete(context, setting),
    fingerprint: () => [pairText(pair), backText(options.back)].join("\n"),
  };
}

const words = ({ pair }: Setting): string => `bring what is written back: ${pairWords(pair)}`;
const forMs = ({ for: time }: Partial<ReverseSyncOptions>): number =>
  time === undefined ? defaultForMs : (durationMs(time) ?? defaultForMs);
const lagMs = ({ lag }: Partial<ReverseSyncOptions>): number =>
  lag === undefined ? defaultLagMs : (durationMs(lag) ?? defaultLagMs);

function problems({ pair, options }: Setting, stepOptions: unknown): readonly StepProblem[] {
  const found = new Problems();
  found.options(stepOptions, known);
  pairProblems(found, pair);
  checkDuration(found, "for", options.for);
  checkDuration(found, "lag", options.lag);
  found.flag("follow", options.follow);
  found.count("asideLimit", options.asideLimit);
  backProblems(found, pair, options.back);
  if (pair.map !== undefined && options.back === undefined)
    found.add(
      "back",
      "given with a map, the same as in cutoverData",
      options.back,
      "write back: (row, original) => …",
    );
  return found.list;
}

function plan({ pair, options }: Setting): StepPlan {
  const { from, to } = pair;
  const own = options.estimate === undefined ? undefined : durationMs(options.estimate as Duration);
  const end =
    options.follow === true
      ? `the log of ${storeName(to)} is kept after it`
      : `with the end of the phase ${storeName(to)} keeps no log for the way back any more, and refuses no older writers`;
  return {
    summary: `${words({ pair, options })} · for ${formatDuration(forMs(options))}, at most ${formatDuration(lagMs(options))} behind`,
    estimateMs: own ?? forMs(options),
    touches: [`rows of ${storeName(from)}`, end],
  };
}

const streamOf = async (
  context: StepContext,
  { pair, options: { back, asideLimit } }: Setting,
  both: OpenedPair,
): Promise<Stream> => new Stream(await groundOf(context, { pair, back, asideLimit }, both), "old");

async function start(context: StepContext, setting: Setting): Promise<Json> {
  const { pair, options } = setting;
  await using both = await openPair(context, pair);
  const stream = await streamOf(context, setting, both);
  const before = await stream.applied();
  if (before === undefined)
    throw new CutoverError("CUTOVER_DATA_NOT_FOLLOWED", {
      message: `expected a cutover of the same stores, collections and map, since which ${storeName(pair.to)} keeps its log, found none`,
      place: storeName(pair.to),
      remedy: "put cutoverData of the same stores, collections and map in an earlier step",
    });
  const saved =
    savedOf<ReverseSaved>(context) ?? (await save<ReverseSaved>(context, { since: context.clock.now() }));
  const until = saved.since + forMs(options);
  const move = stream.start();
  const watch = new LagWatch(context.clock, stream, move);
  try {
    await watch.caughtUp(context.signal);
    while (context.clock.now() < until) {
      const lag = await watch.now();
      show(context, stream, move, lag, until - context.clock.now());
      if (lag > lagMs(options)) throw behind(pair, lag, lagMs(options));
      const rest = Math.max(1, until - context.clock.now());
      await Promise.race([
        sleep(context.clock, Math.min(askEveryMs, rest), context.signal),
        move.done.then(ended),
      ]);
    }
    move.stopAt(await stream.source.head());
    const { finished, progress } = await move.done;
    if (!finished) throw asError(context.signal.reason);
    const result: JsonObject = {
      note: `${count(progress.changes)} changes brought back · at most ${formatDuration(watch.longest)} behind${stream.aside > 0 ? ` · ${count(stream.aside)} rows set aside` : ""}`,
      changes: progress.changes,
      position: progress.position,
      longestLagMs: Math.round(watch.longest),
      aside: stream.aside,
    };
    await context.evidence(`reverse sync to ${storeName(pair.from)}`, { ...pairInput(pair), ...result });
    if (pair.map !== undefined) await tellAside(context, both.source, pair.map);
    return await finish(context, saved, result);
  } catch (error) {
    move.pause();
    await move.done.catch(() => {});
    throw error;
  }
}

/** A move that ended by itself has failed, or was told to. */
function ended(): void {}

async function complete(context: StepContext, setting: Setting): Promise<void> {
  if (setting.options.follow === true) return;
  await using both = await openPair(context, setting.pair);
  const stream = await streamOf(context, setting, both);
  await stream.disarm();
  // Nothing is fenced against any more. Whoever goes back all the same fences it anew.
  await both.target.lift(0).catch((error: unknown) => {
    if (hasCode(error, "CUTOVER_LEASE_LOST")) throw error;
    context.log.warn(
      `${storeName(setting.pair.to)} goes on to refuse writers of older epochs: ${asError(error).message}`,
    );
  });
}

function show(context: StepContext, { aside }: Stream, move: Move, lag: number, leftMs: number): void {
  const changes = move.progress()?.changes ?? 0;
  context.progress({
    done: changes,
    unit: "changes",
    note: [
      lag < 1_000 ? "the old side is up to date" : `the old side is ${formatDuration(lag)} behind`,
      ...(aside > 0 ? [`${count(aside)} rows set aside`] : []),
      `${formatDuration(Math.max(0, leftMs))} left`,
    ].join(" · "),
  });
}

function behind(pair: Pair, lag: number, limit: number): CutoverError {
  return new CutoverError("CUTOVER_DATA_LAG", {
    message: `expected ${storeName(pair.from)} to be at most ${formatDuration(limit)} behind ${storeName(pair.to)}, found ${formatDuration(lag)}`,
    place: storeName(pair.from),
    details: { lagMs: Math.round(lag), limitMs: limit },
  });
}

/** How far a target is behind its source: since when it has not come to where the source's log ended then. */
class LagWatch {
  /** The most that was seen, milliseconds. */
  longest = 0;
  readonly #clock: Clock;
  readonly #stream: Stream;
  readonly #move: Move;
  #waits: { readonly position: Position; readonly since: number } | undefined;

  constructor(clock: Clock, stream: Stream, move: Move) {
    this.#clock = clock;
    this.#stream = stream;
    this.#move = move;
  }

  /** What was written before this step is applied; how long that takes is no lag. */
  async caughtUp(signal: AbortSignal): Promise<void> {
    while ((await this.#behind()) > 0)
      await Promise.race([sleep(this.#clock, askEveryMs, signal), this.#move.done.then(ended)]);
    this.#waits = undefined;
    this.longest = 0;
  }

  async now(): Promise<number> {
    const lag = await this.#behind();
    this.longest = Math.max(this.longest, lag);
    return lag;
  }

  async #behind(): Promise<number> {
    const reached = this.#move.progress()?.position ?? "";
    if (this.#waits !== undefined && reached < this.#waits.position)
      return Math.max(1, this.#clock.monotonic() - this.#waits.since);
    const position = await this.#stream.source.head();
    this.#waits = { position, since: this.#clock.monotonic() };
    return reached < position ? 1 : 0;
  }
}

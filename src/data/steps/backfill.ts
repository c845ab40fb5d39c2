import {
  asError,
  type Duration,
  formatDuration,
  hasCode,
  type Json,
  type JsonObject,
  markPlace,
} from "../../core/index.ts";
import type { Step, StepContext, StepKind, StepPlan, StepProblem } from "../../plan/index.ts";
import type { DataStore } from "../connector.ts";
import { streamNames } from "../cutover/stream-names.ts";
import { endMove } from "../move/begin.ts";
import { enforcedText } from "../move/enforced.ts";
import { type MoveResult, startMove } from "../move/move-data.ts";
import { clearRows, holdsRows, notEmpty } from "./clear-rows.ts";
import {
  jobOf,
  type OpenedPair,
  openPair,
  type Pair,
  pairInput,
  pairOf,
  type PairOptions,
  pairOptions,
  pairProblems,
  pairText,
  pairWords,
} from "./pair.ts";
import { diskWords, openToLook, preview, previewWords, requireRoom, timeOf, warnings } from "./preview.ts";
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
import { count, MoveTeller, rowsText, sizeText } from "./step-progress.ts";
import { diskOf, openStore, schemeOf, storeName, type StoreRef } from "./store-ref.ts";

export interface BackfillOptions extends PairOptions, DataStepPlacement {
  /**
   * The old store goes on to keep its log after the phase, so that steps of later phases can bring the new side up to date:
   * `verify` and `repair` of the same stores do so first. The log grows until the run is taken back or the move is ended
   * (`endMove`, or a cutover of the data). Default false: the log is released when the phase is sealed.
   */
  readonly follow?: boolean;
  /** Begins although the new store holds rows; they stay on the way back too, and so do the copied ones. Default false. */
  readonly mix?: boolean;
  /** Most rows without an image that are set aside before the step fails. Default 1,000. */
  readonly asideLimit?: number;
}

const known: Readonly<Record<Exclude<keyof BackfillOptions, keyof DataStepPlacement>, true>> = {
  ...pairOptions,
  follow: true,
  mix: true,
  asideLimit: true,
};

interface Setting {
  readonly pair: Pair;
  readonly options: Partial<BackfillOptions>;
}

interface BackfillSaved extends Saved {
  /** The collections of the target in which images lie: what the way back empties. */
  readonly targets: readonly string[];
  /** No row lay there when the step began. */
  readonly empty: boolean;
}

/**
 * A step that copies all rows from one store into another while the first is written to, and applies what is written meanwhile up
 * to the end of the copy. It keeps its place in the new store, in the transaction of the rows: after a crash or pause it goes
 * on there. The way back removes the rows from the new store, which was empty before.
 *
 * ```ts
 * backfill("leveldb:data/old", "lmdb:data/new", { map: ({ value }) => ({ value: upgrade(value) }) })
 * ```
 */
export function backfill(from: StoreRef, to: StoreRef, stepOptions: BackfillOptions = {}): Step {
  const options = optionsOf<BackfillOptions>(stepOptions);
  const pair = pairOf(from, to, options);
  const input = {
    ...pairInput(pair),
    ...given({
      follow: options.follow,
      mix: options.mix,
      asideLimit: options.asideLimit,
      estimate: options.estimate,
    }),
  };
  return markPlace(
    {
      ...placement("backfill", options),
      kind: backfillKind({ pair, options }, stepOptions),
      input,
    } as Step,
    backfill as (...args: never[]) => unknown,
  );
}

function backfillKind(setting: Setting, stepOptions: unknown): StepKind {
  const { pair } = setting;
  return {
    kind: "backfill",
    reversible: true,
    timeoutMs: attemptLimitMs,
    validate: () => problems(setting, stepOptions),
    summary: () => `copy ${pairWords(pair)}`,
    plan: () => plan(setting),
    start: (context) => start(context, setting),
    verify: askSaved,
    complete: (context) => complete(context, setting),
    rollback: (context) => rollback(context, setting),
    fingerprint: () => pairText(pair),
  };
}

function problems({ pair, options }: Setting, stepOptions: unknown): readonly StepProblem[] {
  const found = new Problems();
  found.options(stepOptions, known);
  pairProblems(found, pair);
  found.flag("follow", options.follow);
  found.flag("mix", options.mix);
  found.count("asideLimit", options.asideLimit);
  return found.list;
}

async function plan({ pair, options }: Setting): Promise<StepPlan> {
  const { from, to, map, collections, into } = pair;
  const words = `copy ${pairWords(pair)}`;
  await using old = await openToLook(from, collections);
  const own = options.estimate === undefined ? undefined : durationMs(options.estimate as Duration);
  const estimate = own === undefined ? {} : { estimateMs: own };
  if (old === undefined)
    return {
      summary: `${words} · ${storeName(from)} is not there yet`,
      ...estimate,
      touches: [storeName(to)],
    };
  const seen = await preview(old.store, collections, map);
  const names = into ?? collections ?? (await old.store.collections()).map(({ name }) => name);
  await using young = await openToLook(to, names);
  const held = young === undefined ? undefined : await holdsRows(young.store, names);
  const refused = held !== undefined && options.mix !== true;
  const enforcing = (await young?.store.collections())?.filter(
    ({ name, enforced }) => enforced !== undefined && names.includes(name),
  );
  const lacks = await notMade(pair, names, young?.store);
  const there =
    young === undefined
      ? " (will be made)"
      : held === undefined
        ? ""
        : options.mix === true
          ? " (holds rows, which stay)"
          : " (HOLDS ROWS, and is refused)";
  const disk = await diskWords(diskOf(to), seen.bytes);
  return {
    // What is refused or set aside stands in the line that every plan shows.
    summary: [
      words,
      previewWords(seen),
      ...(refused ? ["THE NEW STORE HOLDS ROWS"] : []),
      ...(lacks.length === 0 ? [] : [`THE NEW STORE DOES NOT HAVE ${lacks.join(", ")}: make it first`]),
      ...(enforcing ?? []).map(
        ({ name, enforced }) =>
          `"${name}" of the new store is refused: this user may not switch off ${enforced === undefined ? "" : enforcedText(enforced)}`,
      ),
      ...warnings(seen),
    ].join(" · "),
    estimateMs: own ?? timeOf(seen),
    touches: [
      `rows of ${storeName(to)}${there}`,
      `a log of changes in ${storeName(from)}, until the ${options.follow === true ? "move is ended" : "phase is sealed"}`,
      ...(disk === undefined ? [] : [disk]),
    ],
  };
}

/** Collections that no move makes, as tables are made by their own tools, and that are not there yet. */
async function notMade(
  { to }: Pair,
  names: readonly string[],
  store: DataStore | undefined,
): Promise<readonly string[]> {
  if (!["sqlite", "postgres", "postgresql", "door"].includes(schemeOf(to) ?? "")) return [];
  const there = new Set((await store?.collections())?.map(({ name }) => name));
  return names.filter((name) => !there.has(name)).map((name) => `"${name}"`);
}

async function start(context: StepContext, { pair, options }: Setting): Promise<Json> {
  await using both = await openPair(context, pair, { create: true });
  const saved = savedOf<BackfillSaved>(context) ?? (await begin(context, pair, both, options.mix === true));
  const job = jobOf(context, pair);
  const began = context.clock.monotonic();
  const { source, target, targets } = both;
  const teller = new MoveTeller(context);
  const move = startMove({
    source,
    target,
    job,
    fence: context.fence,
    without: streamNames(job).new.without,
    ...(pair.map === undefined ? {} : { map: pair.map }),
    ...(pair.collections === undefined
      ? {}
      : { ranges: pair.collections.map((collection) => ({ collection })) }),
    into: targets,
    // Whether anything lay there was looked at when the step began; after a crash what lies there is its own.
    mix: true,
    ...(options.asideLimit === undefined ? {} : { asideLimit: options.asideLimit }),
    progressEveryMs: 250,
    onEvent: (event) => teller.tell(event),
    clock: context.clock,
    signal: context.signal,
  });
  // What was written while the last rows were copied is applied too: a source that then stands still is equal.
  if (await move.copied) move.stopAt(await source.head());
  const done = await move.done;
  teller.end(done.progress.aside);
  if (!done.finished) throw asError(context.signal.reason);
  const result = resultOf(done, context.clock.monotonic() - began);
  await context.evidence(`backfill of ${storeName(pair.to)}`, { ...pairInput(pair), ...result });
  if (pair.map !== undefined) await tellAside(context, target, pair.map);
  return await finish(context, saved, result);
}

/** Before anything is written: room on the disk, and whether the new store is empty, which the way back rests on. */
async function begin(
  context: StepContext,
  pair: Pair,
  { source, target, names, targets }: OpenedPair,
  mix: boolean,
): Promise<BackfillSaved> {
  const held = await holdsRows(target, targets);
  if (held !== undefined && !mix) throw notEmpty(target.name, held);
  await requireRoom(pair.to, source, names);
  return await save<BackfillSaved>(context, { targets, empty: held === undefined });
}

function resultOf({ progress }: MoveResult, ms: number): JsonObject {
  const { rows, bytes, changes, dropped, aside, position } = progress;
  const seconds = Math.max(0.001, ms / 1_000);
  const note = [
    `${rowsText(rows)} moved`,
    sizeText(bytes),
    formatDuration(ms),
    ...(ms > 0 ? [`${count(rows / seconds)}/s`] : []),
    ...(changes > 0 ? [`${count(changes)} changes applied`] : []),
    ...(aside > 0 ? [`${count(aside)} set aside`] : []),
  ].join(" · ");
  return { note, rows, bytes, changes, dropped, aside, position, ms: Math.round(ms) };
}

async function complete(context: StepContext, { pair, options }: Setting): Promise<void> {
  if (options.follow === true) return;
  await using both = await openPair(context, pair);
  await endMove({ ...both, job: jobOf(context, pair) });
}

/** Needs nothing of the new side: when that cannot be reached, its rows stay and are told, and the old side is freed all the same. */
async function rollback(context: StepContext, { pair }: Setting): Promise<void> {
  const saved = savedOf<BackfillSaved>(context);
  if (saved === undefined) return;
  const job = jobOf(context, pair);
  let facts: JsonObject = {};
  try {
    await using young = await openStore(context, pair.to, { collections: saved.targets });
    const work = { job, collections: saved.targets, map: pair.map && (pair.map.name ?? "") };
    if (saved.empty) facts = { removed: await clearRows(context, young.store, work) };
    else facts = { stays: "the rows, as the store held others before" };
    await young.store.forget(job);
  } catch (error) {
    if (context.signal.aborted || hasCode(error, "CUTOVER_LEASE_LOST")) throw error;
    if (!hasCode(error, "CUTOVER_DATA_MISSING"))
      facts = { stays: `what was copied, as the store cannot be reached: ${asError(error).message}` };
  }
  if (typeof facts["stays"] === "string") context.log.warn(`${storeName(pair.to)} keeps ${facts["stays"]}`);
  await using old = await openStore(context, pair.from, { collections: pair.collections });
  await old.store.release(job);
  await context.evidence(`way back of ${context.step}`, facts);
}

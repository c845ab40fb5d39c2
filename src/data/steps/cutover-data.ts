import {
  asError,
  CutoverError,
  formatDuration,
  hasCode,
  type Json,
  type JsonObject,
  markPlace,
} from "../../core/index.ts";
import type { Step, StepContext, StepKind, StepPlan, StepProblem } from "../../plan/index.ts";
import { proofOf } from "../backup/proof.ts";
import type { CrossingState } from "../cutover/arrows.ts";
import { crossOver, goBack } from "../cutover/crossing.ts";
import { backChecks } from "../cutover/crossing-options.ts";
import { defaultCrossingLimits } from "../cutover/ground.ts";
import { appliedBack, standDown } from "../cutover/stand-down.ts";
import { tellAside } from "./aside-evidence.ts";
import type { CrossingPairOptions, CutoverDataOptions } from "./crossing-input.ts";
import {
  backProblems,
  backText,
  crossingFacts,
  crossingNote,
  crossingOf,
  limitProblems,
  limitsOf,
} from "./crossing-setting.ts";
import {
  jobOf,
  openPair,
  type Pair,
  pairInput,
  pairOf,
  pairOptions,
  pairProblems,
  pairText,
  pairWords,
} from "./pair.ts";
import { openToLook, preview, previewWords, timeOf } from "./preview.ts";
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
import { rowsText } from "./step-progress.ts";
import { openStore, storeName, type StoreRef } from "./store-ref.ts";
import { checkSwitch, openSwitch, switchName, switchText, switchToLook } from "./switch-ref.ts";

/** Options of both steps between which data crosses. */
export const crossingOptions: Readonly<Record<keyof CrossingPairOptions, true>> = {
  ...pairOptions,
  back: true,
};

const known: Readonly<Record<Exclude<keyof CutoverDataOptions, keyof DataStepPlacement>, true>> = {
  ...crossingOptions,
  switch: true,
  backup: true,
  oneWay: true,
  backCheck: true,
  limits: true,
};

interface Setting {
  readonly pair: Pair;
  readonly options: Partial<CutoverDataOptions>;
}

interface CutoverSaved extends Saved {
  readonly over?: CrossingState;
  readonly back?: CrossingState;
}

/** Trouble of a store: the way back is as it was, and cannot be gone now. */
const troubles = [
  "CUTOVER_DATA_UNAVAILABLE",
  "CUTOVER_DATA_MISSING",
  "CUTOVER_DATA_LOCKED",
  "CUTOVER_DATA_DENIED",
  "CUTOVER_DATA_FORMAT",
  "CUTOVER_DATA_CLOSED",
  "CUTOVER_DATA_FULL",
  "CUTOVER_DATA_IO",
] as const;

/**
 * A step that brings the new store in charge. A backfill of the same stores, collections and map with `follow: true` in an earlier
 * phase has copied everything. Both sides are compared while applications write; the way back is tried; then the old side
 * refuses writes for a moment, the rest of its log is applied, what was touched is read again, and the switch is turned. Any
 * failure before that gives the old side back by itself. The way back brings over what was written on the new side meanwhile.
 *
 * ```ts
 * cutoverData("leveldb:data/old", "lmdb:data/new", { switch: "file:data/switch", backup: "backups/before" })
 * ```
 */
export function cutoverData(from: StoreRef, to: StoreRef, stepOptions: CutoverDataOptions): Step {
  const options = optionsOf<CutoverDataOptions>(stepOptions);
  const pair = pairOf(from, to, options);
  const input = {
    ...pairInput(pair),
    ...given({
      switch: options.switch === undefined ? undefined : switchName(options.switch),
      backup: options.backup,
      oneWay: options.oneWay,
      backCheck: options.backCheck,
      limits: options.limits as Json | undefined,
      estimate: options.estimate,
    }),
  };
  return markPlace(
    {
      ...placement("cutoverData", options),
      kind: cutoverKind({ pair, options }, stepOptions),
      input,
    } as Step,
    cutoverData as (...args: never[]) => unknown,
  );
}

function cutoverKind(setting: Setting, stepOptions: unknown): StepKind {
  const { pair, options } = setting;
  return {
    kind: "cutoverData",
    reversible: options.oneWay !== true,
    timeoutMs: attemptLimitMs,
    validate: () => problems(setting, stepOptions),
    summary: () => words(setting),
    plan: () => plan(setting),
    start: (context) => start(context, setting),
    verify: askSaved,
    rollback: (context) => rollback(context, setting),
    fingerprint: () => [pairText(pair), backText(options.back), switchText(options.switch ?? "")].join("\n"),
  };
}

const words = ({ pair }: Setting): string => `cut over ${pairWords(pair)}`;

function problems({ pair, options }: Setting, stepOptions: unknown): readonly StepProblem[] {
  const found = new Problems();
  found.options(stepOptions, known);
  pairProblems(found, pair);
  checkSwitch(found, options.switch);
  if (options.backup !== undefined) found.folder("backup", options.backup);
  found.flag("oneWay", options.oneWay);
  if (options.backCheck !== undefined && !backChecks.includes(options.backCheck))
    found.add(
      "backCheck",
      backChecks.map((name) => `"${name}"`).join(" or "),
      options.backCheck,
      'write "all", or leave it out',
    );
  limitProblems(found, options.limits);
  backProblems(found, pair, options.back);
  const { back, oneWay } = options;
  if (pair.map !== undefined && back === undefined && oneWay !== true)
    found.add(
      "back",
      "given with a map, as the step could not be taken back without it",
      back,
      "write back: (row, original) => …, or oneWay: true in a forward-only phase",
    );
  if (oneWay === true && (pair.map === undefined || back !== undefined))
    found.add("oneWay", "left out where there is a way back", oneWay, "remove oneWay, or back");
  if (oneWay === true && options.backCheck !== undefined)
    found.add(
      "backCheck",
      "left out where there is no way back",
      options.backCheck,
      "remove backCheck, or oneWay",
    );
  return found.list;
}

async function plan(setting: Setting): Promise<StepPlan> {
  const { pair, options } = setting;
  const { from, to, collections, map } = pair;
  const own = options.estimate === undefined ? undefined : durationMs(options.estimate);
  const { pauseMs, abortMs, touched } = { ...defaultCrossingLimits, ...limitsOf(options.limits) };
  const about = [
    `the switch ${options.switch === undefined ? "" : switchName(options.switch)}: applications follow it`,
    `writes of applications: stopped for a moment that is measured before; at most ${formatDuration(pauseMs)} are begun with, and ended after ${formatDuration(abortMs)}`,
    `before that both sides are compared, and a row is written as it is; more than ${rowsText(touched)} touched since are too many`,
    ...(map === undefined || options.oneWay === true
      ? []
      : ["rows of the new side are tried through the way back, and have to be the old ones again"]),
    options.oneWay === true
      ? "NO WAY BACK: the map has none"
      : `a log of changes in ${storeName(to)} for the way back, until reverseSync is done or the step is taken back`,
    ...(await backupWords(options.backup)),
  ];
  await using old = await openToLook(from, collections);
  const line = `${words(setting)} · needs a backfill with follow: true in an earlier phase`;
  const standing = await standingOf(options.switch);
  const turned = standing === "new" ? " · THE SWITCH SAYS THAT THE NEW SIDE IS IN CHARGE ALREADY" : "";
  if (old === undefined)
    return {
      summary: `${line}${turned}`,
      ...(own === undefined ? {} : { estimateMs: own }),
      touches: about,
    };
  const seen = await preview(old.store, collections, map);
  return {
    summary: `${line} · ${previewWords(seen)} to compare${turned}`,
    estimateMs: own ?? timeOf(seen, 0.5),
    touches: about,
  };
}

async function backupWords(dir: string | undefined): Promise<readonly string[]> {
  if (dir === undefined) return [];
  const proof = await proofOf(dir).catch(() => undefined);
  return [
    `the backup in ${dir}: ${proof === undefined ? "not proven yet, which it has to be by then" : "proven"}`,
  ];
}

async function standingOf(ref: CutoverDataOptions["switch"] | undefined): Promise<string | undefined> {
  if (ref === undefined) return undefined;
  try {
    return (await (await switchToLook(ref))?.read())?.side;
  } catch (error) {
    // It is made by the step.
    if (hasCode(error, "CUTOVER_DATA_MISSING")) return undefined;
    throw error;
  }
}

async function start(context: StepContext, { pair, options }: Setting): Promise<Json> {
  await using both = await openPair(context, pair);
  const sw = await openSwitch(options.switch ?? "", context);
  let saved = savedOf<CutoverSaved>(context) ?? {};
  const found = await crossOver(
    crossingOf(context, {
      pair,
      back: options.back,
      oneWay: options.oneWay === true,
      limits: limitsOf(options.limits),
      backup: options.backup,
      source: both.source,
      target: both.target,
      switch: sw,
      state: saved.over,
      save: async (over) => {
        await save<CutoverSaved>(context, { ...saved, over });
        saved = { ...saved, over };
      },
    }),
  );
  const facts = crossingFacts(found);
  await context.evidence(`cutover to ${storeName(pair.to)}`, { ...pairInput(pair), ...facts });
  if (pair.map !== undefined) await tellAside(context, both.target, pair.map);
  return await finish(context, saved, { note: crossingNote(found), ...facts });
}

/** Back to the old side, with what was written on the new one: nothing of it is given up but by a person who turns the switch. */
async function rollback(context: StepContext, { pair, options }: Setting): Promise<void> {
  let saved = savedOf<CutoverSaved>(context) ?? {};
  const { over } = saved;
  if (over === undefined || saved.back?.finished === true) return;
  const sw = await openSwitch(options.switch ?? "", context);
  const job = jobOf(context, pair);
  const { side } = await sw.read();
  await using old = await openStore(context, pair.from, { collections: pair.collections });
  const crossed = over.epoch !== undefined || over.finished === true;
  if (!crossed || (side === "old" && saved.back?.epoch === undefined)) {
    const applied = over.finished === true ? await appliedBack(old.store, job) : undefined;
    const open = { collections: pair.into ?? pair.collections };
    await using young = await openStore(context, pair.to, open)
      .catch((error: unknown) => asError(error))
      .then(unless);
    const { standing, stays } = await standDown({
      old: old.store,
      young: () => (young.store === undefined ? Promise.reject(young.error) : Promise.resolve(young.store)),
      switch: sw,
      job,
      state: over,
    });
    if (stays !== undefined) context.log.warn(`${storeName(pair.to)} keeps ${stays}`);
    const facts: JsonObject = {
      ...standing,
      ...(stays === undefined ? {} : { stays }),
      // The switch was turned by hand: what the stream had not brought over is on the new side alone.
      ...(applied === undefined
        ? {}
        : { turnedByHand: true, appliedTo: applied.position, changes: applied.changes }),
    };
    await context.evidence(`way back of ${context.step}`, facts);
    return;
  }
  if (options.oneWay === true)
    throw noWayBack(pair, "the map has no way back", undefined, "go on forward: the new side is in charge");
  const applied = await appliedBack(old.store, job);
  try {
    const open = { collections: pair.into ?? pair.collections };
    await using young = await openStore(context, pair.to, open);
    const found = await goBack(
      crossingOf(context, {
        pair,
        back: options.back,
        oneWay: false,
        limits: limitsOf(options.limits),
        ...(options.backCheck === undefined ? {} : { check: options.backCheck }),
        source: old.store,
        target: young.store,
        switch: sw,
        state: saved.back,
        save: async (back) => {
          await save<CutoverSaved>(context, { ...saved, back });
          saved = { ...saved, back };
        },
      }),
    );
    await context.evidence(`way back of ${context.step}`, crossingFacts(found));
    if (pair.map !== undefined) await tellAside(context, old.store, pair.map);
    context.log.info(crossingNote(found));
  } catch (error) {
    if (!troubles.some((code) => hasCode(error, code))) throw error;
    const told =
      applied === undefined
        ? "nothing of it was brought to the old side by a log"
        : `the old side has it up to ${applied.position} of the new one's log (${applied.changes} changes)`;
    throw noWayBack(pair, `${asError(error).message}; ${told}`, error);
  }
}

/** A store that may be out of reach, for `await using`. */
function unless(found: Error | Awaited<ReturnType<typeof openStore>>): AsyncDisposable & {
  readonly store?: Awaited<ReturnType<typeof openStore>>["store"];
  readonly error?: Error;
} {
  if (found instanceof Error) return { error: found, [Symbol.asyncDispose]: () => Promise.resolve() };
  return found;
}

function noWayBack({ to, from }: Pair, found: string, cause: unknown, remedy?: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_NO_WAY_BACK", {
    message: `expected to bring what was written on ${storeName(to)} back to ${storeName(from)}, found: ${found}`,
    place: storeName(to),
    ...(cause === undefined ? {} : { cause }),
    ...(remedy === undefined ? {} : { remedy }),
  });
}

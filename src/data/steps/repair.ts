import { CutoverError, type Json, markPlace, sha256 } from "../../core/index.ts";
import type { Step, StepContext } from "../../plan/index.ts";
import { repairData } from "../verify/repair.ts";
import { leadsBack } from "./compared-back.ts";
import { compare, equalWords, requireEqual, verificationFacts } from "./compared.ts";
import { openPair, type Pair, pairInput, pairOf, type PairOptions, pairText, pairWords } from "./pair.ts";
import { attemptLimitMs, type DataStepPlacement, given, optionsOf, placement } from "./step-input.ts";
import { tellAside } from "./aside-evidence.ts";
import { count, RowProgress } from "./step-progress.ts";
import { storeName, type StoreRef } from "./store-ref.ts";
import { comparedProblems, planCompared } from "./verify.ts";

export interface RepairStepOptions extends PairOptions, DataStepPlacement {}

/** More differences than this are no damage but a copy gone wrong. */
const most = 100_000;

/**
 * A step that makes the new store equal to the old one where it differs, and proves it by comparing again. Only rows that
 * differ are written. There is nothing to undo: what it removes or writes over is what the old store does not say.
 *
 * ```ts
 * repair("leveldb:data/old", "lmdb:data/new")
 * ```
 */
export function repair(from: StoreRef, to: StoreRef, stepOptions: RepairStepOptions = {}): Step {
  const options = optionsOf<RepairStepOptions>(stepOptions);
  const pair = pairOf(from, to, options);
  const words = `repair ${pairWords(pair)}`;
  const touches = [`rows of ${storeName(to)} that differ; nothing to undo`];
  return markPlace(
    {
      ...placement("repair", options),
      kind: {
        kind: "repair",
        reversible: true,
        timeoutMs: attemptLimitMs,
        validate: () => comparedProblems(pair, stepOptions),
        summary: () => words,
        plan: () => planCompared(pair, words, options, 2, touches),
        start: (context: StepContext) => start(context, pair),
        // What is right already is not written again.
        verify: () => Promise.resolve({ kind: "not-done" }),
        fingerprint: () => pairText(pair),
      },
      input: { ...pairInput(pair), ...given({ estimate: options.estimate }) },
    } as Step,
    repair as (...args: never[]) => unknown,
  );
}

async function start(context: StepContext, pair: Pair): Promise<Json> {
  await using both = await openPair(context, pair);
  if (await leadsBack(context, pair, both))
    throw new CutoverError("CUTOVER_DATA_EPOCH", {
      message: `expected ${both.source.name} to be in charge, found that ${both.target.name} is since the cutover: what was written there would be undone`,
      place: both.target.name,
      remedy: "repair before the cutover; after it, compare by `verify`, or go back",
    });
  const progress = new RowProgress(context);
  const before = await compare(context, pair, both, progress, most);
  if (before.equal) return { note: `nothing to repair · ${equalWords(before)}`, written: 0, removed: 0 };
  const total = Object.values(before.counts).reduce((sum, n) => sum + n, 0);
  await context.evidence(`differences of ${storeName(pair.to)}`, verificationFacts(pair, before));
  if (total > most) requireEqual(pair, both, before);
  const job = `repair:${sha256(context.idempotencyKey).slice(0, 16)}`;
  progress.part("repairs", total);
  const done = await repairData({
    source: both.source,
    target: both.target,
    places: before.differences,
    ...(pair.collections === undefined ? {} : { collections: pair.collections }),
    ...(pair.map === undefined ? {} : { map: pair.map }),
    ...(pair.into === undefined ? {} : { targets: pair.into }),
    job,
    fence: context.fence,
    origin: job,
    limit: most,
    clock: context.clock,
    signal: context.signal,
  });
  const after = await compare(context, pair, both, progress, most);
  await both.target.forget(job);
  const { written, removed, wellAlready } = done;
  const facts = { ...verificationFacts(pair, after), written, removed, wellAlready };
  await context.evidence(`repair of ${storeName(pair.to)}`, facts);
  if (pair.map !== undefined) await tellAside(context, both.target, pair.map);
  requireEqual(pair, both, after);
  return { note: `${count(written)} written · ${count(removed)} removed · ${equalWords(after)}`, ...facts };
}

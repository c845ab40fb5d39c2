import { type Json, markPlace } from "../../core/index.ts";
import type { Step, StepContext, StepPlan, StepProblem } from "../../plan/index.ts";
import type { BackMap } from "../cutover/crossing-options.ts";
import { compareBack, leadsBack } from "./compared-back.ts";
import { compare, equalWords, requireEqual, verificationFacts } from "./compared.ts";
import { backProblems, backText } from "./crossing-setting.ts";
import {
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
import { openToLook, preview, previewWords, timeOf, warnings } from "./preview.ts";
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
import { RowProgress } from "./step-progress.ts";
import { storeName, type StoreRef } from "./store-ref.ts";

export interface VerifyStepOptions extends PairOptions, DataStepPlacement {
  /**
   * With a map, after `cutoverData`: the same as there, so that what is written on the new side is brought back before it is
   * compared. Default: both sides are compared as they are.
   */
  readonly back?: BackMap;
}

/** Differences of which each is looked at and counted; more are counted, not listed. */
const listed = 1_000;

/**
 * A step that proves two stores equal, or with a map `f(old)` and new: digests of all rows by one scan, then row by row where they
 * differ. It fails with counts and the first few differences. Where a backfill of the same stores, collections and map in the
 * same run still has its log, the new side is brought up to date first, also while applications write. After `cutoverData` it is the
 * old side that is brought up to date, as long as the new one keeps its log for the way back.
 *
 * ```ts
 * verify("leveldb:data/old", "lmdb:data/new")
 * ```
 */
export function verify(from: StoreRef, to: StoreRef, stepOptions: VerifyStepOptions = {}): Step {
  const options = optionsOf<VerifyStepOptions>(stepOptions);
  const pair = pairOf(from, to, options);
  const words = `compare ${pairWords(pair)}`;
  return markPlace(
    {
      ...placement("verify", options),
      kind: {
        kind: "verify",
        reversible: true,
        timeoutMs: attemptLimitMs,
        validate: () => problems(pair, options, stepOptions),
        summary: () => words,
        plan: () => planCompared(pair, words, options, 1),
        start: (context: StepContext) => start(context, pair, options.back),
        // It changes nothing that was not to be applied anyway, so looking again is always right.
        verify: () => Promise.resolve({ kind: "not-done" }),
        fingerprint: () => [pairText(pair), ...backTexts(options.back)].join("\n"),
      },
      input: { ...pairInput(pair), ...given({ estimate: options.estimate }) },
    } as Step,
    verify as (...args: never[]) => unknown,
  );
}

/** Definitions without `back` keep the hash that they had. */
const backTexts = (back: BackMap | undefined): readonly string[] =>
  back === undefined ? [] : [backText(back)];

function problems(
  pair: Pair,
  { back }: Partial<VerifyStepOptions>,
  stepOptions: unknown,
): readonly StepProblem[] {
  const found = new Problems();
  found.options(stepOptions, { ...pairOptions, back: true });
  pairProblems(found, pair);
  backProblems(found, pair, back);
  return found.list;
}

export function comparedProblems(pair: Pair, stepOptions: unknown): readonly StepProblem[] {
  const found = new Problems();
  found.options(stepOptions, pairOptions);
  pairProblems(found, pair);
  return found.list;
}

/** `passes`: how often both sides are read. */
export async function planCompared(
  pair: Pair,
  words: string,
  { estimate }: Partial<DataStepPlacement>,
  passes: number,
  touches: readonly string[] = [],
): Promise<StepPlan> {
  const own = estimate === undefined ? undefined : durationMs(estimate);
  await using old = await openToLook(pair.from, pair.collections);
  if (old === undefined)
    return {
      summary: `${words} · ${storeName(pair.from)} is not there yet`,
      ...(own === undefined ? {} : { estimateMs: own }),
      touches,
    };
  const seen = await preview(old.store, pair.collections, pair.map);
  return {
    summary: `${words} · ${previewWords(seen)}`,
    // Reading and hashing takes about half as long as reading and writing.
    estimateMs: own ?? timeOf(seen, passes / 2),
    touches: [...touches, ...warnings(seen)],
  };
}

async function start(context: StepContext, pair: Pair, back: BackMap | undefined): Promise<Json> {
  await using both = await openPair(context, pair);
  // Through a map nothing can be brought back without `back`: both sides are compared as they are.
  if ((pair.map === undefined || back !== undefined) && (await leadsBack(context, pair, both)))
    return await compareBack(context, pair, back, both);
  const found = await compare(context, pair, both, new RowProgress(context), listed);
  const facts = verificationFacts(pair, found);
  await context.evidence(`verification of ${storeName(pair.to)}`, facts);
  if (pair.map !== undefined) await tellAside(context, both.target, pair.map);
  requireEqual(pair, both, found);
  return { note: equalWords(found), ...facts };
}

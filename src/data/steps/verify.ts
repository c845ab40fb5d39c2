import { type Json, markPlace } from "../../core/index.ts";
import type { Step, StepContext, StepPlan, StepProblem } from "../../plan/index.ts";
import { compare, equalWords, requireEqual, verificationFacts } from "./compared.ts";
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
import { RowProgress } from "./step-progress.ts";
import { storeName, type StoreRef } from "./store-ref.ts";

export interface VerifyStepOptions extends PairOptions, DataStepPlacement {}

/** Differences of which each is looked at and counted; more are counted, not listed. */
const listed = 1_000;

/**
 * A step that proves two stores equal, or with a map `f(old)` and new: digests of all rows by one scan, then row by row where they
 * differ. It fails with counts and the first few differences. Where a backfill of the same stores, collections and map in the
 * same run still has its log, the new side is brought up to date first, also while applications write.
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
        validate: () => comparedProblems(pair, stepOptions),
        summary: () => words,
        plan: () => planCompared(pair, words, options, 1),
        start: (context: StepContext) => start(context, pair),
        // It changes nothing that was not to be applied anyway, so looking again is always right.
        verify: () => Promise.resolve({ kind: "not-done" }),
        fingerprint: () => pairText(pair),
      },
      input: { ...pairInput(pair), ...given({ estimate: options.estimate }) },
    } as Step,
    verify as (...args: never[]) => unknown,
  );
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

async function start(context: StepContext, pair: Pair): Promise<Json> {
  await using both = await openPair(context, pair);
  const found = await compare(context, pair, both, new RowProgress(context), listed);
  const facts = verificationFacts(pair, found);
  await context.evidence(`verification of ${storeName(pair.to)}`, facts);
  requireEqual(pair, both, found);
  return { note: equalWords(found), ...facts };
}

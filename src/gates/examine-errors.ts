import { besideAndMemory, bothWays } from "./beside-and-memory.ts";
import { type Examiner, noUse } from "./examiner.ts";
import { keyedLine } from "./keyed-line.ts";
import { pooledTest } from "./pooled-test.ts";
import { rateTest } from "./rate-test.ts";
import { ratioTest } from "./ratio-test.ts";
import type { WorseThanOldRule } from "./rules.ts";
import {
  type Estimate,
  estimateFigures,
  evidenceFigures,
  evidenceOf,
  figure,
  percent,
  ratioReason,
  type VerdictKind,
} from "./verdict.ts";
import { soonest } from "./wait.ts";

/** Which evidence decided: keys, calls side by side, calls against the old side's earlier ones, the absolute limit. */
type Line = "first errors" | "calls" | "memory" | "floor";

/**
 * Judges the new side's error rate against the old side's.
 *
 * - Keys: where doors report first errors per key, these decide (`firstErrorTest`), with nine tenths of the error
 *   rates. Calls side by side then only speak for failing where a handful of keys makes all the errors, and
 *   they forbid passing where they alone would fail: they are not independent when keys stay on one side.
 * - Side by side: the ratio test on calls, wherever both sides answer.
 * - From memory: where the new side has more than 90 % of the calls (at a share of 100 % all of them), the
 *   pooled test, against all that is known of the old side's rate, remembered stretches included.
 * - The last two e-values are averaged (see `besideAndMemory`), which is an e-value again, so one threshold holds for both.
 *   The ratio test's part counts towards failing only while the likely ratio is at least `by`.
 * - The floor: the new side also passes when its rate is shown to be below `floor`, whatever the old side
 *   does, since with no errors on either side no ratio can ever be shown. It does not while the evidence
 *   leans towards worse (e ≥ √(1/alpha)).
 */
export function examineErrors(rule: WorseThanOldRule, floor: number): Examiner {
  const { by, alpha, beta } = rule;
  const ratio = ratioTest({ ...bothWays(rule), clearBelow: by, failAbove: by });
  const pooled = pooledTest({ ...bothWays(rule), by });
  const both = besideAndMemory();
  const keyed = keyedLine(rule);
  const absolute = rateTest({ limit: floor, alpha, beta });
  const { fail, pass } = { fail: 1 / alpha, pass: 1 / beta };

  return {
    add(interval) {
      const { old, new: fresh } = interval;
      const calls = old.calls + fresh.calls;
      if (calls === 0) return;
      const share = fresh.calls / calls;
      absolute.observe({ count: fresh.errors, total: fresh.calls });
      const before = { count: old.errors, total: old.calls };
      const after = { count: fresh.errors, total: fresh.calls };
      const quiet = both.quiet(old.calls, fresh.calls);
      pooled.observe(quiet ? { old: before, new: after } : { old: before });
      ratio.observe({ share, newErrors: fresh.errors, allErrors: old.errors + fresh.errors });
      keyed.observe(interval, quiet);
    },
    remember({ old }) {
      pooled.observe({ old: { count: old.errors, total: old.calls } });
    },
    read: noUse,
    finding() {
      const side = ratio.verdict();
      const memory = pooled.verdict();
      const clear = absolute.verdict();
      const keys = keyed.verdict();
      const perCall = both.mean(side.tooHigh ? side.e : 0, memory.e);
      const [left, spoken] =
        keys === undefined ? [1, true] : [1 - keys.weight, keyed.tooFewKeys(side.errors.all)];
      // Bonferroni over first errors and the rest: what was written by periods is no process that could be averaged.
      const first = keys === undefined ? { e: 0, ePass: 0 } : scaled(keys.first, keys.weight);
      const evidence = evidenceOf(
        Math.max(first.e, left * both.mean(spoken ? side.e : 0, memory.e)),
        Math.max(first.ePass, left * both.mean(keys === undefined ? side.ePass : 0, memory.ePass)),
        rule,
      );
      const { e, ePass } = evidence;
      const failing =
        keys?.first.kind === "fail" ||
        left * both.mean(spoken && side.tooHigh ? side.e : 0, memory.e) >= fail;
      const doubted = keys !== undefined && perCall >= fail;
      const low = clear.ePass >= pass && e < Math.sqrt(fail);
      const kind: VerdictKind = failing ? "fail" : !doubted && (ePass >= pass || low) ? "pass" : "hold";
      const lately = (of: { readonly recent?: number }): object =>
        of.recent === undefined ? {} : { recent: of.recent };
      const decidedByKeys = failing ? keys?.first.kind === "fail" : !spoken;
      const fromKeys = keys !== undefined && keys.first.errors.all > 0 && decidedByKeys;
      const fromMemory =
        !fromKeys && memory.counts.new.total > 0 && (side.errors.all === 0 || memory.e > side.e);
      const perCallLine = (beside: number, remembered: number): Line =>
        beside >= remembered ? "calls" : "memory";
      const line: Line | undefined = failing
        ? keys?.first.kind === "fail"
          ? "first errors"
          : perCallLine(spoken && side.tooHigh ? side.e : 0, memory.e)
        : kind === "hold"
          ? undefined
          : ePass < pass
            ? "floor"
            : first.ePass >= pass
              ? "first errors"
              : perCallLine(keys === undefined ? side.ePass : 0, memory.ePass);
      const source = fromKeys ? keys.first : fromMemory ? memory : side;
      const seen: Estimate & { readonly recent?: number } = { ...source.ratio, ...lately(source) };
      const wait = soonest(
        keys === undefined ? side.waitFraction : keys.first.waitFraction,
        memory.waitFraction,
        clear.waitFraction,
      );
      const relative = ratioReason(kind, seen, by, { e, ePass, fail, pass });
      return {
        kind,
        reason:
          doubted && kind === "hold"
            ? `errors per call alone would fail it (e ${figure(perCall)}), but few keys have them: ${relative}`
            : reasonOf(kind, relative, ePass < pass && low, clear.rate, floor, {
                fromKeys,
                fromMemory: fromMemory && seen.estimate !== undefined,
              }),
        figures: {
          ...evidenceFigures(evidence),
          by,
          ...(line === undefined ? {} : { decidedBy: line }),
          ratio: estimateFigures(seen),
          ratioTest: { e: side.e, ePass: side.ePass, newErrors: side.errors.new, allErrors: side.errors.all },
          ...(keys === undefined
            ? {}
            : {
                firstErrors: {
                  e: keys.first.e,
                  ePass: keys.first.ePass,
                  weight: keys.weight,
                  newFirst: keys.first.errors.new,
                  allFirst: keys.first.errors.all,
                },
              }),
          memory: {
            e: memory.e,
            ePass: memory.ePass,
            old: { ...memory.counts.old },
            new: { ...memory.counts.new },
          },
          floor: { limit: floor, ePass: clear.ePass, count: clear.count, total: clear.total },
        },
        ...(kind === "hold" && !doubted && wait !== undefined ? { waitFraction: wait } : {}),
      };
    },
  };
}

const scaled = (
  { e, ePass }: { readonly e: number; readonly ePass: number },
  weight: number,
): { readonly e: number; readonly ePass: number } => ({ e: weight * e, ePass: weight * ePass });

function reasonOf(
  kind: VerdictKind,
  relative: string,
  byFloor: boolean,
  rate: Estimate,
  floor: number,
  { fromKeys, fromMemory }: { readonly fromKeys: boolean; readonly fromMemory: boolean },
): string {
  if (byFloor) {
    const seen = percent(rate.estimate as number);
    return `errors ${seen} (at most ${figure(rate.high * 100)}), shown below ${percent(floor)}`;
  }
  const against = fromKeys
    ? ", first errors per key"
    : fromMemory
      ? ", against the old side's earlier calls"
      : "";
  return (kind === "fail" ? `errors ${relative}` : relative) + against;
}

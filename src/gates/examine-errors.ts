import { besideAndMemory, bothWays } from "./beside-and-memory.ts";
import { type Examiner, noUse } from "./examiner.ts";
import { type PooledVerdict, pooledTest } from "./pooled-test.ts";
import { rateTest } from "./rate-test.ts";
import { ratioTest } from "./ratio-test.ts";
import type { WorseThanOldRule } from "./rules.ts";
import { type Estimate, estimateFigures, figure, percent, ratioReason, type VerdictKind } from "./verdict.ts";
import { soonest } from "./wait.ts";

/**
 * Judges the new side's error rate against the old side's.
 *
 * - Side by side: the ratio test, wherever both sides answer.
 * - From memory: where the new side has more than 90 % of the calls (at a share of 100 % all of them), the
 *   pooled test, against all that is known of the old side's rate, remembered stretches included.
 * - The two e-values are averaged (see `besideAndMemory`), which is an e-value again, so one threshold 1/alpha holds for both.
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
  const absolute = rateTest({ limit: floor, alpha, beta });
  const [failNeeded, passNeeded] = [1 / alpha, 1 / beta];

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
    },
    remember({ old }) {
      pooled.observe({ old: { count: old.errors, total: old.calls } });
    },
    read: noUse,
    finding() {
      const side = ratio.verdict();
      const memory = pooled.verdict();
      const clear = absolute.verdict();
      const e = both.mean(side.e, memory.e);
      const ePass = both.mean(side.ePass, memory.ePass);
      const failing = both.mean(side.tooHigh ? side.e : 0, memory.e) >= failNeeded;
      const low = clear.ePass >= passNeeded && e < Math.sqrt(failNeeded);
      const kind: VerdictKind = failing ? "fail" : ePass >= passNeeded || low ? "pass" : "hold";
      const fromMemory = memory.counts.new.total > 0 && (side.errors.all === 0 || memory.e > side.e);
      const seen = fromMemory
        ? pooledRatio(memory)
        : { ...side.ratio, ...(side.recent === undefined ? {} : { recent: side.recent }) };
      const wait = soonest(side.waitFraction, memory.waitFraction, clear.waitFraction);
      const { fail, pass } = { fail: failNeeded, pass: passNeeded };
      const relative = ratioReason(kind, seen, by, { e, ePass, fail, pass });
      return {
        kind,
        reason: reasonOf(
          kind,
          relative,
          ePass < passNeeded && low,
          clear.rate,
          floor,
          fromMemory && seen.estimate !== undefined,
        ),
        figures: {
          e,
          ePass,
          needed: { fail, pass },
          by,
          ratio: estimateFigures(seen),
          ratioTest: { e: side.e, ePass: side.ePass, newErrors: side.errors.new, allErrors: side.errors.all },
          memory: {
            e: memory.e,
            ePass: memory.ePass,
            old: { ...memory.counts.old },
            new: { ...memory.counts.new },
          },
          floor: { limit: floor, ePass: clear.ePass, count: clear.count, total: clear.total },
        },
        ...(kind === "hold" && wait !== undefined ? { waitFraction: wait } : {}),
      };
    },
  };
}

/** The ratio of two rates; its interval from the ends of theirs, so wider than the tests need. */
function pooledRatio({ old, new: fresh, recent }: PooledVerdict): Estimate & { readonly recent?: number } {
  const [before, now] = [old.estimate, fresh.estimate];
  const over = (a: number, b: number): number => (b === 0 ? Number.POSITIVE_INFINITY : a / b);
  const known = before !== undefined && now !== undefined && before + now > 0;
  return {
    ...(known ? { estimate: over(now, before) } : {}),
    ...(recent === undefined ? {} : { recent }),
    low: over(fresh.low, old.high),
    high: over(fresh.high, old.low),
  };
}

function reasonOf(
  kind: VerdictKind,
  relative: string,
  byFloor: boolean,
  rate: Estimate,
  floor: number,
  fromMemory: boolean,
): string {
  if (byFloor) {
    const seen = percent(rate.estimate as number);
    return `errors ${seen} (at most ${figure(rate.high * 100)}), shown below ${percent(floor)}`;
  }
  const against = fromMemory ? ", against the old side's earlier calls" : "";
  return (kind === "fail" ? `errors ${relative}` : relative) + against;
}

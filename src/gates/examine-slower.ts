import type { LatencyCounts } from "../core/index.ts";
import { besideAndMemory, bothWays } from "./beside-and-memory.ts";
import { type Examiner, noUse } from "./examiner.ts";
import { addLatency, latencyTotal, quantile as quantileOf } from "./latency.ts";
import { latencyTest } from "./latency-test.ts";
import type { WorseThanOldRule } from "./rules.ts";
import { slowerTest } from "./slower-test.ts";
import { evidenceFigures, evidenceOf, figure, type VerdictKind } from "./verdict.ts";
import { soonest } from "./wait.ts";

/**
 * From memory there is no other side that would stand still together with this one, so what one second can say is
 * limited: with p99 and 25 calls a second a stall of three seconds does not fail a healthy side, and one that stays
 * slow fails after about ten seconds.
 */
const stretchMs = 1_000;
const burst = 5;

/**
 * Judges a latency quantile of the new side against `by` times the old side's.
 *
 * - Side by side: with t the old side's quantile in earlier stretches, is "new > by·t" more frequent than
 *   "old > t"? (`latencyTest` with this one threshold; passes when it is shown to be less frequent.)
 * - From memory, where the new side has more than 90 % of the calls: `slowerTest`, against bounds of the old
 *   side's quantile.
 */
export function examineSlower(quantile: number, rule: WorseThanOldRule): Examiner {
  const { by } = rule;
  const beside = latencyTest({ ...bothWays(rule), quantiles: [quantile], by, clearBelow: 1 });
  const memory = slowerTest({ ...bothWays(rule), quantile, by, burst });
  const both = besideAndMemory();
  let old: LatencyCounts = [];
  let fresh: LatencyCounts = [];
  let second: { readonly from: number; counts: LatencyCounts } | undefined;

  /** Hands the new side's calls to the memory test a second at a time, so that a stall stays in one or two stretches. */
  const observeAlone = (
    after: LatencyCounts,
    { from, to }: { readonly from: number; readonly to: number },
  ): void => {
    second ??= { from, counts: [] };
    second.counts = addLatency(second.counts, after);
    // A clock that was set back ends the stretch as well; else it would last until the clock is where it was.
    if (from >= second.from && to - second.from < stretchMs) return;
    memory.observe({ new: second.counts });
    second = undefined;
  };

  const remember = (before: LatencyCounts): void => {
    old = addLatency(old, before);
    memory.observe({ old: before });
  };

  return {
    add(interval) {
      const [before, after] = [interval.old.latency, interval.new.latency];
      const quiet = both.quiet(latencyTotal(before), latencyTotal(after));
      beside.observe({ old: before, new: after });
      if (quiet) observeAlone(after, interval);
      remember(before);
      fresh = addLatency(fresh, after);
    },
    remember(interval) {
      beside.observe({ old: interval.old.latency, new: [] });
      remember(interval.old.latency);
    },
    read: noUse,
    finding() {
      const side = beside.verdict();
      const back = memory.verdict();
      const e = both.mean(side.e, back.e);
      const ePass = both.mean(side.ePass, back.ePass);
      const evidence = evidenceOf(e, ePass, rule);
      const { needed } = evidence;
      const kind: VerdictKind = e >= needed.fail ? "fail" : ePass >= needed.pass ? "pass" : "hold";
      const wait = soonest(side.waitFraction, back.waitFraction);
      const seen = { old: quantileOf(old, quantile), new: quantileOf(fresh, quantile) };
      return {
        kind,
        // Where memory decided, the quantiles of the whole run would not show why.
        reason: `p${figure(quantile * 100)} ${kind === "fail" && back.kind === "fail" ? back.reason : reasonOf(kind, by, seen, { e, ePass, ...needed })}`,
        figures: {
          ...evidenceFigures(evidence),
          by,
          quantile,
          ...seen,
          beside: { e: side.e, ePass: side.ePass },
          memory: { e: back.e, ePass: back.ePass, thresholds: { ...back.thresholds } },
        },
        ...(kind === "hold" && wait !== undefined ? { waitFraction: wait } : {}),
      };
    },
  };
}

function reasonOf(
  kind: VerdictKind,
  by: number,
  seen: { readonly old: number | undefined; readonly new: number | undefined },
  of: { readonly e: number; readonly ePass: number; readonly fail: number; readonly pass: number },
): string {
  const side = (name: string, ms: number | undefined): string =>
    ms === undefined ? `${name} no calls yet` : `${name} ${figure(ms)} ms`;
  const sides = `${side("old", seen.old)}, ${side("new", seen.new)}`;
  const limit = `${figure(by)}× old`;
  if (kind === "fail") return `${sides}: above ${limit} (e ${figure(of.e)} ≥ ${figure(of.fail)})`;
  if (kind === "pass") return `${sides}: below ${limit} (e ${figure(of.ePass)} ≥ ${figure(of.pass)})`;
  return `${sides}, clears below ${limit}: e ${figure(of.ePass)} of ${figure(of.pass)}`;
}

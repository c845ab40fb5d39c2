import type { Interval } from "../core/index.ts";
import { type FirstErrorTest, firstErrorTest } from "./first-error-test.ts";
import type { WorseThanOldRule } from "./rules.ts";
import type { RatioVerdict } from "./ratio-test.ts";

/** So many first errors, and so many errors per call, before counts of calls may speak where keys cannot. */
const fewKeys = 12;
const manyErrors = 240;
const firstWeight = 0.9;

/**
 * First errors per key as the first line of the judge, counts of calls as the second. Whether there is a first line,
 * and what part of the error rates it has, is settled by the first stretch in which the new side has calls, before it
 * is judged: nine tenths, or a tenth where the old side is too quiet to compare keys with.
 */
export interface KeyedLine {
  observe(interval: Interval, quiet: boolean): void;
  /** Absent while keys are not followed. */
  verdict(): { readonly first: RatioVerdict; readonly weight: number } | undefined;
  /** A handful of keys makes all the errors, so first errors can never decide: calls side by side may. */
  tooFewKeys(callErrors: number): boolean;
}

export function keyedLine({ by, alpha, beta }: WorseThanOldRule): KeyedLine {
  let settled: { readonly test: FirstErrorTest; readonly weight: number } | "none" | undefined;
  let keys = 0;

  return {
    observe({ firstErrors, new: fresh, stage, share }, quiet) {
      if (settled === undefined && fresh.calls > 0) {
        const weight = quiet ? 1 - firstWeight : firstWeight;
        const errors = { alpha: alpha * weight, beta: beta * weight };
        settled =
          firstErrors === undefined
            ? "none"
            : { weight, test: firstErrorTest({ ...errors, clearBelow: by, failAbove: by }) };
      }
      // Elsewhere than between 0 and 100 % of a live route, the side of a key is no draw of lots.
      if (settled === undefined || settled === "none" || firstErrors === undefined) return;
      if (stage !== "live" || share <= 0 || share >= 100) return;
      keys += firstErrors.old + firstErrors.new;
      settled.test.observe({
        share: share / 100,
        newFirst: firstErrors.new,
        allFirst: firstErrors.old + firstErrors.new,
        ...(firstErrors.period === undefined ? {} : { period: firstErrors.period }),
      });
    },
    verdict() {
      if (settled === undefined || settled === "none") return undefined;
      return { first: settled.test.verdict(), weight: settled.weight };
    },
    tooFewKeys: (callErrors) => keys < fewKeys && callErrors >= manyErrors,
  };
}

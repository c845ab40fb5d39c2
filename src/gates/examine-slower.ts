import { type Examiner, noUse } from "./examiner.ts";
import type { WorseThanOldRule } from "./rules.ts";
import { slowerTest } from "./slower-test.ts";
import { figure } from "./verdict.ts";

/** Judges a latency quantile of the new side against `by` times the old side's. */
export function examineSlower(quantile: number, rule: WorseThanOldRule): Examiner {
  const { by, alpha, beta } = rule;
  const test = slowerTest({ quantile, by, alpha, beta });
  return {
    add: (interval) => test.observe({ old: interval.old.latency, new: interval.new.latency }),
    remember: (interval) => test.observe({ old: interval.old.latency }),
    read: noUse,
    finding() {
      const { kind, e, ePass, needed, old, new: fresh, thresholds, reason, waitFraction } = test.verdict();
      return {
        kind,
        reason: `p${figure(quantile * 100)} ${reason}`,
        figures: { e, ePass, needed, by, quantile, old, new: fresh, thresholds: { ...thresholds } },
        ...(waitFraction === undefined ? {} : { waitFraction }),
      };
    },
  };
}

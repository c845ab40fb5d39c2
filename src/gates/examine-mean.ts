import { type Examiner, noUse } from "./examiner.ts";
import { meanLimit } from "./mean-limit.ts";
import { meanTest } from "./mean-test.ts";
import type { MeanLimitRule, MeanWorseRule } from "./rules.ts";
import { estimateFigures, evidenceFigures } from "./verdict.ts";

/** Judges the means of both sides against each other. Intervals carry no values, so only readings count. */
export function examineMeans(rule: MeanWorseRule): Examiner {
  const test = meanTest(rule);
  return {
    add: noUse,
    remember: noUse,
    read: noUse,
    readMean: ({ old, new: fresh }) =>
      test.observe({
        ...(old === undefined ? {} : { old }),
        ...(fresh === undefined ? {} : { new: fresh }),
      }),
    finding() {
      const { kind, difference, old, new: fresh, reason, waitFraction, ...evidence } = test.verdict();
      return {
        kind,
        reason,
        figures: {
          ...evidenceFigures(evidence),
          by: rule.by,
          relative: rule.relative,
          difference: estimateFigures(difference),
          old: { ...old },
          new: { ...fresh },
        },
        ...(waitFraction === undefined ? {} : { waitFraction }),
      };
    },
  };
}

/** Judges the new side's mean against a limit; what a reading says of the old side is passed over. */
export function examineMeanLimit(rule: MeanLimitRule): Examiner {
  const test = meanLimit(rule);
  return {
    add: noUse,
    remember: noUse,
    read: noUse,
    readMean({ new: fresh }) {
      if (fresh !== undefined) test.observe(fresh);
    },
    finding() {
      const { kind, mean, reason, waitFraction, ...evidence } = test.verdict();
      return {
        kind,
        reason,
        figures: { ...evidenceFigures(evidence), limit: rule.limit, mean: estimateFigures(mean) },
        ...(waitFraction === undefined ? {} : { waitFraction }),
      };
    },
  };
}

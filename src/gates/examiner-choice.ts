import { examineBacklog } from "./examine-backlog.ts";
import { examineBelow, type RateMeasure } from "./examine-below.ts";
import { examineCoverage } from "./examine-coverage.ts";
import { examineErrors } from "./examine-errors.ts";
import { examineLimit, type WindowedMeasure } from "./examine-limit.ts";
import { examineMeanLimit, examineMeans } from "./examine-mean.ts";
import { examineSlower } from "./examine-slower.ts";
import { examineSplit } from "./examine-split.ts";
import type { Examiner } from "./examiner.ts";
import { refuseRule } from "./input.ts";
import type { MeasureInput, RuleInput } from "./rules.ts";

/** The rules that can judge each measure. */
const judgedBy: Readonly<Record<MeasureInput["of"], readonly RuleInput["kind"][]>> = {
  errors: ["below", "worse-than-old", "limit"],
  mismatches: ["below", "limit"],
  latency: ["below", "worse-than-old", "limit"],
  memory: ["limit"],
  value: ["limit"],
  mean: ["mean-worse-than-old", "mean-limit"],
  split: ["as-assigned"],
  coverage: ["covered"],
  backlog: ["backlog"],
};

export const measures: readonly string[] = Object.keys(judgedBy);
export const rules: readonly string[] = [...new Set(Object.values(judgedBy).flat())];

/** @throws CUTOVER_GATE_INPUT for a rule that cannot judge the measure, and for numbers out of range. */
export function examinerFor(rule: RuleInput, measure: MeasureInput, floor: number): Examiner {
  const allowed = judgedBy[measure.of];
  if (!allowed.includes(rule.kind)) {
    refuseRule(
      `expected ${measure.of} to be judged by the rule ${allowed.join(" or ")}, found "${rule.kind}"${why(measure, rule)}`,
      `use the rule ${allowed[0]}`,
    );
  }
  switch (rule.kind) {
    case "limit":
      return examineLimit(measure as WindowedMeasure, rule);
    case "below":
      return examineBelow(measure as RateMeasure, rule);
    case "worse-than-old":
      return measure.of === "latency" ? examineSlower(measure.quantile, rule) : examineErrors(rule, floor);
    case "mean-worse-than-old":
      return examineMeans(rule);
    case "mean-limit":
      return examineMeanLimit(rule);
    case "as-assigned":
      return examineSplit(rule);
    case "covered":
      return examineCoverage(measure as Of<"coverage">, rule);
    case "backlog":
      return examineBacklog(rule);
  }
}

/** What the table above guarantees, and the type of a pair of arguments does not show. */
type Of<K extends MeasureInput["of"]> = Extract<MeasureInput, { of: K }>;

function why(measure: MeasureInput, rule: RuleInput): string {
  if (measure.of === "mismatches" && rule.kind === "worse-than-old") return ": they have no old side";
  return rule.kind === "below" ? ", which judges rates of calls" : "";
}

import type { Interval } from "../core/index.ts";
import { examineBelow } from "./examine-below.ts";
import { examineErrors } from "./examine-errors.ts";
import { examineLimit } from "./examine-limit.ts";
import type { Examiner } from "./examiner.ts";
import { examineSlower } from "./examine-slower.ts";
import {
  refuseRule,
  requireArray,
  requireCount,
  requireFinite,
  requireNonNegative,
  requireObject,
  requireOneOf,
  requirePart,
  requireProbability,
} from "./input.ts";
import { requireLatency } from "./latency.ts";
import type { MeasureInput, Reading, RuleInput } from "./rules.ts";
import type { GateVerdict } from "./verdict.ts";

export interface JudgeOptions {
  /**
   * `worse-than-old` on errors also passes when the new side's error rate is shown to be below this, default
   * 0.01: where nothing fails on either side, no ratio can be shown.
   */
  readonly floor?: number;
}

/** Judges one measure under one rule, fed bit by bit; a verdict costs the same after any number of intervals. */
export interface Judge {
  /**
   * Takes in intervals, in the order they were measured; those of other routes are passed over when the
   * measure names one. An interval handed in twice counts twice: its `id` is for the store to look at.
   * Memory and values are not in the intervals, so such a judge learns nothing here.
   * @throws CUTOVER_GATE_INPUT for counts that cannot be; place is the interval's id.
   */
  add(intervals: readonly Interval[]): void;
  /** Takes in only the old side of earlier intervals, as the memory to compare with at a share of 100 %. */
  remember(intervals: readonly Interval[]): void;
  /** Takes in readings of memory or a value. @throws CUTOVER_GATE_INPUT when the measure is another one. */
  addReadings(readings: readonly Reading[]): void;
  /**
   * Never `pass` for lack of data. `spanMs`: how long the evidence took to gather, for `waitMs`; by default from
   * the first interval's start to the last one's end.
   */
  verdict(spanMs?: number): GateVerdict;
}

/** The default floor of `worse-than-old`: 1 %. */
const defaultFloor = 0.01;

/**
 * @throws CUTOVER_GATE_INPUT for numbers out of range and for rules that cannot judge the measure: memory and
 * values know only `limit`, mismatches have no old side to be worse than.
 */
export function createJudge(rule: RuleInput, measure: MeasureInput, options: JudgeOptions = {}): Judge {
  requireObject("rule", rule);
  requireObject("measure", measure);
  requireObject("options", options);
  requireOneOf("rule.kind", rule.kind, ["below", "worse-than-old", "limit"]);
  requireOneOf("measure.of", measure.of, ["errors", "mismatches", "latency", "memory", "value"]);
  if (measure.of === "latency") requireProbability("quantile", measure.quantile);
  const examiner = examinerFor(rule, measure, options.floor ?? defaultFloor);
  const route = "route" in measure ? measure.route : undefined;
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;

  const mine = (intervals: readonly Interval[]): readonly Interval[] => {
    requireArray("intervals", intervals);
    for (const interval of intervals) requireObject("interval", interval);
    const found = route === undefined ? intervals : intervals.filter((interval) => interval.route === route);
    for (const interval of found) requireInterval(interval);
    return found;
  };

  return {
    add(intervals) {
      for (const interval of mine(intervals)) {
        from = Math.min(from, interval.from);
        to = Math.max(to, interval.to);
        examiner.add(interval);
      }
    },
    remember(intervals) {
      for (const interval of mine(intervals)) examiner.remember(interval);
    },
    addReadings(readings) {
      if (measure.of !== "memory" && measure.of !== "value") {
        refuseRule(`${measure.of} is judged from intervals, found readings`, "hand intervals to add()");
      }
      requireArray("readings", readings);
      for (const reading of readings) {
        requireObject("reading", reading);
        examiner.read(reading);
      }
    },
    verdict(spanMs) {
      if (spanMs !== undefined) requireNonNegative("spanMs", spanMs);
      const { kind, reason, figures, waitFraction, waitMs } = examiner.finding();
      const span = spanMs ?? Math.max(0, to - from);
      const wait = waitMs ?? (waitFraction === undefined ? undefined : Math.round(waitFraction * span));
      return { kind, reason, figures, ...(wait === undefined ? {} : { waitMs: wait }) };
    },
  };
}

/**
 * One verdict about a list of intervals, in the order they were measured: `createJudge` for those who look once.
 * @throws CUTOVER_GATE_INPUT as `createJudge` and `add` do.
 */
export function judgeIntervals(
  rule: RuleInput,
  measure: MeasureInput,
  intervals: readonly Interval[],
  options: JudgeOptions & { readonly spanMs?: number; readonly earlier?: readonly Interval[] } = {},
): GateVerdict {
  const judge = createJudge(rule, measure, options);
  judge.remember(options.earlier ?? []);
  judge.add(intervals);
  return judge.verdict(options.spanMs);
}

function examinerFor(rule: RuleInput, measure: MeasureInput, floor: number): Examiner {
  if (rule.kind === "limit") return examineLimit(measure, rule);
  if (measure.of === "memory" || measure.of === "value") {
    return refuseRule(
      `expected a plain limit for ${measure.of}, found the rule "${rule.kind}", which judges rates of calls`,
      "use the rule limit, with n of m intervals",
    );
  }
  if (rule.kind === "below") return examineBelow(measure, rule);
  switch (measure.of) {
    case "errors":
      return examineErrors(rule, floor);
    case "latency":
      return examineSlower(measure.quantile, rule);
    case "mismatches":
      return refuseRule(
        'expected the rule "below" or "limit" for mismatches, found "worse-than-old": they have no old side',
        "use the rule below, e.g. below 0.001",
      );
  }
}

function requireInterval(interval: Interval): void {
  const at = `interval ${interval.id}`;
  requireObject(`${at}: old`, interval.old);
  requireObject(`${at}: new`, interval.new);
  requirePart(`${at}: old.errors`, interval.old.errors, "old.calls", interval.old.calls);
  requirePart(`${at}: new.errors`, interval.new.errors, "new.calls", interval.new.calls);
  requirePart(`${at}: mismatches`, interval.mismatches, "compared", interval.compared);
  const { firstErrors } = interval;
  if (firstErrors !== undefined) {
    requireObject(`${at}: firstErrors`, firstErrors);
    requirePart(`${at}: firstErrors.old`, firstErrors.old, "old.errors", interval.old.errors);
    requirePart(`${at}: firstErrors.new`, firstErrors.new, "new.errors", interval.new.errors);
    requireCount(`${at}: firstErrors.period`, firstErrors.period ?? 0);
    requireFinite(`${at}: share`, interval.share);
  }
  requireFinite(`${at}: from`, interval.from);
  requireFinite(`${at}: to`, interval.to);
  requireLatency(`${at}: old.latency`, interval.old.latency);
  requireLatency(`${at}: new.latency`, interval.new.latency);
}

import type { Interval } from "../core/index.ts";
import { examinerFor, measures, rules } from "./examiner-choice.ts";
import {
  refuseRule,
  refuseValue,
  requireArray,
  requireCount,
  requireFinite,
  requireNonNegative,
  requireObject,
  requireOneOf,
  requirePart,
  requireProbability,
} from "./input.ts";
import { latencyTotal, requireLatency } from "./latency.ts";
import type { Declared, MeanReading, MeasureInput, Reading, RuleInput } from "./rules.ts";
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
   * Memory, values and means are not in the intervals, so such a judge learns nothing here.
   * @throws CUTOVER_GATE_INPUT for counts that cannot be; place is the interval's id.
   */
  add(intervals: readonly Interval[]): void;
  /** Takes in only the old side of earlier intervals, as the memory to compare with at a share of 100 %. */
  remember(intervals: readonly Interval[]): void;
  /** Takes in readings of memory or a value. @throws CUTOVER_GATE_INPUT when the measure is another one. */
  addReadings(readings: readonly Reading[]): void;
  /** Takes in what a mean's source said of stretches that do not overlap. @throws CUTOVER_GATE_INPUT as `addReadings`. */
  addMeans(readings: readonly MeanReading[]): void;
  /** What applications declare now about the route whose coverage is judged. @throws CUTOVER_GATE_INPUT as `addReadings`. */
  expect(declared: Declared): void;
  /**
   * Never `pass` for lack of data. `spanMs`: how long the evidence took to gather, for `waitMs`; by default from
   * the first interval's start to the last one's end. `now`: wall-clock milliseconds, for what tells that a door is
   * silent; by default the end of the newest interval.
   */
  verdict(spanMs?: number, now?: number): GateVerdict;
}

/** The default floor of `worse-than-old`: 1 %. */
const defaultFloor = 0.01;

/**
 * @throws CUTOVER_GATE_INPUT for numbers out of range and for rules that cannot judge the measure: memory and
 * values know only `limit`, mismatches have no old side to be worse than; means, splits, coverage and backlogs have rules
 * of their own.
 */
export function createJudge(rule: RuleInput, measure: MeasureInput, options: JudgeOptions = {}): Judge {
  requireObject("rule", rule);
  requireObject("measure", measure);
  requireObject("options", options);
  requireOneOf("rule.kind", rule.kind, rules);
  requireOneOf("measure.of", measure.of, measures);
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
    addMeans(readings) {
      const { readMean } = examiner;
      if (readMean === undefined)
        refuseRule(`${measure.of} is not judged from sums of values`, "name a mean");
      requireArray("readings", readings);
      for (const reading of readings) {
        requireObject("reading", reading);
        requireFinite("from", reading.from);
        requireFinite("to", reading.to);
        if (reading.to < reading.from) refuseValue("to", `at least from (${reading.from})`, reading.to);
        readMean(reading);
        from = Math.min(from, reading.from);
        to = Math.max(to, reading.to);
      }
    },
    expect(declared) {
      if (examiner.expect === undefined)
        refuseRule(`${measure.of} does not rest on what applications declare`, "judge coverage instead");
      examiner.expect(declared);
    },
    verdict(spanMs, now) {
      if (spanMs !== undefined) requireNonNegative("spanMs", spanMs);
      if (now !== undefined) requireFinite("now", now);
      const { kind, reason, figures, waitFraction, waitMs } = examiner.finding(now);
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

/** More than any interval can hold: so sums over all intervals of a run stay whole numbers, and no judge breaks off midway. */
const mostCalls = 1_000_000_000_000;

function requireInterval(interval: Interval): void {
  const at = `interval ${interval.id}`;
  requireObject(`${at}: old`, interval.old);
  requireObject(`${at}: new`, interval.new);
  requirePart(`${at}: old.errors`, interval.old.errors, "old.calls", interval.old.calls);
  requirePart(`${at}: new.errors`, interval.new.errors, "new.calls", interval.new.calls);
  requirePart(`${at}: mismatches`, interval.mismatches, "compared", interval.compared);
  for (const side of ["old", "new"] as const) {
    const { calls, latency } = interval[side];
    requirePart(`${at}: ${side}.calls`, calls, "what an interval can hold", mostCalls);
    requireLatency(`${at}: ${side}.latency`, latency);
    requirePart(`${at}: ${side}.latency`, latencyTotal(latency), "what an interval can hold", mostCalls);
  }
  requirePart(`${at}: compared`, interval.compared, "what an interval can hold", mostCalls);
  const { firstErrors } = interval;
  if (firstErrors !== undefined) {
    requireObject(`${at}: firstErrors`, firstErrors);
    requirePart(`${at}: firstErrors.old`, firstErrors.old, "old.errors", interval.old.errors);
    requirePart(`${at}: firstErrors.new`, firstErrors.new, "new.errors", interval.new.errors);
    requireCount(`${at}: firstErrors.period`, firstErrors.period ?? 0);
  }
  requireFinite(`${at}: share`, interval.share);
  if (interval.share < 0 || interval.share > 100)
    refuseValue(`${at}: share`, "a percentage from 0 to 100", interval.share);
  requireFinite(`${at}: from`, interval.from);
  requireFinite(`${at}: to`, interval.to);
}

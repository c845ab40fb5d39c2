import type { Duration } from "../core/index.ts";
import { parseDurationOrNaN } from "./durations.ts";
import type { MeanReader, Measure, MetricGate, Rule } from "./gate-spec.ts";
import {
  type Condition,
  condition,
  errorRates,
  metric,
  percent,
  type TestOptions,
  unknownOptions,
  worseOptions,
} from "./measures.ts";

export interface MeanOptions extends TestOptions {
  /** Values of each side before there is a verdict. Default 100; more for rare or skewed values, e.g. orders per visit. */
  readonly minSample?: number;
}

export interface MeanWorseOptions extends MeanOptions {
  /** How much worse the new mean may be, as a part of the old one: 0.05 is 5 %. Either this or `byValue`. */
  readonly by?: number;
  /** The same in the unit of the values. */
  readonly byValue?: number;
  /** Which values are better. Default `higher`. */
  readonly better?: "higher" | "lower";
}

export interface MeanMeasure {
  /** Bad when the new side's mean is shown to be worse than the old side's by more than `by`; passes when that is ruled out. */
  worseThan(side: "old", options: MeanWorseOptions): Condition;
  /** The new side's mean against a limit. In `exit` the words say what must be shown, inside `when(…)` what is bad. */
  below(limit: number, options?: MeanOptions): Condition;
  above(limit: number, options?: MeanOptions): Condition;
}

export interface MeanSourceOptions {
  /** How often the source is asked. Default 10 s. */
  readonly every?: Duration;
}

/**
 * The mean of a figure of business, judged by a confidence sequence that may be looked at at any time: what an order is
 * worth, items a call finds, seconds a customer waits. `read` answers with the values of both sides in one stretch of
 * time; sums suffice, `SELECT side, count(*), sum(x), sum(x * x) … WHERE at >= from AND at < to GROUP BY side`.
 *
 * ```ts
 * mean("order value", ({ from, to }) => orderSums(from, to)).worseThan("old", { by: 0.05 })
 * ```
 */
export function mean(name: string, read: MeanReader, options: MeanSourceOptions = {}): MeanMeasure {
  const { every = "10s", ...unknown } = options;
  // An unreadable duration and unknown options are refused with their place by validation.
  const everyMs = parseDurationOrNaN(every);
  const measure = { of: "mean", name, read, everyMs, ...unknownOptions(unknown) } as Measure;
  const limited = (wanted: "above" | "below", limit: number, more: MeanOptions): Condition => {
    const { minSample = 100, ...rates } = more;
    const gate = (text: string, bad: "above" | "below"): MetricGate =>
      metric(text, measure, { kind: "mean-limit", limit, bad, minSample, ...errorRates(rates) });
    const other = wanted === "below" ? "above" : "below";
    return condition(
      gate(`mean ${name} ${wanted} ${limit}`, other),
      gate(`mean ${name} ${wanted === "below" ? "<" : ">"} ${limit}`, wanted),
    );
  };
  return {
    worseThan: (side, options) => {
      const { by, byValue, better = "higher", minSample = 100, ...rates } = worseOptions(side, options);
      // Both or neither: no number, which validation refuses.
      const relative = byValue === undefined;
      const amount = (relative ? by : by === undefined ? byValue : undefined) ?? Number.NaN;
      const rule: Rule = {
        kind: "mean-worse-than-old",
        by: amount,
        relative,
        better,
        minSample,
        ...errorRates(rates),
      };
      const limit = `${relative ? percent(amount) : amount} ${better === "higher" ? "below" : "above"} old`;
      return condition(
        metric(`mean ${name} at most ${limit}`, measure, rule),
        metric(`mean ${name} more than ${limit}`, measure, rule),
      );
    },
    below: (limit, more = {}) => limited("below", limit, more),
    above: (limit, more = {}) => limited("above", limit, more),
  };
}

import type { Duration } from "../core/index.ts";
import { parseDurationOrNaN } from "./durations.ts";
import type { Measure, MetricGate, Rule, ValueReader } from "./gate-spec.ts";

/**
 * A gate that also knows how it reads as a bad sign. Standing in `exit`, a gate says what must be true; inside
 * `when(…)` the same words say what sets the trigger off. For measures of which more is worse (errors, mismatches,
 * latency, memory) both are one spec. Only `value` differs: `value("left", read).below(5)` as a gate demands fewer
 * than 5, and in `when` it fires on fewer than 5.
 */
export interface Condition extends MetricGate {
  readonly alarm: MetricGate;
}

/**
 * Names of options nobody knows, as a member `unknown` of the rule or measure, where validation refuses them with their
 * place: a builder never throws. (Spread into the rule themselves, an option `limit` would take the argument's place.)
 */
export function unknownOptions(left: object): object {
  const names = Object.keys(left);
  return names.length === 0 ? {} : { unknown: names };
}

export interface TestOptions {
  /** Chance to fail a healthy new side, over all looks together. Default 0.01. */
  readonly alpha?: number;
  /** Chance to pass a bad one, over all looks together. Default 0.05. */
  readonly beta?: number;
}

export interface WorseOptions extends TestOptions {
  /** How many times the old side's figure is too much, e.g. 2. Above 1. */
  readonly by: number;
}

export interface LimitOptions {
  /** Calls or readings an interval must hold to count. Default 1. */
  readonly minSample?: number;
  /** So many of the last `of` intervals must be over the limit. Default 3 of 5: one bad reading decides nothing. */
  readonly n?: number;
  readonly of?: number;
  /** Length of an interval. Default 1 s. */
  readonly interval?: Duration;
}

export interface RateMeasure {
  /** The share of calls must be shown to be below `limit` (0 … 1). Passes, fails or holds by an anytime-valid test. */
  below(limit: number, options?: TestOptions): Condition;
  /** The same gate, as it reads in `when(rate.error().above(0.01))`: fires once the rate is shown to be above. */
  above(limit: number, options?: TestOptions): Condition;
}

export interface ComparedMeasure {
  /** Bad when the new side's figure is shown to be more than `by` times the old side's; passes when that is ruled out. */
  worseThan(side: "old", options: WorseOptions): Condition;
}

export interface LimitMeasure {
  below(limit: number, options?: LimitOptions): Condition;
  above(limit: number, options?: LimitOptions): Condition;
}

/** Rates of a route, or of all routes the run has touched when no route is named. */
export const rate: {
  /** Calls the new side failed. */
  error(route?: string): RateMeasure & ComparedMeasure;
  /** Compared answers that differed. */
  mismatch(route?: string): RateMeasure;
} = {
  error: (route) => {
    const measure: Measure = { of: "errors", ...only({ route }) };
    return { ...rateMeasure(measure), ...comparedMeasure(measure) };
  },
  mismatch: (route) => rateMeasure({ of: "mismatches", ...only({ route }) }),
};

/** Median latency of a route, or of all. */
export const p50 = (route?: string): ComparedMeasure => quantile(0.5, route);
/** Latency that 95 % of the calls stay under. */
export const p95 = (route?: string): ComparedMeasure => quantile(0.95, route);
/** Latency that 99 % of the calls stay under. */
export const p99 = (route?: string): ComparedMeasure => quantile(0.99, route);

/** Part of the machine's or container's memory in use, 0 … 1. `above` and `below` make the same gate: more is worse. */
export const memory = (): LimitMeasure => {
  const build = (limit: number, options: LimitOptions = {}): Condition => {
    const rule = limitRule(limit, "above", options);
    const spec = (name: string): MetricGate => metric(name, { of: "memory" }, rule);
    return condition(spec(`memory below ${percent(limit)}`), spec(`memory > ${percent(limit)}`));
  };
  return { below: build, above: build };
};

/**
 * A number the migration measures itself, once an interval. As a gate the words say what must be true, in `when`
 * what is bad; the limit itself is neither below nor above. A reader that throws, gives no number, or has not answered
 * for 30 s (two intervals where that is longer) cannot be read: its gate holds and its trigger does not fire.
 */
export const value = (name: string, read: ValueReader): LimitMeasure => {
  const spec = (text: string, bad: "above" | "below", limit: number, options: LimitOptions): MetricGate =>
    metric(text, { of: "value", name, read }, limitRule(limit, bad, options));
  return {
    below: (limit, options = {}) =>
      condition(
        spec(`${name} not above ${limit}`, "above", limit, options),
        spec(`${name} < ${limit}`, "below", limit, options),
      ),
    above: (limit, options = {}) =>
      condition(
        spec(`${name} not below ${limit}`, "below", limit, options),
        spec(`${name} > ${limit}`, "above", limit, options),
      ),
  };
};

/** Options of `worseThan` as plain JavaScript may leave them. Another side than `old` is an option nobody knows. */
export function worseOptions<T extends object>(side: "old", options: T): T {
  const given = (options as T | undefined) ?? ({} as T);
  return side === "old" ? given : { ...given, [`worseThan("${String(side)}")`]: side };
}

const quantile = (q: number, route?: string): ComparedMeasure =>
  comparedMeasure({ of: "latency", quantile: q, ...only({ route }) });

function rateMeasure(measure: Measure): RateMeasure {
  const build = (limit: number, options: TestOptions = {}): Condition => {
    const rule: Rule = { kind: "below", limit, ...errorRates(options) };
    return condition(
      metric(`${label(measure)} below ${percent(limit)}`, measure, rule),
      metric(`${label(measure)} > ${percent(limit)}`, measure, rule),
    );
  };
  return { below: build, above: build };
}

function comparedMeasure(measure: Measure): ComparedMeasure {
  return {
    worseThan: (side, options) => {
      const { by, ...rates } = worseOptions(side, options);
      const rule: Rule = { kind: "worse-than-old", by, ...errorRates(rates) };
      return condition(
        metric(`${label(measure)} below ${by}× old`, measure, rule),
        metric(`${label(measure)} > ${by}× old`, measure, rule),
      );
    },
  };
}

function limitRule(limit: number, direction: "above" | "below", options: LimitOptions): Rule {
  const { minSample = 1, n = 3, of = Math.max(5, n), interval = "1s", ...unknown } = options;
  // Validation reports an unreadable interval with its place; the builder itself never throws.
  const intervalMs = parseDurationOrNaN(interval);
  return { kind: "limit", limit, direction, minSample, n, m: of, intervalMs, ...unknownOptions(unknown) };
}

/** Chance to fail a healthy side, and to pass a bad one, where nothing else is said. */
export const usualErrors: { readonly alpha: number; readonly beta: number } = { alpha: 0.01, beta: 0.05 };

/** With members that are no options, see `Unknown`. */
export const errorRates = (options: TestOptions): { readonly alpha: number; readonly beta: number } => {
  const { alpha = usualErrors.alpha, beta = usualErrors.beta, ...unknown } = options;
  return { alpha, beta, ...unknownOptions(unknown) };
};

export const metric = (name: string, measure: Measure, rule: Rule): MetricGate => ({
  type: "metric",
  name,
  measure,
  rule,
});

export const condition = (gate: MetricGate, alarm: MetricGate): Condition => ({ ...gate, alarm });

function label(measure: Measure): string {
  if (measure.of === "memory") return "memory";
  if (measure.of === "value" || measure.of === "mean") return measure.name;
  const what = measure.of === "latency" ? `p${percentDigits(measure.quantile)}` : measure.of;
  return measure.route === undefined ? what : `${what} of ${measure.route}`;
}

const percentDigits = (part: number): string => String(Number((part * 100).toPrecision(6)));
export const percent = (part: number): string => `${percentDigits(part)} %`;

/** Without members that are undefined: an absent route and an undefined one are the same gate. */
export const only = (route: { route?: string | undefined }): { route?: string } =>
  route.route === undefined ? {} : { route: route.route };

import type { Duration } from "../core/index.ts";
import { parseDurationOrNaN } from "./durations.ts";
import type { Measure, MetricGate, Rule } from "./gate-spec.ts";
import {
  type Condition,
  condition,
  errorRates,
  metric,
  only,
  type TestOptions,
  unknownOptions,
} from "./measures.ts";

export interface SplitOptions extends TestOptions {
  /**
   * How far off the measured share may be, as a part of the smaller side, 0 … 1. Default 0.2: 50 ± 10 %, 5 ± 1 %; at 0 and
   * 100 % two points. Wider where a few keys make most of the calls: they move the split of calls.
   */
  readonly within?: number;
}

export interface SplitMeasure {
  /** Passes once the part of calls on each side is shown to be the assigned one. */
  asAssigned(options?: SplitOptions): Condition;
  /** The same gate, as it reads in `when(split("queue.submit").off())`: fires once the split is shown to be another. */
  off(options?: SplitOptions): Condition;
}

/**
 * Is traffic split as assigned, on one route or on all that the run has touched? A split that is not says that calls
 * are lost, repeated or misrouted, and that no comparison of the two sides can be trusted.
 */
export function split(route?: string): SplitMeasure {
  const measure: Measure = { of: "split", ...only({ route }) };
  const what = route === undefined ? "split" : `split of ${route}`;
  const build = ({ within = 0.2, ...rates }: SplitOptions = {}): Condition => {
    const rule: Rule = { kind: "as-assigned", within, ...errorRates(rates) };
    return condition(metric(`${what} as assigned`, measure, rule), metric(`${what} off`, measure, rule));
  };
  return { asAssigned: build, off: build };
}

export interface CoverageOptions {
  /** Compared answers that each operation and cohort must have. */
  readonly atLeast: number;
  /** In place of the operations that applications declare; an empty list asks for none by name. */
  readonly operations?: readonly string[];
  /** In place of the cohorts that applications declare; an empty list asks for none. */
  readonly cohorts?: readonly string[];
}

/**
 * Passes when every operation and every cohort that applications declare was compared at least so often; holds and lists
 * the untested otherwise, and never fails. Operations that are declared never to be shadowed are listed, not demanded.
 *
 * ```ts
 * exit: [coverage("queue.submit", { atLeast: 20 })]
 * ```
 */
export function coverage(route: string, options: CoverageOptions): MetricGate {
  const { atLeast, operations, cohorts, ...unknown } =
    (options as CoverageOptions | undefined) ?? ({} as CoverageOptions);
  const measure: Measure = {
    of: "coverage",
    route,
    ...(operations === undefined ? {} : { operations }),
    ...(cohorts === undefined ? {} : { cohorts }),
  };
  const rule = { kind: "covered", atLeast, ...unknownOptions(unknown) } as Rule;
  return metric(`coverage of ${route}, ${atLeast} of each`, measure, rule);
}

export interface BacklogOptions {
  /** How long it must stay on its side of the limit, as gate or as trigger. Default 5 s: one reading decides nothing. */
  readonly for?: Duration;
}

export interface BacklogMeasure {
  /** Passes while fewer second writes than `limit` are open. Holds at or above it, since a backlog drains. */
  below(limit: number, options?: BacklogOptions): Condition;
  /** The same limit, as it reads in `when(backlog("queue.submit").above(100))`: fires at or above it. */
  above(limit: number, options?: BacklogOptions): Condition;
}

/** Second writes of a route that the first side has taken and the other has not yet, all doors together. */
export function backlog(route: string): BacklogMeasure {
  const build = (limit: number, options: BacklogOptions = {}): Condition => {
    const { for: least = "5s", ...unknown } = options;
    const rule = (over: "hold" | "fail"): Rule =>
      ({
        kind: "backlog",
        limit,
        over,
        forMs: parseDurationOrNaN(least),
        ...unknownOptions(unknown),
      }) as Rule;
    const measure: Measure = { of: "backlog", route };
    return condition(
      metric(`backlog of ${route} below ${limit}`, measure, rule("hold")),
      metric(`backlog of ${route} ≥ ${limit}`, measure, rule("fail")),
    );
  };
  return { below: build, above: build };
}

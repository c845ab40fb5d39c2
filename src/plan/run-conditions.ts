import { type Duration, systemClock } from "../core/index.ts";
import { parseDurationOrNaN } from "./durations.ts";
import { type Condition, type LimitOptions, value } from "./measures.ts";

/**
 * What triggers look at besides gates: the run itself, the pace of a figure, and how much the new side gets done. The
 * engine measures them; they are conditions of triggers only, since none of them proves anything about a phase.
 */
export type RunCondition =
  UnitsFailedCondition | BehindScheduleCondition | GrowthCondition | ThroughputCondition;

interface Named {
  readonly type: "run";
  /** For people and records, e.g. `units failed > 2`. */
  readonly name: string;
}
export interface UnitsFailedCondition extends Named {
  readonly of: "units-failed";
  readonly limit: number;
}
export interface BehindScheduleCondition extends Named {
  readonly of: "behind-schedule";
  readonly limitMs: number;
}
export interface GrowthCondition extends Named {
  readonly of: "growth";
  readonly figure: string;
  readonly read: () => Promise<number> | number;
  readonly limit: number;
  readonly perMs: number;
}
export interface ThroughputCondition extends Named {
  readonly of: "throughput";
  readonly route?: string;
  /** Part of the old side's, e.g. 0.5. */
  readonly limit: number;
  readonly minSample: number;
  readonly n: number;
  readonly m: number;
  readonly windowMs: number;
}

/** Fired by a person alone: `cutover trigger NAME`. */
export interface ManualCondition {
  readonly type: "manual";
  readonly name: string;
}

/**
 * How many units have a step whose newest attempt failed or whose effect nobody knows: `unitsFailed().above(2)`. A step
 * that fails for good takes the run back, so steps need `retries` for a trigger to see more than one failed unit.
 */
export const unitsFailed = (): { above(limit: number): RunCondition } => ({
  above: (limit) => ({ type: "run", of: "units-failed", name: `units failed > ${limit}`, limit }),
});

/**
 * How long ago the work done so far should have been done, when work spreads evenly over the definition's `schedule`:
 * `behindSchedule().above("7d")`. Work is counted in steps, weighed by the effort of their units where all units have
 * one. Needs `schedule.end`; without `schedule.start` the run's own start counts.
 */
export const behindSchedule = (): { above(limit: Duration): RunCondition } => ({
  above: (limit) => ({
    type: "run",
    of: "behind-schedule",
    name: `behind schedule > ${limit}`,
    limitMs: parseDurationOrNaN(limit),
  }),
});

/**
 * How fast a figure grows: `growth("queue", depth).above(10, { per: "1m" })`. Read once a second at most; judged by the
 * line of least squares through the readings of the last `per`, so that one peak is no growth. Holds until the
 * readings reach over nine tenths of `per`.
 * @param read answers the figure now, e.g. the depth of a queue
 */
export const growth = (
  figure: string,
  read: () => Promise<number> | number,
): { above(limit: number, options?: { readonly per?: Duration }): RunCondition } => ({
  above: (limit, { per = "1m" } = {}) => ({
    type: "run",
    of: "growth",
    name: `${figure} grows > ${limit} in ${per}`,
    figure,
    read,
    limit,
    perMs: parseDurationOrNaN(per),
  }),
});

export interface ThroughputOptions {
  /** Calls that the old side's pace lets expect in a window, so that it counts. Default 20. */
  readonly minSample?: number;
  /** So many of the last `of` windows must be under the limit. Default 3 of 5. */
  readonly n?: number;
  readonly of?: number;
  /** Length of a window. Default 10 s. */
  readonly window?: Duration;
}

/**
 * Calls that the new side answers without an error, against what its share of keys would answer at the old side's pace:
 * `throughput("queue.submit").below(0.5)`. Old and new are counted in the same windows, so the rhythm of a day does not
 * matter; where the new side answers everything, the pace of the old side in the last hour in which it answered keys
 * stands in. Without a route, all routes the run has touched are added up.
 */
export const throughput = (
  route?: string,
): { below(limit: number, options?: ThroughputOptions): RunCondition } => ({
  below: (limit, { minSample = 20, n = 3, of = Math.max(5, n), window = "10s" } = {}) => ({
    type: "run",
    of: "throughput",
    name: `throughput${route === undefined ? "" : ` of ${route}`} < ${limit}× old`,
    ...(route === undefined ? {} : { route }),
    limit,
    minSample,
    n,
    m: of,
    windowMs: parseDurationOrNaN(window),
  }),
});

/**
 * Failures in a row of a probe: `failuresInARow("health", ping).above(3)` is bad at the fourth. A probe fails when it
 * throws, answers `false`, or has not answered within an `interval` (default 10 s; then its `signal` aborts). It is asked
 * once an interval.
 *
 * ```ts
 * failuresInARow("health", async ({ signal }) => (await fetch(url, { signal })).ok).above(3)
 * ```
 */
export const failuresInARow = (
  name: string,
  probe: (context: { readonly signal: AbortSignal }) => unknown,
): { above(limit: number, options?: Pick<LimitOptions, "interval">): Condition } => ({
  above: (limit, { interval = "10s" } = {}) => {
    const limitMs = parseDurationOrNaN(interval);
    const read = (): Promise<number> => failed(probe, limitMs);
    // The definition's hash covers a reader by its text: it must be that of the user's probe, not of the one above.
    Object.defineProperty(read, "toString", { value: () => String(probe) });
    const n = limit + 1;
    const { alarm: _alarm, ...test } = value(name, read).below(0.5, { n, of: n, interval });
    const bad = { ...test, name: `${name} failures > ${limit} in a row` };
    return { ...test, name: `${name} failures not > ${limit} in a row`, alarm: bad };
  },
});

/** 1 when the probe fails, else 0. What hangs is the commonest failure, so it may not hang who asks. */
async function failed(
  probe: (context: { readonly signal: AbortSignal }) => unknown,
  limitMs: number,
): Promise<number> {
  const abort = new AbortController();
  const late = Promise.withResolvers<1>();
  // The probe answers in real time, whatever clock the run is on.
  const timer = systemClock.after(limitMs, () => {
    late.resolve(1);
    abort.abort(new DOMException("the probe took too long", "TimeoutError"));
  });
  timer.unref();
  const asked = (async () => ((await probe({ signal: abort.signal })) === false ? 1 : 0))().catch(() => 1);
  try {
    return await Promise.race([asked, late.promise]);
  } finally {
    timer.cancel();
  }
}

import type { Interval, MismatchSample, RouteState, Side } from "../core/index.ts";
import type { RouteChange } from "../store/index.ts";
import { LatencySum } from "./latency-sum.ts";
import type { RoutePoint, RouteView, SideFigures } from "./run-view.ts";

/** Most stretches a route's time is cut into. */
const longestSeries = 60;

export interface RouteRecord {
  readonly state: RouteState;
  /** Intervals of the run's time, of this route. */
  readonly intervals: readonly Interval[];
  readonly changes: readonly (RouteChange & { readonly at: number })[];
  readonly samples: readonly MismatchSample[];
}

/** Everything measured on one route during a run, old and new side by side. */
export function routeView(record: RouteRecord): RouteView {
  const { intervals } = record;
  const total = (pick: (interval: Interval) => number): number =>
    intervals.reduce((sum, interval) => sum + pick(interval), 0);
  const operations = new Map<string, number>();
  for (const interval of intervals) {
    for (const [name, compared] of Object.entries(interval.operations))
      operations.set(name, (operations.get(name) ?? 0) + compared);
  }
  return {
    route: record.state.route,
    state: record.state,
    sides: { old: sideFigures(intervals, "old"), new: sideFigures(intervals, "new") },
    alone: { old: rateAlone(intervals, "old"), new: rateAlone(intervals, "new") },
    shadow: {
      calls: total((interval) => interval.shadow.calls),
      errors: total((interval) => interval.shadow.errors),
      timeouts: total((interval) => interval.shadow.timeouts),
      skipped: total((interval) => interval.shadow.skipped),
    },
    compared: total((interval) => interval.compared),
    mismatches: total((interval) => interval.mismatches),
    failedOver: total((interval) => interval.failedOver),
    operations: [...operations].map(([name, compared]) => ({ name, compared })),
    samples: record.samples,
    changes: record.changes.map((change) => ({
      at: change.at,
      stage: change.after.stage,
      share: change.after.share,
      by: change.by,
      reason: change.reason ?? "",
    })),
    series: series(intervals),
  };
}

function sideFigures(intervals: readonly Interval[], side: Side): SideFigures {
  const sum = new LatencySum();
  let calls = 0;
  let errors = 0;
  for (const interval of intervals) {
    calls += interval[side].calls;
    errors += interval[side].errors;
    sum.add(interval[side].latency);
  }
  return {
    calls,
    errors,
    errorRate: calls === 0 ? null : errors / calls,
    p50: sum.quantile(0.5),
    p90: sum.quantile(0.9),
    p99: sum.quantile(0.99),
  };
}

/** Calls a second over the time in which only `side` answered, whatever the number of doors. */
function rateAlone(intervals: readonly Interval[], side: Side): number | null {
  const other: Side = side === "old" ? "new" : "old";
  const alone = intervals.filter((interval) => interval[side].calls > 0 && interval[other].calls === 0);
  return rate(alone, (interval) => interval[side].calls);
}

/** Calls a second of the newest intervals: those that ended in the `windowMs` before `at`. */
export function recentRate(intervals: readonly Interval[], at: number, windowMs: number): number | null {
  const recent = intervals.filter((interval) => interval.to > at - windowMs);
  return rate(recent, (interval) => interval.old.calls + interval.new.calls - interval.failedOver);
}

function rate(intervals: readonly Interval[], calls: (interval: Interval) => number): number | null {
  const covered = coveredMs(intervals);
  if (covered === 0) return null;
  return (intervals.reduce((sum, interval) => sum + calls(interval), 0) / covered) * 1_000;
}

/** Length of the union of the intervals: several doors measure the same time. */
function coveredMs(intervals: readonly Interval[]): number {
  let covered = 0;
  let end = Number.NEGATIVE_INFINITY;
  for (const { from, to } of intervals.toSorted((a, b) => a.from - b.from)) {
    covered += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return covered;
}

function series(intervals: readonly Interval[]): readonly RoutePoint[] {
  if (intervals.length === 0) return [];
  const start = intervals.reduce((least, interval) => Math.min(least, interval.from), Infinity);
  const end = intervals.reduce((most, interval) => Math.max(most, interval.to), -Infinity);
  // Whole seconds, as doors report: otherwise stretches would hold now two intervals, now three.
  const length = Math.max(1, Math.ceil((end - start) / longestSeries / 1_000)) * 1_000;
  const bins = new Map<number, Interval[]>();
  for (const interval of intervals) {
    // An interval belongs to the stretch its middle lies in; doors report every second or faster.
    const bin = Math.floor(((interval.from + interval.to) / 2 - start) / length);
    const members = bins.get(bin);
    if (members === undefined) bins.set(bin, [interval]);
    else members.push(interval);
  }
  return [...bins]
    .sort((a, b) => a[0] - b[0])
    .map(([bin, members]) => ({
      from: start + bin * length,
      to: start + (bin + 1) * length,
      share: members.reduce((newest, member) => (member.epoch >= newest.epoch ? member : newest)).share,
      old: pointSide(members, "old", length),
      new: pointSide(members, "new", length),
    }));
}

function pointSide(members: readonly Interval[], side: Side, length: number): RoutePoint["old"] {
  const sum = new LatencySum();
  let calls = 0;
  let errors = 0;
  for (const member of members) {
    calls += member[side].calls;
    errors += member[side].errors;
    sum.add(member[side].latency);
  }
  return { rate: (calls / length) * 1_000, errors, p99: sum.quantile(0.99) };
}

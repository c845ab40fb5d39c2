import type { Interval, LatencyCounts } from "../core/index.ts";
import { type Examiner, noUse } from "./examiner.ts";
import { requireFinite, requirePositive } from "./input.ts";
import { addLatency, quantile, latencyTotal } from "./latency.ts";
import type { LimitRule, MeasureInput } from "./rules.ts";
import { staticLimit } from "./static-limit.ts";
import { figure } from "./verdict.ts";

export type WindowedMeasure = Extract<
  MeasureInput,
  { of: "errors" | "mismatches" | "latency" | "memory" | "value" }
>;

/** What fell into one window of `intervalMs`: a sum over a sample, or latencies. */
interface Window {
  sum: number;
  sample: number;
  latency: LatencyCounts;
}

/**
 * How many windows an interval may arrive late and still count: doors report in turn, not in step. When more
 * arrivals than this in a row are later still, the clock was set back: without starting anew the judge would be blind
 * until the clock is where it was, with an old verdict standing.
 */
const late = 16;

/**
 * Judges windows of `intervalMs`, aligned to the wall clock, by a plain limit with minimum sample and n of m.
 * A window counts once something later was seen, so a half-full one never decides. All doors' intervals that
 * begin in a window are added up, up to 16 windows late; what comes later still is passed over.
 * Memory and values are averaged over a window; there one reading is enough, since `minSample` speaks of calls.
 */
export function examineLimit(measure: WindowedMeasure, rule: LimitRule): Examiner {
  requirePositive("intervalMs", rule.intervalMs);
  staticLimit(rule);
  const windows = new Map<number, Window>();
  /** Windows before this one are complete. */
  let open = Number.NEGATIVE_INFINITY;
  /** Arrivals in a row that were too late. */
  let behind = 0;
  const readings = measure.of === "memory" || measure.of === "value";

  const add = (from: number, to: number, sum: number, sample: number, latency: LatencyCounts = []): void => {
    const key = Math.floor(from / rule.intervalMs);
    if (key < open - late) {
      if (++behind <= late) return;
      windows.clear();
      open = Number.NEGATIVE_INFINITY;
    }
    behind = 0;
    const window = windows.get(key) ?? { sum: 0, sample: 0, latency: [] };
    windows.set(key, {
      sum: window.sum + sum,
      sample: window.sample + sample,
      latency: addLatency(window.latency, latency),
    });
    open = Math.max(open, Math.floor(to / rule.intervalMs));
    forget();
  };

  const value = ({ sum, sample, latency }: Window): number =>
    measure.of === "latency" ? (quantile(latency, measure.quantile) as number) : sum / sample;
  const enough = ({ sample }: Window): boolean => sample > 0 && (readings || sample >= rule.minSample);
  const judged = (): Window[] =>
    [...windows]
      .filter(([key, window]) => key < open && enough(window))
      .sort(([left], [right]) => left - right)
      .slice(-rule.m)
      .map(([, window]) => window);

  /** Keeps memory bounded: of the windows nothing can be added to any more, the last m that can be judged. */
  const forget = (): void => {
    if (windows.size <= 2 * (rule.m + late)) return;
    const settled = [...windows.keys()].filter((key) => key < open - late).sort((a, b) => a - b);
    const kept = new Set(settled.filter((key) => enough(windows.get(key) as Window)).slice(-rule.m));
    for (const key of settled) if (!kept.has(key)) windows.delete(key);
  };

  return {
    add(interval) {
      const found = sampleOf(measure, interval);
      if (found !== undefined) add(interval.from, interval.to, found.sum, found.sample, found.latency);
    },
    remember: noUse,
    read({ at, value: reading }) {
      requireFinite("at", at);
      requireFinite("value", reading);
      add(at, at, reading, 1);
    },
    finding() {
      const test = staticLimit(readings ? { ...rule, minSample: 1 } : rule);
      const last = judged();
      for (const window of last) test.observe({ value: value(window), sample: window.sample });
      const { kind, over, judged: count, value: latest, reason } = test.verdict();
      return {
        kind,
        reason: `${subject(measure)} ${reason}`,
        figures: { over, judged: count, value: latest, limit: rule.limit, n: rule.n, m: rule.m },
        ...(kind === "hold" && count > 0 ? { waitMs: (rule.m - count) * rule.intervalMs } : {}),
      };
    },
  };
}

function sampleOf(
  measure: WindowedMeasure,
  interval: Interval,
): { sum: number; sample: number; latency?: LatencyCounts } | undefined {
  switch (measure.of) {
    case "errors":
      return { sum: interval.new.errors, sample: interval.new.calls };
    case "mismatches":
      return { sum: interval.mismatches, sample: interval.compared };
    case "latency":
      return { sum: 0, sample: latencyTotal(interval.new.latency), latency: interval.new.latency };
    case "memory":
    case "value":
      return undefined;
  }
}

function subject(measure: WindowedMeasure): string {
  if (measure.of === "latency") return `p${figure(measure.quantile * 100)} in ms`;
  return measure.of === "value" ? measure.name : measure.of;
}

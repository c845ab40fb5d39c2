import type { Interval, JsonObject } from "../../core/index.ts";

/** An idle door reports once a second; after longer silence than this nobody watches the new side, milliseconds. */
const longestSilence = 5_000;

/** Sums over intervals of one epoch. */
export class Totals {
  calls = { old: 0, new: 0 };
  errors = { old: 0, new: 0 };
  failedOver = 0;
  compared = 0;
  mismatches = 0;
  shadow = { calls: 0, errors: 0, timeouts: 0, skipped: 0 };
  readonly operations: Map<string, number> = new Map();
  #lastReport = Number.NEGATIVE_INFINITY;

  /** True when no door has reported lately, whatever was gathered before. `now`: wall-clock milliseconds. */
  isSilent(now: number): boolean {
    return now - this.#lastReport > longestSilence;
  }

  add(interval: Interval): void {
    this.#lastReport = Math.max(this.#lastReport, interval.to);
    this.calls.old += interval.old.calls;
    this.calls.new += interval.new.calls;
    this.errors.old += interval.old.errors;
    this.errors.new += interval.new.errors;
    this.failedOver += interval.failedOver;
    this.compared += interval.compared;
    this.mismatches += interval.mismatches;
    this.shadow.calls += interval.shadow.calls;
    this.shadow.errors += interval.shadow.errors;
    this.shadow.timeouts += interval.shadow.timeouts;
    this.shadow.skipped += interval.shadow.skipped;
    for (const [operation, count] of Object.entries(interval.operations)) {
      this.operations.set(operation, (this.operations.get(operation) ?? 0) + count);
    }
  }
}

export interface MeasuredShare {
  readonly assigned: number;
  /** Percent of calls tried on the new side; undefined without calls. */
  readonly measured: number | undefined;
  /** Bounds in percent that the measured share keeps when keys are spread as they should be. */
  readonly low: number;
  readonly high: number;
  readonly within: boolean;
}

/**
 * Five standard deviations: a healthy split leaves them once in 1.7 million looks, so looking four times a second
 * for a day raises no false alarm in a year of days.
 */
const deviations = 5;

/**
 * Is the part of calls that the new side got the assigned share? `p ± 5·√(p(1−p)/n)`, one call of slack besides; at 0
 * and 100 % the bounds are the share itself. Counts calls: where a few keys make most calls it may miss its bounds.
 */
export function measuredShare(
  assigned: number,
  calls: { readonly old: number; readonly new: number },
): MeasuredShare {
  const total = calls.old + calls.new;
  const part = assigned / 100;
  const spread =
    part * (1 - part) > 0 && total > 0 ? deviations * Math.sqrt((part * (1 - part)) / total) + 1 / total : 0;
  const low = Math.max(0, part - spread);
  const high = Math.min(1, part + spread);
  const measured = total === 0 ? undefined : calls.new / total;
  return {
    assigned,
    measured: measured === undefined ? undefined : percent(measured),
    low: percent(low),
    high: percent(high),
    within: measured === undefined || (measured >= low - 1e-12 && measured <= high + 1e-12),
  };
}

export function shareJson(share: MeasuredShare): JsonObject {
  return { ...share, measured: share.measured ?? null };
}

const percent = (part: number): number => Math.round(part * 1e6) / 1e4;

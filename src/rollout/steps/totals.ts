import type { Interval, JsonObject, KeyLoadGauge } from "../../core/index.ts";

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
  readonly #doors = new Map<string, { calls: number; gauge: KeyLoadGauge | undefined }>();
  #lastReport = Number.NEGATIVE_INFINITY;

  /** True when no door has reported lately, whatever was gathered before. `now`: wall-clock milliseconds. */
  isSilent(now: number): boolean {
    return now - this.#lastReport > longestSilence;
  }

  /**
   * How unevenly keys call, over all doors. Doors may see the same keys: then norms add up, else they add up to more than there
   * is, and the bounds are wider than they need be. A door that does not tell counts as if every call had a key of its own.
   */
  get keyLoad(): KeyLoadGauge {
    const load = { norm: 0, heaviest: 0 };
    for (const { calls, gauge } of this.#doors.values()) {
      load.norm += gauge?.norm ?? Math.sqrt(calls);
      load.heaviest += gauge?.heaviest ?? Math.min(1, calls);
    }
    return load;
  }

  add(interval: Interval): void {
    const door = this.#doors.get(interval.door) ?? { calls: 0, gauge: undefined };
    door.calls += interval.old.calls + interval.new.calls;
    if ((interval.keyLoad?.norm ?? 0) >= (door.gauge?.norm ?? 0)) door.gauge = interval.keyLoad ?? door.gauge;
    this.#doors.set(interval.door, door);
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
  /** True when nearly all calls are of one key: then no part of the calls says anything about the share. */
  readonly oneKey: boolean;
}

/**
 * Five standard deviations: a healthy split leaves them once in 1.7 million looks, so looking four times a second
 * for a day raises no false alarm in a year of days.
 */
const deviations = 5;
/** At 100 %: keys held to the side that has their newest state, calls that began before. */
const strays = 0.02;
/** √0.56: one key makes three calls of four. */
const almostAll = 0.75;

/**
 * Is the part of calls that the new side got the assigned share p? Keys are drawn, and each brings all its calls along: with
 * c calls of a key and n of all, the variance is p(1−p)·Σc²/n². Bounds are `p ± (5·√(p(1−p)·Σc²) + max c)/n`; the heaviest
 * key is added since one that is drawn with a small chance is no normal deviation. At 100 % two points are forgiven.
 */
export function measuredShare(
  assigned: number,
  calls: { readonly old: number; readonly new: number },
  load: KeyLoadGauge = { norm: Math.sqrt(calls.old + calls.new), heaviest: 1 },
): MeasuredShare {
  const total = calls.old + calls.new;
  const part = assigned / 100;
  const lots = part * (1 - part);
  const norm = Math.min(load.norm, total);
  const heaviest = Math.min(load.heaviest, norm);
  const spread =
    total === 0 ? 0 : lots > 0 ? (deviations * Math.sqrt(lots) * norm + heaviest) / total : strays;
  const low = Math.max(0, part - spread);
  const high = Math.min(1, part + spread);
  const measured = total === 0 ? undefined : calls.new / total;
  return {
    assigned,
    measured: measured === undefined ? undefined : percent(measured),
    low: percent(low),
    high: percent(high),
    within: measured === undefined || (measured >= low - 1e-12 && measured <= high + 1e-12),
    oneKey: lots > 0 && total > 0 && norm > almostAll * total,
  };
}

/** What keeps a share from being cleared, in words; undefined when nothing does. */
export function shareTrouble({ within, oneKey, low, high, measured }: MeasuredShare): string | undefined {
  const shown = (value: number | undefined): number => Number((value ?? 0).toPrecision(3));
  if (oneKey)
    return "calls of more keys: nearly all are of one key, which says nothing about a share (is `key` right? else `checkShare: false`)";
  if (within) return undefined;
  return `${shown(low)}–${shown(high)} % of the calls on the new side, found ${shown(measured)} %, which neither chance nor heavy keys explain`;
}

export function shareJson(share: MeasuredShare): JsonObject {
  return { ...share, measured: share.measured ?? null };
}

const percent = (part: number): number => Math.round(part * 1e6) / 1e4;

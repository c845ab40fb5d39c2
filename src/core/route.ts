/**
 * The words that routing doors, store and engine share about a route. A door has no other tie to the
 * rest of Cutover, so these shapes are also the wire format between an application and the owner.
 */

/** How a route treats the two sides. Persisted; never renamed. */
export type Stage = "off" | "dualwrite" | "shadow" | "live" | "rampdown" | "complete";

export const stages: readonly Stage[] = ["off", "dualwrite", "shadow", "live", "rampdown", "complete"];

export type Side = "old" | "new";

export interface RouteState {
  readonly route: string;
  readonly stage: Stage;
  /** Percentage of keys the new side answers at stage `live`, 0 … 100, decimals allowed. */
  readonly share: number;
  /** Grows by one with every change; a door ignores a state whose epoch is not above its own. */
  readonly epoch: number;
  /** Separates this route's buckets from all others'. Fixed when the route is first seen. */
  readonly salt: string;
}

/** Percentage of keys that the new side answers, at any stage: `share` itself means something at `live` alone. */
export function answeredByNew({ stage, share }: Pick<RouteState, "stage" | "share">): number {
  if (stage === "complete" || stage === "rampdown") return 100;
  return stage === "live" ? share : 0;
}

/** Number of buckets that keys are spread over: a share can be set in steps of 0.0001 %. */
export const shareBuckets = 1_000_000;

/** Keys in buckets below this number belong to the share. A larger share contains every smaller one. */
export function shareLimit(share: number): number {
  return Math.round((share * shareBuckets) / 100);
}

/**
 * Counts of calls by latency. Bucket `i` holds latencies in `(bound(i−1), bound(i)]` where
 * `bound(i) = 0.01 ms · 1.08^i`; 220 buckets reach 226 s at 8 % resolution. Sparse: pairs of index, count.
 * Only calls that were answered. Above some 500 calls a second a door times a random sample of the calls, drawn alike
 * for both sides: counts of calls are exact, the sum here may be smaller. Its own sum is what quantiles refer to.
 */
export type LatencyCounts = readonly (readonly [bucket: number, count: number])[];

export interface SideCounts {
  readonly calls: number;
  readonly errors: number;
  readonly latency: LatencyCounts;
}

/**
 * Keys by the side that gave their first failed answer. Heavy users stay on one side, so their calls are not independent;
 * of a key that fails, only the first time counts, and whether that is on the new side is decided by the assigned share alone.
 */
export interface FirstErrors {
  readonly old: number;
  readonly new: number;
  /**
   * Grows when doors forget which keys have failed, e.g. the hour of the clock; the same for all doors of a route.
   * Absent: they never forget.
   */
  readonly period?: number;
  /**
   * On the way from a door to a store: hashes of these keys, whole numbers from 1 to 2⁵³ − 1, as many as the counts say. A key fails
   * in several processes; the store counts it once in a period, for the door it heard first, and keeps the counts alone.
   */
  readonly keys?: { readonly old: readonly number[]; readonly new: readonly number[] };
}

/**
 * How unevenly the keys of a route call, at its present stage and share: estimates of what this door has seen since it heard of them.
 * A share is kept for keys; by this it is known how far the calls may be from it.
 */
export interface KeyLoadGauge {
  /** `√Σ c²` over the calls c of each key: √calls when every key calls once, the number of calls when one makes them all. */
  readonly norm: number;
  /** Calls of the key that calls most. */
  readonly heaviest: number;
}

/**
 * What one door measured on one route in one stretch of time at one epoch. Calls are counted when they end, under the
 * epoch they began at; one that does not end within the route's deadline counts as failed then. A route without calls
 * reports once a second, with zeros.
 */
export interface Interval {
  /** Unique per door and stretch, so that a repeated delivery counts once. */
  readonly id: string;
  readonly route: string;
  /** Name of the reporting process, e.g. `host:pid`. */
  readonly door: string;
  readonly epoch: number;
  readonly stage: Stage;
  readonly share: number;
  /** Wall-clock milliseconds, start inclusive, end exclusive. */
  readonly from: number;
  readonly to: number;
  /**
   * Calls routed to the old side, and calls tried on the new side for a caller (failed ones too). What the old side
   * answered in place of the new is in `failedOver` alone, so `new.calls / (old.calls + new.calls)` is the share.
   */
  readonly old: SideCounts;
  readonly new: SideCounts;
  /**
   * Shadow calls: made, failed on the new side, past their deadline, not made for want of budget. At `dualwrite` and
   * `rampdown` the second writes, to the new and to the old side.
   */
  readonly shadow: {
    readonly calls: number;
    readonly errors: number;
    readonly timeouts: number;
    readonly skipped: number;
  };
  /** Answers compared and found different, in shadow. */
  readonly compared: number;
  readonly mismatches: number;
  /** Of the compared answers the streams of which only the beginning was seen. Absent: all were seen whole. */
  readonly partial?: number;
  /** Calls the old side answered because the new side failed. */
  readonly failedOver: number;
  /** Keys that failed in this stretch for the first time; at most the errors of each side. Absent: keys are not followed. */
  readonly firstErrors?: FirstErrors;
  /** Compared answers by operation, for coverage. */
  readonly operations: Readonly<Record<string, number>>;
  /** Compared answers by cohort, a name that the call site gives to groups of callers. Absent: it names none. */
  readonly cohorts?: Readonly<Record<string, number>>;
  /** Of the compared answers the different ones, by operation and by cohort. Absent: none differed, or they have no names. */
  readonly differing?: {
    readonly operations: Readonly<Record<string, number>>;
    readonly cohorts: Readonly<Record<string, number>>;
  };
  /**
   * Calls that stages `shadow`, `dualwrite` and `rampdown` left to one side because their operation is declared never to be
   * repeated, by operation.
   */
  readonly refused?: Readonly<Record<string, number>>;
  /**
   * Second writes that are late at the end of the stretch: tried in vain, behind such a one, left by a process that is
   * gone, or older than 5 s; and those that were lost. A gauge, not a count. Absent: the route has no second writes.
   */
  readonly backlog?: number;
  /** Where the side of a key is drawn by lot (`live`, share between 0 and 100 %), once there were calls. A gauge, not a count. */
  readonly keyLoad?: KeyLoadGauge;
  /** Paths found to differ between two calls of the old side alone, which comparisons therefore pass over. */
  readonly volatile?: readonly string[];
  /** Time that the door's own work off the caller's path took from this process in the stretch, milliseconds. */
  readonly overheadMs?: number;
}

/** One kept difference. Values are bounded and redacted before they leave the application. */
export interface MismatchSample {
  readonly id: string;
  readonly route: string;
  readonly door: string;
  readonly at: number;
  readonly key: string;
  readonly operation: string;
  readonly differences: readonly { readonly path: string; readonly old: string; readonly new: string }[];
}

/** A route as an application declares it when its door opens. */
export interface RouteDeclaration {
  readonly route: string;
  readonly door: string;
  /** Operations whose coverage is counted, without those in `never`; empty when the route has only one. */
  readonly operations: readonly string[];
  /** Stages this route can be put into, given what its call site declared. */
  readonly stages: readonly Stage[];
  /** Cohorts whose coverage is counted. Absent: none are named. */
  readonly cohorts?: readonly string[];
  /** Operations that only one side ever gets, with the reason: `personal`, `non-idempotent`. */
  readonly never?: Readonly<Record<string, string>>;
  /** Second writes that may be missing when the stage advances. Absent: the route has no second writes. */
  readonly backlogLimit?: number;
}

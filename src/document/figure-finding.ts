import type { Claim, FindingBase, Place } from "./finding.ts";

export type Comparison = "<" | "<=" | ">" | ">=" | "=" | "!=" | "within";

/** A number that something is compared with. */
export interface ThresholdFinding extends FindingBase<"threshold"> {
  /** What is measured, as written: `p99 latency`, `crates fail`; empty when nothing names it. */
  readonly measure: string;
  /** What is meant where it is a known measure. */
  readonly about:
    | "error-rate"
    | "latency"
    | "throughput"
    | "memory"
    | "cpu"
    | "queue"
    | "availability"
    | "mismatch"
    | "coverage"
    | "duration"
    | "loss"
    | "performance"
    | "other";
  /** 0…1, for `p99` 0.99. */
  readonly quantile?: number;
  readonly comparison: Comparison;
  readonly number: number;
  /** The number exactly as written: `0.1`, `1,000`, `220+`. */
  readonly numberText: string;
  /** `%`, `×`, `ms`, `/min`, `crates`; empty when there is none. */
  readonly unit: string;
  /** What it is relative to, as written (`baseline`, `old`, `current level`); absent for an absolute limit. */
  readonly baseline?: string;
  /** `limit`: trouble when it holds. `goal`: wanted. `unknown`: the text does not say. */
  readonly sense: "limit" | "goal" | "unknown";
  /** What to do then, as written. `does` where the words name one of the tool's actions. */
  readonly action?: string;
  readonly does?: "alert" | "pause" | "throttle" | "rollback";
}

/** A condition for going back or stopping. */
export interface TriggerFinding extends FindingBase<"trigger"> {
  readonly mode: "automatic" | "manual" | "unknown";
  /** Keys of thresholds in it; none for `team_decision`. */
  readonly thresholds: readonly string[];
  readonly action: string;
  readonly does: "alert" | "pause" | "throttle" | "rollback";
}

/** Shares of traffic in order. */
export interface RampFinding extends FindingBase<"ramp"> {
  readonly stages: readonly {
    readonly percent: number;
    readonly text: string;
    /** Key of the duration the stage is held. */
    readonly hold?: string;
    readonly place: Place;
  }[];
}

export type TimeUnit = "ms" | "s" | "min" | "h" | "day" | "workday" | "week" | "month" | "quarter" | "year";

/** A length of time, or a span counted from the start of the plan (`Day 2-3`). */
export interface DurationFinding extends FindingBase<"duration"> {
  /** Exactly as written: `22 days`, `Days 8-13`. */
  readonly written: string;
  readonly low: number;
  readonly high: number;
  readonly unit: TimeUnit;
  /** `span` counts positions (`Week 1`), `length` an amount. */
  readonly sort: "length" | "span";
  readonly role:
    "phase" | "step" | "effort" | "buffer" | "total" | "limit" | "hold" | "interval" | "position" | "other";
  readonly approximate: boolean;
}

/** Working time of one unit, phase or step. */
export interface EffortFinding extends FindingBase<"effort"> {
  readonly of: string;
  /** Key of the duration. */
  readonly duration: string;
}

/** A sum the plan states: `22 days (4.5 weeks) + 1 week buffer = 5 weeks`. All are keys of durations. */
export interface TotalFinding extends FindingBase<"total"> {
  readonly parts: readonly string[];
  /** The same amount in another unit, in brackets: `(4.5 weeks)`. */
  readonly restated: readonly string[];
  readonly buffer: readonly string[];
  readonly result?: string;
}

/** Something with a date, or a place in a timetable. */
export interface CalendarFinding extends FindingBase<"calendar"> {
  readonly title: string;
  /** `YYYY-MM-DD`. `end` is the first day after it. Absent where the plan gives only positions (`Week 1`, `tuesday`). */
  readonly start?: string;
  readonly end?: string;
  readonly days?: number;
  /** Position in a timetable without dates: `week_1 / monday`. */
  readonly position?: string;
  /** Group in the chart. */
  readonly group?: string;
  /** Keys of calendar entries it follows. */
  readonly after: readonly string[];
  readonly milestone: boolean;
  readonly claim?: Claim;
}

export interface PercentFinding extends FindingBase<"percent"> {
  /** Equal to `high` unless a range was written. */
  readonly low: number;
  readonly high: number;
  readonly written: string;
}

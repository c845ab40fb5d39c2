import {
  type Interval,
  type RouteState,
  shareBuckets,
  shareLimit,
  type SideCounts,
} from "../../core/index.ts";
import { FirstErrorList } from "./first-errors.ts";
import { KeyLoad } from "./key-load.ts";
import { latencyBucket, latencyBuckets, latencyCounts } from "./latency.ts";

/** Most names of operations or cohorts kept apart; a name made from an id would otherwise fill the memory. */
const mostNames = 200;
/** Counts the names beyond. */
const otherNames = "(other)";

/** Counts by name, with a bound on the names. */
class NamedCounts {
  readonly #counts = new Map<string, number>();

  add(name: string): void {
    if (name === "") return;
    const known = this.#counts.get(name);
    const counted = known === undefined && this.#counts.size >= mostNames ? otherNames : name;
    this.#counts.set(counted, (this.#counts.get(counted) ?? 0) + 1);
  }

  get empty(): boolean {
    return this.#counts.size === 0;
  }

  /** The counts so far; starts again from none. */
  take(): Record<string, number> {
    const counts = Object.fromEntries(this.#counts);
    this.#counts.clear();
    return counts;
  }
}

/** Which part of a route's calls an answer stands for, for coverage. Empty: none is named. */
export interface Coverage {
  readonly operation: string;
  readonly cohort: string;
}

/** Counts of one side since the last interval. */
export class SideTally {
  calls = 0;
  errors = 0;
  #latency: Uint32Array | undefined;

  addLatency(ms: number): void {
    this.#latency ??= new Uint32Array(latencyBuckets);
    const bucket = latencyBucket(ms);
    this.#latency[bucket] = (this.#latency[bucket] ?? 0) + 1;
  }

  /** The counts so far; starts again from zero. */
  take(): SideCounts {
    const counts = {
      calls: this.calls,
      errors: this.errors,
      latency: this.#latency === undefined || this.calls === 0 ? [] : latencyCounts(this.#latency),
    };
    this.calls = 0;
    this.errors = 0;
    this.#latency?.fill(0);
    return counts;
  }
}

/** What is counted of one route at one epoch. Calls are counted when they end, so errors never exceed calls. */
export class Tally {
  readonly state: RouteState;
  readonly old: SideTally = new SideTally();
  readonly new: SideTally = new SideTally();
  failedOver = 0;
  shadowCalls = 0;
  shadowErrors = 0;
  shadowTimeouts = 0;
  shadowSkipped = 0;
  compared = 0;
  mismatches = 0;
  /** Of the compared answers those of which only the beginning was seen. */
  partial = 0;
  /** Paths that comparisons pass over, since the old side does not repeat them. */
  volatile: readonly string[] = [];
  /** The door's own work besides the calls, milliseconds. */
  overheadMs = 0;
  readonly firstErrors: FirstErrorList = new FirstErrorList();
  readonly keyLoad: KeyLoad = new KeyLoad();
  /** Calls off the callers' paths that began at this epoch and have not ended. */
  apart = 0;
  readonly #operations = new NamedCounts();
  readonly #cohorts = new NamedCounts();
  readonly #differing = { operations: new NamedCounts(), cohorts: new NamedCounts() };
  readonly #refused = new NamedCounts();
  #from: number;

  constructor(state: RouteState, now: number) {
    this.state = state;
    this.#from = now;
  }

  addCompared({ operation, cohort }: Coverage, differs: boolean): void {
    this.compared++;
    this.#operations.add(operation);
    this.#cohorts.add(cohort);
    if (!differs) return;
    this.mismatches++;
    this.#differing.operations.add(operation);
    this.#differing.cohorts.add(cohort);
  }

  /** A call that was left to one side, since its operation must never be repeated. */
  addRefused(operation: string): void {
    this.#refused.add(operation);
  }

  get from(): number {
    return this.#from;
  }

  get idle(): boolean {
    return (
      this.old.calls + this.new.calls + this.shadowCalls + this.shadowTimeouts + this.shadowSkipped === 0 &&
      this.failedOver + this.compared + this.shadowErrors === 0 &&
      this.#refused.empty &&
      this.firstErrors.empty
    );
  }

  /** Is the side of a key drawn by lot at this epoch? Elsewhere first errors of keys tell nothing. */
  get followsKeys(): boolean {
    const limit = shareLimit(this.state.share);
    return this.state.stage === "live" && limit > 0 && limit < shareBuckets;
  }

  /** The interval since the last one. `period`: which one the first errors belong to. */
  take(id: string, door: string, now: number, period: number): Interval {
    const { route, epoch, stage, share } = this.state;
    const keyLoad = this.keyLoad.read();
    const interval: Interval = {
      id,
      route,
      door,
      epoch,
      stage,
      share,
      // The wall clock may have been set back; where it was before is no time that anybody should go by.
      from: Math.min(this.#from, now),
      to: now,
      old: this.old.take(),
      new: this.new.take(),
      shadow: {
        calls: this.shadowCalls,
        errors: this.shadowErrors,
        timeouts: this.shadowTimeouts,
        skipped: this.shadowSkipped,
      },
      compared: this.compared,
      mismatches: this.mismatches,
      failedOver: this.failedOver,
      ...(this.followsKeys ? { firstErrors: this.firstErrors.take(period) } : {}),
      ...(keyLoad === undefined ? {} : { keyLoad }),
      ...this.#coverage(),
      ...(this.partial === 0 ? {} : { partial: this.partial }),
      ...(this.volatile.length === 0 ? {} : { volatile: this.volatile }),
      ...(this.overheadMs === 0 ? {} : { overheadMs: Math.round(this.overheadMs * 1_000) / 1_000 }),
    };
    this.#from = now;
    this.failedOver = this.shadowCalls = this.shadowErrors = this.shadowTimeouts = this.shadowSkipped = 0;
    this.compared = this.mismatches = this.partial = this.overheadMs = 0;
    return interval;
  }

  #coverage(): Pick<Interval, "operations" | "cohorts" | "differing" | "refused"> {
    const { operations, cohorts } = this.#differing;
    return {
      operations: this.#operations.take(),
      ...(this.#cohorts.empty ? {} : { cohorts: this.#cohorts.take() }),
      ...(operations.empty && cohorts.empty
        ? {}
        : { differing: { operations: operations.take(), cohorts: cohorts.take() } }),
      ...(this.#refused.empty ? {} : { refused: this.#refused.take() }),
    };
  }
}

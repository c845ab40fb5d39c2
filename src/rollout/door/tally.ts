import type { Interval, RouteState, SideCounts } from "../../core/index.ts";
import { latencyBucket, latencyBuckets, latencyCounts } from "./latency.ts";

/** Most operation names kept apart; a name made from an id would otherwise fill the memory. */
const mostOperations = 200;
const otherOperations = "(other)";

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
  /** Calls off the callers' paths that began at this epoch and have not ended. */
  apart = 0;
  #operations = new Map<string, number>();
  #from: number;

  constructor(state: RouteState, now: number) {
    this.state = state;
    this.#from = now;
  }

  addCompared(operation: string): void {
    this.compared++;
    if (operation === "") return;
    const known = this.#operations.get(operation);
    const name = known === undefined && this.#operations.size >= mostOperations ? otherOperations : operation;
    this.#operations.set(name, (this.#operations.get(name) ?? 0) + 1);
  }

  get from(): number {
    return this.#from;
  }

  get idle(): boolean {
    return (
      this.old.calls + this.new.calls + this.shadowCalls + this.shadowTimeouts + this.shadowSkipped === 0 &&
      this.failedOver + this.compared + this.shadowErrors === 0
    );
  }

  /** The interval since the last one. */
  take(id: string, door: string, now: number): Interval {
    const { route, epoch, stage, share } = this.state;
    const to = Math.max(now, this.#from); // the wall clock may have been set back
    const interval: Interval = {
      id,
      route,
      door,
      epoch,
      stage,
      share,
      from: this.#from,
      to,
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
      operations: Object.fromEntries(this.#operations),
    };
    this.#from = to;
    this.failedOver = this.shadowCalls = this.shadowErrors = this.shadowTimeouts = this.shadowSkipped = 0;
    this.compared = this.mismatches = 0;
    this.#operations.clear();
    return interval;
  }
}

import {
  type Clock,
  type Interval,
  type MismatchSample,
  type RouteState,
  shareLimit,
} from "../../core/index.ts";
import { bucketer, sideSalt } from "./bucket.ts";
import { Cohort } from "./cohort.ts";
import { FirstErrorMemory } from "./first-errors.ts";
import { OpenCalls } from "./open-calls.ts";
import { StreamCalls } from "./stream-calls.ts";
import { Tally } from "./tally.ts";

/** Calls timed before the stride between two timed calls doubles; begins anew with every interval. */
const timedPerStride = 128;
/** An idle route still reports this often, so that "no calls" can be told from "no door". Milliseconds. */
const idleReport = 1_000;
/** Mismatch samples kept per interval; their number is counted in full. */
const samplesPerInterval = 5;

export interface LedgerOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Calls open for longer count as failed, milliseconds. */
  readonly deadline: number;
  readonly expected: ((error: unknown) => boolean) | undefined;
}

/** State of one route in this process, and all that is counted there. The hot path reads its fields directly. */
export class Ledger {
  state: RouteState;
  cohort: Cohort;
  /** Buckets below it are answered by the new side at stage `live`. */
  limit = 0;
  bucketOf: (key: string) => number;
  sampleBucketOf: (key: string) => number;
  /** Calls until the next one that is timed. */
  untilTimed = 0;
  /** Calls under way at a share between 0 and 100 %. */
  readonly calls: OpenCalls = new OpenCalls(this);
  /** Answers that callers are still reading. */
  readonly streams: StreamCalls;
  #failed: FirstErrorMemory;
  #stride = 1;
  #timed = 0;
  readonly #options: LedgerOptions;
  #tally: Tally;
  #draining: Tally[] = [];
  #earlier: Cohort[] = [];
  #samples: MismatchSample[] = [];

  constructor(state: RouteState, options: LedgerOptions) {
    this.#options = options;
    this.streams = new StreamCalls(options.clock, options.deadline);
    this.state = state;
    this.#failed = new FirstErrorMemory(state.salt, options.clock);
    this.#tally = new Tally(state, options.clock.now());
    this.cohort = this.#newCohort();
    this.bucketOf = bucketer(state.salt);
    this.sampleBucketOf = bucketer(sideSalt(state.salt, "sample"));
    this.limit = shareLimit(state.share);
  }

  setState(state: RouteState): void {
    this.#draining.push(this.#tally);
    this.#closeCohort();
    this.#tally = new Tally(state, this.#options.clock.now());
    if (state.salt !== this.state.salt) this.#failed = new FirstErrorMemory(state.salt, this.#options.clock);
    this.cohort = this.#newCohort();
    if (state.salt !== this.state.salt) {
      this.bucketOf = bucketer(state.salt);
      this.sampleBucketOf = bucketer(sideSalt(state.salt, "sample"));
    }
    this.limit = shareLimit(state.share);
    this.state = state;
  }

  /**
   * Start time of a call that shall be timed, or -1. Every call is counted, but reading the clock twice costs more
   * than the rest of a routed call: the first 128 calls of an interval are timed, then every 2nd, 4th, … on
   * average, drawn independently of the side, so the mix of sides among timed calls is that of all calls.
   */
  startTime(): number {
    if (--this.untilTimed >= 0) return -1;
    if (++this.#timed >= timedPerStride) {
      this.#timed = 0;
      this.#stride *= 2;
    }
    this.untilTimed = this.#stride === 1 ? 0 : Math.floor(this.#options.random() * (2 * this.#stride - 1));
    return this.#options.clock.monotonic();
  }

  sinceStart(start: number): number {
    return this.#options.clock.monotonic() - start;
  }

  addMismatch(sample: () => MismatchSample): void {
    if (this.#samples.length < samplesPerInterval) this.#samples.push(sample());
  }

  takeSamples(): readonly MismatchSample[] {
    if (this.#samples.length === 0) return [];
    const samples = this.#samples;
    this.#samples = [];
    return samples;
  }

  /** Ends the interval: one record per epoch that had something to tell. */
  takeIntervals(nextId: () => string, door: string): Interval[] {
    const now = this.#options.clock.now();
    this.#timed = 0;
    this.#stride = 1;
    this.untilTimed = 0;
    this.#rollCohort();
    const intervals: Interval[] = [];
    const { period } = this.#failed;
    for (const tally of this.#draining)
      if (!tally.idle) intervals.push(tally.take(nextId(), door, now, period));
    this.#draining = this.#draining.filter(
      (tally) =>
        tally.apart > 0 || this.#earlier.some((cohort) => cohort.tally === tally && cohort.pending > 0),
    );
    // A clock that was set back by an hour must not keep an idle route silent for that hour.
    if (!this.#tally.idle || Math.abs(now - this.#tally.from) >= idleReport) {
      intervals.push(this.#tally.take(nextId(), door, now, period));
    }
    this.#failed.roll();
    this.calls.trim();
    return intervals;
  }

  #rollCohort(): void {
    const due = this.#options.clock.monotonic() - this.#options.deadline;
    this.#closeCohort();
    this.#earlier = this.#earlier.filter((cohort) => {
      if (cohort.closedAt <= due && cohort.pending > 0) {
        this.calls.expire(cohort.old);
        this.calls.expire(cohort.new);
        cohort.expire();
      }
      return cohort.pending > 0;
    });
    this.cohort = this.#newCohort();
  }

  #closeCohort(): void {
    this.cohort.closedAt = this.#options.clock.monotonic();
    this.#earlier.push(this.cohort);
  }

  #newCohort(): Cohort {
    return new Cohort(this.#tally, this.#failed, this.#options.expected, this.streams);
  }
}

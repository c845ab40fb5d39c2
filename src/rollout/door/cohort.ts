import type { Side } from "../../core/index.ts";
import type { FirstErrorMemory } from "./first-errors.ts";
import type { StreamCalls, StreamedCall } from "./stream-calls.ts";
import { mayStream, type Stream } from "./stream-kind.ts";
import type { StreamRecorder } from "./stream-record.ts";
import type { SideTally, Tally } from "./tally.ts";

/**
 * Calls of one side that began in the same flush interval. They share two settle functions, so that watching a
 * promise allocates no closure per call, and one deadline: when it passes, calls still open are counted as errors
 * (a side that hangs would otherwise never be seen) and their late end is not counted again.
 */
export class Watch {
  pending = 0;
  readonly #tally: Tally;
  readonly #side: Side;
  readonly #counts: SideTally;
  readonly #keys: FirstErrorMemory;
  readonly #streams: StreamCalls;
  readonly #expected: ((error: unknown) => boolean) | undefined;
  #expired = false;
  readonly answered: <T>(value: T) => T;
  readonly failed: (error: unknown) => never;

  constructor(
    tally: Tally,
    side: Side,
    keys: FirstErrorMemory,
    expected: ((error: unknown) => boolean) | undefined,
    streams: StreamCalls,
  ) {
    this.#tally = tally;
    this.#side = side;
    this.#counts = tally[side];
    this.#keys = keys;
    this.#expected = expected;
    this.#streams = streams;
    this.answered = <T>(value: T): T => {
      if (mayStream(value)) {
        const given = this.follow(value, { open: true, start: -1 });
        if (given !== undefined) return given as T;
      }
      this.end();
      return value;
    };
    this.failed = (error) => {
      this.endFailed(error);
      throw error;
    };
  }

  begin(): void {
    this.pending++;
  }

  /**
   * What the caller gets for an answer that is a stream; then its call (`open`: it has begun and not ended) is counted
   * when the stream ends. Undefined for other answers.
   */
  follow(
    value: unknown,
    call: Pick<StreamedCall, "start" | "key" | "instead"> & { readonly open: boolean },
    record?: (stream: Stream) => StreamRecorder | undefined,
  ): unknown {
    if (call.open && this.#expired) return undefined;
    const given = this.#streams.follow(value, { ...call, watch: this, tally: this.#tally }, record);
    if (given !== undefined && call.open) this.pending--;
    return given;
  }

  /** An open call ended well. */
  end(): void {
    if (this.#expired) return;
    this.pending--;
    this.#counts.calls++;
  }

  endTimed(ms: number): void {
    if (this.#expired) return;
    this.end();
    this.#counts.addLatency(ms);
  }

  /** An open call ended with an error. True when the error counts as a failure. */
  endFailed(error: unknown): boolean {
    const failure = !this.isExpected(error);
    if (this.#expired) return failure;
    this.end();
    if (failure) this.#counts.errors++;
    return failure;
  }

  /** The same for a call whose key chose the side. */
  endFailedOf(key: string, error: unknown): boolean {
    const failure = this.endFailed(error);
    if (failure) this.noteFirst(key);
    return failure;
  }

  /** An open call passed its deadline; `expected` never excuses that. */
  endLate(): void {
    if (this.#expired) return;
    this.end();
    this.#counts.errors++;
  }

  /** A call that was not open any more: its stream kept the caller waiting for longer than the deadline. */
  countLate(key: string | undefined): void {
    this.#counts.calls++;
    this.#counts.errors++;
    if (key !== undefined) this.noteFirst(key);
  }

  /** A call that was never open (its function answered or threw at once). */
  count(): void {
    this.#counts.calls++;
  }

  countFailed(error: unknown): boolean {
    const failure = !this.isExpected(error);
    this.#counts.calls++;
    if (failure) this.#counts.errors++;
    return failure;
  }

  countFailedOf(key: string, error: unknown): boolean {
    const failure = this.countFailed(error);
    if (failure) this.noteFirst(key);
    return failure;
  }

  /** A call of this key failed, its side chosen by the share: the first one of a key is told apart. */
  noteFirst(key: string): void {
    this.#keys.note(key, this.#tally.firstErrors, this.#side);
  }

  addLatency(ms: number): void {
    this.#counts.addLatency(ms);
  }

  /** Counts what is still open as failed. */
  expire(): void {
    this.#expired = true;
    this.#counts.calls += this.pending;
    this.#counts.errors += this.pending;
    this.pending = 0;
  }

  isExpected(error: unknown): boolean {
    if (this.#expected === undefined) return false;
    try {
      return this.#expected(error);
    } catch {
      return false; // a predicate that cannot tell does not excuse the error
    }
  }
}

/** Both sides' calls of one flush interval. */
export class Cohort {
  readonly tally: Tally;
  readonly old: Watch;
  readonly new: Watch;
  /** Monotonic milliseconds: no call of this cohort began later. Infinite while calls still join. */
  closedAt: number = Number.POSITIVE_INFINITY;

  constructor(
    tally: Tally,
    keys: FirstErrorMemory,
    expected: ((error: unknown) => boolean) | undefined,
    streams: StreamCalls,
  ) {
    this.tally = tally;
    this.old = new Watch(tally, "old", keys, expected, streams);
    this.new = new Watch(tally, "new", keys, expected, streams);
  }

  get pending(): number {
    return this.old.pending + this.new.pending;
  }

  expire(): void {
    this.old.expire();
    this.new.expire();
  }
}

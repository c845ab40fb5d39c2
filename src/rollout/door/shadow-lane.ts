import { type Clock, formatDuration } from "../../core/index.ts";
import { type AnyFunction, ApartCall, type Outcome } from "./apart.ts";
import { Breaker } from "./breaker.ts";
import type { CallNames } from "./call-names.ts";
import type { Candidate, CandidateCall, CandidateEnd } from "./candidate.ts";
import { copyInput, copyValue, uncopied } from "./copy.ts";
import { BoundedWait, type Deadlines } from "./deadlines.ts";
import { errorFacts } from "./error-facts.ts";
import type { Ledger } from "./ledger.ts";
import { firstPairs, type Noise } from "./noise.ts";
import { letGo } from "./own-functions.ts";
import type { ErrorReporter } from "./report-error.ts";
import type { Overhead } from "./overhead.ts";
import { type JudgeSpec, mismatchSample, ShadowJudge } from "./shadow-judge.ts";
import { reaches } from "./stream-facts.ts";
import { type Stream, streamOf } from "./stream-kind.ts";
import { type StreamBounds, type StreamRecord, StreamRecorder } from "./stream-record.ts";
import type { Coverage, Tally } from "./tally.ts";
import { WorkTime } from "./work-time.ts";

export interface ShadowSpec {
  readonly route: string;
  readonly candidate: Candidate;
  readonly old: AnyFunction;
  readonly key: AnyFunction;
  readonly names: CallNames;
  readonly judge: JudgeSpec;
  readonly streams: StreamBounds;
  readonly noise: Noise | undefined;
  /** Part of the shadow calls for which the old side is called again, 0 to 1. */
  readonly again: number;
  readonly concurrency: number;
  readonly copyLimit: number;
}

/** One shadowed call, from the old side's answer to the comparison. */
class Task implements CandidateEnd {
  readonly self: unknown;
  readonly args: readonly unknown[];
  readonly tally: Tally;
  readonly #settle: (task: Task) => void;
  /** Undefined while its stream is still being read by the caller. */
  old: Outcome | undefined;
  other: Outcome | { readonly late: StreamRecord | undefined } | "skipped" | undefined = undefined;
  call: CandidateCall | undefined = undefined;
  /** Taken before the new side could change the input. */
  coverage: Coverage | undefined = undefined;
  key = "";
  /** Input for a second call of the old side, or how that ended. */
  again: { readonly args: readonly unknown[]; outcome?: Outcome | "none" } | undefined = undefined;
  /** Its place is free again: what still comes of it is dropped. */
  left = false;

  constructor(
    tally: Tally,
    self: unknown,
    args: readonly unknown[],
    old: Outcome | undefined,
    settle: (task: Task) => void,
  ) {
    this.tally = tally;
    this.self = self;
    this.args = args;
    this.old = old;
    this.#settle = settle;
  }

  ended(outcome: Outcome): void {
    this.other = outcome;
    this.#settle(this);
  }

  late(part?: StreamRecord): void {
    this.other = { late: part };
    this.#settle(this);
  }

  skipped(): void {
    this.other = "skipped";
    this.#settle(this);
  }
}

/** A drain that took longer than this leaves the rest to the next turn, milliseconds. */
const longestDrain = 5;
/** Calls between two looks at the clock. */
const perLook = 4;

/**
 * Calls of the new side that nobody waits for. A call waits for the next turn of the event loop, after the caller
 * has its answer; never are more than `concurrency` of them waiting or under way, the rest is skipped and counted.
 */
export class ShadowLane {
  readonly #spec: ShadowSpec;
  readonly #ledger: Ledger;
  readonly #deadlines: Deadlines;
  readonly #errors: ErrorReporter;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #door: string;
  readonly #overhead: Overhead;
  readonly #copying: WorkTime;
  readonly #settling: WorkTime;
  readonly #judge: ShadowJudge;
  readonly #breaker = new Breaker();
  #busy = 0;
  #draining = false;
  #waiting: Task[] = [];

  constructor(
    spec: ShadowSpec,
    ledger: Ledger,
    deadlines: Deadlines,
    shared: {
      readonly clock: Clock;
      readonly random: () => number;
      readonly errors: ErrorReporter;
      readonly door: string;
      readonly overhead: Overhead;
    },
  ) {
    this.#spec = spec;
    this.#ledger = ledger;
    this.#deadlines = deadlines;
    this.#errors = shared.errors;
    this.#clock = shared.clock;
    this.#random = shared.random;
    this.#door = shared.door;
    this.#overhead = shared.overhead;
    this.#copying = new WorkTime(shared.clock, shared.overhead);
    this.#settling = new WorkTime(shared.clock, shared.overhead);
    this.#judge = new ShadowJudge(spec.judge, spec.noise);
    this.#now = () => this.#clock.monotonic();
  }

  /**
   * The input as the new side will see it, copied before the old side can change it; undefined when this call
   * will not be shadowed (then it is counted as skipped already).
   */
  admit(args: readonly unknown[]): readonly unknown[] | undefined {
    const { tally } = this.#ledger.cohort;
    if (this.#busy < this.#spec.concurrency && !this.#breaker.blocks(this.#now) && !this.#overhead.blocks) {
      const start = this.#copying.begin();
      const copied = copyInput(args, this.#spec.copyLimit);
      this.#copying.end(tally, start);
      if (copied !== undefined) return copied;
    }
    tally.shadowSkipped++;
    return undefined;
  }

  /** The old side has answered: the answer is copied before the caller can change it. */
  offer(tally: Tally, self: unknown, args: readonly unknown[], ok: boolean, result: unknown): void {
    // A stream that nobody may listen to cannot be compared with anything.
    const copied = ok && streamOf(result) !== undefined ? uncopied : this.#copy(ok, result);
    if (this.#busy >= this.#spec.concurrency || copied === uncopied) {
      tally.shadowSkipped++;
      return;
    }
    this.#enter(tally, self, args, ok ? { ok, value: copied } : { ok, error: copied });
  }

  /** The old side has answered with a stream: keeps what the caller will read of it, for as long as a shadow may take. */
  offerStream(
    tally: Tally,
    self: unknown,
    args: readonly unknown[],
    stream: Stream,
  ): StreamRecorder | undefined {
    if (this.#busy >= this.#spec.concurrency) {
      tally.shadowSkipped++;
      return undefined;
    }
    const task = this.#enter(tally, self, args, undefined);
    const seen = (): void => {
      this.#deadlines.remove(limit);
      const record = recorder.record();
      task.old = { ok: true, value: undefined, stream: record };
      if (record.end === "part") task.call?.limit(sizeOf(record));
      // Not now: the caller is waiting for the end of its stream.
      setImmediate(() => this.#settleTimed(task));
    };
    const recorder = new StreamRecorder(stream, this.#spec.streams, seen, {
      begin: () => this.#copying.begin(),
      end: (start) => this.#copying.end(tally, start),
    });
    const limit = new BoundedWait(() => recorder.close("part"));
    this.#deadlines.add(limit);
    return recorder;
  }

  close(): void {
    this.#spec.candidate.close();
  }

  #copy(ok: boolean, result: unknown): unknown {
    try {
      return copyValue(ok ? result : errorFacts(result), this.#spec.copyLimit, false);
    } catch {
      return uncopied; // an error whose members cannot be read
    }
  }

  #enter(tally: Tally, self: unknown, args: readonly unknown[], old: Outcome | undefined): Task {
    this.#busy++;
    tally.apart++;
    const task = new Task(tally, self, args, old, this.#settleTimed);
    if (this.#waiting.push(task) === 1) setImmediate(this.#drain);
    return task;
  }

  readonly #drain = (): void => {
    const tasks = this.#waiting;
    this.#waiting = [];
    const [first] = tasks;
    if (first === undefined) return;
    const begin = this.#now();
    this.#draining = true;
    for (let at = 0; at < tasks.length; at++) {
      if (at % perLook === perLook - 1 && this.#now() - begin > longestDrain) {
        this.#waiting = [...tasks.slice(at), ...this.#waiting];
        setImmediate(this.#drain);
        break;
      }
      this.#run(tasks[at] as Task, begin);
    }
    this.#account(first.tally, begin);
  };

  #account(tally: Tally, begin: number): void {
    this.#draining = false;
    const now = this.#now();
    tally.overheadMs += now - begin;
    this.#overhead.spend(now - begin, now);
  }

  /** The same as `#settle`, timed; within a drain that is timed already. */
  readonly #settleTimed = (task: Task): void => {
    if (this.#draining) return this.#settle(task);
    const start = this.#settling.begin();
    this.#settle(task);
    this.#settling.end(task.tally, start);
  };

  #run(task: Task, now: number): void {
    if (!this.#breaker.admits(this.#now)) return this.#skip(task);
    try {
      const coverage = this.#spec.names.coverage(task.args);
      const key: unknown = this.#spec.key(...task.args);
      letGo(key);
      task.key = String(key).slice(0, 200);
      this.#chooseAgain(task);
      task.coverage = coverage;
    } catch (error) {
      this.#faulty(error);
    }
    task.tally.shadowCalls++;
    task.call = this.#spec.candidate.call(task.self, task.args, task, now);
    const seen = task.old?.ok === true ? task.old.stream : undefined;
    if (seen?.end === "part") task.call.limit(sizeOf(seen));
  }

  /** Nothing was proven by this call: a function of the route's own (operation, normalize, compare, key) threw. */
  #faulty(error: unknown): void {
    this.#errors.fault(this.#spec.route, "compare", error);
  }

  #chooseAgain(task: Task): void {
    const { noise, again, copyLimit } = this.#spec;
    if (noise === undefined || again <= 0) return;
    if (noise.pairs >= firstPairs && this.#random() >= again) return;
    const args = copyInput(task.args, copyLimit);
    if (args !== undefined) task.again = { args };
  }

  /** Both sides are known: what was found is counted, unless the old side is to be asked again first. */
  #settle(task: Task): void {
    const { old, other } = task;
    if (old === undefined || other === undefined || task.left) return;
    const outcome = this.#outcomeOf(task, old, other);
    if (outcome === undefined) return this.#leave(task);
    const { again } = task;
    if (again !== undefined && again.outcome === undefined) return this.#askAgain(task, again);
    this.#leave(task);
    this.#compare(task, old, outcome, again?.outcome);
  }

  /** What the new side answered; undefined when there is nothing to compare. Counted the first time it is asked. */
  #outcomeOf(task: Task, old: Outcome, other: NonNullable<Task["other"]>): Outcome | undefined {
    const { tally } = task;
    if (task.again?.outcome !== undefined) return other as Outcome;
    if (other === "skipped") {
      tally.shadowSkipped++;
      this.#breaker.released();
      return undefined;
    }
    if ("late" in other) {
      const seen = old.ok ? old.stream : undefined;
      if (seen?.end === "part" && other.late !== undefined && reaches(other.late, seen)) {
        this.#breaker.succeeded();
        task.other = { ok: true, value: undefined, stream: other.late };
        return task.other;
      }
      tally.shadowTimeouts++;
      this.#breaker.failed(this.#now);
      // Who got an answer would have got none: that is no agreement. Of a stream it is not known how it would have gone on.
      if (!old.ok || old.stream !== undefined || other.late !== undefined) return undefined;
      const error = new Error(`no answer within ${formatDuration(this.#deadlines.ms)}`);
      return (task.other = { ok: false, error });
    }
    const failed = hasFailed(other);
    if (failed) tally.shadowErrors++;
    // An error where the old side failed too is an answer, not a sign of trouble.
    if (!failed || hasFailed(old)) this.#breaker.succeeded();
    else this.#breaker.failed(this.#now);
    return other;
  }

  #askAgain(task: Task, again: NonNullable<Task["again"]>): void {
    const call = new ApartCall((outcome) => {
      again.outcome = outcome ?? "none";
      this.#settleTimed(task);
    }, this.#spec.streams);
    setImmediate(() => {
      const begin = this.#now();
      this.#draining = true;
      call.run(this.#spec.old, task.self, again.args, this.#deadlines);
      this.#account(task.tally, begin);
    });
  }

  #compare(task: Task, old: Outcome, outcome: Outcome, again: Outcome | "none" | undefined): void {
    const { tally, coverage } = task;
    if (coverage === undefined) {
      tally.shadowSkipped++;
      return;
    }
    try {
      const judgement = this.#judge.judge(old, outcome, again === "none" ? undefined : again);
      this.#reportNoise(tally);
      const differs = judgement.differences.length > 0;
      if (!differs && !judgement.complete) {
        tally.shadowSkipped++;
        return;
      }
      tally.addCompared(coverage, differs);
      if (this.#judge.partial) tally.partial++;
      if (!differs) return;
      const of = { door: this.#door, key: task.key, operation: coverage.operation };
      this.#ledger.addMismatch(() =>
        mismatchSample(this.#spec.judge, this.#clock, of, judgement.differences),
      );
    } catch (error) {
      tally.shadowSkipped++;
      this.#faulty(error);
    }
  }

  #reportNoise(tally: Tally): void {
    const { noise, route } = this.#spec;
    if (noise === undefined) return;
    tally.volatile = noise.volatile;
    if (noise.full)
      this.#errors.fault(route, "learnNoise", "more fields differ than can be kept; the rest is compared");
  }

  #skip(task: Task): void {
    task.tally.shadowSkipped++;
    this.#leave(task);
  }

  #leave(task: Task): void {
    task.left = true;
    this.#busy--;
    task.tally.apart--;
  }
}

const hasFailed = (outcome: Outcome): boolean => !outcome.ok || outcome.stream?.end === "failed";

/** How much of a stream was seen, with some room for values of other length. */
function sizeOf(record: StreamRecord): { readonly events: number; readonly weight: number } {
  let weight = 0;
  for (const chunk of record.chunks)
    weight += typeof chunk === "string" ? chunk.length : ((chunk as Partial<Uint8Array>).byteLength ?? 0);
  return {
    events: record.chunks.length,
    weight: record.format === "events" ? Number.POSITIVE_INFINITY : 1.25 * weight + 1_024,
  };
}

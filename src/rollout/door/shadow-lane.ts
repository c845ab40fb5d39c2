import { type Clock, type MismatchSample, timeId } from "../../core/index.ts";
import { type AnyFunction, ApartCall, type Outcome } from "./apart.ts";
import { Breaker } from "./breaker.ts";
import type { CallNames } from "./call-names.ts";
import { type Comparison, Comparer, compareOutcomes, type Difference } from "./compare.ts";
import { copyValue, uncopied } from "./copy.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Ledger } from "./ledger.ts";
import type { Redactor } from "./redact.ts";
import type { ErrorReporter } from "./report-error.ts";
import type { Tally } from "./tally.ts";

export interface ShadowSpec {
  readonly route: string;
  readonly candidate: AnyFunction;
  readonly key: AnyFunction;
  readonly names: CallNames;
  readonly normalize: AnyFunction | undefined;
  readonly compare: ((old: unknown, other: unknown) => boolean | readonly Difference[]) | undefined;
  readonly comparer: Comparer;
  readonly redactor: Redactor;
  readonly concurrency: number;
  readonly copyLimit: number;
}

interface Task {
  readonly self: unknown;
  readonly args: readonly unknown[];
  readonly old: Outcome;
  readonly tally: Tally;
}

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
  readonly #door: string;
  readonly #breaker = new Breaker();
  #busy = 0;
  #waiting: Task[] = [];

  constructor(
    spec: ShadowSpec,
    ledger: Ledger,
    deadlines: Deadlines,
    shared: { readonly clock: Clock; readonly errors: ErrorReporter; readonly door: string },
  ) {
    this.#spec = spec;
    this.#ledger = ledger;
    this.#deadlines = deadlines;
    this.#errors = shared.errors;
    this.#clock = shared.clock;
    this.#door = shared.door;
    this.#now = () => this.#clock.monotonic();
  }

  /**
   * The input as the new side will see it, copied before the old side can change it; undefined when this call
   * will not be shadowed (then it is counted as skipped already).
   */
  admit(args: readonly unknown[]): readonly unknown[] | undefined {
    if (this.#busy < this.#spec.concurrency && !this.#breaker.blocks(this.#now)) {
      const copied = copyValue(args, this.#spec.copyLimit);
      if (copied !== uncopied) return copied as unknown[];
    }
    this.#ledger.cohort.tally.shadowSkipped++;
    return undefined;
  }

  /** The old side has answered: the answer is copied before the caller can change it. */
  offer(tally: Tally, self: unknown, args: readonly unknown[], ok: boolean, result: unknown): void {
    const copied = ok ? copyValue(result, this.#spec.copyLimit) : result;
    if (this.#busy >= this.#spec.concurrency || copied === uncopied) {
      tally.shadowSkipped++;
      return;
    }
    this.#busy++;
    tally.apart++;
    const old: Outcome = ok ? { ok, value: copied } : { ok, error: copied };
    if (this.#waiting.push({ self, args, old, tally }) === 1) setImmediate(() => this.#drain());
  }

  #drain(): void {
    const tasks = this.#waiting;
    this.#waiting = [];
    const now = this.#now();
    for (const task of tasks) this.#run(task, now);
  }

  #run(task: Task, now: number): void {
    if (!this.#breaker.admits(this.#now)) {
      task.tally.shadowSkipped++;
      return this.#leave(task);
    }
    task.tally.shadowCalls++;
    new ApartCall((outcome) => {
      this.#leave(task);
      if (outcome === undefined) {
        task.tally.shadowTimeouts++;
        return this.#breaker.failed(this.#now);
      }
      if (!outcome.ok) task.tally.shadowErrors++;
      // An error where the old side failed too is an answer, not a sign of trouble.
      if (outcome.ok || !task.old.ok) this.#breaker.succeeded();
      else this.#breaker.failed(this.#now);
      this.#compare(task, outcome);
    }).run(this.#spec.candidate, task.self, task.args, this.#deadlines, now);
  }

  #leave(task: Task): void {
    this.#busy--;
    task.tally.apart--;
  }

  #compare(task: Task, outcome: Outcome): void {
    const { tally } = task;
    try {
      const coverage = this.#spec.names.coverage(task.args);
      const comparison = this.#judge(this.#normal(task.old), this.#normal(outcome));
      if (comparison.differences.length === 0 && !comparison.complete) {
        tally.shadowSkipped++;
        return;
      }
      const differs = comparison.differences.length > 0;
      tally.addCompared(coverage, differs);
      if (!differs) return;
      this.#ledger.addMismatch(() => this.#sample(task, coverage.operation, comparison.differences));
    } catch (error) {
      // A function of the route's own (operation, normalize, compare, key) threw: nothing was proven by this call.
      this.#errors.fault(this.#spec.route, "compare", error);
    }
  }

  #judge(old: Outcome, other: Outcome): Comparison {
    if (this.#spec.compare === undefined || !old.ok || !other.ok) {
      return compareOutcomes(this.#spec.comparer, old, other);
    }
    const answer = this.#spec.compare(old.value, other.value);
    if (answer === true) return { differences: [], complete: true };
    const whole = [{ path: "$", old: old.value, new: other.value }];
    return { differences: answer === false ? whole : answer, complete: true };
  }

  #normal(outcome: Outcome): Outcome {
    if (!outcome.ok || this.#spec.normalize === undefined) return outcome;
    return { ok: true, value: this.#spec.normalize(outcome.value) };
  }

  #sample(task: Task, operation: string, differences: readonly Difference[]): MismatchSample {
    const { route, redactor } = this.#spec;
    return {
      id: timeId(this.#clock.now()),
      route,
      door: this.#door,
      at: this.#clock.now(),
      key: String(this.#spec.key(...task.args)).slice(0, 200),
      operation,
      differences: differences.map(({ path, old, new: other }) => ({
        path: path.slice(0, 200),
        old: redactor.show(path, old),
        new: redactor.show(path, other),
      })),
    };
  }
}

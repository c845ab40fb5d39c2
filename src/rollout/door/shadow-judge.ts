import { type Clock, type MismatchSample, timeId } from "../../core/index.ts";
import type { AnyFunction, Outcome } from "./apart.ts";
import {
  type Comparison,
  Comparer,
  type CompareOptions,
  compareOutcomes,
  type Difference,
} from "./compare.ts";
import { copyValue, uncopied } from "./copy.ts";
import { type Noise, type OwnNoise } from "./noise.ts";
import type { OwnComparison } from "./own-functions.ts";
import type { Redactor } from "./redact.ts";
import { alignEvents } from "./stream-order.ts";
import { pairStreams, type StreamPair } from "./stream-facts.ts";

export interface JudgeSpec {
  readonly route: string;
  readonly normalize: AnyFunction | undefined;
  /** Gives undefined where it could not look at everything. */
  readonly compare: OwnComparison | undefined;
  readonly rules: CompareOptions;
  readonly redactor: Redactor;
  readonly copyLimit: number;
  /** Events of a stream may come in any order. */
  readonly anyOrder: boolean;
}

const nothingProven: Comparison = { differences: [], complete: false };

/** Compares what the sides answered, by the rules of the route. Throws what the route's own functions throw. */
export class ShadowJudge {
  readonly #spec: JudgeSpec;
  readonly #comparer: Comparer;
  readonly #noise: Noise | undefined;
  #own: OwnNoise | undefined;
  /** Was only the beginning of a stream compared the last time? */
  partial = false;

  constructor(spec: JudgeSpec, noise: Noise | undefined) {
    this.#spec = spec;
    this.#noise = noise;
    this.#comparer =
      noise === undefined
        ? new Comparer(spec.rules)
        : new Comparer(spec.rules, (path, old, other) => noise.passes(path, old, other, this.#own));
  }

  /** @param own what the old side answered to the same input when asked again */
  judge(old: Outcome, other: Outcome, again?: Outcome): Comparison {
    this.partial = false;
    if (streamOf(old) !== undefined && streamOf(other) !== undefined) return this.#streams(old, other, again);
    const [left, right] = [this.#normal(old), this.#normal(other)];
    if (left === undefined || right === undefined) return nothingProven;
    this.#own = this.#learn(left, again);
    return this.#compare(left, right);
  }

  #streams(old: Outcome, other: Outcome, again: Outcome | undefined): Comparison {
    const pair = this.#pair(old, other);
    if (pair === undefined) return nothingProven;
    const twice = again !== undefined && streamOf(again) !== undefined ? this.#pair(old, again) : undefined;
    this.#own = twice === undefined ? undefined : this.#noise?.learn(...this.#sides(twice));
    const [left, right] = this.#sides(pair);
    this.partial = !pair.whole;
    return this.#compare(left, right);
  }

  #pair(old: Outcome, other: Outcome): StreamPair | undefined {
    const [a, b] = [streamOf(old), streamOf(other)];
    if (a === undefined || b === undefined) return undefined;
    const pair = pairStreams(a, b);
    const aligned = this.#spec.anyOrder ? alignEvents(pair, this.#comparer) : pair;
    return aligned?.seen === true ? aligned : undefined;
  }

  #sides(pair: StreamPair): [Outcome, Outcome] {
    const { normalize } = this.#spec;
    const side = (facts: unknown): Outcome => ({
      ok: true,
      value: normalize === undefined ? facts : normalize(facts),
    });
    return [side(pair.old), side(pair.new)];
  }

  #learn(old: Outcome, again: Outcome | undefined): OwnNoise | undefined {
    if (again === undefined || this.#noise === undefined) return undefined;
    const second = this.#normal(again);
    return second === undefined ? undefined : this.#noise.learn(old, second);
  }

  #compare(old: Outcome, other: Outcome): Comparison {
    if (this.#spec.compare === undefined || !old.ok || !other.ok)
      return compareOutcomes(this.#comparer, old, other);
    const answer = this.#spec.compare(old.value, other.value);
    if (answer === undefined) return nothingProven;
    if (answer === true) return { differences: [], complete: true };
    const whole = [{ path: "$", old: old.value, new: other.value }];
    return { differences: answer === false ? whole : answer, complete: true };
  }

  /** A normaliser sees a copy: what it changes may be the new side's own. Undefined: too large to be copied. */
  #normal(outcome: Outcome): Outcome | undefined {
    if (!outcome.ok) return outcome;
    const { normalize, copyLimit } = this.#spec;
    if (normalize === undefined && outcome.stream === undefined) return outcome;
    const value = outcome.stream === undefined ? outcome.value : { stream: outcome.stream };
    if (normalize === undefined) return { ok: true, value };
    const copied = copyValue(value, copyLimit);
    return copied === uncopied ? undefined : { ok: true, value: normalize(copied) };
  }
}

const streamOf = (outcome: Outcome) => (outcome.ok ? outcome.stream : undefined);

/** What is kept of a mismatch: bounded, and without what must not be seen. */
export function mismatchSample(
  spec: JudgeSpec,
  clock: Clock,
  of: Pick<MismatchSample, "door" | "key" | "operation">,
  differences: readonly Difference[],
): MismatchSample {
  const at = clock.now();
  return {
    id: timeId(at),
    route: spec.route,
    at,
    ...of,
    differences: differences.slice(0, 20).map(({ path, old, new: other }) => {
      const [shownOld, shownNew] = spec.redactor.showBoth(path, old, other);
      return { path: path.slice(0, 200), old: shownOld, new: shownNew };
    }),
  };
}

import { type AnyFunction, isThenable } from "./apart.ts";
import { Comparer, type Difference, type Tolerance } from "./compare.ts";
import type { OwnComparison } from "./own-functions.ts";
import { Intents } from "./intents.ts";
import { mayStream } from "./stream-kind.ts";

/** What is compared of a call with captured effects. */
export interface Deed {
  readonly answer: unknown;
  /** Arguments by effect and in the order made: `effects.insert.0.0.total` is a field of the first row inserted. */
  readonly effects: Readonly<Record<string, readonly unknown[]>> | "too many or too large";
}

/** A call at stage `shadow` of a route with captured effects. Stands for `this` until the new side is called. */
export class CapturedCall {
  readonly #self: unknown;
  readonly #intents: Intents;

  constructor(self: unknown, copyLimit: number) {
    this.#self = self;
    this.#intents = new Intents(copyLimit);
  }

  /** The old side, noted; to be called once. */
  recorded(old: AnyFunction): AnyFunction {
    const intents = this.#intents;
    return function (this: unknown, ...args: unknown[]): unknown {
      return intents.recording(old, this, args);
    };
  }

  /** What the old side did until it answered; undefined when that was too much to be compared. */
  deed(answer: unknown): Deed | undefined {
    const effects = this.#intents.seal("old");
    return effects === undefined ? undefined : { answer, effects };
  }

  /** Calls the new side without letting it act, and gives what it answered and would have done until then. */
  capture(candidate: AnyFunction, args: readonly unknown[]): unknown {
    const answer = this.#intents.capturing(candidate, this.#self, args);
    // A stream is compared event by event, by itself.
    const deedOf = (value: unknown): unknown => {
      if (mayStream(value)) return value;
      const deed: Deed = { answer: value, effects: this.#intents.seal("new") ?? "too many or too large" };
      return deed;
    };
    return isThenable(answer) ? Promise.resolve(answer).then(deedOf) : deedOf(answer);
  }
}

/** The new side of a shadowed call: whatever calls it, it is captured. */
export function captureOnly(candidate: AnyFunction, copyLimit: number): AnyFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    const call = this instanceof CapturedCall ? this : new CapturedCall(this, copyLimit);
    return call.capture(candidate, args);
  };
}

export interface Comparing {
  readonly ignore: readonly string[];
  readonly normalize: AnyFunction | undefined;
  readonly compare: OwnComparison | undefined;
  readonly tolerance: Tolerance | undefined;
}

/** What a route says about comparing its answers, made to fit deeds: it goes on meaning the answers. */
export function comparingDeeds(given: Comparing): Comparing {
  const { normalize, compare } = given;
  const ignore = given.ignore.map((entry) =>
    /[.*]/.test(entry) && !entry.startsWith("effects.") ? `answer.${entry}` : entry,
  );
  const effects = new Comparer({
    ignore,
    ...(given.tolerance === undefined ? {} : { tolerance: given.tolerance }),
  });
  return {
    ...given,
    ignore,
    normalize:
      normalize === undefined
        ? undefined
        : (deed) => (isDeed(deed) ? { ...deed, answer: normalize(deed.answer) } : normalize(deed)),
    compare:
      compare === undefined
        ? undefined
        : (old, other) => {
            if (!isDeed(old) || !isDeed(other)) return compare(old, other);
            const answers = compare(old.answer, other.answer) ?? true;
            const done = effects.compare({ effects: old.effects }, { effects: other.effects });
            const whole = [{ path: "answer", old: old.answer, new: other.answer }];
            const below = (found: readonly Difference[]): readonly Difference[] =>
              found.map((each) => ({ ...each, path: each.path === "$" ? "answer" : `answer.${each.path}` }));
            const found = [
              ...(answers === true ? [] : answers === false ? whole : below(answers)),
              ...done.differences,
            ];
            return found.length === 0 && !done.complete ? undefined : found;
          },
  };
}

const isDeed = (value: unknown): value is Deed =>
  typeof value === "object" && value !== null && "answer" in value && "effects" in value;

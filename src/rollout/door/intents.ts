import { AsyncLocalStorage } from "node:async_hooks";
import { CutoverError } from "../../core/index.ts";
import type { AnyFunction } from "./apart.ts";
import { copyValue, uncopied } from "./copy.ts";

/** Effects noted of one side of one call; what is beyond still acts or is captured, but is not compared. */
const mostIntents = 1_000;

type Answer =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

interface Intent {
  readonly effect: string;
  readonly args: unknown;
  /** What the effect answered on the old side; a promise of it where it answered with a promise. */
  readonly answer?: Answer | Promise<Answer>;
}

/**
 * What an effect of a captured port does depends on the routed call that it is part of, followed through everything that
 * the call awaits: it acts for a caller, it acts and is noted, or it is only noted.
 */
export type EffectContext =
  | { readonly kind: "acting" }
  | { readonly kind: "recording"; readonly intents: Intents; readonly around: EffectContext | undefined }
  | { readonly kind: "capturing"; readonly intents: Intents };

export const effectContext: AsyncLocalStorage<EffectContext> = new AsyncLocalStorage();

const acting: EffectContext = { kind: "acting" };

/** `fn`, called for a caller by a route: its effects are real, unless all this happens within a captured call. */
export function actingFor(fn: AnyFunction): AnyFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    const now = effectContext.getStore();
    // In a recorded call the new side of a route below acts too, and what it does is part of the record.
    if (now !== undefined) return fn.apply(this, args);
    return effectContext.run(acting, () => fn.apply(this, args));
  };
}

/** Effects of the two sides of one call: those the old side made, and those the new side would have made. */
export class Intents {
  readonly #copyLimit: number;
  readonly #old: Intent[] = [];
  readonly #new: Intent[] = [];
  readonly #asked = new Map<string, number>();
  #whole = true;
  #oldEnded = false;
  #newEnded = false;

  constructor(copyLimit: number) {
    this.#copyLimit = copyLimit;
  }

  /** Calls the old side: its effects are real, and noted. */
  recording(fn: AnyFunction, self: unknown, args: readonly unknown[]): unknown {
    const around = effectContext.getStore();
    if (around?.kind === "capturing") return fn.apply(self, args as unknown[]);
    return effectContext.run({ kind: "recording", intents: this, around }, () =>
      fn.apply(self, args as unknown[]),
    );
  }

  /** Calls the new side: its effects are noted only. */
  capturing(fn: AnyFunction, self: unknown, args: readonly unknown[]): unknown {
    return effectContext.run({ kind: "capturing", intents: this }, () => fn.apply(self, args as unknown[]));
  }

  /** The old side made this effect. */
  record(effect: string, args: readonly unknown[], answer: Answer | Promise<Answer> | undefined): void {
    if (!this.#oldEnded) this.#note(this.#old, effect, args, answer);
  }

  /**
   * The new side wants this effect: it gets what the same effect answered on the old side, the n-th time what it answered
   * the n-th time, or what was declared.
   * @throws CUTOVER_EFFECT_UNANSWERED when there is neither
   */
  capture(effect: string, args: readonly unknown[], declared: AnyFunction | undefined): unknown {
    if (!this.#newEnded) this.#note(this.#new, effect, args);
    const nth = this.#asked.get(effect) ?? 0;
    this.#asked.set(effect, nth + 1);
    const recorded = this.#old.filter((intent) => intent.effect === effect)[nth]?.answer;
    if (recorded === undefined) {
      if (declared !== undefined) return declared(...args);
      throw new CutoverError("CUTOVER_EFFECT_UNANSWERED", {
        message: `expected an answer for effect ${effect} in a captured call, found none of the old side for its call ${nth + 1}, and none declared`,
        details: { effect, call: nth + 1 },
        place: `captured.${effect}`,
      });
    }
    return recorded instanceof Promise
      ? recorded.then((answer) => this.#given(effect, answer))
      : this.#given(effect, recorded);
  }

  /** What is compared, by effect in the order made; `undefined` when it was too much to be noted. Ends the noting. */
  seal(side: "old" | "new"): Readonly<Record<string, readonly unknown[]>> | undefined {
    if (side === "old") this.#oldEnded = true;
    else this.#newEnded = true;
    if (!this.#whole) return undefined;
    const groups: Record<string, unknown[]> = Object.create(null) as Record<string, unknown[]>;
    for (const { effect, args } of side === "old" ? this.#old : this.#new) (groups[effect] ??= []).push(args);
    return { ...groups };
  }

  /** A copy for every reader: the old side's caller and the new side may both change what they get. */
  #given(effect: string, answer: Answer): unknown {
    if (!answer.ok) throw answer.error;
    const copied = copyValue(answer.value, this.#copyLimit);
    if (copied !== uncopied) return copied;
    throw new CutoverError("CUTOVER_EFFECT_UNANSWERED", {
      message: `expected the answer of effect ${effect} to be small enough to copy, found more than ${this.#copyLimit} members`,
      details: { effect, limit: this.#copyLimit },
      place: `captured.${effect}`,
      remedy: "raise `copyLimit` of the route, or declare an answer for this effect",
    });
  }

  #note(list: Intent[], effect: string, args: readonly unknown[], answer?: Answer | Promise<Answer>): void {
    const copied = copyValue(args, this.#copyLimit);
    if (list.length >= mostIntents || copied === uncopied) {
      this.#whole = false;
      // The answer is still wanted, in its turn.
      if (list.length >= mostIntents) return;
    }
    list.push({
      effect,
      args: copied === uncopied ? [] : copied,
      ...(answer === undefined ? {} : { answer }),
    });
  }
}

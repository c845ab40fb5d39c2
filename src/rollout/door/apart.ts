import { type Bounded, type Deadlines } from "./deadlines.ts";

export type Outcome =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

export type AnyFunction = (...args: unknown[]) => unknown;

/**
 * Calls a function that must not hurt the caller: a throw becomes an outcome, a hang becomes `undefined` at the
 * deadline, and whatever it does after its first outcome (late answers, second answers) is dropped.
 */
export class ApartCall implements Bounded {
  ended = false;
  dueAt = 0;
  readonly #done: (outcome: Outcome | undefined) => void;

  constructor(done: (outcome: Outcome | undefined) => void) {
    this.#done = done;
  }

  run(fn: AnyFunction, self: unknown, args: readonly unknown[], deadlines: Deadlines, now?: number): void {
    let result: unknown;
    try {
      result = fn.apply(self, args as unknown[]);
      if (!isThenable(result)) return this.#end({ ok: true, value: result });
      deadlines.add(this, now);
      result.then(
        (value) => this.#end({ ok: true, value }),
        (error) => this.#end({ ok: false, error }),
      );
    } catch (error) {
      this.#end({ ok: false, error });
    }
  }

  late(): void {
    this.#done(undefined);
  }

  #end(outcome: Outcome): void {
    if (this.ended) return;
    this.ended = true;
    this.#done(outcome);
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}

/** A native promise for anything that can be waited for; `undefined` for a plain answer. */
export function asPromise(value: unknown): Promise<unknown> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (value instanceof Promise) return value;
  return typeof (value as { then?: unknown }).then === "function" ? Promise.resolve(value) : undefined;
}

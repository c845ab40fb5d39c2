import { countAnswer, endAnswer, type Followed, plain } from "./answers.ts";
import { asPromise } from "./apart.ts";
import type { Cohort } from "./cohort.ts";
import { copyValue, uncopied } from "./copy.ts";
import type { Bounded } from "./deadlines.ts";
import type { RoutedParts } from "./routed.ts";
import { mayStream } from "./stream-kind.ts";
import type { Tally } from "./tally.ts";

/**
 * The new side answers; when it fails, or an idempotent call passes its deadline, the old side does. The old side
 * gets the input as it was, whatever the new side did to it. If both fail the caller sees the old side's error.
 */
export function answerOrFailOver(
  parts: RoutedParts,
  self: unknown,
  args: readonly unknown[],
  key: string | undefined,
): unknown {
  const { ledger } = parts;
  const { cohort } = ledger;
  const watch = cohort.new;
  const repeatable = parts.idempotent && parts.names.refusal(args)?.reason !== "non-idempotent";
  const start = ledger.startTime();
  const copied = copyValue(args, parts.copyLimit);
  const input = copied === uncopied ? args : (copied as unknown[]);
  let result: unknown;
  let promise: Promise<unknown> | undefined;
  try {
    result = parts.new.apply(self, args as unknown[]);
    promise = asPromise(result);
  } catch (error) {
    const failed = watch.countFailed(error);
    if (failed && key !== undefined) watch.noteFirst(key);
    if (failed && mayFailOver(parts, repeatable, error)) return failOver(parts, cohort.tally, self, input);
    throw error;
  }
  const how = (value: unknown): Followed =>
    mayStream(value) ? followed(parts, repeatable, cohort.tally, self, input, key) : plain;
  if (promise === undefined) return countAnswer(ledger, watch, start, result, how(result));
  watch.begin();
  if (repeatable)
    return new Promise((resolve, reject) => {
      const call = new GuardedCall(parts, cohort, key, self, input, start, resolve, reject);
      parts.deadlines.add(call, start < 0 ? undefined : start);
      call.follow(promise);
    });
  return promise.then(
    (value) => endAnswer(ledger, watch, start, value, how(value)),
    (error: unknown) => {
      const failed = watch.endFailed(error);
      if (failed && key !== undefined) watch.noteFirst(key);
      if (failed && mayFailOver(parts, repeatable, error)) return failOver(parts, cohort.tally, self, input);
      throw error;
    },
  );
}

function failOver(parts: RoutedParts, tally: Tally, self: unknown, input: readonly unknown[]): unknown {
  tally.failedOver++;
  return parts.old.apply(self, input as unknown[]);
}

/** A call whose caller gets the new side's answer, or the old side's at the deadline, whichever is first. */
class GuardedCall implements Bounded {
  ended = false;
  dueAt = 0;
  readonly #parts: RoutedParts;
  readonly #cohort: Cohort;
  readonly #key: string | undefined;
  readonly #self: unknown;
  readonly #input: readonly unknown[];
  readonly #start: number;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    parts: RoutedParts,
    cohort: Cohort,
    key: string | undefined,
    self: unknown,
    input: readonly unknown[],
    start: number,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.#parts = parts;
    this.#cohort = cohort;
    this.#key = key;
    this.#self = self;
    this.#input = input;
    this.#start = start;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  follow(promise: Promise<unknown>): void {
    promise.then(
      (value) => {
        if (this.ended) return;
        this.ended = true;
        const { ledger } = this.#parts;
        this.#resolve(endAnswer(ledger, this.#cohort.new, this.#start, value, this.#followed(value)));
      },
      (error: unknown) => {
        if (this.ended) return;
        this.ended = true;
        if (this.#cohort.new.endFailed(error)) {
          this.#noteFirst();
          this.#answerOld();
        } else this.#reject(error);
      },
    );
  }

  late(): void {
    this.#cohort.new.endLate();
    this.#noteFirst();
    this.#answerOld();
  }

  #followed(value: unknown): Followed {
    if (!mayStream(value)) return plain;
    return followed(this.#parts, true, this.#cohort.tally, this.#self, this.#input, this.#key);
  }

  #noteFirst(): void {
    if (this.#key !== undefined) this.#cohort.new.noteFirst(this.#key);
  }

  #answerOld(): void {
    try {
      this.#resolve(failOver(this.#parts, this.#cohort.tally, this.#self, this.#input));
    } catch (error) {
      this.#reject(error);
    }
  }
}

/** A stream may still fail over, as long as nothing of it was read. */
function followed(
  parts: RoutedParts,
  repeatable: boolean,
  tally: Tally,
  self: unknown,
  input: readonly unknown[],
  key: string | undefined,
): Followed {
  const instead = (error: unknown): unknown =>
    mayFailOver(parts, repeatable, error) ? failOver(parts, tally, self, input) : undefined;
  return key === undefined ? { instead } : { key, instead };
}

function mayFailOver(parts: RoutedParts, repeatable: boolean, error: unknown): boolean {
  if (repeatable) return true;
  try {
    return parts.unsent?.(error) === true;
  } catch {
    return false;
  }
}

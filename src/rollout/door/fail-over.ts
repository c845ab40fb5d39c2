import { countAnswer, endAnswer, type Followed, plain } from "./answers.ts";
import { asPromise, callSide } from "./apart.ts";
import type { Cohort } from "./cohort.ts";
import { copyInput } from "./copy.ts";
import { Bounded } from "./deadlines.ts";
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
  const input = copyInput(args, parts.copyLimit) ?? args;
  let result: unknown;
  let promise: Promise<unknown> | undefined;
  try {
    result = callSide(parts.new, self, args);
    promise = asPromise(result);
  } catch (error) {
    const failed = watch.countFailed(error);
    if (failed && key !== undefined) watch.noteFirst(key);
    if (failed && mayFailOver(parts, repeatable, error)) return failOver(parts, cohort.tally, self, input);
    throw error;
  }
  if (promise === undefined) {
    const how = mayStream(result) ? followed(parts, repeatable, cohort.tally, self, input, key) : plain;
    return countAnswer(ledger, watch, start, result, how);
  }
  watch.begin();
  if (repeatable) return guarded(new GuardedCall(parts, cohort, key, self, input, start), promise);
  return unguarded(parts, cohort, key, self, input, start, promise);
}

/** Apart from its caller, so that what the closures keep is the call and nothing else. */
function guarded(call: GuardedCall, promise: Promise<unknown>): Promise<unknown> {
  const given = new Promise(keepSettlers);
  call.begin(settlers);
  try {
    promise.then(
      (value) => call.answered(value),
      (error: unknown) => call.failed(error),
    );
  } catch (error) {
    call.failed(error); // a promise with a `then` of its own
  }
  return given;
}

/** The caller waits for as long as the new side takes. */
function unguarded(
  parts: RoutedParts,
  cohort: Cohort,
  key: string | undefined,
  self: unknown,
  input: readonly unknown[],
  start: number,
  promise: Promise<unknown>,
): Promise<unknown> {
  const watch = cohort.new;
  return promise.then(
    (value) => {
      const how = mayStream(value) ? followed(parts, false, cohort.tally, self, input, key) : plain;
      return endAnswer(parts.ledger, watch, start, value, how);
    },
    (error: unknown) => {
      const failed = watch.endFailed(error);
      if (failed && key !== undefined) watch.noteFirst(key);
      if (failed && mayFailOver(parts, false, error)) return failOver(parts, cohort.tally, self, input);
      throw error;
    },
  );
}

interface Settlers {
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** Those of the promise made last: taken over at once, for an executor of its own would cost each call a closure. */
const settlers: Settlers = { resolve: () => {}, reject: () => {} };

function keepSettlers(resolve: Settlers["resolve"], reject: Settlers["reject"]): void {
  settlers.resolve = resolve;
  settlers.reject = reject;
}

function failOver(parts: RoutedParts, tally: Tally, self: unknown, input: readonly unknown[]): unknown {
  tally.failedOver++;
  return callSide(parts.old, self, input);
}

/** A call whose caller gets the new side's answer, or the old side's at the deadline, whichever is first. */
class GuardedCall extends Bounded {
  #ended = false;
  readonly #parts: RoutedParts;
  readonly #cohort: Cohort;
  readonly #key: string | undefined;
  readonly #self: unknown;
  readonly #input: readonly unknown[];
  readonly #start: number;
  #resolve: Settlers["resolve"] = settlers.resolve;
  #reject: Settlers["reject"] = settlers.reject;

  constructor(
    parts: RoutedParts,
    cohort: Cohort,
    key: string | undefined,
    self: unknown,
    input: readonly unknown[],
    start: number,
  ) {
    super();
    this.#parts = parts;
    this.#cohort = cohort;
    this.#key = key;
    this.#self = self;
    this.#input = input;
    this.#start = start;
  }

  begin({ resolve, reject }: Settlers): void {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#parts.deadlines.addCoarse(this);
  }

  answered(value: unknown): void {
    if (!this.#end()) return;
    this.#resolve(endAnswer(this.#parts.ledger, this.#cohort.new, this.#start, value, this.#followed(value)));
  }

  failed(error: unknown): void {
    if (!this.#end()) return;
    if (this.#cohort.new.endFailed(error)) {
      this.#noteFirst();
      this.#answerOld();
    } else this.#reject(error);
  }

  late(): void {
    this.#ended = true;
    this.#cohort.new.endLate();
    this.#noteFirst();
    this.#answerOld();
  }

  /** True the first time: what comes later is dropped. */
  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#parts.deadlines.remove(this);
    return true;
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

import type { Side } from "../../core/index.ts";
import { type AnyFunction, asPromise } from "./apart.ts";
import { buckets } from "./bucket.ts";
import type { CallNames } from "./call-names.ts";
import { CapturedCall } from "./captured-call.ts";
import type { Cohort, Watch } from "./cohort.ts";
import { copyValue, uncopied } from "./copy.ts";
import type { Bounded, Deadlines } from "./deadlines.ts";
import { describeKey, goodKey, keyText } from "./key-text.ts";
import type { Ledger } from "./ledger.ts";
import type { ErrorReporter } from "./report-error.ts";
import type { SecondWrites } from "./second-writes.ts";
import type { ShadowLane } from "./shadow-lane.ts";
import { mayStream, type Stream } from "./stream-kind.ts";
import type { StreamRecorder } from "./stream-record.ts";
import type { Tally } from "./tally.ts";

/** What it takes to find a call's key. */
export interface KeyParts {
  readonly route: string;
  readonly key: AnyFunction;
  readonly errors: ErrorReporter;
}

export interface RoutedParts extends KeyParts {
  readonly old: AnyFunction;
  readonly new: AnyFunction;
  readonly ledger: Ledger;
  readonly names: CallNames;
  /** Are effects of the sides captured at stage `shadow`? */
  readonly captures: boolean;
  readonly lane: ShadowLane;
  readonly seconds: SecondWrites;
  readonly deadlines: Deadlines;
  readonly idempotent: boolean;
  readonly unsent: ((error: unknown) => boolean) | undefined;
  readonly sampleLimit: number;
  readonly copyLimit: number;
}

/**
 * The function that stands at the call site. Everything that a stage means is decided here, per call, from the
 * ledger's state; the sides are called as the call site would have called them, `this` included.
 */
export function routed(parts: RoutedParts): AnyFunction {
  const { ledger, old, new: candidate } = parts;
  const failsOver = parts.idempotent || parts.unsent !== undefined;

  return function (this: unknown, ...args: unknown[]): unknown {
    switch (ledger.state.stage) {
      case "off":
        return answer(ledger, old, ledger.cohort.old, this, args);
      case "complete":
        return answer(ledger, candidate, ledger.cohort.new, this, args);
      case "live":
        return answerByShare(parts, failsOver, this, args);
      case "shadow":
        return answerThenShadow(parts, this, args);
      case "dualwrite":
        return answerThenWrite(parts, "old", this, args);
      case "rampdown":
        return answerThenWrite(parts, "new", this, args);
    }
  };
}

/** One side answers and is counted. */
export function answer(
  ledger: Ledger,
  fn: AnyFunction,
  watch: Watch,
  self: unknown,
  args: readonly unknown[],
): unknown {
  const start = ledger.startTime();
  let result: unknown;
  let promise: Promise<unknown> | undefined;
  try {
    result = fn.apply(self, args as unknown[]);
    promise = asPromise(result);
  } catch (error) {
    watch.countFailed(error);
    throw error;
  }
  if (promise === undefined) return countAnswer(ledger, watch, start, result);
  watch.begin();
  if (start < 0) return promise.then(watch.answered, watch.failed);
  return promise.then((value) => endAnswer(ledger, watch, start, value), watch.failed);
}

/** At stage `live`: the side that the share has for the call's key. */
export function answerByShare(
  parts: RoutedParts,
  failsOver: boolean,
  self: unknown,
  args: readonly unknown[],
): unknown {
  const { ledger } = parts;
  const { limit, cohort } = ledger;
  if (limit <= 0) return answer(ledger, parts.old, cohort.old, self, args);
  let key: string | undefined;
  if (limit < buckets) {
    key = keyOf(parts, args);
    if (key === undefined) return answer(ledger, parts.old, cohort.old, self, args);
    if (ledger.bucketOf(key) >= limit) return answerOfKey(ledger, parts.old, cohort.old, self, args, key);
  }
  if (failsOver) return answerOrFailOver(parts, self, args, key);
  if (key === undefined) return answer(ledger, parts.new, cohort.new, self, args);
  return answerOfKey(ledger, parts.new, cohort.new, self, args, key);
}

/** One side answers and is counted; should it fail, it is known whose key it was. */
function answerOfKey(
  ledger: Ledger,
  fn: AnyFunction,
  watch: Watch,
  self: unknown,
  args: readonly unknown[],
  key: string,
): unknown {
  const start = ledger.startTime();
  let result: unknown;
  let promise: Promise<unknown> | undefined;
  try {
    result = fn.apply(self, args as unknown[]);
    promise = asPromise(result);
  } catch (error) {
    watch.countFailedOf(key, error);
    throw error;
  }
  if (promise === undefined) return countAnswer(ledger, watch, start, result, { key });
  const call = ledger.calls.open(watch, key, start);
  return promise.then(call.answered, call.failed);
}

/** The same, and `tell` hears how it ended before the caller does. It must not throw. */
export function answerAndTell(
  ledger: Ledger,
  fn: AnyFunction,
  watch: Watch,
  self: unknown,
  args: readonly unknown[],
  tell: (ok: boolean, result: unknown) => void,
  record?: (stream: Stream) => StreamRecorder | undefined,
): unknown {
  const start = ledger.startTime();
  let result: unknown;
  let promise: Promise<unknown> | undefined;
  try {
    result = fn.apply(self, args as unknown[]);
    promise = asPromise(result);
  } catch (error) {
    watch.countFailed(error);
    tell(false, error);
    throw error;
  }
  const how: Followed = record === undefined ? plain : { record };
  if (promise === undefined) {
    const given = countAnswer(ledger, watch, start, result, how);
    tell(true, result);
    return given;
  }
  watch.begin();
  return promise.then(
    (value: unknown) => {
      const given = endAnswer(ledger, watch, start, value, how);
      tell(true, value);
      return given;
    },
    (error: unknown) => {
      watch.endFailed(error);
      tell(false, error);
      throw error;
    },
  );
}

/** What an answer that is a stream needs besides; see `StreamedCall`. */
interface Followed {
  readonly key?: string;
  readonly instead?: (error: unknown) => unknown;
  readonly record?: (stream: Stream) => StreamRecorder | undefined;
}

const plain: Followed = {};

/** A plain answer, there at once: what the caller gets for it. */
function countAnswer(
  ledger: Ledger,
  watch: Watch,
  start: number,
  value: unknown,
  how: Followed = plain,
): unknown {
  if (mayStream(value)) {
    const given = watch.follow(value, { ...how, open: false, start }, how.record);
    if (given !== undefined) return given;
  }
  watch.count();
  if (start >= 0) watch.addLatency(ledger.sinceStart(start));
  return value;
}

/** An awaited answer: what the caller gets for it. */
function endAnswer(
  ledger: Ledger,
  watch: Watch,
  start: number,
  value: unknown,
  how: Followed = plain,
): unknown {
  if (mayStream(value)) {
    const given = watch.follow(value, { ...how, open: true, start }, how.record);
    if (given !== undefined) return given;
  }
  if (start >= 0) watch.endTimed(ledger.sinceStart(start));
  else watch.end();
  return value;
}

export function answerThenShadow(parts: RoutedParts, self: unknown, args: readonly unknown[]): unknown {
  const { ledger, lane, old } = parts;
  const { cohort } = ledger;
  const refused = parts.names.refusal(args);
  if (refused !== undefined) {
    cohort.tally.addRefused(refused.operation);
    return answer(ledger, old, cohort.old, self, args);
  }
  if (parts.sampleLimit < 1_000_000) {
    const key = keyOf(parts, args);
    if (key === undefined || ledger.sampleBucketOf(key) >= parts.sampleLimit)
      return answer(ledger, old, cohort.old, self, args);
  }
  const input = lane.admit(args);
  if (input === undefined) return answer(ledger, old, cohort.old, self, args);
  let streamed = false;
  const captured = parts.captures ? new CapturedCall(self, parts.copyLimit) : undefined;
  return answerAndTell(
    ledger,
    captured?.recorded(old) ?? old,
    cohort.old,
    self,
    args,
    (ok, result) => {
      if (streamed) return;
      if (captured === undefined || !ok) return lane.offer(cohort.tally, captured ?? self, input, ok, result);
      const deed = captured.deed(result);
      if (deed === undefined) cohort.tally.shadowSkipped++;
      else lane.offer(cohort.tally, captured, input, ok, deed);
    },
    (stream) => {
      streamed = true;
      return lane.offerStream(cohort.tally, captured ?? self, input, stream);
    },
  );
}

function answerThenWrite(parts: RoutedParts, first: Side, self: unknown, args: readonly unknown[]): unknown {
  const { ledger, seconds } = parts;
  const { cohort } = ledger;
  const refused = parts.names.refusal(args);
  if (refused !== undefined) {
    cohort.tally.addRefused(refused.operation);
    return answer(ledger, parts[first], cohort[first], self, args);
  }
  const place = first === "old" ? "new" : "old";
  const input = seconds.copyInput(args);
  const key = keyOf(parts, args);
  return answerAndTell(ledger, parts[first], cohort[first], self, args, (ok) => {
    // What the answering side refused was not written there, so it is not written on the other side either.
    if (ok) seconds.offer({ fn: parts[place], place, self, args: input, tally: cohort.tally, key });
  });
}

/**
 * The new side answers; when it fails, or an idempotent call passes its deadline, the old side does. The old side
 * gets the input as it was, whatever the new side did to it. If both fail the caller sees the old side's error.
 */
function answerOrFailOver(
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
  const how = (value: unknown): Followed => {
    if (!mayStream(value)) return plain;
    // A stream may still fail over, as long as nothing of it was read.
    const instead = (error: unknown): unknown =>
      mayFailOver(parts, repeatable, error) ? failOver(parts, cohort.tally, self, input) : undefined;
    return key === undefined ? { instead } : { key, instead };
  };
  if (promise === undefined) return countAnswer(ledger, watch, start, result, how(result));
  watch.begin();
  if (repeatable)
    return new Promise((resolve, reject) => {
      const call = new GuardedCall(parts, cohort, key, self, input, start, how, resolve, reject);
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
  readonly #how: (value: unknown) => Followed;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    parts: RoutedParts,
    cohort: Cohort,
    key: string | undefined,
    self: unknown,
    input: readonly unknown[],
    start: number,
    how: (value: unknown) => Followed,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.#parts = parts;
    this.#cohort = cohort;
    this.#key = key;
    this.#self = self;
    this.#input = input;
    this.#start = start;
    this.#how = how;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  follow(promise: Promise<unknown>): void {
    promise.then(
      (value) => {
        if (this.ended) return;
        this.ended = true;
        this.#resolve(endAnswer(this.#parts.ledger, this.#cohort.new, this.#start, value, this.#how(value)));
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

function mayFailOver(parts: RoutedParts, repeatable: boolean, error: unknown): boolean {
  if (repeatable) return true;
  try {
    return parts.unsent?.(error) === true;
  } catch {
    return false;
  }
}

/** The key as text, or undefined when there is none: then the call belongs to the old side. */
export function keyOf(parts: KeyParts, args: readonly unknown[]): string | undefined {
  try {
    const key = parts.key(...args);
    const text = keyText(key);
    if (text !== undefined || key === "") return text;
    parts.errors.fault(parts.route, "key", `expected ${goodKey}, found ${describeKey(key)}`);
  } catch (error) {
    parts.errors.fault(parts.route, "key", error);
  }
  return undefined;
}

/** The side that answers a key now, for people and tests who ask. */
export function sideNow(ledger: Ledger, of: unknown): Side {
  const { stage } = ledger.state;
  if (stage === "complete" || stage === "rampdown") return "new";
  if (stage !== "live" || ledger.limit <= 0) return "old";
  if (ledger.limit >= buckets) return "new";
  const key = keyText(of);
  return key !== undefined && ledger.bucketOf(key) < ledger.limit ? "new" : "old";
}

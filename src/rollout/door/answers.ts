import { type AnyFunction, asPromise, callSide } from "./apart.ts";
import type { Watch } from "./cohort.ts";
import type { Ledger } from "./ledger.ts";
import { mayStream, type Stream } from "./stream-kind.ts";
import type { StreamRecorder } from "./stream-record.ts";

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
    result = callSide(fn, self, args);
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

/** One side answers and is counted; should it fail, it is known whose key it was. */
export function answerOfKey(
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
    result = callSide(fn, self, args);
    promise = asPromise(result);
  } catch (error) {
    watch.countFailedOf(key, error);
    throw error;
  }
  if (promise === undefined)
    return countAnswer(ledger, watch, start, result, mayStream(result) ? { key } : plain);
  const call = ledger.calls.open(watch, key, start);
  return promise.then(call.answered, call.failed);
}

/** One side answers and is counted, and `tell` hears how it ended before the caller does. It must not throw. */
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
    result = callSide(fn, self, args);
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
export interface Followed {
  readonly key?: string;
  readonly instead?: (error: unknown) => unknown;
  readonly record?: (stream: Stream) => StreamRecorder | undefined;
}

/** Most answers are no streams. */
export const plain: Followed = {};

/** A plain answer, there at once: what the caller gets for it. */
export function countAnswer(
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
export function endAnswer(
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

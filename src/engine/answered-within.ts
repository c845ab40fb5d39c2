import { type Clock, CutoverError, formatDuration, untilAborted } from "../core/index.ts";

interface Limits {
  readonly clock: Clock;
  readonly limitMs: number;
  /** The limit to tell of, where the question was put earlier. Default `limitMs`. */
  readonly ofMs?: number;
  readonly signal: AbortSignal;
}

/**
 * Settles like `answer`, but not later than `limitMs` and not after `signal` aborts; what comes afterwards is dropped.
 * @throws CUTOVER_GATE_INPUT when nothing came in time; the reason of `signal`; what `answer` rejects with.
 */
export async function answeredWithin<T>(limits: Limits, answer: Promise<T>): Promise<T> {
  const { clock, limitMs, ofMs = limitMs, signal } = limits;
  const late = Promise.withResolvers<never>();
  const timer = clock.after(limitMs, () => {
    const message = `expected an answer within ${formatDuration(ofMs)}, found none`;
    late.reject(new CutoverError("CUTOVER_GATE_INPUT", { message }));
  });
  try {
    return await untilAborted(Promise.race([answer, late.promise]), signal);
  } finally {
    timer.cancel();
  }
}

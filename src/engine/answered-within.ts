import { asError, type Clock, CutoverError, formatDuration } from "../core/index.ts";

/**
 * Settles like what `ask` answers, but not later than `limitMs` and not after `outer` aborts. `ask` gets a signal that
 * aborts then; what it answers afterwards is dropped.
 * @throws CUTOVER_GATE_INPUT when nothing came in time; the reason of `outer`; what `ask` threw.
 */
export async function answeredWithin<T>(
  limits: { readonly clock: Clock; readonly limitMs: number; readonly signal: AbortSignal },
  ask: (signal: AbortSignal) => Promise<T> | T,
): Promise<T> {
  const { clock, limitMs, signal: outer } = limits;
  const over = Promise.withResolvers<never>();
  const controller = new AbortController();
  const end = (reason: Error): void => {
    over.reject(reason);
    controller.abort(reason);
  };
  const onAbort = (): void => end(asError(outer.reason));
  if (outer.aborted) onAbort();
  else outer.addEventListener("abort", onAbort, { once: true });
  const timer = clock.after(limitMs, () => {
    const message = `expected an answer within ${formatDuration(limitMs)}, found none`;
    end(new CutoverError("CUTOVER_GATE_INPUT", { message }));
  });
  const answer = (async () => await ask(controller.signal))();
  answer.catch(() => {});
  try {
    return await Promise.race([over.promise, answer]);
  } finally {
    timer.cancel();
    outer.removeEventListener("abort", onAbort);
  }
}

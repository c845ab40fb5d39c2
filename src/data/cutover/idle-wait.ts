import type { Clock } from "../../core/index.ts";

/** Waits without keeping the process alive; an abort ends the wait. */
export function idle(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      timer.cancel();
      signal.removeEventListener("abort", over);
      resolve();
    };
    const timer = clock.after(ms, over);
    timer.unref();
    signal.addEventListener("abort", over);
  });
}

import type { Clock, Timer } from "../core/index.ts";

export interface ViewFeed {
  /** Something changed: a new view is due. */
  touch(): void;
  /** Builds and shows a last view, then stops. */
  end(): Promise<void>;
  /** Stops at once. Idempotent. */
  stop(): void;
}

/** Views are also shown when nothing changed, because their times count up. */
const longestGapMs = 1_000;

/**
 * Builds a view when something changed and shows it: never two at once, never faster than `gapMs`, and never so often
 * that building takes more than a twentieth of the time (a run with 10,000 steps is not free to read).
 */
export function feedViews<View>(
  clock: Clock,
  { firstMs, gapMs }: { readonly firstMs: number; readonly gapMs: number },
  build: () => Promise<View>,
  show: (view: View) => Promise<void>,
): ViewFeed {
  let stale = true;
  let ended = false;
  let quietMs = 0;
  let running: Promise<void> = Promise.resolve();
  let timer: Timer;

  const cycle = async (): Promise<void> => {
    const started = clock.monotonic();
    stale = false;
    quietMs = 0;
    try {
      const view = await build();
      if (!ended) await show(view);
    } catch {
      // The next view tries again; a store that stays unreadable ends the run itself, with its own error.
      stale = true;
    }
    arm(Math.max(gapMs, 20 * (clock.monotonic() - started)));
  };
  const tick = (waited: number): void => {
    quietMs += waited;
    if (!stale && quietMs < longestGapMs) {
      arm(gapMs);
      return;
    }
    running = cycle();
  };
  const arm = (ms: number): void => {
    if (!ended) timer = clock.after(ms, () => tick(ms));
  };
  timer = clock.after(firstMs, () => tick(firstMs));
  return {
    touch: () => {
      stale = true;
    },
    stop: () => {
      ended = true;
      timer.cancel();
    },
    end: async () => {
      ended = true;
      timer.cancel();
      await running;
      await show(await build());
    },
  };
}

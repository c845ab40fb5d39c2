/**
 * The one door to time. Everything that reads a clock or waits takes a `Clock`, so that tests run
 * on a manual one and never sleep for real.
 */
export interface Clock {
  /** Wall-clock time, milliseconds since the epoch. May jump; use it only for records. */
  now(): number;
  /** Milliseconds that never go back. Use it for local limits and durations. */
  monotonic(): number;
  /** Calls `fn` once after `ms` milliseconds. The timer keeps the process alive unless `unref` is called. */
  after(ms: number, fn: () => void): Timer;
}

export interface Timer {
  cancel(): void;
  unref(): void;
}

/** Largest delay `setTimeout` takes; a longer one fires at once, so it is chained instead. */
const longestDelay = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fn) {
    let handle: NodeJS.Timeout;
    let reffed = true;
    const arm = (left: number): void => {
      const next = Math.min(left, longestDelay);
      handle = setTimeout(() => (left > next ? arm(left - next) : fn()), next);
      if (!reffed) handle.unref();
    };
    arm(Math.max(0, ms));
    return {
      cancel: () => clearTimeout(handle),
      unref: () => {
        reffed = false;
        handle.unref();
      },
    };
  },
};

import type { Interval } from "../core/index.ts";

/** `Date` tells whole seconds, rounded down: it was sent before the next one. */
const withinSecond = 999;
/** A delivery has five seconds: a clock that is behind by less cannot be told from a slow one. */
const mostBehind = 6_000;
const mostAhead = 2_000;

/**
 * Intervals of a door whose clock is wrong, at the times at which they were by this process's clock. Judges and steps ask for what
 * was measured since a moment of theirs: a door an hour behind would never be heard, and one an hour ahead would have proven
 * an hour of silence of the old side at once.
 *
 * @param sent the request's `Date`, by the door's clock; without one nothing is known, and the times stay
 */
export function byOwnClock(
  intervals: readonly Interval[],
  sent: string | undefined,
  now: number,
): readonly Interval[] {
  const off = now - (Date.parse(sent ?? "") + withinSecond);
  if (!(off > mostBehind || off < -mostAhead)) return intervals;
  return intervals.map((interval) => {
    const to = Math.max(0, Math.min(interval.to + off, now));
    return { ...interval, from: Math.max(0, Math.min(interval.from + off, to)), to };
  });
}

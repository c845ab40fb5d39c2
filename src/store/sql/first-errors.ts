import type { FirstErrors, Interval } from "../../core/index.ts";
import { type Program, run as execute } from "./program.ts";

/** Length of the periods in which doors remember failed keys; they number them by the hours of their clocks. */
const periodMs = 3_600_000;
/** Periods before the present one whose keys are still told apart: doors deliver late. */
const keptPeriods = 2;
/** Hashes in one statement; of three sizes, so that three texts are prepared and not a hundred. */
const sizes = [100, 10, 1] as const;

/**
 * A key fails at several doors, each of which counts it once. Counted several times its side would weigh several times, and
 * the test on first errors takes keys as independent. So a key is counted once in a period for all doors: for the
 * interval that comes first. What is kept of an interval are the counts.
 *
 * A period that is over for long, or is ahead of the store's own hour (a door with a wrong clock), counts nothing:
 * one door in the next century would end the present period for the judges of all others.
 */
export function* countFirstErrors(interval: Interval, now: number): Program<Interval> {
  const { firstErrors } = interval;
  if (firstErrors?.keys === undefined) return interval;
  const { keys, period = 0 } = firstErrors;
  const hour = Math.floor(now / periodMs);
  if (period > hour + 1 || period < hour - keptPeriods)
    return { ...interval, firstErrors: { old: 0, new: 0, period: Math.min(period, hour) } };
  const counted: FirstErrors = {
    old: yield* addNew(interval.route, period, keys.old),
    new: yield* addNew(interval.route, period, keys.new),
    period,
  };
  return { ...interval, firstErrors: counted };
}

/** How many of the hashes were not there. */
function* addNew(route: string, period: number, hashes: readonly number[]): Program<number> {
  let added = 0;
  for (let from = 0; from < hashes.length;) {
    const size = sizes.find((each) => each <= hashes.length - from) ?? 1;
    added += yield* execute(
      `INSERT INTO first_errors (route, period, hash) VALUES ${Array(size).fill("(?, ?, ?)").join(", ")}
       ON CONFLICT (route, period, hash) DO NOTHING`,
      ...hashes.slice(from, from + size).flatMap((hash) => [route, period, hash]),
    );
    from += size;
  }
  return added;
}

export function* forgetFirstErrors(now: number): Program<void> {
  yield* execute("DELETE FROM first_errors WHERE period < ?", Math.floor(now / periodMs) - keptPeriods);
}

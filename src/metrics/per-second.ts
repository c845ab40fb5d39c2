import { type Clock, systemClock } from "../core/index.ts";
import { createSource, lastReading, type Source, unreadable } from "./source.ts";

/** Readings closer to each other than this say little about a rate, milliseconds. */
const closest = 100;

/**
 * What a counter grows by in a second, from one reading to the next. A counter that went down began anew at 0. With the
 * first reading nothing is known yet: it is told as unreadable, and the gate holds until the next one.
 *
 * ```ts
 * when(value("restarts", perSecond(jsonValue({ url, path: "restarts" }))).above(1)).then("pause")
 * ```
 */
export const perSecond = (counter: Source): Source => rateOf(counter, systemClock);

export function rateOf(counter: Source, clock: Clock): Source {
  let last: { readonly at: number; readonly value: number; readonly rate: number | undefined } | undefined;
  const isSource = typeof counter === "function" && Array.isArray(counter.problems);
  const name = "rate";
  return createSource({
    name,
    text: JSON.stringify(["per second", String(counter)]),
    problems: isSource ? counter.problems : ["expected a source such as prometheus(…), found something else"],
    // The counter has a deadline of its own; this one is only the net below.
    timeoutMs: 3_600_000,
    cacheMs: 0,
    clock,
    read: async () => {
      await counter();
      const read = lastReading(counter);
      if (read !== undefined && (last === undefined || read.at - last.at >= closest)) {
        const { at, value } = read;
        const grown = last === undefined || value < last.value ? value : value - last.value;
        const rate = last === undefined ? undefined : (grown / (at - last.at)) * 1_000;
        last = { at, value, rate };
      }
      if (last?.rate === undefined)
        throw unreadable(name, "this is the first reading of a counter: its rate comes with the next one");
      return last.rate;
    },
  });
}

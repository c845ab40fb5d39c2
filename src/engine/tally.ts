import type { Interval, JsonObject, Side } from "../core/index.ts";

/** Sums of what a verdict rests on, for the record and for incidents. */
export interface Tally {
  add(interval: Interval): void;
  facts(): JsonObject;
}

interface Sums {
  calls: number;
  errors: number;
}

export function tally(): Tally {
  const old: Sums = { calls: 0, errors: 0 };
  const fresh: Sums = { calls: 0, errors: 0 };
  let compared = 0;
  let mismatches = 0;
  let failedOver = 0;
  let firsts: Readonly<Record<Side, number>> | undefined;
  let intervals = 0;
  let from: number | undefined;
  let to: number | undefined;
  let badSince: number | undefined;
  const routes = new Map<string, { stage: string; share: number; epoch: number }>();
  return {
    add(interval) {
      intervals++;
      from = Math.min(from ?? interval.from, interval.from);
      to = Math.max(to ?? interval.to, interval.to);
      compared += interval.compared;
      mismatches += interval.mismatches;
      failedOver += interval.failedOver;
      const { firstErrors } = interval;
      if (firstErrors !== undefined)
        firsts = {
          old: (firsts?.old ?? 0) + firstErrors.old,
          new: (firsts?.new ?? 0) + firstErrors.new,
        };
      const { route, stage, share, epoch } = interval;
      if (epoch >= (routes.get(route)?.epoch ?? 0)) routes.set(route, { stage, share, epoch });
      const bad = isBad(interval, old);
      if (bad === true) badSince ??= interval.from;
      if (bad === false) badSince = undefined;
      old.calls += interval.old.calls;
      old.errors += interval.old.errors;
      fresh.calls += interval.new.calls;
      fresh.errors += interval.new.errors;
    },
    facts: () => ({
      intervals,
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      old: { ...old },
      new: { ...fresh },
      compared,
      mismatches,
      failedOver,
      ...(firsts === undefined ? {} : { firstErrors: { ...firsts } }),
      routes: Object.fromEntries(routes),
      ...(badSince === undefined ? {} : { firstBadAt: badSince }),
    }),
  };
}

/**
 * Whether the new side looks bad in one interval: it failed at more than twice the old side's rate so far, or
 * answered otherwise. Undefined when it did nothing there. Only for telling when trouble began; it decides nothing.
 */
function isBad(interval: Interval, old: Sums): boolean | undefined {
  if (interval.mismatches > 0) return true;
  const { calls, errors } = interval.new;
  if (calls === 0) return interval.compared > 0 ? false : undefined;
  return errors > 0 && errors / calls > 2 * (old.calls === 0 ? 0 : old.errors / old.calls);
}

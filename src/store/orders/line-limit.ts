import type { OrderLimit } from "../order-records.ts";

/** Distance between two beginnings at the rate of a limit, milliseconds; 0 without a rate. */
function distanceMs(limit: OrderLimit): number {
  return limit.rate === undefined ? 0 : limit.rate.perMs / limit.rate.limit;
}

/**
 * The theoretical arrival time as it counts now. Never further ahead than one whole time of the rate: what is left of a slower
 * rate that held before must not keep orders waiting. A millisecond of grace, so that nothing is lost to fractions.
 */
function arrivalNow({ perMs }: NonNullable<OrderLimit["rate"]>, arrivalAt: number, now: number): number {
  const latest = now + perMs;
  return arrivalAt > latest + 1 ? latest : Math.max(arrivalAt, now);
}

/**
 * How many orders of a key may begin now, and when one more may than `unbegun`, which is that number or more: generic cell
 * rate algorithm (ITU-T I.371) with a burst of `limit`. As long as nothing begins, the number only grows with time, up to
 * the burst.
 */
export function beginnings(
  limit: OrderLimit,
  arrivalAt: number,
  now: number,
  unbegun = 0,
): { readonly now: number; readonly nextAt: number } {
  if (limit.rate === undefined) return { now: Number.POSITIVE_INFINITY, nextAt: now };
  const distance = distanceMs(limit);
  const tolerance = limit.rate.perMs - distance;
  const arrival = arrivalNow(limit.rate, arrivalAt, now);
  // A microsecond more than there is: sums of thirds must not cost an order its place.
  const many = Math.floor((now + tolerance - arrival + 0.001) / distance) + 1;
  return { now: Math.max(0, many), nextAt: Math.ceil(arrival - tolerance + unbegun * distance - 0.001) };
}

/** The theoretical arrival time after one more has begun. */
export function arrivalAfter(limit: OrderLimit, arrivalAt: number, now: number): number {
  return limit.rate === undefined ? arrivalAt : arrivalNow(limit.rate, arrivalAt, now) + distanceMs(limit);
}

/**
 * The theoretical arrival time under another limit: as many beginnings count as counted before, so that a faster rate holds at
 * once and no change gives a new burst. A rate where there was none counts from now.
 */
export function arrivalUnder(limit: OrderLimit, before: OrderLimit, arrivalAt: number, now: number): number {
  if (limit.rate === undefined || before.rate === undefined) return Math.min(arrivalAt, now);
  const used = (arrivalNow(before.rate, arrivalAt, now) - now) / distanceMs(before);
  return now + used * distanceMs(limit);
}

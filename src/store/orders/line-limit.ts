import type { OrderLimit } from "../order-records.ts";

/** Distance between two beginnings at the rate of a limit, milliseconds; 0 without a rate. */
export function emissionMs(limit: OrderLimit): number {
  return limit.rate === undefined ? 0 : limit.rate.perMs / limit.rate.limit;
}

/**
 * When the next order of a key may begin: generic cell rate algorithm (ITU-T I.371), with a burst of `limit`.
 * `arrivalAt` is the theoretical arrival time so far, `next` the one after this order begins.
 */
export function nextBeginning(
  limit: OrderLimit,
  arrivalAt: number,
  now: number,
): { readonly at: number; readonly next: number } {
  if (limit.rate === undefined) return { at: now, next: arrivalAt };
  const distance = emissionMs(limit);
  const tolerance = limit.rate.perMs - distance;
  const arrival = Math.max(arrivalAt, now);
  return { at: Math.max(now, arrival - tolerance), next: arrival + distance };
}

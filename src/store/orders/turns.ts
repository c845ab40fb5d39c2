/**
 * Fairness between tenants by start-time fair queueing (Goyal, Vin, Cheng 1996): an order gets the turn after the last
 * one of its tenant, but never one that was served already. So a tenant with a thousand waiting orders and one with a
 * single order take turns, and choosing costs one look at an index.
 *
 * A tenant of weight w has the turns 1000/w, 2·1000/w, 3·1000/w, …, rounded each by itself: so every weight is held exactly
 * over its turns, where rounded steps made 1.00 of 1000:700 and 3.00 of 700:300, and turns that a store holds already stay.
 */
export function turnAfter(lane: number, front: number, weight: number): number {
  const last = Math.max(lane, front);
  const step = 1_000 / Math.min(weight, heaviest);
  for (let n = Math.floor(last / step); ; n++) {
    const turn = Math.round(n * step);
    if (turn > last) return turn;
  }
}

/** Of an order that has not come to its line yet; turns that are given begin after it. */
export const noTurn = 0;

/** Two turns of one tenant are at least one apart. */
const heaviest = 1_000;

/** The weight of a tenant: 1 when none, or none that can be used, is configured. */
export function weightOf(weights: Readonly<Record<string, number>>, tenant: string): number {
  const weight = Object.hasOwn(weights, tenant) ? weights[tenant] : undefined;
  return weight !== undefined && weight > 0 ? weight : 1;
}

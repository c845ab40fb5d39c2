/**
 * Fairness between tenants by start-time fair queueing (Goyal, Vin, Cheng 1996): an order gets the turn after the last
 * one of its tenant, but never one that was served already. So a tenant with a thousand waiting orders and one with a
 * single order take turns, and choosing costs one look at an index. A tenant of weight 2 steps half as far.
 */
export function turnAfter(lane: number, front: number, weight: number): number {
  return Math.max(lane, front) + Math.max(1, Math.round(1_000 / weight));
}

/** The weight of a tenant: 1 when none, or none that can be used, is configured. */
export function weightOf(weights: Readonly<Record<string, number>>, tenant: string): number {
  const weight = Object.hasOwn(weights, tenant) ? weights[tenant] : undefined;
  return weight !== undefined && weight > 0 ? weight : 1;
}

import { storeOrders } from "./new-orders.ts";
import type { View } from "./view.ts";

/**
 * Takes up orders that were submitted within other transactions. What is known already is dropped; an order that waits
 * for one that does not exist, has failed, or waits for it in turn is stored and cancelled at once: its submitter's
 * transaction is over, so nobody is left to refuse it to.
 */
export function takeUpInbox(view: View): void {
  const entries = [...view.gathered.inbox.values()]
    .filter(({ position }) => !view.taken.has(position))
    .sort((a, b) => a.position - b.position);
  if (entries.length === 0) return;
  for (const entry of entries) view.take(entry);
  storeOrders(
    view,
    entries.map(({ order }) => order),
    () => {},
  );
}

/** True when an order lies in the inbox and was not taken up yet. */
export function isInInbox(view: View, id: string): boolean {
  for (const entry of view.gathered.inbox.values())
    if (entry.order.id === id && !view.taken.has(entry.position)) return true;
  return false;
}

import type { OrderRecord, Store } from "../store/index.ts";
import { headOfQueue, type QueueFinding, queueFindings } from "./findings.ts";
import { countBehind } from "./held-places.ts";
import { listWorkers, missingAfterMs } from "./worker-list.ts";

/**
 * What keeps one order from being started, in the words that `queueFindings` has for its queue: nobody takes it, and how many
 * wait behind it; or, where it waits for others of its limit key, those among them that nobody takes.
 */
export async function orderFindings(store: Store, order: OrderRecord): Promise<readonly QueueFinding[]> {
  const { queue, limitKey, waits } = order;
  if (order.state !== "PENDING" || (waits !== "room" && waits !== "limit")) return [];
  const [counts, { paused, limits }, all, head] = await Promise.all([
    store.orders.counts(queue),
    store.orders.config(queue),
    listWorkers(store, queue),
    waits === "room" ? [order] : store.orders.waiting(queue, headOfQueue),
  ]);
  const now = store.clock.now();
  const facts = {
    counts: { ...counts, FAILED: 0 },
    paused,
    ageMs: null,
    workers: all.filter(({ seenAt }) => now - seenAt <= missingAfterMs),
    waiting: head.filter((other) => waits === "room" || other.limitKey === limitKey),
    limits,
  };
  return queueFindings({ ...facts, behind: await countBehind(store.orders, queue, facts) });
}

import type { Capacity } from "../order-records.ts";
import { byRank, type OrderRow } from "./row.ts";

/** The best orders that fit together, best first. */
export function chooseOrders(candidates: readonly OrderRow[], capacity: Capacity): readonly OrderRow[] {
  let { slots, memory } = capacity;
  const chosen: OrderRow[] = [];
  for (const row of [...candidates].sort(byRank)) {
    if (chosen.length >= capacity.max) break;
    if (row.slots > slots || row.memory > memory) continue;
    slots -= row.slots;
    memory -= row.memory;
    chosen.push(row);
  }
  return chosen;
}

/** True when a worker has a handler for the kind of the order, and every tag it asks for. */
export function mayDo(row: OrderRow, kinds: ReadonlySet<string>, tags: ReadonlySet<string>): boolean {
  return kinds.has(row.kind) && row.tags.every((tag) => tags.has(tag));
}

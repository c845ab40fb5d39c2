import { nextBeginning } from "./line-limit.ts";
import { byRank, isHeld, type OrderRow } from "./row.ts";
import { type View, waitsForRate } from "./view.ts";

/**
 * Lets in the orders of a limit key that its concurrency and rate have room for, best first, so that a claim never
 * passes over orders that are beyond their limit. Of a key with a rate one order at most waits for the key's next
 * time; the others wait for it. An order that came later but is better takes the place of one that has not begun.
 */
export function settleLine(view: View, queue: string, key: string): void {
  const limit = view.limitOf(queue, key);
  const rows = view.line(queue, key).filter(({ state }) => state === "PENDING");
  const waiting = rows.filter(({ waits }) => waits === "limit").sort(byRank);
  if (waiting.length === 0) return;
  let onTime = rows.some(waitsForRate);
  let next = 0;
  for (; next < waiting.length; next++) {
    const row = waiting[next] as OrderRow;
    const state = view.limitKey(queue, key);
    if (onTime || (limit.concurrency !== undefined && state.admitted >= limit.concurrency)) break;
    const beginning = nextBeginning(limit, state.arrivalAt, view.now);
    view.setLimitKey({ ...state, arrivalAt: beginning.next });
    onTime = beginning.at > view.now;
    view.put(onTime ? { ...row, waits: "time", dueAt: Math.ceil(beginning.at) } : { ...row, waits: "room" });
  }
  exchange(view, queue, key, waiting.slice(next));
}

/** Gives the places of admitted orders to better ones that wait: the order of the line is that of the claims. */
function exchange(view: View, queue: string, key: string, waiting: readonly OrderRow[]): void {
  const best = waiting[0];
  if (best === undefined) return;
  const admitted = view
    .line(queue, key)
    .filter((row) => !isHeld(row.state) && (row.waits === "room" || waitsForRate(row)))
    .sort(byRank);
  const worst = admitted.at(-1);
  if (worst === undefined || byRank(worst, best) <= 0) return;
  const before = view.limitKey(queue, key);
  const places = admitted
    .map(({ waits, dueAt }) => ({ waits, dueAt }))
    .sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0));
  [...admitted, ...waiting].sort(byRank).forEach((row, index) => {
    const place = places[index] ?? { waits: "limit", dueAt: null };
    if (place.waits !== row.waits || place.dueAt !== row.dueAt) view.put({ ...row, ...place });
  });
  // As many orders are admitted as before, at the same times.
  view.setLimitKey(before);
}

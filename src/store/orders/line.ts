import { beginnings } from "./line-limit.ts";
import { spareRows } from "./order-io.ts";
import { byRank, type OrderRow } from "./row.ts";
import { type View, waitsForRate } from "./view.ts";

const isUnbegun = (row: OrderRow): boolean => row.waits === "room" || waitsForRate(row);

/**
 * Lets in the orders of a limit key that its concurrency and rate have room for, best first, so that a claim never
 * passes over orders that are beyond their limit. Of a key with a rate no more are let in than may begin at once, so
 * that they may begin whenever somebody claims them; when that is none, the best one waits for the key's next time.
 * An order that came later but is better takes the place of one that has not begun.
 */
export function settleLine(view: View, queue: string, key: string): void {
  const limit = view.limitOf(queue, key);
  const rows = view.line(queue, key);
  const waiting = rows.filter(({ waits }) => waits === "limit").sort(byRank);
  if (waiting.length === 0) return;
  let unbegun = rows.filter(isUnbegun).length;
  let next = 0;
  for (; next < waiting.length; next++) {
    const row = waiting[next] as OrderRow;
    const { admitted, arrivalAt } = view.limitKey(queue, key);
    if (limit.concurrency !== undefined && admitted >= limit.concurrency) break;
    const allowed = beginnings(limit, arrivalAt, view.now);
    if (unbegun < allowed.now && (limit.rate === undefined || unbegun < spareRows)) {
      view.put({ ...row, waits: "room" });
      unbegun++;
      continue;
    }
    if (unbegun === 0) {
      view.put({ ...row, waits: "time", dueAt: allowed.nextAt });
      next++;
    }
    break;
  }
  exchange(view, rows.filter(isUnbegun), waiting.slice(next));
}

/** Gives the places of orders that have not begun to better ones that wait: claims follow the order of the line. */
function exchange(view: View, before: readonly OrderRow[], waiting: readonly OrderRow[]): void {
  const best = waiting[0];
  const unbegun = [...before].sort(byRank);
  const worst = unbegun.at(-1);
  if (best === undefined || worst === undefined || byRank(worst, best) <= 0) return;
  const places = unbegun
    .map(({ waits, dueAt }) => ({ waits, dueAt }))
    .sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0));
  [...unbegun, ...waiting].sort(byRank).forEach((row, index) => {
    const place = places[index] ?? { waits: "limit", dueAt: null };
    if (place.waits !== row.waits || place.dueAt !== row.dueAt) view.put({ ...row, ...place });
  });
}

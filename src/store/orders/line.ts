import { beginnings } from "./line-limit.ts";
import { spareRows } from "./order-io.ts";
import { byRank, type OrderRow } from "./row.ts";
import { type View, waitsForRate } from "./view.ts";

const isUnbegun = (row: OrderRow): boolean => row.waits === "room" || waitsForRate(row);

/**
 * Lets in the orders of a limit key that its concurrency and rate have room for, best first, so that a claim never
 * passes over orders that are beyond their limit. Of a key with a rate no more are let in than may begin at once, so
 * that they may begin whenever somebody claims them; the best of the others waits for the key's next time, also while
 * one that was let in before finds no worker. An order that came later but is better takes the place of one that has
 * not begun.
 */
export function settleLine(view: View, queue: string, key: string): void {
  const limit = view.limitOf(queue, key);
  const rows = view.line(queue, key);
  const waiting = rows.filter(({ waits }) => waits === "limit").sort(byRank);
  const timed = rows.find(waitsForRate);
  if (waiting.length === 0 && timed === undefined) return;
  let ready = rows.filter(({ waits }) => waits === "room").length;
  const next = [...(timed === undefined ? [] : [timed]), ...waiting];
  for (let row = next[0]; row !== undefined; row = next[0]) {
    const { admitted, arrivalAt } = view.limitKey(queue, key);
    if (row !== timed && limit.concurrency !== undefined && admitted >= limit.concurrency) break;
    const allowed = beginnings(limit, arrivalAt, view.now, ready);
    if (ready < allowed.now && (limit.rate === undefined || ready < spareRows)) {
      view.put({ ...row, waits: "room", dueAt: null });
      ready++;
      next.shift();
      continue;
    }
    const ever = limit.rate !== undefined && (ready === 0 || ready < limit.rate.limit);
    if (ready >= allowed.now && ever && row.dueAt !== allowed.nextAt)
      view.put({ ...row, waits: "time", dueAt: allowed.nextAt });
    break;
  }
  exchange(view, queue, key);
}

/** Gives the places of orders that have not begun to better ones that wait: claims follow the order of the line. */
function exchange(view: View, queue: string, key: string): void {
  const rows = view.line(queue, key);
  const unbegun = rows.filter(isUnbegun).sort(byRank);
  const waiting = rows.filter(({ waits }) => waits === "limit").sort(byRank);
  const [best, worst] = [waiting[0], unbegun.at(-1)];
  if (best === undefined || worst === undefined || byRank(worst, best) <= 0) return;
  const places = unbegun
    .map(({ waits, dueAt }) => ({ waits, dueAt }))
    .sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0));
  [...unbegun, ...waiting].sort(byRank).forEach((row, index) => {
    const place = places[index] ?? { waits: "limit", dueAt: null };
    if (place.waits !== row.waits || place.dueAt !== row.dueAt) view.put({ ...row, ...place });
  });
}

import { type NewOrder, type OrderRecord, ordersTold } from "../../src/store/index.ts";
import { OrderBatch } from "../../src/store/orders/batch.ts";
import { gather } from "../../src/store/orders/gather.ts";
import type { Gathered } from "../../src/store/orders/gathered.ts";
import type { Loaded, Needs, OrderJob } from "../../src/store/orders/order-io.ts";
import type { OrderRow } from "../../src/store/orders/row.ts";
import { type Applied, maxRetries, type Moved, refusal } from "./world.ts";

/** The store's own rules over a few rows in memory: one call is one commit. */
export function applyJob(orders: readonly OrderRow[], job: OrderJob, now: number): Applied {
  const batch = new OrderBatch({ now, nextSeq: 1, gathered: gathered(orders, job, now) });
  const outcome = batch.run(job);
  if (!outcome.ok) return refusal(orders, outcome.error);
  const { updated, inserted, events } = batch.writes();
  const written = new Map(updated.map(({ row }) => [row.id, row]));
  const rows = [...orders.map((row) => written.get(row.id) ?? row), ...inserted];
  const returned = new Set([outcome.value ?? []].flat().map((record) => (record as OrderRecord).id));
  const moved = events.flatMap(({ event: { type, data } }) =>
    type === "orders.transition" ? ordersTold(data).map((one): Moved => ({ ...one, event: data.event })) : [],
  );
  return { orders: rows, moved, value: rows.filter(({ id }) => returned.has(id)), refused: false };
}

function gathered(orders: readonly OrderRow[], job: OrderJob, now: number): Gathered {
  const rounds = gather([job]);
  let asked = rounds.next();
  while (asked.done !== true) asked = rounds.next(load(orders, asked.value, now));
  return asked.value;
}

/** What a database would find. Nothing here has lanes, limits or followers. */
function load(orders: readonly OrderRow[], needs: Needs, now: number): Loaded {
  const ready = orders.filter(({ waits }) => waits === "room");
  const due = orders.filter(({ dueAt }) => dueAt !== null && dueAt <= now);
  const claims = needs.claims.map(() => ({
    candidates: idsOf(ready),
    due: idsOf(due),
    inbox: [],
    untold: [],
  }));
  const named = orders.filter(({ id }) => needs.ids.includes(id));
  const rows = claims.length > 0 ? [...ready, ...due, ...named] : named;
  return {
    rows,
    lanes: [],
    fronts: [],
    counts: [],
    configs: [],
    claims,
    followers: [],
    limitKeys: [],
    inbox: [],
  };
}

const idsOf = (rows: readonly OrderRow[]): readonly string[] => rows.map(({ id }) => id);

/** Orders that nobody has touched yet. */
export function newRows(count: number): readonly OrderRow[] {
  const orders = Array.from({ length: count }, (_, at) => newOrder(`o${at + 1}`));
  return applyJob([], { do: "submit", orders }, 0).orders;
}

export const newOrder = (id: string): NewOrder => ({
  id,
  queue: "q",
  kind: "k",
  payload: null,
  priority: 0,
  memory: 1,
  slots: 1,
  tags: [],
  maxRetries,
  timeoutMs: 1,
  tenant: "",
  limitKey: null,
  runAt: 0,
  uniqueKey: null,
  uniqueUntil: null,
  after: [],
  ifAfterFails: "cancel",
  createdAt: 0,
  carrier: null,
});

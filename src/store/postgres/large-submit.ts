import type { OrderBatch } from "../orders/batch.ts";
import type { Gathered } from "../orders/gathered.ts";
import type { OrderJob } from "../orders/order-io.ts";
import type { OrderRow } from "../orders/row.ts";
import { insertRows } from "./order-write.ts";
import type { Transaction } from "./transaction.ts";

type SubmitJob = Extract<OrderJob, { do: "submit" }>;

/** So many orders are written by the server while the next ones are decided here; at first fewer, so that it begins. */
const sliceSize = 200;
const firstSlice = 80;
/** Fewer are decided before the server would have begun. */
const leastOrders = 2 * sliceSize;

/** Some orders were taken to be new that are not, or they cannot be decided bit by bit: the store has to be asked first. */
export class NotAllNew extends Error {}

/** Looking for a thousand ids takes the server a tenth of the call: that nobody has them it finds out as it writes them. */
export function mayAllBeNew(jobs: readonly OrderJob[]): boolean {
  const [job] = jobs;
  return jobs.length === 1 && job?.do === "submit" && job.orders.length >= leastOrders;
}

/**
 * A call that hands in many orders, when it is alone in its transaction and can be decided bit by bit: none of them is
 * known already, waits for another one or for a limit, and all of them fit into the queue. Undefined otherwise.
 */
export function largeSubmit(jobs: readonly OrderJob[], gathered: Gathered): SubmitJob | undefined {
  const [job] = jobs;
  if (job?.do !== "submit" || !mayAllBeNew(jobs)) return undefined;
  if (gathered.rows.size > 0 || gathered.inbox.size > 0) return undefined;
  const { orders, depthLimit } = job;
  const queue = orders[0]?.queue ?? "";
  if (orders.some((order) => order.queue !== queue || order.after.length > 0 || order.limitKey !== null))
    return undefined;
  if (depthLimit === undefined) return job;
  const counts = gathered.counts.get(queue);
  if (counts === undefined) return undefined;
  const { PENDING, PREPARING, RUNNING, WAITING_RETRY } = counts;
  return PENDING + PREPARING + RUNNING + WAITING_RETRY + orders.length <= depthLimit ? job : undefined;
}

/**
 * Decides it slice by slice: the server, which has more to do with them than this process, begins with the first while
 * the next is decided.
 * @throws what a slice is refused with; what was sent goes with the transaction
 */
export function submitInSlices(
  tx: Transaction,
  batch: OrderBatch,
  { orders, depthLimit }: SubmitJob,
): { readonly value: unknown; readonly written: readonly OrderRow[]; readonly told: number } {
  const value: unknown[] = [];
  const written: OrderRow[] = [];
  let told = 0;
  for (let next = 0; next < orders.length;) {
    const slice = orders.slice(next, next + (next === 0 ? firstSlice : sliceSize));
    next += slice.length;
    const outcome = batch.run({
      do: "submit",
      orders: slice,
      ...(depthLimit === undefined ? {} : { depthLimit }),
    });
    if (!outcome.ok) throw outcome.error;
    value.push(...(outcome.value as readonly unknown[]));
    const rows = batch.newRowsAhead();
    written.push(...rows);
    for (const statement of insertRows(rows)) tx.keep(statement);
    const events = batch.eventsAhead().slice(told);
    for (const { stream, event } of events) tx.chain.append(tx.now, stream, event);
    told += events.length;
    tx.tellAhead();
    tx.sendAhead();
  }
  return { value, written, told };
}

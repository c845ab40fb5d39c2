import { OrderBatch } from "../orders/batch.ts";
import { gather } from "../orders/gather.ts";
import type { JobOutcome, OrderJob } from "../orders/order-io.ts";
import { loadOrders } from "./order-load.ts";
import { writeOrders } from "./order-write.ts";
import type { Transaction } from "./transaction.ts";

/** Carries out all calls on work orders of one transaction: loads what they need, lets the rules decide, writes. */
export function runOrderJobs(
  tx: Transaction,
  jobs: readonly OrderJob[],
  now: number,
): { readonly outcomes: readonly JobOutcome[]; readonly ring: readonly string[] } {
  const rounds = gather(jobs);
  let round = rounds.next();
  while (round.done !== true) round = rounds.next(loadOrders(tx.db, round.value, now));
  const batch = new OrderBatch({ now, nextSeq: tx.nextSeq, gathered: round.value });
  const outcomes = jobs.map((job) => batch.run(job));
  const writes = batch.writes();
  for (const { stream, event } of writes.events) tx.appendOrders(now, stream, event);
  writeOrders(tx.db, writes);
  return { outcomes, ring: writes.ring };
}

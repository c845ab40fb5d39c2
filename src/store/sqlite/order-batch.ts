import { OrderBatch } from "../orders/batch.ts";
import { gather } from "../orders/gather.ts";
import type { JobOutcome, OrderJob, Writes } from "../orders/order-io.ts";
import type { KnownRows } from "./known-rows.ts";
import { loadOrders } from "./order-load.ts";
import { writeOrders } from "./order-write.ts";
import type { Transaction } from "./transaction.ts";

/** Carries out all calls on work orders of one transaction: loads what they need, lets the rules decide, writes. */
export function runOrderJobs(
  tx: Transaction,
  jobs: readonly OrderJob[],
  now: number,
  known: KnownRows,
): { readonly outcomes: readonly JobOutcome[]; readonly writes: Writes } {
  known.begin(tx.db.get<{ data_version: number }>("PRAGMA data_version")?.data_version ?? 0);
  const rounds = gather(jobs);
  let round = rounds.next();
  while (round.done !== true) round = rounds.next(loadOrders(tx.db, round.value, now, known));
  const batch = new OrderBatch({ now, nextSeq: tx.nextSeq, gathered: round.value });
  const outcomes = jobs.map((job) => batch.run(job));
  const writes = batch.writes();
  for (const { stream, event } of writes.events) tx.appendOrders(now, stream, event);
  writeOrders(tx.db, writes);
  return { outcomes, writes };
}

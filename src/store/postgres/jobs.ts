import type { JobOutcome, OrderJob } from "../orders/order-io.ts";
import { commitOf } from "../orders/weight.ts";
import type { Statement } from "../sql/program.ts";
import { namedBy } from "./order-batch.ts";
import { lockOrders } from "./order-load.ts";
import { storeError, troubleOf } from "./postgres-error.ts";
import { lockChain, type Transaction } from "./transaction.ts";

/** One unit of work that waits for its commit. */
export interface Job {
  /** A call on work orders: all of a transaction are decided together. */
  readonly order?: OrderJob;
  readonly task?: (tx: Transaction) => Promise<unknown>;
  /** Orders that the task writes. */
  readonly writes?: readonly string[] | "all";
  /** When it came, by the local monotonic clock. */
  readonly since: number;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** @param least what a claim's fence is at least on this server */
export function withFences(jobs: readonly Job[], least: number): readonly Job[] {
  if (least === 0) return jobs;
  return jobs.map((job) => {
    const { order } = job;
    return order?.do === "claim" ? { ...job, order: { ...order, leastFence: least } } : job;
  });
}

/** More units of work than this go into the next transaction. */
const largestBatch = 512;

/** Takes those out of the line that the next transaction is for. */
export const nextBatch = (line: Job[]): readonly Job[] =>
  line.splice(
    0,
    commitOf(line, largestBatch, ({ order }) => order),
  );

/**
 * Orders that are named, and will be written: in the hands of somebody who waits for the end of the chain, each would be
 * waited for with that end locked.
 */
export function locksOf(jobs: readonly Job[], hasOthers: boolean): readonly Statement[] {
  if (jobs.some(({ writes }) => writes === "all")) return [lockChain];
  if (!hasOthers) return [];
  const named = jobs.flatMap(({ order, writes = [] }) => (order === undefined ? writes : namedBy(order)));
  return lockOrders([...new Set(named)]);
}

/** Tasks after the calls on orders, each in a savepoint of its own, so that one that is refused harms no other. */
export async function runAll(
  tx: Transaction,
  jobs: readonly Job[],
  decided: readonly JobOutcome[],
): Promise<readonly JobOutcome[]> {
  const [alone] = jobs;
  if (alone?.task !== undefined && jobs.length === 1) return [{ ok: true, value: await alone.task(tx) }];
  // What orders came to is answered before: in the savepoint of a task it would be taken for what that one did.
  if (decided.length > 0 && jobs.length > decided.length) await tx.ask([]);
  const outcomes: JobOutcome[] = [];
  let next = 0;
  for (const { task } of jobs) {
    outcomes.push(
      task === undefined ? (decided[next++] ?? { ok: true, value: undefined }) : await inSavepoint(tx, task),
    );
  }
  return outcomes;
}

async function inSavepoint(
  tx: Transaction,
  task: (tx: Transaction) => Promise<unknown>,
): Promise<JobOutcome> {
  const back = tx.chain.mark();
  tx.savepoint();
  try {
    const value = await task(tx);
    tx.release();
    return { ok: true, value };
  } catch (error) {
    if (troubleOf(error) !== "final") throw error;
    tx.takeBack();
    back();
    return { ok: false, error };
  }
}

/** Tells each what came of it. */
export function finish(jobs: readonly Job[], outcomes: readonly JobOutcome[], place: string): void {
  jobs.forEach((job, index) => {
    const outcome = outcomes[index];
    if (outcome?.ok === true) job.resolve(outcome.value as never);
    else job.reject(storeError(outcome?.error, place));
  });
}

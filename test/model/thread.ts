import type { OrderRow } from "../../src/store/orders/row.ts";
import type { Step } from "./explorer.ts";
import { lease, nameOf, replaced, type Thread, type Worker, type World } from "./world.ts";

/** The decisions of the thread that a mutant may take away. */
export interface ThreadRules {
  /** Whether it renews the lease of an order that stands under its worker's name. */
  readonly mayRenew: (row: OrderRow, now: number) => boolean;
  /** Up to when no lease of its worker can have ended, once it finds it silent. */
  readonly unbroken: (thread: Thread, now: number) => number;
  /** Whether its worker may be told of a renewal. */
  readonly mayTell: (thread: Thread, now: number) => boolean;
}

/** What `heartbeat-thread.ts` does. */
export const watching: ThreadRules = {
  mayRenew: ({ leaseUntil }, now) => leaseUntil !== null && leaseUntil >= now,
  unbroken: ({ beatAt }) => beatAt + lease,
  mayTell: ({ unbrokenUntil }, now) => unbrokenUntil !== undefined && now < unbrokenUntil,
};

/** Half of a lease without a heartbeat, in the time of the model. */
const silent = lease / 2;

/** It renews all that stands under its worker's name, without a fence, and tells it afterwards; it may stop in between. */
export function* threadSteps(rules: ThreadRules, world: World, worker: Worker): Generator<Step<World>> {
  const { thread, claim, place } = worker;
  if (thread === undefined || claim === undefined) return;
  const { now, orders, workers } = world;
  const { askedAt, beatAt, renewedAt } = thread;
  const after = (change: Partial<Thread>, rows: readonly OrderRow[] = orders): World => ({
    ...world,
    orders: rows,
    workers: replaced(workers, place, { ...worker, thread: { ...thread, ...change } }),
  });
  const name = `${nameOf(worker)}'s thread`;
  if (askedAt !== undefined) {
    const news = rules.mayTell(thread, now) ? { renewedAt: askedAt, unbrokenUntil: askedAt + lease } : {};
    yield { name: `${name} has renewed`, to: after({ askedAt: undefined, ...news }) };
    return;
  }
  if (now - beatAt < silent) {
    if (thread.unbrokenUntil !== undefined)
      yield { name: `${name} hears it beat`, to: after({ unbrokenUntil: undefined }) };
    return;
  }
  if (renewedAt === now) return;
  const unbrokenUntil = thread.unbrokenUntil ?? rules.unbroken(thread, now);
  const renewed = orders.map((row) => {
    const held = row.worker === nameOf(worker) && (row.state === "PREPARING" || row.state === "RUNNING");
    if (!held || !rules.mayRenew(row, now)) return row;
    return { ...row, leaseUntil: Math.max(row.leaseUntil ?? 0, now + lease) };
  });
  yield { name: `${name} renews`, to: after({ unbrokenUntil, askedAt: now }, renewed) };
}

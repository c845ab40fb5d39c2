import { setTimeout as pause } from "node:timers/promises";
import { hasCode, isCutoverError } from "../../src/core/index.ts";
import type { Queue } from "../../src/queue/index.ts";
import type { Span } from "./book.ts";
import { ledgerTime } from "./ledger.ts";
import { shortStillMs } from "./overlap.ts";
import { between, isLong, limitConcurrency, pick, type Plan, seeded, type Work } from "./plan.ts";

/** What was acknowledged and what was asked for. */
export interface Produced {
  /** Number of each order → its id. */
  readonly ids: Map<number, string>;
  readonly cancelled: Set<number>;
  prioritised: number;
  /** Calls that were made again because they failed. */
  again: number;
  /** When the store was disturbed, or did not answer a call in time. */
  readonly away: Span[];
}

/** How long a call may go on failing while the store is disturbed. */
const limitMs = 90_000;

/** Submits the orders evenly over the time of the plan, singly and in bulk; cancels some and moves others forward. */
export async function produce(plan: Plan, queue: Queue, away: Span[]): Promise<Produced> {
  const random = seeded(plan.seed + 1);
  const produced: Produced = { ids: new Map(), cancelled: new Set(), prioritised: 0, again: 0, away };
  const began = performance.now();
  await insist(produced, () => queue.configure({ limits: { "*": { concurrency: limitConcurrency } } }));
  const under = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for (let next = 0; next < plan.orders;) {
    const due = Math.min(plan.orders, Math.ceil(((performance.now() - began) / plan.forMs) * plan.orders));
    if (next >= due) {
      await pause(10);
      continue;
    }
    const batch = random() < 0.7 ? Math.min(due - next, between(random, 1, 40)) : 1;
    const numbers = Array.from({ length: batch }, (_, at) => next + at);
    next += batch;
    const one = submit(queue, produced, numbers, { random, plan })
      .then(() => meddle(queue, produced, random))
      .catch((error: unknown) => void failures.push(error))
      .finally(() => under.delete(one));
    under.add(one);
    if (under.size >= 20) await Promise.race(under);
    if (failures.length > 0) throw failures[0];
  }
  await Promise.all(under);
  if (failures.length > 0) throw failures[0];
  return produced;
}

async function submit(
  queue: Queue,
  produced: Produced,
  numbers: readonly number[],
  { random, plan }: { readonly random: () => number; readonly plan: Plan },
): Promise<void> {
  const all = plan.mix === "all" ? 1 : 0;
  const known = [...produced.ids.values()].slice(-100);
  const drawn = numbers.map((n): Work => {
    if (isLong(plan, n)) return { n, long: 2 };
    return random() < 0.15 * all ? { n, limit: `limit-${between(random, 0, 3)}` } : { n };
  });
  const orders = drawn.map(({ n, limit, long }) => ({
    kind: "step",
    payload: { n, ...(limit === undefined ? {} : { limit }), ...(long === undefined ? {} : { long }) },
    // The work fails now and then by itself: with few tries, some of 100,000 orders would have failed by right.
    retries: 20,
    // These begin at once: how long they last is all of it.
    priority: long === undefined ? between(random, 0, 3) : 9,
    tenant: `t${between(random, 0, 4)}`,
    ...(limit === undefined ? {} : { limit }),
    ...(random() < 0.1 * all ? { after: predecessors(random, known), ifAfterFails: "run" as const } : {}),
    // Some wait for their time: a cancel or a new priority then meets them before a worker does.
    ...(random() < (all === 1 ? 0.2 : 0.002) ? { runAt: Date.now() + between(random, 0, 3_000) } : {}),
    // Either makes a submit that was never answered safe to repeat.
    ...(n % 2 === 0 ? { id: `order-${n}` } : { key: `key-${n}` }),
  }));
  const stored = await insist(produced, () => queue.submitAll(orders));
  stored.forEach(({ id }, at) => produced.ids.set(numbers[at] ?? -1, id));
}

/** One or two orders that were acknowledged lately. */
function predecessors(random: () => number, known: readonly string[]): readonly string[] {
  return [...new Set([pick(random, known), pick(random, known)])].filter((id) => id !== undefined);
}

async function meddle(queue: Queue, produced: Produced, random: () => number): Promise<void> {
  const chance = random();
  const n = pick(random, [...produced.ids.keys()].slice(-200));
  const id = n === undefined ? undefined : produced.ids.get(n);
  if (n === undefined || id === undefined) return;
  if (chance < 0.15) {
    produced.cancelled.add(n);
    await insist(produced, () => unlessEnded(() => queue.cancel(id, "the chaos wants it so")));
  } else if (chance < 0.4) {
    produced.prioritised++;
    await insist(produced, () => unlessEnded(() => queue.setPriority(id, between(random, 0, 10))));
  }
}

/** An order that has ended is neither cancelled nor moved forward. */
async function unlessEnded(call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!hasCode(error, "CUTOVER_QUEUE_ILLEGAL_TRANSITION") && !hasCode(error, "CUTOVER_QUEUE_INVALID"))
      throw error;
  }
}

/** Calls until there is an answer: the store may be gone for a while. */
export async function insist<T>(
  produced: Pick<Produced, "again" | "away">,
  call: () => Promise<T>,
): Promise<T> {
  const until = performance.now() + limitMs;
  for (;;) {
    const from = ledgerTime();
    try {
      const answer = await call();
      if (ledgerTime() - from > shortStillMs) produced.away.push({ from, to: ledgerTime() });
      return answer;
    } catch (error) {
      const refused = isCutoverError(error) && error.code.startsWith("CUTOVER_QUEUE_");
      if (refused || performance.now() > until) throw error;
      produced.again++;
      produced.away.push({ from, to: ledgerTime() });
      await pause(100);
    }
  }
}

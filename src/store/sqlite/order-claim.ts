import type { Capacity, OrderRecord } from "../order-records.ts";
import { classMayFit, classSurelyFits, nextClassToLookAt } from "../size-class.ts";
import type { Connection } from "./connection.ts";
import { CountChanges } from "./order-counts.ts";
import { appendTransition, readOrder } from "./order-transition.ts";
import { serveTurn } from "./order-turns.ts";
import type { Transaction } from "./transaction.ts";

interface Candidate {
  readonly id: string;
  readonly priority: number;
  readonly turn: number;
  readonly created_at: number;
  readonly memory: number;
  readonly slots: number;
  readonly attempt: number;
  readonly fence: number;
}

/** Orders looked at in a class of which some may be too large; beyond them a claim waits for more room. */
const lookAhead = 200;
/** Orders whose time has come are made ready this many a claim, so that no claim takes longer than a few ms. */
const mostPromoted = 500;

const byRank = (a: Candidate, b: Candidate): number =>
  b.priority - a.priority || a.turn - b.turn || a.created_at - b.created_at || (a.id < b.id ? -1 : 1);

/** Takes what fits, best first, and gives each a new fence and a lease. */
export function claimOrders(
  tx: Transaction,
  queue: string,
  worker: string,
  capacity: Capacity,
  leaseMs: number,
  now: number,
): readonly OrderRecord[] {
  const counts = new CountChanges();
  promote(tx, counts, queue, now);
  const taken = choose(candidates(tx.db, queue, capacity), capacity);
  const records = taken.map(({ id, priority, turn, attempt, fence }) => {
    const moved = { queue, from: "PENDING", to: "PREPARING", event: "claimed" } as const;
    const set = { leaseUntil: now + leaseMs };
    appendTransition(tx, counts, now, id, { ...moved, attempt, worker, fence: fence + 1, set });
    serveTurn(tx.db, queue, priority, turn);
    return readOrder(tx.db, id);
  });
  counts.write(tx.db);
  return records.filter((record) => record !== undefined);
}

/** Makes due orders ready; one that waited for its retry goes back to PENDING first. */
function promote(tx: Transaction, counts: CountChanges, queue: string, now: number): void {
  const due = tx.db.all<{ id: string; state: string; attempt: number; worker: string | null; fence: number }>(
    `SELECT id, state, attempt, worker, fence FROM orders
     WHERE queue = ? AND ready = 0 AND state IN ('PENDING', 'WAITING_RETRY') AND run_at <= ?
     ORDER BY run_at LIMIT ?`,
    queue,
    now,
    mostPromoted,
  );
  for (const { id, state, attempt, worker, fence } of due) {
    if (state === "WAITING_RETRY") {
      const moved = { queue, from: "WAITING_RETRY", to: "PENDING", event: "retry-due" } as const;
      appendTransition(tx, counts, now, id, { ...moved, attempt, worker, fence });
    }
    tx.db.run("UPDATE orders SET ready = 1 WHERE id = ?", id);
  }
}

/** The best orders of every kind and size class that may fit; classes that cannot fit are stepped over. */
function candidates(db: Connection, queue: string, capacity: Capacity): Candidate[] {
  const { slots, memory, max } = capacity;
  if (max < 1) return [];
  const found: Candidate[] = [];
  for (const kind of new Set(capacity.kinds)) {
    for (let from = 0; ;) {
      const next = db.get<{ size_class: number }>(
        `SELECT size_class FROM orders WHERE ready = 1 AND queue = ? AND kind = ? AND size_class >= ?
         ORDER BY size_class LIMIT 1`,
        queue,
        kind,
        from,
      )?.size_class;
      if (next === undefined) break;
      if (classMayFit(next, slots, memory)) {
        found.push(
          ...db.all<Candidate & Record<string, unknown>>(
            `SELECT id, priority, turn, created_at, memory, slots, attempt, fence FROM orders
             WHERE ready = 1 AND queue = ? AND kind = ? AND size_class = ?
             ORDER BY priority DESC, turn, created_at, id LIMIT ?`,
            queue,
            kind,
            next,
            classSurelyFits(next, slots, memory) ? max : Math.max(max, lookAhead),
          ),
        );
      }
      from = nextClassToLookAt(next, slots, memory);
    }
  }
  return found;
}

function choose(found: Candidate[], capacity: Capacity): Candidate[] {
  let { slots, memory } = capacity;
  const taken: Candidate[] = [];
  for (const candidate of found.sort(byRank)) {
    if (taken.length >= capacity.max) break;
    if (candidate.slots > slots || candidate.memory > memory) continue;
    slots -= candidate.slots;
    memory -= candidate.memory;
    taken.push(candidate);
  }
  return taken;
}

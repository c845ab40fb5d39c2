import { CutoverError } from "../../core/index.ts";
import type { StoredEvent } from "../run-events.ts";
import { all, type Program, run } from "./program.ts";

/** Everything that follows from the events alone. */
const projections = [
  "runs",
  "run_graphs",
  "phases",
  "steps",
  "evidence",
  "verdicts",
  "approvals",
  "incidents",
  "routes",
  "route_changes",
  "orders",
  "order_links",
  "queue_configs",
];

/** A limit key behind which orders wait after a rebuild; it lets in what it has room for. */
export interface WaitingLine {
  readonly queue: string;
  readonly limit_key: string;
}

export const isOfQueue = (event: Pick<StoredEvent, "stream">): boolean => event.stream.startsWith("queue:");

/**
 * Empties all projections. Order leases are no events (a renewal a second would drown the log), so they are put aside
 * until `recomputeDerived`.
 */
export function* emptyProjections(): Program<void> {
  yield* run(
    "CREATE TEMP TABLE kept_leases AS SELECT id, fence, lease_until FROM orders WHERE lease_until IS NOT NULL",
  );
  for (const table of projections) yield* run(`DELETE FROM ${table}`);
}

/** After the replay: leases still held with the same fence, counts, turns, links, and who waits for what at `now`. */
export function* recomputeDerived(now: number): Program<readonly WaitingLine[]> {
  for (const sql of derived) yield* run(sql);
  // One without a turn was not sent to its line yet: the next claim does that.
  yield* run(
    `UPDATE orders SET
       waits = CASE WHEN blocked_by > 0 THEN 'orders' WHEN run_at > ? OR turn = 0 THEN 'time' WHEN limit_key IS NULL THEN 'room' ELSE 'limit' END,
       due_at = CASE WHEN blocked_by = 0 AND (run_at > ? OR turn = 0) THEN run_at END
     WHERE state = 'PENDING'`,
    now,
    now,
  );
  // How far the rate of a key is used up is carried over; how many hold it follows from the leases.
  yield* run("UPDATE order_limit_keys SET admitted = 0");
  yield* run(
    `INSERT INTO order_limit_keys (queue, limit_key, admitted, arrival_at)
     SELECT queue, limit_key, count(*), 0 FROM orders WHERE limit_key IS NOT NULL AND lease_until IS NOT NULL
     GROUP BY queue, limit_key
     ON CONFLICT (queue, limit_key) DO UPDATE SET admitted = excluded.admitted`,
  );
  return yield* all<WaitingLine>(
    "SELECT DISTINCT queue, limit_key FROM orders WHERE limit_key IS NOT NULL AND waits = 'limit'",
  );
}

const derived = [
  `UPDATE orders SET lease_until = k.lease_until FROM kept_leases k
     WHERE k.id = orders.id AND k.fence = orders.fence AND orders.state IN ('PREPARING', 'RUNNING')`,
  "DROP TABLE kept_leases",
  // Held by a claim that only the log knew: an orphan until its worker renews it.
  "UPDATE orders SET lease_until = 0 WHERE lease_until IS NULL AND state IN ('PREPARING', 'RUNNING')",
  "DELETE FROM order_counts",
  "INSERT INTO order_counts (queue, state, n) SELECT queue, state, count(*) FROM orders GROUP BY queue, state",
  "DELETE FROM order_fronts",
  `INSERT INTO order_fronts (queue, priority, turn)
     SELECT queue, priority, max(turn) FROM orders WHERE fence > 0 GROUP BY queue, priority`,
  "DELETE FROM order_lanes",
  `INSERT INTO order_lanes (queue, priority, tenant, turn)
     SELECT queue, priority, tenant, max(turn) FROM orders GROUP BY queue, priority, tenant`,
  `DELETE FROM order_links WHERE leader IN (SELECT id FROM orders WHERE ended_at IS NOT NULL)
     AND id NOT IN (SELECT id FROM orders WHERE waits = 'orders')`,
  `UPDATE orders SET followed = 0 WHERE followed = 1 AND ended_at IS NOT NULL
     AND NOT EXISTS (SELECT 1 FROM order_links WHERE leader = orders.id)`,
];

/** An event that does not follow from those before it. */
export const brokenEvent = (event: Pick<StoredEvent, "seq" | "type" | "stream">): CutoverError =>
  new CutoverError("CUTOVER_AUDIT_BROKEN", {
    message: `expected event ${event.seq} (${event.type} of ${event.stream}) to follow from those before it, found it does not`,
    details: { seq: event.seq },
    place: `event ${event.seq}`,
  });

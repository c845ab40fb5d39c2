import { CutoverError, faultPoint } from "../../core/index.ts";
import type { Table } from "../row-change.ts";
import { type EventRow, toEvent } from "../run-rows.ts";
import type { Connection } from "./connection.ts";
import { applyEvent } from "./transaction.ts";

const projections: readonly Table[] = [
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
];

/**
 * Empties all projections and replays the events. Order leases are no events (a renewal a second would drown the
 * log), so those still held with the same fence are carried over.
 */
export function rebuildProjections(db: Connection): number {
  db.exec(
    `CREATE TEMP TABLE kept_leases AS SELECT id, fence, lease_until FROM orders WHERE state IN ('PREPARING', 'RUNNING')`,
  );
  for (const table of projections) db.exec(`DELETE FROM ${table}`);
  let events = 0;
  for (let after = 0; ;) {
    const rows = db.all<EventRow>(
      "SELECT seq, at, stream, type, data FROM events WHERE seq > ? ORDER BY seq LIMIT 1000",
      after,
    );
    for (const row of rows) {
      if (!applyEvent(db, toEvent(row))) {
        throw new CutoverError("CUTOVER_AUDIT_BROKEN", {
          message: `expected event ${row.seq} (${row.type} of ${row.stream}) to follow from those before it, found it does not`,
          details: { seq: row.seq },
          place: `event ${row.seq}`,
        });
      }
      events++;
    }
    const last = rows.at(-1);
    if (last === undefined) break;
    after = last.seq;
  }
  db.exec(`
    UPDATE orders SET lease_until = k.lease_until FROM temp.kept_leases k
      WHERE k.id = orders.id AND k.fence = orders.fence AND orders.state IN ('PREPARING', 'RUNNING');
    DROP TABLE temp.kept_leases;
    DELETE FROM order_counts;
    INSERT INTO order_counts (queue, state, n) SELECT queue, state, count(*) FROM orders GROUP BY queue, state;
    DELETE FROM order_fronts;
    INSERT INTO order_fronts (queue, priority, turn)
      SELECT queue, priority, max(turn) FROM orders WHERE fence > 0 GROUP BY queue, priority;
    DELETE FROM order_lanes;
    INSERT INTO order_lanes (queue, priority, tenant, turn)
      SELECT queue, priority, tenant, max(turn) FROM orders GROUP BY queue, priority, tenant;
  `);
  faultPoint("store.rebuild.before-commit");
  return events;
}

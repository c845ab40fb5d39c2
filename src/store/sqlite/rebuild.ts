import { CutoverError, faultPoint } from "../../core/index.ts";
import { OrderBatch } from "../orders/batch.ts";
import { gather } from "../orders/gather.ts";
import type { OrderJob } from "../orders/order-io.ts";
import { type LoggedOrderEvent, Replay, replayNeeds } from "../orders/replay.ts";
import type { Table } from "../row-change.ts";
import { type EventRow, toEvent } from "../run-rows.ts";
import type { StoredEvent } from "../run-events.ts";
import { streamName } from "../stream.ts";
import type { Connection } from "./connection.ts";
import { loadOrders } from "./order-load.ts";
import { insertRow, updateRow, writeOrders } from "./order-write.ts";
import { applyEvent } from "./transaction.ts";

const projections: readonly (Table | "orders" | "order_links" | "queue_configs")[] = [
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

/** Events replayed together: their orders are loaded and written as one. */
const chunk = 200;

/**
 * Empties all projections and replays the events. Order leases are no events (a renewal a second would drown the
 * log), so those still held with the same fence are carried over, and how far the rates of limit keys are used up.
 */
export function rebuildProjections(db: Connection, now: number): number {
  db.exec(
    `CREATE TEMP TABLE kept_leases AS SELECT id, fence, lease_until FROM orders WHERE lease_until IS NOT NULL`,
  );
  for (const table of projections) db.exec(`DELETE FROM ${table}`);
  let events = 0;
  for (let after = 0; ;) {
    const rows = db.all<EventRow>(
      "SELECT seq, at, stream, type, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
      after,
      chunk,
    );
    const stored = rows.map(toEvent);
    const last = stored.at(-1);
    if (last === undefined) break;
    replayOrders(db, stored.filter(isOfQueue));
    for (const event of stored) if (!isOfQueue(event) && !applyEvent(db, event)) throw broken(event);
    events += stored.length;
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
    DELETE FROM order_links WHERE leader IN (SELECT id FROM orders WHERE ended_at IS NOT NULL)
      AND id NOT IN (SELECT id FROM orders WHERE waits = 'orders');
    UPDATE orders SET followed = 0 WHERE followed = 1 AND ended_at IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM order_links WHERE leader = orders.id);
  `);
  settle(db, now);
  faultPoint("store.rebuild.before-commit");
  return events;
}

const isOfQueue = (event: Pick<StoredEvent, "stream">): boolean => event.stream.startsWith("queue:");

function replayOrders(db: Connection, events: readonly StoredEvent[]): void {
  // The log is only written through this room, so the stream decides the shape of the data.
  const logged = events as unknown as readonly (LoggedOrderEvent & StoredEvent)[];
  const replay = new Replay(loadOrders(db, replayNeeds(logged), 0));
  for (const event of logged) if (!replay.apply(streamName(event.stream), event)) throw broken(event);
  const { inserted, updated } = replay.changed();
  for (const { before, row } of updated) updateRow(db, before, row);
  for (const row of inserted) insertRow(db, row);
  const { links, unlinked } = replay.changedLinks();
  const configs = [...replay.configs].map(([queue, config]) => ({ queue, config }));
  const nothing = { events: [], inserted: [], updated: [], lanes: [], fronts: [], counts: [], limitKeys: [] };
  writeOrders(db, { ...nothing, configs, links, unlinked, taken: [], ring: [] });
}

/** Says again who waits for what, now, and lets in what the limits have room for. */
function settle(db: Connection, now: number): void {
  db.run(
    `UPDATE orders SET
       waits = CASE WHEN blocked_by > 0 THEN 'orders' WHEN run_at > ? THEN 'time' WHEN limit_key IS NULL THEN 'room' ELSE 'limit' END,
       due_at = CASE WHEN blocked_by = 0 AND run_at > ? THEN run_at END
     WHERE state = 'PENDING'`,
    now,
    now,
  );
  db.run("UPDATE order_limit_keys SET admitted = 0");
  db.run(
    `INSERT INTO order_limit_keys (queue, limit_key, admitted, arrival_at)
     SELECT queue, limit_key, count(*), 0 FROM orders WHERE limit_key IS NOT NULL AND lease_until IS NOT NULL
     GROUP BY queue, limit_key
     ON CONFLICT (queue, limit_key) DO UPDATE SET admitted = excluded.admitted`,
  );
  const lines = db.all<{ queue: string; limit_key: string }>(
    "SELECT DISTINCT queue, limit_key FROM orders WHERE limit_key IS NOT NULL AND waits = 'limit'",
  );
  for (const { queue, limit_key } of lines) {
    const job: OrderJob = { do: "settle", queue, keys: [limit_key] };
    for (let changed = 1; changed > 0;) {
      const rounds = gather([job]);
      let round = rounds.next();
      while (round.done !== true) round = rounds.next(loadOrders(db, round.value, now));
      const batch = new OrderBatch({ now, nextSeq: 0, gathered: round.value });
      batch.run(job);
      const writes = batch.writes();
      writeOrders(db, writes);
      changed = writes.updated.length;
    }
  }
}

function broken(event: Pick<StoredEvent, "seq" | "type" | "stream">): CutoverError {
  return new CutoverError("CUTOVER_AUDIT_BROKEN", {
    message: `expected event ${event.seq} (${event.type} of ${event.stream}) to follow from those before it, found it does not`,
    details: { seq: event.seq },
    place: `event ${event.seq}`,
  });
}

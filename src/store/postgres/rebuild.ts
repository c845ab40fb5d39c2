import { CutoverError, faultPoint } from "../../core/index.ts";
import type { OrderJob } from "../orders/order-io.ts";
import { type LoggedOrderEvent, Replay, replayNeeds } from "../orders/replay.ts";
import { project } from "../projection.ts";
import { rowSql } from "../row-sql.ts";
import type { StoredEvent } from "../run-events.ts";
import { type EventRow, toEvent } from "../run-rows.ts";
import type { Answer, SqlValue, Statement } from "../sql/program.ts";
import { streamName } from "../stream.ts";
import { HeldRows } from "./held-rows.ts";
import { OrderWork } from "./order-batch.ts";
import { OrderLoad } from "./order-load.ts";
import { writeOrders } from "./order-write.ts";
import type { Transaction } from "./transaction.ts";

/** What is replayed here is no order of this process. */
const nothingHeld = new HeldRows();

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

/** Events replayed together: their orders are loaded and written as one. */
const chunk = 200;

const change = (sql: string, ...values: readonly SqlValue[]): Statement => ({ sql, values, wants: "count" });

/**
 * Empties all projections and replays the events; readers see the old rows until it commits. Order leases are no events,
 * so those still held with the same fence are carried over, and how far the rates of limit keys are used up.
 */
export async function rebuildProjections(tx: Transaction): Promise<number> {
  await tx.ask([
    change("SET LOCAL statement_timeout = 0"),
    change("SET LOCAL idle_in_transaction_session_timeout = 0"),
    change("DROP TABLE IF EXISTS pg_temp.kept_leases"),
    change(
      "CREATE TEMP TABLE kept_leases ON COMMIT DROP AS SELECT id, fence, lease_until FROM orders WHERE lease_until IS NOT NULL",
    ),
    ...projections.map((table) => change(`DELETE FROM ${table}`)),
  ]);
  let events = 0;
  for (let after = 0; ;) {
    const [page] = await tx.ask([
      {
        sql: "SELECT seq, at, stream, type, data FROM events WHERE seq > $1 ORDER BY seq LIMIT $2",
        values: [after, chunk],
        wants: "rows",
      },
    ]);
    const stored = ((page?.rows ?? []) as unknown as readonly EventRow[]).map(toEvent);
    const last = stored.at(-1);
    if (last === undefined) break;
    await replayOrders(tx, stored.filter(isOfQueue));
    await replayRuns(tx, stored);
    events += stored.length;
    after = last.seq;
  }
  for (const statement of afterwards) tx.keep(statement);
  await settle(tx);
  faultPoint("store.rebuild.before-commit");
  return events;
}

const isOfQueue = (event: Pick<StoredEvent, "stream">): boolean => event.stream.startsWith("queue:");

async function replayRuns(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  const changes = events
    .filter((event) => !isOfQueue(event))
    .flatMap((event) => project(event).map((one) => ({ event, ...rowSql(one) })));
  const answers = await tx.ask(changes.map(({ sql, values }) => change(sql, ...values)));
  changes.forEach(({ event, exact }, index) => {
    if (exact && answers[index]?.count !== 1) throw broken(event);
  });
}

async function replayOrders(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  if (events.length === 0) return;
  // The log is only written through this room, so the stream decides the shape of the data.
  const logged = events as unknown as readonly (LoggedOrderEvent & StoredEvent)[];
  const load = new OrderLoad(replayNeeds(logged), 0);
  const replay = new Replay(load.loaded(await tx.ask(load.statements)));
  for (const event of logged) if (!replay.apply(streamName(event.stream), event)) throw broken(event);
  const configs = [...replay.configs].map(([queue, config]) => ({ queue, config }));
  const nothing = { events: [], lanes: [], fronts: [], counts: [], limitKeys: [], taken: [], ring: [] };
  const writes = { ...nothing, ...replay.changed(), ...replay.changedLinks(), configs };
  for (const statement of writeOrders(writes)) tx.keep(statement);
}

const afterwards: readonly Statement[] = [
  change(`UPDATE orders SET lease_until = k.lease_until FROM pg_temp.kept_leases k
    WHERE k.id = orders.id AND k.fence = orders.fence AND orders.state IN ('PREPARING', 'RUNNING')`),
  // Held by a claim that only the log knew: an orphan until its worker renews it.
  change("UPDATE orders SET lease_until = 0 WHERE lease_until IS NULL AND state IN ('PREPARING', 'RUNNING')"),
  change("DELETE FROM order_counts"),
  change(
    "INSERT INTO order_counts (queue, state, n) SELECT queue, state, count(*) FROM orders GROUP BY queue, state",
  ),
  change("DELETE FROM order_fronts"),
  change(`INSERT INTO order_fronts (queue, priority, turn)
    SELECT queue, priority, max(turn) FROM orders WHERE fence > 0 GROUP BY queue, priority`),
  change("DELETE FROM order_lanes"),
  change(`INSERT INTO order_lanes (queue, priority, tenant, turn)
    SELECT queue, priority, tenant, max(turn) FROM orders GROUP BY queue, priority, tenant`),
  change(`DELETE FROM order_links WHERE leader IN (SELECT id FROM orders WHERE ended_at IS NOT NULL)
    AND id NOT IN (SELECT id FROM orders WHERE waits = 'orders')`),
  change(`UPDATE orders SET followed = 0 WHERE followed = 1 AND ended_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM order_links WHERE leader = orders.id)`),
];

/** Says again who waits for what, now, and lets in what the limits have room for. */
async function settle(tx: Transaction): Promise<void> {
  const answers = await tx.ask([
    change(
      `UPDATE orders SET
         waits = CASE WHEN blocked_by > 0 THEN 'orders' WHEN run_at > $1 THEN 'time' WHEN limit_key IS NULL THEN 'room' ELSE 'limit' END,
         due_at = CASE WHEN blocked_by = 0 AND run_at > $1 THEN run_at END
       WHERE state = 'PENDING'`,
      tx.now,
    ),
    change("UPDATE order_limit_keys SET admitted = 0"),
    change(
      `INSERT INTO order_limit_keys (queue, limit_key, admitted, arrival_at)
       SELECT queue, limit_key, count(*), 0 FROM orders WHERE limit_key IS NOT NULL AND lease_until IS NOT NULL
       GROUP BY queue, limit_key
       ON CONFLICT (queue, limit_key) DO UPDATE SET admitted = excluded.admitted`,
    ),
    {
      sql: "SELECT DISTINCT queue, limit_key FROM orders WHERE limit_key IS NOT NULL AND waits = 'limit'",
      values: [],
      wants: "rows",
    },
  ]);
  const lines = (answers.at(-1) as Answer).rows as unknown as readonly {
    readonly queue: string;
    readonly limit_key: string;
  }[];
  for (const { queue, limit_key } of lines) {
    const job: OrderJob = { do: "settle", queue, keys: [limit_key] };
    for (let changed = 1; changed > 0;) {
      const work = new OrderWork([job], tx.now, nothingHeld);
      changed = (await work.decide(tx, await tx.ask(work.opening()))).changed;
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

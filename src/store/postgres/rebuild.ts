import { faultPoint } from "../../core/index.ts";
import type { OrderJob } from "../orders/order-io.ts";
import { type LoggedOrderEvent, Replay, replayNeeds } from "../orders/replay.ts";
import { project } from "../projection.ts";
import { rowSql } from "../row-sql.ts";
import type { StoredEvent } from "../run-events.ts";
import type { Dialect, SqlValue, Statement } from "../sql/program.ts";
import { CheckedLog } from "../sql/checked-log.ts";
import {
  brokenEvent,
  emptyProjections,
  isOfQueue,
  recomputeDerived,
  type WaitingLine,
} from "../sql/rebuild.ts";
import type { RebuildOptions } from "../store.ts";
import { streamName } from "../stream.ts";
import { HeldRows } from "./held-rows.ts";
import { type Knowledge, OrderWork } from "./order-batch.ts";
import { OrderLoad } from "./order-load.ts";
import { writeOrders } from "./order-write.ts";
import type { Transaction } from "./transaction.ts";

/** What is replayed here is no order of this process. */
const nothingKnown: Knowledge = { held: new HeldRows(), ahead: () => 0, allNew: false, crowded: false };

const change = (sql: string, ...values: readonly SqlValue[]): Statement => ({ sql, values, wants: "count" });

/**
 * Empties all projections and replays the events; readers see the old rows until it commits. Order leases are no events,
 * so those still held with the same fence are carried over, and how far the rates of limit keys are used up.
 * @throws CUTOVER_AUDIT_BROKEN when the log is not what was written; no row changes then
 */
export async function rebuildProjections(
  tx: Transaction,
  dialect: Dialect,
  { onProgress = () => {} }: RebuildOptions = {},
): Promise<number> {
  tx.takeItsTime();
  await tx.ask([
    change("SET LOCAL statement_timeout = 0"),
    change("SET LOCAL idle_in_transaction_session_timeout = 0"),
  ]);
  // Calls that share this commit have made rows, too, and those are emptied with the others.
  tx.tellAhead();
  await tx.run(emptyProjections());
  const log = new CheckedLog(dialect);
  const of = await tx.run(log.size());
  for (;;) {
    const stored = await tx.run(log.next());
    if (stored.length === 0) break;
    await replayOrders(tx, stored.filter(isOfQueue));
    await replayRuns(tx, stored);
    onProgress({ done: log.events, of: Math.max(of, log.events) });
  }
  await tx.run(log.end(tx.chain.events));
  for (const line of await tx.run(recomputeDerived(tx.now))) await letIn(tx, line);
  faultPoint("store.rebuild.before-commit");
  return log.events;
}

async function replayRuns(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  const changes = events
    .filter((event) => !isOfQueue(event))
    .flatMap((event) => project(event).map((one) => ({ event, ...rowSql(one) })));
  const answers = await tx.ask(changes.map(({ sql, values }) => change(sql, ...values)));
  changes.forEach(({ event, exact }, index) => {
    if (exact && answers[index]?.count !== 1) throw brokenEvent(event);
  });
}

async function replayOrders(tx: Transaction, events: readonly StoredEvent[]): Promise<void> {
  if (events.length === 0) return;
  // The log is only written through this room, so the stream decides the shape of the data.
  const logged = events as unknown as readonly (LoggedOrderEvent & StoredEvent)[];
  const load = new OrderLoad(replayNeeds(logged), 0);
  const replay = new Replay(load.loaded(await tx.ask(load.statements)));
  for (const event of logged) if (!replay.apply(streamName(event.stream), event)) throw brokenEvent(event);
  const configs = [...replay.configs].map(([queue, config]) => ({ queue, config }));
  const nothing = { events: [], lanes: [], fronts: [], counts: [], limitKeys: [], taken: [], ring: [] };
  const writes = { ...nothing, ...replay.changed(), ...replay.changedLinks(), configs };
  for (const statement of writeOrders(writes)) tx.keep(statement);
}

/** Admits what the limit of the key has room for. */
async function letIn(tx: Transaction, { queue, limit_key }: WaitingLine): Promise<void> {
  const job: OrderJob = { do: "settle", queue, keys: [limit_key] };
  for (let changed = 1; changed > 0;) {
    const work = new OrderWork([job], tx.now, nothingKnown);
    changed = (await work.decide(tx, await tx.ask(work.opening()))).changed;
  }
}

import { faultPoint } from "../../core/index.ts";
import { OrderBatch } from "../orders/batch.ts";
import { gather } from "../orders/gather.ts";
import type { OrderJob } from "../orders/order-io.ts";
import { type LoggedOrderEvent, Replay, replayNeeds } from "../orders/replay.ts";
import type { StoredEvent } from "../run-events.ts";
import { CheckedLog } from "../sql/checked-log.ts";
import {
  brokenEvent,
  emptyProjections,
  isOfQueue,
  recomputeDerived,
  type WaitingLine,
} from "../sql/rebuild.ts";
import { streamName } from "../stream.ts";
import type { RebuildOptions } from "../store.ts";
import type { Connection } from "./connection.ts";
import { loadOrders } from "./order-load.ts";
import { insertRow, updateRow, writeOrders } from "./order-write.ts";
import { runProgram, sqliteDialect } from "./sql.ts";
import { applyEvent, type Transaction } from "./transaction.ts";

/**
 * Empties all projections and replays the events. Order leases are no events (a renewal a second would drown the
 * log), so those still held with the same fence are carried over, and how far the rates of limit keys are used up.
 * @throws CUTOVER_AUDIT_BROKEN when the log is not what was written; no row changes then
 */
export function rebuildProjections(
  { db, events: own }: Transaction,
  now: number,
  { onProgress = () => {} }: RebuildOptions = {},
): number {
  const log = new CheckedLog(sqliteDialect);
  const of = runProgram(db, log.size());
  runProgram(db, emptyProjections());
  for (;;) {
    const stored = runProgram(db, log.next());
    if (stored.length === 0) break;
    const broken = replayOrders(db, stored.filter(isOfQueue));
    if (broken !== undefined) throw brokenEvent(broken);
    for (const event of stored) if (!isOfQueue(event) && !applyEvent(db, event)) throw brokenEvent(event);
    onProgress({ done: log.events, of: Math.max(of, log.events) });
  }
  runProgram(db, log.end(own));
  for (const line of runProgram(db, recomputeDerived(now))) letIn(db, line, now);
  faultPoint("store.rebuild.before-commit");
  return log.events;
}

/** Makes the rows of orders that these events of queues tell of; the first event that does not follow, with nothing written. */
export function replayOrders(db: Connection, events: readonly StoredEvent[]): StoredEvent | undefined {
  // The log is only written through this room, so the stream decides the shape of the data.
  const logged = events as unknown as readonly (LoggedOrderEvent & StoredEvent)[];
  const replay = new Replay(loadOrders(db, replayNeeds(logged), 0));
  for (const event of logged) if (!replay.apply(streamName(event.stream), event)) return event;
  const { inserted, updated } = replay.changed();
  for (const { before, row } of updated) updateRow(db, before, row);
  for (const row of inserted) insertRow(db, row);
  const { links, unlinked } = replay.changedLinks();
  const configs = [...replay.configs].map(([queue, config]) => ({ queue, config }));
  const nothing = { events: [], inserted: [], updated: [], lanes: [], fronts: [], counts: [], limitKeys: [] };
  writeOrders(db, { ...nothing, configs, links, unlinked, taken: [], ring: [] });
  return undefined;
}

/** Admits what the limit of the key has room for. */
function letIn(db: Connection, { queue, limit_key }: WaitingLine, now: number): void {
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

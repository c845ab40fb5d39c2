import { type Clock, CutoverError } from "../../core/index.ts";
import type { NewOrder, OrderRecord, OrderState, OrderStore } from "../order-records.ts";
import { type OrderRow, orderSelect, toOrder } from "../order-rows.ts";
import type { GroupCommit } from "./group-commit.ts";
import { claimOrders } from "./order-claim.ts";
import { CountChanges, readCounts, unfinished } from "./order-counts.ts";
import { changeOrder, readOrder } from "./order-transition.ts";
import { nextTurn } from "./order-turns.ts";
import type { Reader } from "./reader.ts";
import type { Transaction } from "./transaction.ts";

const allStates: readonly OrderState[] = [...unfinished, "COMPLETED", "FAILED", "CANCELLED"];

/** The work orders of an SQLite store. */
export function sqliteOrders(reader: Reader, writer: GroupCommit, clock: Clock): OrderStore {
  return {
    submit(orders, options = {}) {
      return writer.write((tx) => submitOrders(tx, orders, options.at ?? clock.now(), options.depthLimit));
    },
    claim(queue, worker, capacity, leaseMs, now) {
      return writer.write((tx) => claimOrders(tx, queue, worker, capacity, leaseMs, now));
    },
    change(changes, at) {
      return writer.write((tx) => {
        const counts = new CountChanges();
        const records = changes.map((change) => changeOrder(tx, counts, at, change));
        counts.write(tx.db);
        return records;
      });
    },
    renew(held, leaseUntil) {
      return writer.write((tx) =>
        held
          .filter(
            ({ id, fence }) =>
              tx.db.run(
                `UPDATE orders SET lease_until = ? WHERE id = ? AND fence = ? AND state IN ('PREPARING', 'RUNNING')`,
                leaseUntil,
                id,
                fence,
              ) === 0,
          )
          .map(({ id }) => id),
      );
    },
    requestCancel(id, at, reason) {
      return writer.write((tx) => {
        const order = readOrder(tx.db, id);
        if (order === undefined || order.cancelRequested || !unfinished.includes(order.state)) return order;
        tx.append(at, `order:${id}`, { type: "order.cancel-requested", data: { reason } });
        return readOrder(tx.db, id);
      });
    },
    setPriority(id, priority) {
      return writer.write((tx) => {
        const order = readOrder(tx.db, id);
        if (order === undefined || order.priority === priority || !unfinished.includes(order.state))
          return order;
        const turn = nextTurn(tx.db, order.queue, priority, order.tenant);
        const data = { from: order.priority, to: priority, turn };
        tx.append(clock.now(), `order:${id}`, { type: "order.prioritised", data });
        return readOrder(tx.db, id);
      });
    },
    get: (id) => reader.read((db) => readOrder(db, id)),
    list: ({ queue, states = allStates, limit, after = "" }) =>
      reader.read((db) =>
        // One short index walk per state, merged: a rare state is found without passing a million finished orders.
        [...new Set(states)]
          .flatMap((state) =>
            db.rows<OrderRow>(
              `${orderSelect} WHERE queue = ? AND state = ? AND id > ? ORDER BY id LIMIT ?`,
              queue,
              state,
              after,
              limit,
            ),
          )
          .sort((a, b) => (a[0] < b[0] ? -1 : 1))
          .slice(0, limit)
          .map(toOrder),
      ),
    orphans: (queue, now, workers = []) =>
      reader.read((db) =>
        db
          .rows<OrderRow>(
            `${orderSelect} WHERE queue = ? AND state IN ('PREPARING', 'RUNNING')
             AND (lease_until < ? OR worker IN (${workers.map(() => "?").join(", ") || "NULL"})) ORDER BY id`,
            queue,
            now,
            ...workers,
          )
          .map(toOrder),
      ),
    nextDue: (queue, now) =>
      reader.read(
        (db) =>
          db.get<{ at: number }>(
            `SELECT run_at AS at FROM orders WHERE queue = ? AND ready = 0
             AND state IN ('PENDING', 'WAITING_RETRY') AND run_at > ? ORDER BY run_at LIMIT 1`,
            queue,
            now,
          )?.at,
      ),
    counts: (queue) => reader.read((db) => readCounts(db, queue)),
  };
}

function submitOrders(
  tx: Transaction,
  orders: readonly NewOrder[],
  at: number,
  depthLimit: number | undefined,
): readonly { readonly order: OrderRecord; readonly fresh: boolean }[] {
  const counts = new CountChanges();
  const freshIn = new Set<string>();
  const stored = orders.map((order) => {
    const known = knownOrder(tx, order);
    if (known !== undefined) return { order: known, fresh: false };
    const turn = nextTurn(tx.db, order.queue, order.priority, order.tenant);
    tx.append(at, `order:${order.id}`, { type: "order.submitted", data: { ...order, turn } });
    counts.add(order.queue, "PENDING", 1);
    freshIn.add(order.queue);
    const record = readOrder(tx.db, order.id);
    if (record === undefined) throw new CutoverError("CUTOVER_INTERNAL", { message: "expected the new row" });
    return { order: record, fresh: true };
  });
  counts.write(tx.db);
  if (depthLimit !== undefined) for (const queue of freshIn) checkDepth(tx, queue, depthLimit);
  return stored;
}

function knownOrder(tx: Transaction, order: NewOrder): OrderRecord | undefined {
  const known = readOrder(tx.db, order.id);
  if (known !== undefined || order.uniqueKey === null) return known;
  const sql = `${orderSelect} WHERE queue = ? AND unique_key = ?`;
  const row = tx.db.rows<OrderRow>(sql, order.queue, order.uniqueKey)[0];
  return row === undefined ? undefined : toOrder(row);
}

/** @throws CUTOVER_QUEUE_FULL, which takes back everything this call has stored */
function checkDepth(tx: Transaction, queue: string, limit: number): void {
  const counts = readCounts(tx.db, queue);
  const depth = unfinished.reduce((sum, state) => sum + counts[state], 0);
  if (depth <= limit) return;
  throw new CutoverError("CUTOVER_QUEUE_FULL", {
    message: `expected at most ${limit} unfinished work orders in queue ${queue}, found ${depth} with these`,
    details: { queue, limit, depth },
    place: `queue ${queue}`,
  });
}

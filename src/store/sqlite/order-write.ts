import type { Writes } from "../orders/order-io.ts";
import type { OrderRow } from "../orders/row.ts";
import { orderCell, type OrderColumn, orderColumns, toOrderCells } from "../order-rows.ts";
import { canonicalJson } from "../../core/index.ts";
import { changeBit, changedMembers } from "../orders/changed-members.ts";
import type { Connection } from "./connection.ts";

/** Stores the outcome of a batch, without its events. */
export function writeOrders(db: Connection, writes: Writes): void {
  // Before the new rows: one of them may have taken over a unique key.
  for (const { before, row } of writes.updated) updateRow(db, before, row);
  for (const row of writes.inserted) insertRow(db, row);
  for (const { queue, priority, tenant, turn } of writes.lanes) {
    db.run(
      `INSERT INTO order_lanes (queue, priority, tenant, turn) VALUES (?, ?, ?, ?)
       ON CONFLICT (queue, priority, tenant) DO UPDATE SET turn = max(order_lanes.turn, excluded.turn)`,
      queue,
      priority,
      tenant,
      turn,
    );
  }
  for (const { queue, priority, turn } of writes.fronts) {
    db.run(
      `INSERT INTO order_fronts (queue, priority, turn) VALUES (?, ?, ?)
       ON CONFLICT (queue, priority) DO UPDATE SET turn = excluded.turn WHERE order_fronts.turn < excluded.turn`,
      queue,
      priority,
      turn,
    );
    // Lanes that lie behind the front say nothing any more.
    db.run("DELETE FROM order_lanes WHERE queue = ? AND priority = ? AND turn <= ?", queue, priority, turn);
  }
  for (const { queue, state, by } of writes.counts) {
    db.run(
      `INSERT INTO order_counts (queue, state, n) VALUES (?, ?, ?)
       ON CONFLICT (queue, state) DO UPDATE SET n = order_counts.n + excluded.n`,
      queue,
      state,
      by,
    );
  }
  writeRelations(db, writes);
}

function writeRelations(db: Connection, writes: Writes): void {
  for (const { queue, config } of writes.configs) {
    db.run(
      "INSERT INTO queue_configs (queue, config) VALUES (?, ?) ON CONFLICT (queue) DO UPDATE SET config = excluded.config",
      queue,
      canonicalJson(config),
    );
  }
  for (const { of, id } of writes.links)
    db.run("INSERT INTO order_links (leader, id) VALUES (?, ?) ON CONFLICT DO NOTHING", of, id);
  for (const { of, id } of writes.unlinked)
    db.run("DELETE FROM order_links WHERE leader = ? AND id = ?", of, id);
  for (const { queue, key, admitted, arrivalAt } of writes.limitKeys) {
    db.run(
      `INSERT INTO order_limit_keys (queue, limit_key, admitted, arrival_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (queue, limit_key) DO UPDATE SET admitted = excluded.admitted, arrival_at = excluded.arrival_at`,
      queue,
      key,
      admitted,
      arrivalAt,
    );
  }
  for (const position of writes.taken) db.run("DELETE FROM order_inbox WHERE position = ?", position);
}

/** All columns, those that are NULL too: one statement for every new order. */
const insert = `INSERT INTO orders (${orderColumns.map(({ name }) => name).join(", ")})
  VALUES (${orderColumns.map(() => "?").join(", ")})`;

export function insertRow(db: Connection, row: OrderRow): void {
  db.run(insert, ...toOrderCells(row));
}

/** Columns that change after the submit, a bit for each: the place in this list. */
const changing: readonly OrderColumn[] = orderColumns.filter(({ member }) => changeBit[member] !== undefined);
/** Statements by the set of columns they name: a claim, an end, a retry have their own few. */
const updates = new Map<number, string>();

/** Rows are never changed in place, so a member that is the same object is the same value. */
export function updateRow(db: Connection, before: OrderRow, row: OrderRow): void {
  const set = changedMembers(before, row);
  if (set === 0) return;
  const cells: (string | number | null)[] = [];
  for (const column of changing)
    if ((set & (changeBit[column.member] ?? 0)) !== 0) cells.push(orderCell(row, column));
  let sql = updates.get(set);
  if (sql === undefined) {
    const named = changing.filter(({ member }) => (set & (changeBit[member] ?? 0)) !== 0);
    sql = `UPDATE orders SET ${named.map(({ name }) => `${name} = ?`).join(", ")} WHERE id = ?`;
    updates.set(set, sql);
  }
  cells.push(row.id);
  db.run(sql, ...cells);
}

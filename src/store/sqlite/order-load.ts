import type { Loaded, Needs, OrderLink, LimitKeyState } from "../orders/order-io.ts";
import { mostFollowers, spareRows } from "../orders/order-io.ts";
import type { OrderRow } from "../orders/row.ts";
import { type OrderCells, orderColumnNames, toOrderRow } from "../order-rows.ts";
import type { NewOrder, OrderCounts, OrderState, QueueConfig } from "../order-records.ts";
import { atOnce, bytesBefore } from "../sql/long-rows.ts";
import { noOrders } from "../sql/order-reads.ts";
import type { Connection } from "./connection.ts";
import type { KnownRows } from "./known-rows.ts";
import { findCandidates } from "./order-candidates.ts";

const rowsById = `SELECT ${orderColumnNames} FROM json_each(?) AS wanted CROSS JOIN orders ON orders.id = wanted.value`;
const oneRow = `SELECT ${orderColumnNames} FROM orders WHERE id = ?`;

/** Finds what the rules want to see. Every statement reads an index from its first matching entry on. */
export function loadOrders(db: Connection, needs: Needs, now: number, known?: KnownRows): Loaded {
  const rows = new Map<string, OrderRow>();
  const keepCells = (cells: OrderCells): string => {
    const id = cells[0];
    if (!rows.has(id)) rows.set(id, toOrderRow(cells));
    return id;
  };
  const keep = (sql: string, ...values: readonly (string | number)[]): string[] =>
    db.rows<OrderCells>(sql, ...values).map(keepCells);
  const keepById = (ids: readonly string[]): void => {
    const unknown: string[] = [];
    for (const id of ids) {
      const row = rows.get(id) ?? known?.get(id);
      if (row === undefined) unknown.push(id);
      else rows.set(id, row);
    }
    if (unknown.length === 1) keep(oneRow, unknown[0] ?? "");
    else if (unknown.length > 1 && !areBeyondAll(db, unknown)) keep(rowsById, JSON.stringify(unknown));
  };
  keepById(needs.ids);
  for (const { queue, key } of needs.uniqueKeys)
    keep(`SELECT ${orderColumnNames} FROM orders WHERE queue = ? AND unique_key = ?`, queue, key);
  const inbox = needs.inboxIds.flatMap((id) =>
    db
      .all<InboxRow>("SELECT position, data FROM order_inbox WHERE id = ? ORDER BY position LIMIT 1", id)
      .map(toInbox),
  );
  const claims = needs.claims.map(({ queue, capacity, due, inbox: most, untold }) => ({
    due: keep(
      `SELECT ${orderColumnNames} FROM orders WHERE queue = ? AND due_at IS NOT NULL AND due_at <= ?
       ORDER BY due_at LIMIT ?`,
      queue,
      now,
      due,
    ),
    inbox: db
      .all<InboxRow>(
        `SELECT position, data FROM (
           SELECT *, ${bytesBefore("data", "position")} AS before FROM (
             SELECT position, data FROM order_inbox WHERE queue = ? ORDER BY position LIMIT ?) AS wanted
         ) AS wanted WHERE ${atOnce}`,
        queue,
        most,
      )
      .map(toInbox),
    untold: keep(
      `SELECT ${orderColumnNames} FROM orders WHERE queue = ? AND followed = 1 AND ended_at IS NOT NULL
       ORDER BY id LIMIT ?`,
      queue,
      untold,
    ),
    candidates: findCandidates(db, queue, capacity),
  }));
  for (const { candidates } of claims) keepById(candidates);
  const followers: OrderLink[] = [];
  for (const of of needs.followersOf) {
    const ids = db.rows<[string]>(
      "SELECT id FROM order_links WHERE leader = ? ORDER BY id LIMIT ?",
      of,
      mostFollowers,
    );
    for (const [id] of ids) followers.push({ of, id });
    keepById(ids.map(([id]) => id));
  }
  const lines = loadLines(db, needs, keep);
  return { ...loadQueues(db, needs), ...lines, claims, followers, inbox, rows: [...rows.values()] };
}

/**
 * True when no stored order can have one of these ids, by one look: new ones are time-ordered and stand behind all others.
 * Only of plain ids, of which both languages agree which comes first.
 */
function areBeyondAll(db: Connection, ids: readonly string[]): boolean {
  let first = ids[0] ?? "";
  for (const id of ids) {
    if (!/^[\w-]+$/.test(id)) return false;
    if (id < first) first = id;
  }
  return db.rows("SELECT id FROM orders WHERE id >= ? LIMIT 1", first).length === 0;
}

/** What is kept for a queue as a whole. */
function loadQueues(db: Connection, needs: Needs): Pick<Loaded, "lanes" | "fronts" | "counts" | "configs"> {
  const lanes = needs.lanes.flatMap(({ queue, priority, tenant }) => {
    const found = db.get<{ turn: number }>(
      "SELECT turn FROM order_lanes WHERE queue = ? AND priority = ? AND tenant = ?",
      queue,
      priority,
      tenant,
    );
    return found === undefined ? [] : [{ queue, priority, tenant, turn: found.turn }];
  });
  const priorities = new Map(needs.lanes.map((lane) => [`${lane.queue}\0${lane.priority}`, lane]));
  const fronts = [...priorities.values()].flatMap(({ queue, priority }) => {
    const found = db.get<{ turn: number }>(
      "SELECT turn FROM order_fronts WHERE queue = ? AND priority = ?",
      queue,
      priority,
    );
    return found === undefined ? [] : [{ queue, priority, turn: found.turn }];
  });
  const counts = needs.counts.map((queue) => {
    const found = db.all<{ state: OrderState; n: number }>(
      "SELECT state, n FROM order_counts WHERE queue = ?",
      queue,
    );
    const counted: OrderCounts = {
      ...noOrders,
      ...Object.fromEntries(found.map(({ state, n }) => [state, n])),
    };
    return { queue, counts: counted };
  });
  const configs = needs.configs.flatMap((queue) => {
    const found = db.get<{ config: string }>("SELECT config FROM queue_configs WHERE queue = ?", queue);
    return found === undefined ? [] : [{ queue, config: JSON.parse(found.config) as QueueConfig }];
  });
  return { lanes, fronts, counts, configs };
}

function loadLines(
  db: Connection,
  needs: Needs,
  keep: (sql: string, ...values: readonly (string | number)[]) => string[],
): Pick<Loaded, "limitKeys"> {
  const states = new Map<string, LimitKeyState>();
  const load = (queue: string, key: string, rows: number): void => {
    const found = db.get<{ admitted: number; arrival_at: number }>(
      "SELECT admitted, arrival_at FROM order_limit_keys WHERE queue = ? AND limit_key = ?",
      queue,
      key,
    );
    const { admitted, arrival_at: arrivalAt } = found ?? { admitted: 0, arrival_at: 0 };
    states.set(`${queue}\0${key}`, { queue, key, admitted, arrivalAt });
    const line = `SELECT ${orderColumnNames} FROM orders WHERE queue = ? AND limit_key = ? AND waits =`;
    keep(`${line} 'limit' ORDER BY priority DESC, turn, created_at, id LIMIT ?`, queue, key, rows);
    keep(`${line} 'room' ORDER BY priority, turn DESC, created_at DESC, id DESC LIMIT ?`, queue, key, rows);
    keep(`${line} 'time' AND due_at > run_at LIMIT ?`, queue, key, rows);
  };
  for (const { queue, key, rows } of needs.limitKeys) {
    if (key !== "*") load(queue, key, rows);
    else for (const name of keysInLine(db, queue, rows)) load(queue, name, spareRows);
  }
  return { limitKeys: [...states.values()] };
}

/** Limit keys of a queue that have waiting orders, by one look at the index each. */
function keysInLine(db: Connection, queue: string, most: number): readonly string[] {
  const keys: string[] = [];
  for (let last = ""; keys.length < most;) {
    const next = db.get<{ limit_key: string }>(
      `SELECT limit_key FROM orders WHERE queue = ? AND limit_key IS NOT NULL AND waits IS NOT NULL
       AND limit_key > ? ORDER BY limit_key LIMIT 1`,
      queue,
      last,
    );
    if (next === undefined) break;
    keys.push((last = next.limit_key));
  }
  return keys;
}

interface InboxRow {
  readonly position: number;
  readonly data: string;
}

const toInbox = ({ position, data }: InboxRow): { position: number; order: NewOrder } => ({
  position,
  order: JSON.parse(data) as NewOrder,
});

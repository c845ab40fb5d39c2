import { byCodePoints } from "../../core/index.ts";
import type { OrderCounts, OrderRecord, OrderState, OrderStore, QueueConfig } from "../order-records.ts";
import { type OrderCells, orderColumnNames, toOrderRow } from "../order-rows.ts";
import { byRank, isFinished, toRecord } from "../orders/row.ts";
import { all, arrays, type Dialect, one, type Program } from "./program.ts";
import { orderHistory } from "./order-history.ts";
import { inboxHead, inboxPage, inboxSize, inInbox } from "./order-inbox-reads.ts";
import type { Sql } from "./write-context.ts";

export const noOrders: OrderCounts = {
  PENDING: 0,
  PREPARING: 0,
  RUNNING: 0,
  WAITING_RETRY: 0,
  COMPLETED: 0,
  FAILED: 0,
  CANCELLED: 0,
};

const states = Object.keys(noOrders) as readonly OrderState[];
const select = `SELECT ${orderColumnNames} FROM orders`;

/** What may be asked about work orders, in the part of SQL that every database shares. */
export function sqlOrderReads(
  sql: Sql,
  dialect: Dialect,
  now: () => number,
): Pick<
  OrderStore,
  | "get"
  | "list"
  | "waiting"
  | "history"
  | "orphans"
  | "holders"
  | "nextDue"
  | "counts"
  | "untaken"
  | "behind"
  | "oldestDue"
  | "queues"
  | "config"
> {
  return {
    get: (id) => sql.read(() => order(id, now())),
    list: ({ queue, states: wanted = states, limit, after = "" }) =>
      sql.read(() => list(queue, wanted, limit, after, now())),
    waiting: (queue, limit) => sql.read(() => waiting(queue, limit, now())),
    history: (id) => sql.read(() => orderHistory(id, dialect)),
    orphans: (queue, workers = []) => sql.read(() => orphans(queue, workers, now())),
    holders: (queue) =>
      sql.read(function* () {
        const found = yield* all<{ readonly worker: string | null }>(
          "SELECT DISTINCT worker FROM orders WHERE queue = ? AND lease_until IS NOT NULL ORDER BY worker",
          queue,
        );
        return found.flatMap(({ worker }) => (worker === null ? [] : [worker]));
      }),
    nextDue: (queue, after) =>
      sql.read(function* () {
        const found = yield* one<{ readonly at: number }>(
          `SELECT due_at AS at FROM orders WHERE queue = ? AND due_at IS NOT NULL AND due_at > ?
           ORDER BY due_at LIMIT 1`,
          queue,
          after ?? now(),
        );
        return found?.at;
      }),
    counts: (queue) => sql.read(() => counts(queue)),
    behind: (queue, limitKey, most) =>
      sql.read(function* () {
        const found = yield* one<{ readonly n: number }>(
          `SELECT count(*) AS n FROM (
             SELECT 1 FROM orders WHERE queue = ? AND limit_key = ? AND waits = 'limit' LIMIT ?) AS line`,
          queue,
          limitKey,
          most,
        );
        return Number(found?.n ?? 0);
      }),
    untaken: (queue) => sql.read(() => inboxSize(queue)),
    oldestDue: (queue) => sql.read(() => oldestDue(queue, now())),
    queues: () =>
      sql.read(function* () {
        const found = yield* all<{ readonly queue: string }>(
          `SELECT queue FROM order_counts UNION SELECT queue FROM queue_configs UNION
           SELECT queue FROM order_inbox ORDER BY queue`,
        );
        return found.map(({ queue }) => queue);
      }),
    config: (queue) =>
      sql.read(function* () {
        const found = yield* one<{ readonly config: string }>(
          "SELECT config FROM queue_configs WHERE queue = ?",
          queue,
        );
        return found === undefined
          ? { limits: {}, paused: false, weights: {} }
          : (JSON.parse(found.config) as QueueConfig);
      }),
  };
}

function* records(text: string, ...values: readonly (string | number)[]): Program<readonly OrderRecord[]> {
  return (yield* arrays<OrderCells>(text, ...values)).map((cells) => toRecord(toOrderRow(cells)));
}

function* order(id: string, now: number): Program<OrderRecord | undefined> {
  const ofOrders = `${select} WHERE id = ?`;
  const [found] = yield* records(ofOrders, id);
  if (found !== undefined) return found;
  const handedIn = yield* inInbox(id, now);
  // Taken up between the two looks, it is an order at the second one.
  return handedIn === undefined ? (yield* records(ofOrders, id))[0] : toRecord(handedIn);
}

/** One short index walk per state, merged: a rare state is found without passing a million others. */
function* list(
  queue: string,
  wanted: readonly OrderState[],
  limit: number,
  after: string,
  now: number,
): Program<readonly OrderRecord[]> {
  // Before the orders: what is taken up between the two looks is then seen by both, not by neither.
  const handedIn = wanted.includes("PENDING") ? yield* inboxPage(queue, after, limit, now) : [];
  const found: OrderRecord[] = [];
  for (const state of new Set(wanted)) {
    const where = isFinished(state)
      ? "ended_at IS NOT NULL"
      : state === "PENDING"
        ? "waits IS NOT NULL"
        : state === "WAITING_RETRY"
          ? "state = 'WAITING_RETRY'"
          : "lease_until IS NOT NULL";
    found.push(
      ...(yield* records(
        `${select} WHERE queue = ? AND ${where} AND state = ? AND id > ? ORDER BY id LIMIT ?`,
        queue,
        state,
        after,
        limit,
      )),
    );
  }
  const stored = new Set(handedIn.length === 0 ? [] : found.map(({ id }) => id));
  found.push(...handedIn.filter(({ id }) => !stored.has(id)).map(toRecord));
  return found.sort((a, b) => byCodePoints(a.id, b.id)).slice(0, limit);
}

interface Group {
  readonly kind: string;
  readonly tags: string;
  readonly size_class: number;
}

/** Every kind, tags and size class that has orders waiting for room, by one look at the index each. */
function* groups(queue: string): Program<readonly Group[]> {
  const found: Group[] = [];
  for (let last: Group = { kind: "", tags: "", size_class: -1 }; ;) {
    const next: Group | undefined = yield* one<Group>(
      `SELECT kind, tags, size_class FROM orders WHERE waits = 'room' AND queue = ?
       AND (kind, tags, size_class) > (?, ?, ?) ORDER BY kind, tags, size_class LIMIT 1`,
      queue,
      last.kind,
      last.tags,
      last.size_class,
    );
    if (next === undefined) return found;
    found.push((last = next));
  }
}

function* waiting(queue: string, limit: number, now: number): Program<readonly OrderRecord[]> {
  const handedIn = yield* inboxHead(queue, limit, now);
  const found: OrderCells[] = [];
  for (const { kind, tags, size_class } of yield* groups(queue)) {
    found.push(
      ...(yield* arrays<OrderCells>(
        `${select} WHERE waits = 'room' AND queue = ? AND kind = ? AND tags = ? AND size_class = ?
         ORDER BY priority DESC, turn, created_at, id LIMIT ?`,
        queue,
        kind,
        tags,
        size_class,
        limit,
      )),
    );
  }
  const rows = found.map(toOrderRow);
  const stored = new Set(handedIn.length === 0 ? [] : rows.map(({ id }) => id));
  rows.push(...handedIn.filter(({ id }) => !stored.has(id)));
  return rows.sort(byRank).slice(0, limit).map(toRecord);
}

/** Looked at of each group and priority: by their turns, the one that waits longest stands among the first. */
const heads = 50;

/**
 * Exact where tenants do not compete; else as near as the heads of the lines tell. An index by age would cost every
 * order two writes for a figure that is read once in a while.
 */
function* oldestDue(queue: string, now: number): Program<number | undefined> {
  let oldest: number | undefined;
  for (const { runAt, createdAt } of yield* inboxHead(queue, heads, now)) {
    const since = Math.max(runAt, createdAt);
    if (oldest === undefined || since < oldest) oldest = since;
  }
  for (const { kind, tags, size_class } of yield* groups(queue)) {
    for (let below = Number.MAX_SAFE_INTEGER; ;) {
      const found: readonly {
        readonly priority: number;
        readonly run_at: number;
        readonly created_at: number;
      }[] = yield* all(
        `SELECT priority, run_at, created_at FROM orders WHERE waits = 'room' AND queue = ? AND kind = ? AND tags = ?
           AND size_class = ? AND priority < ? ORDER BY priority DESC, turn, created_at, id LIMIT ?`,
        queue,
        kind,
        tags,
        size_class,
        below,
        heads,
      );
      const first = found[0];
      if (first === undefined) break;
      for (const { priority, run_at, created_at } of found) {
        if (priority !== first.priority) continue;
        const since = Math.max(run_at, created_at);
        if (oldest === undefined || since < oldest) oldest = since;
      }
      below = first.priority;
    }
  }
  return oldest;
}

/** One statement: what is read one after the other may have been renewed in between. */
function* orphans(queue: string, workers: readonly string[], now: number): Program<readonly OrderRecord[]> {
  const dead = workers.length === 0 ? "" : ` OR worker IN (${workers.map(() => "?").join(", ")})`;
  return yield* records(
    `${select} WHERE queue = ? AND lease_until IS NOT NULL AND (lease_until < ?${dead}) ORDER BY id`,
    queue,
    now,
    ...workers,
  );
}

function* counts(queue: string): Program<OrderCounts> {
  const found = yield* all<{ readonly state: OrderState; readonly n: number }>(
    // One statement: what is taken up in between would count twice or not at all.
    `SELECT state, n FROM order_counts WHERE queue = ?
     UNION ALL SELECT 'PENDING', count(*) FROM order_inbox WHERE queue = ?`,
    queue,
    queue,
  );
  const counts: Record<OrderState, number> = { ...noOrders };
  for (const { state, n } of found) counts[state] += n;
  return counts;
}

import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { withPool } from "../service/pool.ts";
import { addressOf, places, readRecord, type ServersRecord } from "../settings.ts";

/** One line of the ledger: what the load was told is done. */
interface Accepted {
  readonly request: string;
  readonly total: string;
  readonly lines: number;
  readonly paid: boolean;
  readonly side: "old" | "new";
}

/** An order as the tables have it. */
interface Stored {
  readonly request: string;
  readonly total: string;
  readonly lines: number;
  readonly payments: number;
  readonly tasks: number;
}

/** What became of everything that was accepted, from the ledger and the tables: neither the tool nor the service is asked. */
export interface Account {
  readonly accepted: number;
  readonly bySide: { readonly old: number; readonly new: number };
  /** Accepted, and not there, or not there whole. */
  readonly lost: readonly string[];
  /** Paid or packed more than once. */
  readonly twice: readonly string[];
  readonly packed: number;
  /** Tasks that never ended. */
  readonly open: number;
}

const tables = {
  old: {
    orders: `SELECT o.request, o.total::text AS total, coalesce(i.lines, 0)::int AS lines, coalesce(p.payments, 0)::int AS payments, coalesce(t.tasks, 0)::int AS tasks
      FROM shop.orders o LEFT JOIN (SELECT order_id, count(*) AS lines FROM shop.items GROUP BY 1) i ON i.order_id = o.id
      LEFT JOIN (SELECT order_id, count(*) AS payments FROM shop.events WHERE kind = 'payment' AND amount IS NOT NULL GROUP BY 1) p ON p.order_id = o.id
      LEFT JOIN (SELECT order_id, count(*) AS tasks FROM shop.tasks GROUP BY 1) t ON t.order_id = o.id`,
    packed:
      "SELECT body->>'task' AS task, count(*)::int AS times FROM shop.events WHERE kind = 'packed' GROUP BY 1",
    open: "SELECT count(*)::int AS open FROM shop.tasks WHERE state IN ('queued', 'running')",
    done: `SELECT id::text AS task FROM shop.tasks t WHERE state = 'ok' AND order_id IN (SELECT id FROM shop.orders WHERE request NOT LIKE 'seed-%')`,
  },
  new: {
    orders: `SELECT o.request, o.total::text AS total, coalesce(i.lines, 0)::int AS lines, coalesce(p.payments, 0)::int AS payments, coalesce(t.tasks, 0)::int AS tasks
      FROM sales.orders o LEFT JOIN (SELECT order_id, count(*) AS lines FROM sales.items GROUP BY 1) i ON i.order_id = o.id
      LEFT JOIN (SELECT order_id, count(*) AS payments FROM sales.payments GROUP BY 1) p ON p.order_id = o.id
      LEFT JOIN (SELECT order_id, count(*) AS tasks FROM sales.tasks GROUP BY 1) t ON t.order_id = o.id`,
    packed:
      "SELECT body->>'task' AS task, count(*)::int AS times FROM sales.events WHERE kind = 'packed' GROUP BY 1",
    open: "SELECT count(*)::int AS open FROM sales.tasks WHERE status IN ('ready', 'running')",
    done: `SELECT id::text AS task FROM sales.tasks t WHERE status = 'done' AND order_id IN (SELECT id FROM sales.orders WHERE request NOT LIKE 'seed-%')`,
  },
} as const;

const address = (dir: string, side: "old" | "new"): string => {
  const servers = readRecord<ServersRecord>(places(dir).servers) as ServersRecord;
  return addressOf(servers[side], side === "old" ? "shop" : "sales");
};

/** Waits until no task is left, for at most half a minute. */
export async function drained(dir: string, side: "old" | "new"): Promise<void> {
  await withPool(address(dir, side), async (pool) => {
    for (let i = 0; i < 150; i++) {
      const { rows } = await pool.query(tables[side].open);
      if (rows[0]?.["open"] === 0) return;
      await wait(200);
    }
  });
}

export async function settleAccount(dir: string, side: "old" | "new"): Promise<Account> {
  const ledger = readFileSync(places(dir).accepted, "utf8");
  // A last line that is cut off was written by somebody who was killed.
  const accepted = ledger
    .slice(0, ledger.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Accepted);
  return await withPool(address(dir, side), async (pool) => {
    const sql = tables[side];
    const stored = (await pool.query(sql.orders)).rows as unknown as readonly Stored[];
    const packed = (await pool.query(sql.packed)).rows as unknown as readonly {
      readonly task: string;
      readonly times: number;
    }[];
    const done = (await pool.query(sql.done)).rows as unknown as readonly { readonly task: string }[];
    const open = (await pool.query(sql.open)).rows[0]?.["open"] as number;
    const byRequest = new Map(stored.map((order) => [order.request, order]));
    const documents = new Set(packed.map(({ task }) => task));
    const lost = [
      ...accepted
        .filter((order) => !isWhole(order, byRequest.get(order.request)))
        .map(({ request }) => request),
      // Its end and its document are one transaction.
      ...done.filter(({ task }) => !documents.has(task)).map(({ task }) => `document of task ${task}`),
    ];
    const twice = [
      ...stored.filter(({ payments, tasks }) => payments > 1 || tasks > 1).map(({ request }) => request),
      ...packed.filter(({ times }) => times > 1).map(({ task }) => `task ${task}`),
    ];
    const count = (which: string): number => accepted.filter((order) => order.side === which).length;
    return {
      accepted: accepted.length,
      bySide: { old: count("old"), new: count("new") },
      lost,
      twice,
      packed: packed.length,
      open,
    };
  });
}

function isWhole(order: Accepted, found: Stored | undefined): boolean {
  if (found === undefined || found.total !== order.total || found.lines !== order.lines) return false;
  return !order.paid || (found.payments === 1 && found.tasks === 1);
}

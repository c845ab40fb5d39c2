import type { Differing } from "../replayed-rows.ts";
import type { ExpectedOrders } from "../sqlite/expected-orders.ts";
import { all, type Program } from "./program.ts";
import type { Sql } from "./write-context.ts";

/** Figures that are kept with every change, and what the rows come to: each of those is read from an index of its own. */
const figures = [
  "SELECT 'order_counts' AS kept_in, queue, state AS name, n AS kept, 0 AS counted FROM order_counts",
  "SELECT 'order_counts', queue, 'PENDING', 0, count(*) FROM orders WHERE waits IS NOT NULL GROUP BY queue",
  "SELECT 'order_counts', queue, state, 0, count(*) FROM orders WHERE ended_at IS NOT NULL GROUP BY queue, state",
  "SELECT 'order_counts', queue, state, 0, count(*) FROM orders WHERE lease_until IS NOT NULL GROUP BY queue, state",
  "SELECT 'order_counts', queue, state, 0, count(*) FROM orders WHERE state = 'WAITING_RETRY' GROUP BY queue, state",
  "SELECT 'order_limit_keys', queue, limit_key, admitted, 0 FROM order_limit_keys",
  `SELECT 'order_limit_keys', queue, limit_key, 0, count(*) FROM orders WHERE limit_key IS NOT NULL AND waits IS NOT NULL
     AND (waits = 'room' OR waits = 'time' AND due_at > run_at) GROUP BY queue, limit_key`,
  `SELECT 'order_limit_keys', queue, limit_key, 0, count(*) FROM orders WHERE limit_key IS NOT NULL AND lease_until IS NOT NULL
     GROUP BY queue, limit_key`,
].join(" UNION ALL ");

const names = {
  order_counts: { name: "state", column: "n" },
  order_limit_keys: { name: "limit_key", column: "admitted" },
} as const;

interface Figure {
  readonly newest: number;
  readonly kept_in: keyof typeof names;
  readonly queue: string;
  readonly name: string;
  readonly kept: number;
  readonly counted: number;
}

/** Holds what is kept of queues as a whole: counts and admissions against the rows, which have been compared, and configurations. */
export class OrderFigures {
  readonly #sql: Sql;
  readonly #follow: (newest: number) => Promise<ExpectedOrders>;

  /** @param follow what the events up to a position make of the orders */
  constructor(sql: Sql, follow: (newest: number) => Promise<ExpectedOrders>) {
    this.#sql = sql;
    this.#follow = follow;
  }

  async compare(): Promise<Differing | undefined> {
    return (await this.#sql.read(differingFigure)) ?? (await this.#differingConfig());
  }

  async #differingConfig(): Promise<Differing | undefined> {
    const rows = await this.#sql.read(() =>
      all<{ readonly newest: number; readonly queue: string | null; readonly config: string }>(
        "SELECT h.seq AS newest, q.queue, q.config FROM chain_head h LEFT JOIN queue_configs q ON 1 = 1",
      ),
    );
    const newest = rows[0]?.newest ?? 0;
    const found = new Map(rows.flatMap(({ queue, config }) => (queue === null ? [] : [[queue, config]])));
    for (const { queue, config } of (await this.#follow(newest)).configs()) {
      const had = found.get(queue);
      found.delete(queue);
      if (had === config) continue;
      const row = { table: "queue_configs", key: { queue } };
      if (had === undefined)
        return { brokenAt: newest, row: { ...row, column: null, expected: "a row", found: null } };
      return { brokenAt: newest, row: { ...row, column: "config", expected: config, found: had } };
    }
    const [stray] = found.keys();
    if (stray === undefined) return undefined;
    const row = {
      table: "queue_configs",
      key: { queue: stray },
      column: null,
      expected: null,
      found: "a row",
    };
    return { brokenAt: newest, row };
  }
}

/** One statement: no commit comes between the figures and the rows. */
function* differingFigure(): Program<Differing | undefined> {
  const [first] = yield* all<Figure>(
    `SELECT h.seq AS newest, f.kept_in, f.queue, f.name, f.kept, f.counted FROM chain_head h JOIN (
       SELECT kept_in, queue, name, CAST(sum(kept) AS bigint) AS kept, CAST(sum(counted) AS bigint) AS counted
       FROM (${figures}) AS figure GROUP BY kept_in, queue, name) AS f ON f.kept <> f.counted
     ORDER BY f.kept_in, f.queue, f.name LIMIT 1`,
  );
  if (first === undefined) return undefined;
  const { newest, kept_in: table, counted, kept } = first;
  const { name, column } = names[table];
  const key = { queue: first.queue, [name]: first.name };
  return { brokenAt: newest, row: { table, key, column, expected: counted, found: kept } };
}

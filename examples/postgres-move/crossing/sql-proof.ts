import { CutoverError, type Step, type StepContext, step } from "cutover";
import { withPool } from "../service/pool.ts";
import { addresses } from "./addresses.ts";
import { mappingInSql } from "./checks.ts";

/**
 * Old and new rows, each as one hash of its columns as the new shop has them. The old side is mapped in SQL alone, so that nothing of
 * what moved the rows is believed. `late`: written by the new shop itself, after `$1`.
 */
const tables: Readonly<Record<string, { readonly old: string; readonly new: string }>> = {
  orders: {
    old: "SELECT id::text, md5(ROW(id, request, customer, pg_temp.new_status(state), total, note, created, updated)::text) AS hash FROM shop.orders",
    new: "SELECT id::text, md5(ROW(id, request, customer_name, status, total, note, placed_at, updated_at)::text) AS hash, updated_at > $1 AS late FROM sales.orders",
  },
  items: {
    old: "SELECT order_id || '/' || line AS id, md5(ROW(order_id, line, sku, quantity, price)::text) AS hash FROM shop.items",
    new: `SELECT i.order_id || '/' || i.line AS id, md5(ROW(i.order_id, i.line, i.sku, i.quantity, i.unit_price)::text) AS hash, o.placed_at > $1 AS late
      FROM sales.items i JOIN sales.orders o ON o.id = i.order_id`,
  },
  payments: {
    old: "SELECT id::text, md5(ROW(id, order_id, amount, attachment, body, at)::text) AS hash FROM shop.events WHERE kind = 'payment'",
    new: "SELECT id::text, md5(ROW(id, order_id, amount, receipt, body, at)::text) AS hash, at > $1 AS late FROM sales.payments",
  },
  events: {
    // An amount where none belongs is in quarantine.
    old: "SELECT id::text, md5(ROW(id, order_id, kind, attachment, body, at)::text) AS hash FROM shop.events WHERE kind <> 'payment' AND amount IS NULL",
    new: "SELECT id::text, md5(ROW(id, order_id, kind, attachment, body, at)::text) AS hash, at > $1 AS late FROM sales.events",
  },
  tasks: {
    old: "SELECT id::text, md5(ROW(id, order_id, pg_temp.new_task_status(state), attempt, updated)::text) AS hash FROM shop.tasks",
    new: "SELECT id::text, md5(ROW(id, order_id, status, attempt, updated_at)::text) AS hash, updated_at > $1 AS late FROM sales.tasks",
  },
};

interface Hashed {
  readonly id: string;
  readonly hash: string;
  readonly late?: boolean;
}

/**
 * Compares both shops once more by SQL alone, as they were at the turn: the old one is fenced and stands still, and of the new one what
 * was written since is told by its times. (Both clocks are of one machine here; else they would have to be closer than the pause.)
 */
export function compareInSql(dir: string): Step {
  return step("compare-in-sql", {
    summary: "compares both shops by SQL, mapped by status.sql",
    estimate: "2s",
    timeout: "2m",
    run: (context) => compare(context, dir),
    // It only reads.
    rollback: () => Promise.resolve(),
  });
}

async function compare(context: StepContext, dir: string): Promise<{ readonly note: string }> {
  const { oldShop, newShop } = addresses(dir);
  const differences: string[] = [];
  let [equal, since] = [0, 0];
  await withPool(oldShop, (old) =>
    withPool(newShop, async (young) => {
      await old.query("SET timezone = 'UTC'");
      await young.query("SET timezone = 'UTC'");
      await old.query(mappingInSql);
      const last = await old.query(
        `SELECT greatest((SELECT max(updated) FROM shop.orders), (SELECT max(updated) FROM shop.tasks), (SELECT max(at) FROM shop.events))::text AS at`,
      );
      const at = last.rows[0]?.["at"];
      for (const [table, sql] of Object.entries(tables)) {
        const before = (await old.query(sql.old)).rows as unknown as readonly Hashed[];
        const after = (await young.query(sql.new, [at])).rows as unknown as readonly Hashed[];
        const byId = new Map(after.map((row) => [row.id, row]));
        for (const { id, hash } of before) {
          const row = byId.get(id);
          byId.delete(id);
          if (row?.hash === hash) equal++;
          else if (row?.late === true) since++;
          else differences.push(`${table} ${id}: ${row === undefined ? "missing" : "different"}`);
        }
        for (const { id, late } of byId.values())
          if (late === true) since++;
          else differences.push(`${table} ${id}: there is no such row in the old shop`);
      }
    }),
  );
  await context.evidence("compared in SQL", { equal, since, differences: differences.slice(0, 20) });
  if (differences.length > 0)
    throw new CutoverError("CUTOVER_DATA_DIFFERS", {
      message: `expected both shops to be equal by SQL too, found ${differences.length} differences: ${differences[0] ?? ""}`,
      details: { differences: differences.slice(0, 20) },
    });
  return { note: `${equal} rows equal by SQL · ${since} written in the new shop since` };
}

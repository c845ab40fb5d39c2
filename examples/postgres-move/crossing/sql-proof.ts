import { CutoverError, type Step, type StepContext, step } from "cutover";
import { withPool } from "../service/pool.ts";
import { addresses } from "./addresses.ts";
import { mappingInSql } from "./checks.ts";

/**
 * Old and new rows, each as one hash of its columns as the new shop has them. The old side is mapped in SQL alone, so that nothing of
 * what moved the rows is believed. `late`: written after `$1`.
 */
const tables: Readonly<Record<string, { readonly old: string; readonly new: string }>> = {
  orders: {
    old: "SELECT id::text, md5(ROW(id, request, customer, pg_temp.new_status(state), total, note, created, updated)::text) AS hash, updated > $1 AS late FROM shop.orders",
    new: "SELECT id::text, md5(ROW(id, request, customer_name, status, total, note, placed_at, updated_at)::text) AS hash, updated_at > $1 AS late FROM sales.orders",
  },
  items: {
    old: `SELECT i.order_id || '/' || i.line AS id, md5(ROW(i.order_id, i.line, i.sku, i.quantity, i.price)::text) AS hash, o.created > $1 AS late
      FROM shop.items i JOIN shop.orders o ON o.id = i.order_id`,
    new: `SELECT i.order_id || '/' || i.line AS id, md5(ROW(i.order_id, i.line, i.sku, i.quantity, i.unit_price)::text) AS hash, o.placed_at > $1 AS late
      FROM sales.items i JOIN sales.orders o ON o.id = i.order_id`,
  },
  payments: {
    old: "SELECT id::text, md5(ROW(id, order_id, amount, attachment, body, at)::text) AS hash, at > $1 AS late FROM shop.events WHERE kind = 'payment'",
    new: "SELECT id::text, md5(ROW(id, order_id, amount, receipt, body, at)::text) AS hash, at > $1 AS late FROM sales.payments",
  },
  events: {
    // An amount where none belongs is in quarantine.
    old: "SELECT id::text, md5(ROW(id, order_id, kind, attachment, body, at)::text) AS hash, at > $1 AS late FROM shop.events WHERE kind <> 'payment' AND amount IS NULL",
    new: "SELECT id::text, md5(ROW(id, order_id, kind, attachment, body, at)::text) AS hash, at > $1 AS late FROM sales.events",
  },
  tasks: {
    old: "SELECT id::text, md5(ROW(id, order_id, pg_temp.new_task_status(state), attempt, updated)::text) AS hash, updated > $1 AS late FROM shop.tasks",
    new: "SELECT id::text, md5(ROW(id, order_id, status, attempt, updated_at)::text) AS hash, updated_at > $1 AS late FROM sales.tasks",
  },
};
/** When a side was written to last. */
const last = {
  old: "SELECT greatest((SELECT max(updated) FROM shop.orders), (SELECT max(updated) FROM shop.tasks), (SELECT max(at) FROM shop.events))::text AS at",
  new: "SELECT greatest((SELECT max(updated_at) FROM sales.orders), (SELECT max(updated_at) FROM sales.tasks), (SELECT max(at) FROM sales.events), (SELECT max(at) FROM sales.payments))::text AS at",
} as const;

interface Hashed {
  readonly id: string;
  readonly hash: string;
  readonly late: boolean;
}

type Side = "old" | "new";

/**
 * Compares both shops once more by SQL alone, as they were at the turn: the side that is left is fenced and stands still, and of the
 * other one what was written since is told by its times. (Both clocks are of one machine here; else they would have to be closer
 * than the pause.)
 */
export function compareInSql(dir: string): Step {
  return step("compare-in-sql", {
    summary: "compares both shops by SQL, mapped by status.sql",
    estimate: "2s",
    timeout: "2m",
    run: (context) => compare(context, dir, "old"),
    // It only reads.
    rollback: () => Promise.resolve(),
  });
}

/** The same on the way back, where it stands in front of the cutover: it is taken back right after the old shop is in charge again. */
export function compareBackInSql(dir: string): Step {
  return step("compare-back-in-sql", {
    summary: "on the way back, compares both shops by SQL",
    estimate: "0s",
    timeout: "2m",
    run: () => Promise.resolve({ note: "nothing to compare on the way there" }),
    rollback: async (context) => {
      await compare(context, dir, "new");
    },
  });
}

async function compare(context: StepContext, dir: string, still: Side): Promise<{ readonly note: string }> {
  const { oldShop, newShop } = addresses(dir);
  const differences: string[] = [];
  let [equal, since] = [0, 0];
  await withPool(oldShop, (old) =>
    withPool(newShop, async (young) => {
      const sides = { old, new: young };
      for (const pool of [old, young]) await pool.query("SET timezone = 'UTC'");
      await old.query(mappingInSql);
      const at = (await sides[still].query(last[still])).rows[0]?.["at"];
      const goesOn = still === "old" ? "new" : "old";
      for (const [table, sql] of Object.entries(tables)) {
        const read = async (side: Side): Promise<readonly Hashed[]> =>
          (await sides[side].query(sql[side], [at])).rows as unknown as readonly Hashed[];
        const before = await read(still);
        const byId = new Map((await read(goesOn)).map((row) => [row.id, row]));
        for (const { id, hash } of before) {
          const row = byId.get(id);
          byId.delete(id);
          if (row?.hash === hash) equal++;
          else if (row?.late === true) since++;
          else differences.push(`${table} ${id}: ${row === undefined ? "missing" : "different"}`);
        }
        for (const { id, late } of byId.values())
          if (late) since++;
          else differences.push(`${table} ${id}: there is no such row in the ${still} shop`);
      }
    }),
  );
  await context.evidence(`compared in SQL, the ${still} shop at the turn`, {
    equal,
    since,
    differences: differences.slice(0, 20),
  });
  if (differences.length > 0)
    throw new CutoverError("CUTOVER_DATA_DIFFERS", {
      message: `expected both shops to be equal by SQL too, found ${differences.length} differences: ${differences[0] ?? ""}`,
      details: { differences: differences.slice(0, 20) },
    });
  return {
    note: `${equal} rows equal by SQL · ${since} written in the ${still === "old" ? "new" : "old"} shop since`,
  };
}

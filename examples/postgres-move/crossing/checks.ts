import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CutoverError, type CheckResult } from "cutover";
import { withPool } from "../service/pool.ts";
import { addresses } from "./addresses.ts";
import { health } from "./call-service.ts";
import { statusMap, taskMap } from "./status.ts";

/** Functions `pg_temp.new_status` and `pg_temp.new_task_status`, for a session of the old shop. */
export const mappingInSql: string = readFileSync(join(import.meta.dirname, "status.sql"), "utf8");

export async function serviceAnswers(dir: string): Promise<CheckResult> {
  const { side, epoch, running } = await health(dir);
  return { ok: true, note: `the service answers from the ${side} shop`, facts: { side, epoch, running } };
}

interface Found {
  readonly what: "order" | "task";
  readonly state: string;
  readonly becomes: string | null;
  readonly rows: number;
}

/**
 * Counts the states that are really there, and holds both mappings against each other, the one in TypeScript and the one in SQL.
 * @throws CUTOVER_DATA_UNMAPPED naming a state that one of them does not know; CUTOVER_DATA_DIFFERS where they differ
 */
export async function statusesAreMapped(dir: string): Promise<CheckResult> {
  const found = await withPool(addresses(dir).oldShop, async (pool) => {
    await pool.query(mappingInSql);
    const { rows } = await pool.query(
      `SELECT 'order' AS what, state, pg_temp.new_status(state) AS becomes, count(*)::int AS rows FROM shop.orders GROUP BY state
        UNION ALL SELECT 'task', state, pg_temp.new_task_status(state), count(*)::int FROM shop.tasks GROUP BY state
        UNION ALL SELECT 'order', s, pg_temp.new_status(s), 0 FROM unnest($1::text[]) s
        UNION ALL SELECT 'task', s, pg_temp.new_task_status(s), 0 FROM unnest($2::text[]) s`,
      [Object.keys(statusMap), Object.keys(taskMap)],
    );
    return rows as unknown as readonly Found[];
  });
  for (const { what, state, becomes, rows } of found) {
    const map: Readonly<Record<string, unknown>> = what === "order" ? statusMap : taskMap;
    const known = Object.hasOwn(map, state);
    if (!known || becomes === null)
      throw new CutoverError("CUTOVER_DATA_UNMAPPED", {
        message: `expected every state of an ${what === "order" ? "order" : "order's task"} to be mapped, found "${state}" in ${rows} rows, which ${known ? "status.sql" : "status.ts"} does not know`,
        details: { what, state, rows },
        remedy: "add it to crossing/status.ts and crossing/status.sql",
      });
    const ours = what === "order" ? statusMap[state] : (taskMap[state]?.becomes ?? "");
    if (ours === becomes) continue;
    throw new CutoverError("CUTOVER_DATA_DIFFERS", {
      message: `expected both mappings to agree on "${state}", found "${String(ours)}" in status.ts and "${becomes}" in status.sql`,
      details: { what, state },
    });
  }
  const real = found.filter(({ rows }) => rows > 0);
  const words = real.map(({ what, state, rows }) => `${rows} ${what === "task" ? "tasks " : ""}${state}`);
  return {
    ok: true,
    note: words.join(", "),
    facts: Object.fromEntries(real.map(({ what, state, rows }) => [`${what} ${state}`, rows])),
  };
}

const children = ["items", "events", "payments", "tasks"];

/** A move writes rows without asking foreign keys, as those of the old side held; here they are asked once more, of the new side. */
export async function foreignKeysHold(dir: string): Promise<CheckResult> {
  const orphans = await withPool(addresses(dir).newShop, async (pool) => {
    const { rows } = await pool.query(
      children
        .map(
          (table) =>
            `SELECT '${table}' AS table, count(*)::int AS rows FROM sales.${table} c WHERE NOT EXISTS (SELECT FROM sales.orders o WHERE o.id = c.order_id)`,
        )
        .join(" UNION ALL "),
    );
    return rows as unknown as readonly { readonly table: string; readonly rows: number }[];
  });
  const bad = orphans.filter(({ rows }) => rows > 0);
  const note = bad.map(({ table, rows }) => `${rows} rows of ${table} without their order`).join(", ");
  return { ok: bad.length === 0, note: note || "every row has its order" };
}

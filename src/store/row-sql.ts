import type { Columns, RowChange, RowValue, Table } from "./row-change.ts";

export interface Statement {
  readonly sql: string;
  readonly values: readonly RowValue[];
  /** Exactly one row must be changed. */
  readonly exact: boolean;
}

/** The columns of the key of each table. */
export const conflictKeys: Readonly<Record<Table, string>> = {
  runs: "id",
  run_graphs: "run",
  phases: "run, phase",
  steps: "run, step",
  evidence: "run, id",
  verdicts: "seq",
  approvals: "seq",
  incidents: "id",
  routes: "route",
  route_changes: "seq",
};

/**
 * A row change as SQL with `?` for values, in the part of the language that SQLite and PostgreSQL share. The text
 * depends on the shape alone, so a store can keep it prepared.
 */
export function rowSql(change: RowChange): Statement {
  const { table } = change;
  if (change.do === "insert") {
    const tail = change.ifNew === true ? ` ON CONFLICT (${conflictKeys[table]}) DO NOTHING` : "";
    return { sql: insertSql(table, change.row) + tail, values: Object.values(change.row), exact: false };
  }
  const expect = change.do === "update" ? (change.expect ?? {}) : change.expect;
  if (change.do === "update") {
    const where = [...Object.keys(change.key), ...Object.keys(expect)].map((name) => `${name} = ?`);
    const set = Object.keys(change.set).map((name) => `${name} = ?`);
    return {
      sql: `UPDATE ${table} SET ${set.join(", ")} WHERE ${where.join(" AND ")}`,
      values: [...Object.values(change.set), ...Object.values(change.key), ...Object.values(expect)],
      exact: change.expect !== undefined,
    };
  }
  const row = { ...change.key, ...change.initial, ...change.first, ...change.set };
  const set = [
    ...Object.keys(change.first).map((name) => `${name} = COALESCE(${table}.${name}, excluded.${name})`),
    ...Object.keys(change.set).map((name) => `${name} = excluded.${name}`),
  ];
  const where = Object.keys(expect).map((name) => `${table}.${name} = ?`);
  return {
    sql:
      `${insertSql(table, row)} ON CONFLICT (${conflictKeys[table]}) ` +
      `DO UPDATE SET ${set.join(", ")} WHERE ${where.join(" AND ")}`,
    values: [...Object.values(row), ...Object.values(expect)],
    exact: true,
  };
}

function insertSql(table: Table, row: Columns): string {
  const names = Object.keys(row);
  return `INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`;
}

import type { DatabaseSync } from "node:sqlite";
import type { Collection, Column } from "../connector.ts";

/** A table as far as moving it needs. Generated columns are left out: the other side makes them itself. */
export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Columns of the primary key in its order. */
  readonly key: readonly Column[];
  /** Columns of unique indexes beside the primary key: a REPLACE may remove rows by them without a trigger. */
  readonly unique: readonly (readonly string[])[];
  readonly problem: string | undefined;
}

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** What is ours in the file begins so. */
export const ownName = (name: string): boolean => name.toLowerCase().startsWith("cutover_");

export function readTables(db: DatabaseSync): ReadonlyMap<string, Table> {
  const rows = db
    .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name")
    .all();
  const names = rows.map(({ name }) => name as string);
  const utf8 = String(db.prepare("PRAGMA encoding").get()?.["encoding"]) === "UTF-8";
  return new Map(
    names
      .filter((name) => !ownName(name) && !name.startsWith("sqlite_"))
      .map((name) => [name, readTable(db, name, utf8)]),
  );
}

function readTable(db: DatabaseSync, name: string, utf8: boolean): Table {
  const info = db
    .prepare('SELECT name, type, pk, hidden, "notnull" AS strict FROM pragma_table_xinfo(?)')
    .all(name);
  const columns = info
    .filter(({ hidden }) => hidden === 0)
    .map((row): Column => ({
      name: row["name"] as string,
      type: row["type"] as string,
      key: row["pk"] as number,
      nullable: row["strict"] === 0,
    }));
  const key = columns.filter((column) => column.key > 0).toSorted((a, b) => a.key - b.key);
  const indexes = db.prepare('SELECT name, origin FROM pragma_index_list(?) WHERE "unique" = 1').all(name);
  const parts = (index: unknown): readonly Readonly<Record<string, unknown>>[] =>
    db.prepare('SELECT name, coll FROM pragma_index_xinfo(?) WHERE "key" = 1').all(index as string);
  const primary = indexes.filter(({ origin }) => origin === "pk").flatMap((index) => parts(index["name"]));
  const others = indexes.filter(({ origin }) => origin !== "pk").map((index) => parts(index["name"]));
  const collated = primary.find(({ coll }) => coll !== "BINARY");
  return {
    name,
    columns,
    key,
    unique: others.map((index) => index.map((part) => (part["name"] ?? "") as string)),
    problem: problemOf(db, name, {
      key,
      utf8,
      collated,
      expression: others.flat().some((part) => part["name"] === null),
    }),
  };
}

function problemOf(
  db: DatabaseSync,
  name: string,
  found: {
    readonly key: readonly Column[];
    readonly utf8: boolean;
    readonly collated: Readonly<Record<string, unknown>> | undefined;
    readonly expression: boolean;
  },
): string | undefined {
  const { key, utf8, collated, expression } = found;
  if (!utf8) return "text is kept as UTF-16, its order is not that of bytes";
  if (key.length === 0) return "it has no primary key";
  if (collated !== undefined)
    return `column "${String(collated["name"])}" of the primary key is compared by ${String(collated["coll"])}, not byte by byte`;
  if (expression)
    return "it has a unique index over an expression: REPLACE may remove rows that nothing tells of";
  // Only tables of INTEGER or WITHOUT ROWID refuse NULL in a primary key.
  for (const column of key) {
    const empty = db
      .prepare(`SELECT 1 FROM ${quoted(name)} WHERE ${quoted(column.name)} IS NULL LIMIT 1`)
      .get();
    if (empty !== undefined)
      return `column "${column.name}" of the primary key holds NULL, which names no row`;
  }
  return undefined;
}

export function collectionOf(db: DatabaseSync, table: Table): Collection {
  const { name, columns, problem } = table;
  const rows = db.prepare(`SELECT count(*) AS rows FROM ${quoted(name)}`).get()?.["rows"] as number;
  return { name, rows, columns, ...(problem === undefined ? {} : { problem }) };
}

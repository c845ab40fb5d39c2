import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { equalBytes } from "../bytes.ts";
import { rowRefused } from "../capture-refusals.ts";
import type { Change, ChunkLimit, Range, Row } from "../connector.ts";
import { giveBack } from "../huge-rows.ts";
import { decodeKey, encodeKey, type KeyValue } from "../key-codec.ts";
import { decodeRecord, encodeRecord, type RecordValue, TextBytes } from "../record-codec.ts";
import { quoted, type Table } from "./sqlite-schema.ts";

type Cell = null | bigint | number | Uint8Array;

/** Text is read as its bytes, and beside the columns their types: so invalid UTF-8 and empty text come back as they are. */
export const cellsOf = (columns: readonly string[]): string => {
  const cells = columns.map(
    (column) => `CASE typeof(${column}) WHEN 'text' THEN CAST(${column} AS BLOB) ELSE ${column} END`,
  );
  return [...cells, columns.map((column) => `substr(typeof(${column}),1,1)`).join("||")].join(", ");
};

const columnNames = ({ columns }: Table): readonly string[] => columns.map(({ name }) => quoted(name));

/** Cells and their types, as `cellsOf` selects them from column `from` on, as values. */
export function valuesOf(cells: readonly unknown[], from: number, count: number): RecordValue[] {
  const types = cells.at(-1);
  const known = typeof types === "string" ? types : Buffer.from(types as Uint8Array).toString();
  return Array.from({ length: count }, (_, index) => {
    const cell = cells[from + index] as Cell;
    if (known[index] === "t") return new TextBytes((cell ?? Buffer.alloc(0)) as Uint8Array);
    return known[index] === "b" ? ((cell ?? Buffer.alloc(0)) as Uint8Array) : cell;
  });
}

/** The key of a row, undefined when a column of it is NULL. */
export function keyOf(table: Table, values: readonly RecordValue[]): Uint8Array | undefined {
  const parts = table.key.map((column) => values[table.columns.indexOf(column)] ?? null);
  return parts.includes(null) || parts.some((part) => Number.isNaN(part) || typeof part === "boolean")
    ? undefined
    : encodeKey(parts as KeyValue[]);
}

const place = (value: RecordValue): string => (value instanceof TextBytes ? "CAST(? AS TEXT)" : "?");
const bound = (value: RecordValue): SQLInputValue =>
  value instanceof TextBytes ? value.bytes : (value as SQLInputValue);

/** Prepared once for each text, as long as the connection lives. */
export class Statements {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  get(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      statement.setReadBigInts(true);
      statement.setReturnArrays(true);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }
}

function condition(
  { key }: Table,
  range: Range,
): { readonly where: string; readonly values: readonly SQLInputValue[] } {
  const columns = key.map(({ name }) => quoted(name)).join(", ");
  const ends = [
    [">", range.after],
    ["<=", range.upTo],
  ] as const;
  const wheres: string[] = [];
  const values: SQLInputValue[] = [];
  for (const [sign, end] of ends) {
    if (end === undefined) continue;
    const parts = decodeKey(end);
    wheres.push(`(${columns}) ${sign} (${parts.map(place).join(", ")})`);
    values.push(...parts.map(bound));
  }
  return { where: wheres.length === 0 ? "" : ` WHERE ${wheres.join(" AND ")}`, values };
}

export function readRows(
  statements: Statements,
  table: Table,
  range: Range,
  limit: ChunkLimit,
): { readonly rows: readonly Row[]; readonly end: boolean } {
  const { where, values } = condition(table, range);
  const order = table.key.map(({ name }) => quoted(name)).join(", ");
  const sql = `SELECT ${cellsOf(columnNames(table))} FROM ${quoted(table.name)}${where} ORDER BY ${order}`;
  const rows: Row[] = [];
  let bytes = 0;
  for (const cells of statements.get(sql).iterate(...values)) {
    const decoded = valuesOf(cells as unknown as readonly unknown[], 0, table.columns.length);
    const key = keyOf(table, decoded);
    if (key === undefined)
      throw rowRefused(
        table.name,
        { collection: table.name, key: Buffer.alloc(0) },
        "its primary key holds NULL",
      );
    const value = encodeRecord(decoded);
    // They are ours alone, and in the record now.
    for (const cell of cells as unknown as readonly unknown[]) if (cell instanceof Uint8Array) giveBack(cell);
    bytes += key.length + value.length;
    if (rows.length >= limit.rows || (bytes > limit.bytes && rows.length > 0)) {
      giveBack(value);
      return { rows, end: false };
    }
    rows.push({ key, value });
    // Full: to see whether more lies behind would read a row that is thrown away, and one row may be huge.
    if (bytes >= limit.bytes) return { rows, end: false };
  }
  return { rows, end: true };
}

export function countRows(statements: Statements, table: Table, range: Range): number {
  const { where, values } = condition(table, range);
  const [count] = statements
    .get(`SELECT count(*) FROM ${quoted(table.name)}${where}`)
    .get(...values) as unknown as [bigint];
  return Number(count);
}

export function getRow(statements: Statements, table: Table, key: Uint8Array): Uint8Array | undefined {
  const parts = decodeKey(key);
  if (parts.length !== table.key.length) return undefined;
  const where = table.key
    .map(({ name }, index) => `${quoted(name)} = ${place(parts[index] ?? null)}`)
    .join(" AND ");
  const sql = `SELECT ${cellsOf(columnNames(table))} FROM ${quoted(table.name)} WHERE ${where}`;
  const cells = statements.get(sql).get(...parts.map(bound)) as unknown as readonly unknown[] | undefined;
  return cells === undefined ? undefined : encodeRecord(valuesOf(cells, 0, table.columns.length));
}

/** What a change does to a table, checked; so that nothing is written before all of it is known to be sound. */
export interface RowWrite {
  readonly table: Table;
  readonly change: Change;
  /** Columns of the row, or of its key when it goes. */
  readonly values: readonly RecordValue[];
}

/** @throws CUTOVER_DATA_REFUSED when the row cannot be kept exactly */
export function checkedWrite(store: string, table: Table, change: Change): RowWrite {
  const refuse = (reason: string): Error => rowRefused(store, change, reason);
  const key = decodeKey(change.key);
  if (key.length !== table.key.length)
    throw refuse(`the key has ${key.length} columns, the table's ${table.key.length}`);
  if (change.value === null) return { table, change, values: key };
  const values = decodeRecord(change.value);
  if (values.length !== table.columns.length)
    throw refuse(`the row has ${values.length} columns, the table ${table.columns.length}`);
  for (const [index, value] of values.entries()) {
    const column = table.columns[index]?.name ?? "";
    if (typeof value === "boolean")
      throw refuse(`column "${column}": SQLite has no booleans; map it to 0n or 1n`);
    if (Number.isNaN(value)) throw refuse(`column "${column}": SQLite keeps NaN as NULL`);
  }
  const own = keyOf(table, values);
  if (own === undefined || !equalBytes(own, change.key))
    throw refuse("its key is not that of the columns of its value");
  return { table, change, values };
}

/** @throws CUTOVER_DATA_REFUSED for a constraint of the table */
export function writeRow(statements: Statements, store: string, { table, change, values }: RowWrite): void {
  const name = quoted(table.name);
  const keys = table.key.map((column) => quoted(column.name));
  let sql: string;
  if (change.value === null)
    sql = `DELETE FROM ${name} WHERE ${keys.map((key, index) => `${key} = ${place(values[index] ?? null)}`).join(" AND ")}`;
  else {
    const columns = columnNames(table);
    const rest = columns
      .filter((column) => !keys.includes(column))
      .map((column) => `${column} = excluded.${column}`);
    const then = rest.length === 0 ? "NOTHING" : `UPDATE SET ${rest.join(", ")}`;
    sql = `INSERT INTO ${name} (${columns.join(", ")}) VALUES (${values.map(place).join(", ")}) ON CONFLICT (${keys.join(", ")}) DO ${then}`;
  }
  try {
    statements.get(sql).run(...values.map(bound));
  } catch (error) {
    const constraint = 19;
    const mismatch = 20;
    const { errcode = 0, message } = error as Error & { readonly errcode?: number };
    if ((errcode & 0xff) === constraint || (errcode & 0xff) === mismatch)
      throw rowRefused(store, change, message);
    throw error;
  }
}

import type { DatabaseSync } from "node:sqlite";
import { CutoverError } from "../../core/index.ts";
import type { Statements } from "./sqlite-rows.ts";
import { quoted, type Table } from "./sqlite-schema.ts";

/** Said by the triggers when a writer is fenced off. */
export const fencedMessage = "cutover: this side takes no writes, a cutover has begun or is over";

export const formatVersion = 1;

/**
 * `cutover_session` has one row: `least` is the lowest epoch that may write, `writers` the epoch of all who say none.
 * `origin` and `epoch` are set by our own transactions and taken back before they commit: SQLite has one writer at a time,
 * so a trigger that sees them was fired by that transaction. An application needs no function and no setting of its own,
 * in whatever language it writes.
 */
export const ownTables: string = `
CREATE TABLE IF NOT EXISTS cutover_session (
  id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL, least INTEGER NOT NULL, writers INTEGER NOT NULL,
  pruned INTEGER NOT NULL, origin TEXT, epoch INTEGER);
INSERT OR IGNORE INTO cutover_session (id, format, least, writers, pruned) VALUES (1, ${formatVersion}, 0, 0, 0);
CREATE TABLE IF NOT EXISTS cutover_slots (name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cutover_jobs (job TEXT PRIMARY KEY, fence INTEGER NOT NULL, checkpoint BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cutover_own (collection TEXT, key BLOB, value BLOB NOT NULL, PRIMARY KEY (collection, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cutover_captured (name TEXT PRIMARY KEY, columns TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cutover_log (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, gone INTEGER NOT NULL, origin TEXT, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS cutover_replaced (tbl TEXT NOT NULL);
`;

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const trigger = (table: Table, what: string): string => quoted(`cutover_${what}_${table.name}`);
const now = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/** Columns without a type keep every value as it is. */
export function widen(
  db: DatabaseSync,
  table: "cutover_log" | "cutover_replaced",
  letter: string,
  width: number,
): void {
  const have = db
    .prepare("SELECT name FROM pragma_table_info(?)")
    .all(table)
    .map(({ name }) => name as string);
  for (let n = 1; n <= width; n++)
    if (!have.includes(`${letter}${n}`)) db.exec(`ALTER TABLE ${table} ADD COLUMN ${letter}${n}`);
}

const schemaOf = ({ columns }: Table): string =>
  JSON.stringify(columns.map(({ name, type, key }) => [name, type, key]));

/**
 * Refuses tables that are not as they were when their triggers were made. SQLite changes little of a table that is there: to change a
 * type, people make a new table, copy the rows, and give it the old name. Then the columns may well be the same, but nobody tells of
 * its changes any more.
 * @throws CUTOVER_DATA_SCHEMA_CHANGED
 */
export function checkCaptured(
  statements: Statements,
  tables: ReadonlyMap<string, Table>,
  store: string,
): void {
  const sql = `SELECT name, columns, EXISTS (SELECT 1 FROM sqlite_schema AS s WHERE s.type = 'trigger' AND s.tbl_name = c.name
    AND s.name = 'cutover_log_insert_' || c.name) FROM cutover_captured AS c`;
  for (const row of statements.get(sql).all()) {
    const [name, columns, told] = row as unknown as readonly [string, string, bigint];
    const table = tables.get(name);
    if (table !== undefined && schemaOf(table) === columns && told === 1n) continue;
    const found =
      table === undefined
        ? "no such table"
        : schemaOf(table) === columns
          ? "another table of that name, whose changes nobody tells of"
          : `others: ${table.columns.map((column) => `${column.name} ${column.type}`.trim()).join(", ")}`;
    throw new CutoverError("CUTOVER_DATA_SCHEMA_CHANGED", {
      message: `expected table "${name}" with the columns it was captured with, found ${found}`,
      place: store,
      details: { table: name },
    });
  }
}

/** Tables that are captured for another slot stay as they were: when they have changed since, both slots have to hear of it. */
export function captureTables(db: DatabaseSync, tables: readonly Table[]): void {
  const known = db.prepare("SELECT 1 FROM cutover_captured WHERE name = ?");
  const record = db.prepare("INSERT INTO cutover_captured (name, columns) VALUES (?, ?)");
  widen(db, "cutover_log", "c", Math.max(0, ...tables.map(({ columns }) => columns.length)));
  widen(db, "cutover_replaced", "k", Math.max(0, ...tables.map(({ key }) => key.length)));
  for (const table of tables) {
    if (known.get(table.name) !== undefined) continue;
    db.exec(logTriggers(table));
    record.run(table.name, schemaOf(table));
  }
}

export function endCapture(db: DatabaseSync): void {
  for (const { name } of db
    .prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'cutover\\_log%' ESCAPE '\\'",
    )
    .all())
    db.exec(`DROP TRIGGER ${quoted(name as string)}`);
  db.exec("DELETE FROM cutover_captured");
}

function logTriggers(table: Table): string {
  const name = quoted(table.name);
  const at = (column: { readonly name: string }): number =>
    table.columns.findIndex((found) => found.name === column.name) + 1;
  const insert = (gone: 0 | 1, row: "NEW" | "OLD"): string => {
    const columns = gone === 1 ? table.key : table.columns;
    const names = columns.map((column) => `c${at(column)}`).join(", ");
    const values = columns.map((column) => `${row}.${quoted(column.name)}`).join(", ");
    return `INSERT INTO cutover_log (tbl, gone, origin, at, ${names}) SELECT ${literal(table.name)}, ${gone}, origin, ${now}, ${values} FROM cutover_session;`;
  };
  const moved = table.key
    .map((column) => `OLD.${quoted(column.name)} IS NOT NEW.${quoted(column.name)}`)
    .join(" OR ");
  const [before, after] = replaced(table, at);
  return `
    ${before}
    CREATE TRIGGER IF NOT EXISTS ${trigger(table, "log_insert")} AFTER INSERT ON ${name} BEGIN ${after} ${insert(0, "NEW")} END;
    CREATE TRIGGER IF NOT EXISTS ${trigger(table, "log_delete")} AFTER DELETE ON ${name} BEGIN ${insert(1, "OLD")} END;
    CREATE TRIGGER IF NOT EXISTS ${trigger(table, "log_update")} AFTER UPDATE ON ${name} WHEN NOT (${moved}) BEGIN ${after} ${insert(0, "NEW")} END;
    CREATE TRIGGER IF NOT EXISTS ${trigger(table, "log_move")} AFTER UPDATE ON ${name} WHEN ${moved} BEGIN ${after} ${insert(1, "OLD")} ${insert(0, "NEW")} END;`;
}

/**
 * REPLACE removes rows that stand in its way by another unique index, and fires no trigger for them. So who stands in the
 * way is noted before, and who is gone is told of after.
 */
function replaced(
  table: Table,
  at: (column: { readonly name: string }) => number,
): readonly [string, string] {
  if (table.unique.length === 0) return ["", ""];
  const name = quoted(table.name);
  const keys = table.key.map((column) => quoted(column.name));
  const notes = keys.map((_, index) => `k${index + 1}`).join(", ");
  const same = table.unique
    .map(
      (columns) =>
        `(${columns.map((column) => `t.${quoted(column)} = NEW.${quoted(column)}`).join(" AND ")})`,
    )
    .join(" OR ");
  const note = `DELETE FROM cutover_replaced; INSERT INTO cutover_replaced (tbl, ${notes}) SELECT ${literal(table.name)}, ${keys.map((key) => `t.${key}`).join(", ")} FROM ${name} AS t WHERE ${same};`;
  const gone = `INSERT INTO cutover_log (tbl, gone, origin, at, ${table.key.map((column) => `c${at(column)}`).join(", ")})
    SELECT r.tbl, 1, s.origin, ${now}, ${table.key.map((_, index) => `r.k${index + 1}`).join(", ")} FROM cutover_replaced AS r, cutover_session AS s
    WHERE r.tbl = ${literal(table.name)} AND NOT EXISTS (SELECT 1 FROM ${name} AS t WHERE ${keys.map((key, index) => `t.${key} = r.k${index + 1}`).join(" AND ")});
    DELETE FROM cutover_replaced;`;
  return [
    `CREATE TRIGGER IF NOT EXISTS ${trigger(table, "log_note_insert")} BEFORE INSERT ON ${name} BEGIN ${note} END;
     CREATE TRIGGER IF NOT EXISTS ${trigger(table, "log_note_update")} BEFORE UPDATE ON ${name} BEGIN ${note} END;`,
    gone,
  ];
}

/** Triggers that refuse writers of older epochs, whoever they are. */
export function guardTables(db: DatabaseSync, tables: readonly Table[]): void {
  const refused = "(SELECT origin IS NULL AND coalesce(epoch, writers) < least FROM cutover_session)";
  for (const table of tables)
    for (const event of ["INSERT", "UPDATE", "DELETE"])
      db.exec(
        `CREATE TRIGGER IF NOT EXISTS ${trigger(table, `guard_${event.toLowerCase()}`)} BEFORE ${event} ON ${quoted(table.name)}
         WHEN ${refused} BEGIN SELECT RAISE(ABORT, ${literal(fencedMessage)}); END`,
      );
}

export function endGuard(db: DatabaseSync): void {
  for (const { name } of db
    .prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'cutover\\_guard%' ESCAPE '\\'",
    )
    .all())
    db.exec(`DROP TRIGGER ${quoted(name as string)}`);
}

import { project } from "./projection.ts";
import type { Columns, RowChange, RowValue, Table } from "./row-change.ts";
import { conflictKeys } from "./row-sql.ts";
import type { StoredEvent } from "./run-events.ts";

/** A row that is not what the events make of it; null where there is none, or no such value. */
export interface RowDifference {
  readonly table: string;
  /** The values of its key, by column. */
  readonly key: Readonly<Record<string, RowValue>>;
  /** The first column that differs; null where the whole row is missing, or one too many. */
  readonly column: string | null;
  readonly expected: RowValue;
  readonly found: RowValue;
}

/** A difference, and the event that its row tells of. */
export interface Differing {
  readonly brokenAt: number;
  readonly row: RowDifference;
}

interface Replayed {
  /** The newest event that changed it. */
  by: number;
  /** Of this replay alone, so that changes are made in place: a run may have 20,000 of them. */
  readonly columns: Record<string, RowValue>;
  /** True once the database turned out to have it. */
  met?: boolean;
}

/** Rows as a database gives them: numbers may come as text. */
export type FoundRow = Readonly<Record<string, RowValue>>;

/** The rows of some tables as events make them, in memory: what a database has can be held against them. */
export class ReplayedRows {
  readonly #tables: ReadonlyMap<Table, Map<string, Replayed>>;

  constructor(tables: readonly Table[]) {
    this.#tables = new Map(tables.map((table) => [table, new Map()]));
  }

  /** Changes the rows an event tells of; false when one was not as the event expects. Rows of other tables are left out. */
  apply(event: Pick<StoredEvent, "seq" | "at" | "stream" | "type" | "data">): boolean {
    for (const change of project(event)) {
      const rows = this.#tables.get(change.table);
      if (rows !== undefined && !applyTo(rows, change, event.seq)) return false;
    }
    return true;
  }

  /**
   * The first difference to what a database has, which is all of these tables.
   * @param newest the event up to which both were read: named for a row that no event tells of
   */
  difference(found: ReadonlyMap<string, readonly FoundRow[]>, newest: number): Differing | undefined {
    for (const [table, expected] of this.#tables) {
      let met = 0;
      for (const row of found.get(table) ?? []) {
        const here = expected.get(keyOf(table, row));
        if (here === undefined)
          return { brokenAt: newest, row: { ...whole(table, row), expected: null, found: "a row" } };
        here.met = true;
        met++;
        const column = firstDifferent(here.columns, row);
        if (column === undefined) continue;
        const [wanted = null, had = null] = [here.columns[column], row[column]];
        return { brokenAt: here.by, row: { ...whole(table, row), column, expected: wanted, found: had } };
      }
      if (met === expected.size) continue;
      for (const { by, columns, met: there } of expected.values())
        if (there !== true)
          return { brokenAt: by, row: { ...whole(table, columns), expected: "a row", found: null } };
    }
    return undefined;
  }
}

/** For people: where a row differs, and how. */
export function tellDifference({ table, key, column, expected, found }: RowDifference): string {
  const names = Object.entries(key).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  const row = `the row of ${table} with ${names.join(", ")}`;
  if (column !== null) return `${row} has ${column} ${shown(found)}, and the events tell ${shown(expected)}`;
  return expected === null ? `${row} comes from no event` : `${row} is missing`;
}

/** As much of a value as a line has room for. */
function shown(value: RowValue): string {
  const text = JSON.stringify(value);
  return text.length <= 120 ? text : `${text.slice(0, 120)}… (${text.length} characters)`;
}

/** Columns that only one of the two has count as empty in the other. */
function firstDifferent(expected: FoundRow, found: FoundRow): string | undefined {
  for (const name in found) if (!isSame(expected[name], found[name])) return name;
  for (const name in expected) if (!(name in found) && !isSame(expected[name])) return name;
  return undefined;
}

function applyTo(rows: Map<string, Replayed>, change: RowChange, seq: number): boolean {
  const { table } = change;
  if (change.do === "insert") {
    const id = keyOf(table, change.row);
    if (rows.has(id)) return change.ifNew === true;
    rows.set(id, { by: seq, columns: { ...change.row } });
    return true;
  }
  const expect = change.expect ?? {};
  if (change.do === "update") {
    let hit = 0;
    for (const row of matching(rows, table, change.key)) {
      if (!has(row.columns, expect)) continue;
      Object.assign(row.columns, change.set);
      row.by = seq;
      hit++;
    }
    return change.expect === undefined || hit === 1;
  }
  const [row] = matching(rows, table, change.key);
  if (row === undefined) {
    const columns = { ...change.key, ...change.initial, ...change.first, ...change.set };
    rows.set(keyOf(table, columns), { by: seq, columns });
    return true;
  }
  if (!has(row.columns, expect)) return false;
  for (const name in change.first) row.columns[name] ??= change.first[name] ?? null;
  Object.assign(row.columns, change.set);
  row.by = seq;
  return true;
}

/** By the key of the table, unless the change names its rows in another way. */
function matching(rows: ReadonlyMap<string, Replayed>, table: Table, key: Columns): readonly Replayed[] {
  const names = keyOfTable(table);
  let named = 0;
  for (const name of names) if (name in key) named++;
  if (named < names.length) return [...rows.values()].filter(({ columns }) => has(columns, key));
  const row = rows.get(keyOf(table, key));
  return row !== undefined && has(row.columns, key) ? [row] : [];
}

function has(row: FoundRow, wanted: Columns): boolean {
  for (const name in wanted) if (!isSame(row[name], wanted[name])) return false;
  return true;
}

/** A column that no event has named yet is empty. */
const isSame = (a: RowValue = null, b: RowValue = null): boolean =>
  a === b || (a !== null && b !== null && String(a) === String(b));

const keyColumns: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(conflictKeys).map(([table, names]) => [table, names.split(", ")]),
);
const keyOfTable = (table: Table): readonly string[] => keyColumns.get(table) ?? [];

/** Lengths between the values, so that no two keys are one text. */
function keyOf(table: Table, row: FoundRow): string {
  let key = "";
  for (const name of keyOfTable(table)) {
    const value = String(row[name]);
    key += `${value.length}:${value}`;
  }
  return key;
}

const whole = (table: Table, row: FoundRow): Pick<RowDifference, "table" | "key" | "column"> => ({
  table,
  key: Object.fromEntries(keyOfTable(table).map((name) => [name, row[name] ?? null])),
  column: null,
});

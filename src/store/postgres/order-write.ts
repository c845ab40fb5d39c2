import { canonicalJson } from "../../core/index.ts";
import { orderCell, orderColumns } from "../order-rows.ts";
import type { Writes } from "../orders/order-io.ts";
import type { OrderRow } from "../orders/row.ts";
import { changeBit, changedMembers, submittedAlike } from "../orders/changed-members.ts";
import type { SqlValue, Statement } from "../sql/program.ts";
import { jsonArray, jsonTexts, mostText, numberArray, textArray } from "./arrays.ts";
import { writtenTogether } from "./joined.ts";
import { newRows } from "./new-rows.ts";

type Column = (typeof orderColumns)[number];

const numeric: ReadonlySet<string> = new Set([
  "priority",
  "memory",
  "slots",
  "attempt",
  "max_retries",
  "timeout_ms",
  "run_at",
  "created_at",
  "started_at",
  "ended_at",
  "fence",
  "lease_until",
  "cancel_requested",
  "blocked_by",
  "crashes",
  "size_class",
  "turn",
  "unique_until",
  "followed",
  "due_at",
  "progressed_in",
]);

const changing = orderColumns.filter(({ member }) => changeBit[member] !== undefined);
const nullable = orderColumns.filter(({ name }) =>
  [
    "payload",
    "limit_key",
    "unique_key",
    "unique_until",
    "started_at",
    "ended_at",
    "worker",
    "lease_until",
    "waits",
    "sandbox",
    "progress",
    "result",
    "error",
    "usage",
    "carrier",
    "due_at",
    "progressed_in",
  ].includes(name),
);

const write = (sql: string, ...values: readonly SqlValue[]): Statement => ({ sql, values, wants: "count" });

/**
 * Stores the outcome of a batch, without its events: usually as one statement. Tables that are written twice are
 * written in two: changed orders before new ones, since one of the new may have taken over a unique key.
 */
export function writeOrders(writes: Writes): readonly Statement[] {
  const rows = [...updateRows(writes.updated), ...insertRows(writes.inserted)];
  const lanes = writeLanes(writes);
  const fronts = writeFronts(writes);
  const others = [...writeCounts(writes), ...writeRelations(writes)];
  const unlinked = writeUnlinked(writes);
  const last = rows.at(-1);
  const together = [...(last === undefined ? [] : [last]), ...others];
  const first = rows.slice(0, -1);
  if (fronts.length === 0) return [...first, ...writtenTogether([...lanes, ...together]), ...unlinked];
  return [...first, ...lanes, ...writtenTogether([...fronts, ...together]), ...unlinked];
}

/** After the new links: one may be made and taken away by the same commit. */
function writeUnlinked({ unlinked }: Writes): readonly Statement[] {
  if (unlinked.length === 0) return [];
  return [
    write(
      `DELETE FROM order_links link USING unnest($1::text[], $2::text[]) AS old (leader, id)
       WHERE link.leader = old.leader AND link.id = old.id`,
      textArray(unlinked.map(({ of }) => of)),
      textArray(unlinked.map(({ id }) => id)),
    ),
  ];
}

/** @param within see `newRows` */
export function writeLanes({ lanes }: Pick<Writes, "lanes">, within?: string): readonly Statement[] {
  if (lanes.length === 0) return [];
  const { sql, values } = newRows(
    [
      { name: "queue", form: "text", cells: lanes.map(({ queue }) => queue) },
      { name: "priority", form: "bigint", cells: lanes.map(({ priority }) => priority) },
      { name: "tenant", form: "text", cells: lanes.map(({ tenant }) => tenant) },
      { name: "turn", form: "bigint", cells: lanes.map(({ turn }) => turn) },
    ],
    within,
  );
  return [
    write(
      `INSERT INTO order_lanes (queue, priority, tenant, turn) ${sql}
       ON CONFLICT (queue, priority, tenant) DO UPDATE SET turn = greatest(order_lanes.turn, excluded.turn)`,
      ...values,
    ),
  ];
}

/** @param within see `newRows` */
export function writeFronts({ fronts }: Pick<Writes, "fronts">, within?: string): readonly Statement[] {
  if (fronts.length === 0) return [];
  const { sql, values } = newRows(
    [
      { name: "queue", form: "text", cells: fronts.map(({ queue }) => queue) },
      { name: "priority", form: "bigint", cells: fronts.map(({ priority }) => priority) },
      { name: "turn", form: "bigint", cells: fronts.map(({ turn }) => turn) },
    ],
    within,
  );
  return [
    write(
      `INSERT INTO order_fronts (queue, priority, turn) ${sql}
       ON CONFLICT (queue, priority) DO UPDATE SET turn = excluded.turn WHERE order_fronts.turn < excluded.turn`,
      ...values,
    ),
    // Lanes that lie behind the front say nothing any more.
    write(
      `DELETE FROM order_lanes lane USING (${sql}) AS front (queue, priority, turn)
       WHERE lane.queue = front.queue AND lane.priority = front.priority AND lane.turn <= front.turn`,
      ...values,
    ),
  ];
}

/** @param within see `newRows` */
export function writeCounts({ counts }: Pick<Writes, "counts">, within?: string): readonly Statement[] {
  if (counts.length === 0) return [];
  const { sql, values } = newRows(
    [
      { name: "queue", form: "text", cells: counts.map(({ queue }) => queue) },
      { name: "state", form: "text", cells: counts.map(({ state }) => state) },
      { name: "n", form: "bigint", cells: counts.map(({ by }) => by) },
    ],
    within,
  );
  return [
    write(
      `INSERT INTO order_counts (queue, state, n) ${sql}
       ON CONFLICT (queue, state) DO UPDATE SET n = order_counts.n + excluded.n`,
      ...values,
    ),
  ];
}

function writeRelations({ configs, links, limitKeys, taken }: Writes): readonly Statement[] {
  const statements: Statement[] = [];
  if (configs.length > 0) {
    statements.push(
      write(
        `INSERT INTO queue_configs (queue, config) SELECT queue, config
         FROM unnest($1::text[], $2::text[]) AS new (queue, config)
         ON CONFLICT (queue) DO UPDATE SET config = excluded.config`,
        textArray(configs.map(({ queue }) => queue)),
        textArray(configs.map(({ config }) => canonicalJson(config))),
      ),
    );
  }
  if (links.length > 0) {
    statements.push(
      write(
        `INSERT INTO order_links (leader, id) SELECT leader, id
         FROM unnest($1::text[], $2::text[]) AS new (leader, id) ON CONFLICT DO NOTHING`,
        textArray(links.map(({ of }) => of)),
        textArray(links.map(({ id }) => id)),
      ),
    );
  }
  if (limitKeys.length > 0) {
    statements.push(
      write(
        `INSERT INTO order_limit_keys (queue, limit_key, admitted, arrival_at)
         SELECT queue, limit_key, admitted, arrival_at
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::double precision[])
           AS new (queue, limit_key, admitted, arrival_at)
         ON CONFLICT (queue, limit_key) DO UPDATE SET admitted = excluded.admitted, arrival_at = excluded.arrival_at`,
        textArray(limitKeys.map(({ queue }) => queue)),
        textArray(limitKeys.map(({ key }) => key)),
        numberArray(limitKeys.map(({ admitted }) => admitted)),
        numberArray(limitKeys.map(({ arrivalAt }) => arrivalAt)),
      ),
    );
  }
  if (taken.length > 0) {
    statements.push(write("DELETE FROM order_inbox WHERE position = ANY($1::bigint[])", numberArray(taken)));
  }
  return statements;
}

/** What stands for a column instead of its value as it was sent: SQL. */
export type CellAs = (cell: string, column: string) => string;

const asItIs: CellAs = (cell) => cell;

/**
 * Columns that are NULL are left out: of a fresh order that is one in three.
 * @param within see `newRows`
 */
export function insertRows(
  rows: readonly OrderRow[],
  within?: string,
  as: CellAs = asItIs,
): readonly Statement[] {
  const groups = grouped(rows, filledIn, (shape) =>
    nullable.filter((_, place) => (shape & (1 << place)) !== 0),
  );
  return groups.flatMap(({ columns: filled, rows: group }) => {
    const columns = orderColumns.filter((column) => !nullable.includes(column) || filled.includes(column));
    const { cells, from, lots } = rowValues(columns, group, as);
    const sql = `INSERT INTO orders (${columnNames(columns)}) SELECT ${cells.join(", ")}${fromClause(from, within)}`;
    return lots.map((values) => write(sql, ...values));
  });
}

/**
 * Rows are never changed in place, so a member that is the same object is the same value.
 * @param within see `newRows`
 */
export function updateRows(
  changes: Writes["updated"],
  within?: string,
  as: CellAs = asItIs,
): readonly Statement[] {
  const [id] = orderColumns as readonly [Column];
  const groups = grouped(
    changes,
    ({ before, row }) => changedMembers(before, row),
    (shape) => changing.filter(({ member }) => (shape & (changeBit[member] ?? 0)) !== 0),
  );
  return groups
    .filter(({ columns }) => columns.length > 0)
    .flatMap(({ columns, rows: group }) => {
      const named = [id, ...columns];
      const { cells, from, lots } = rowValues(
        named,
        group.map(({ row }) => row),
        as,
      );
      const set = columns.map(({ name }, index) => `${name} = ${cells[index + 1]}`).join(", ");
      const sql = `UPDATE orders SET ${set}${fromClause(from, within)} WHERE orders.id = ${cells[0]}`;
      return lots.map((values) => write(sql, ...values));
    });
}

function fromClause(...sources: readonly (string | undefined)[]): string {
  const named = sources.filter((source) => source !== undefined);
  return named.length === 0 ? "" : ` FROM ${named.join(", ")}`;
}

/** Rows by their shape, and the columns it stands for, in the order of their first row. */
function grouped<T>(
  rows: readonly T[],
  shapeOf: (row: T) => number,
  columnsOf: (shape: number) => readonly Column[],
): readonly { readonly columns: readonly Column[]; readonly rows: readonly T[] }[] {
  const groups = new Map<number, { columns: readonly Column[]; rows: T[] }>();
  for (const row of rows) {
    const shape = shapeOf(row);
    const group = groups.get(shape);
    if (group === undefined) groups.set(shape, { columns: columnsOf(shape), rows: [row] });
    else group.rows.push(row);
  }
  return [...groups.values()];
}

/** A bit for each of `nullable` that is not NULL. */
function filledIn(row: OrderRow): number {
  let shape = 0;
  let bit = 1;
  for (const { member } of nullable) {
    if (row[member] !== null) shape |= bit;
    bit <<= 1;
  }
  return shape;
}

const columnNames = (columns: readonly Column[]): string => columns.map(({ name }) => name).join(", ");

/** Columns that rows written together often differ in. All others are sent once where all rows hold the same. */
const ownColumns: ReadonlySet<string> = new Set([
  "id",
  "payload",
  "turn",
  "trail",
  "unique_key",
  "sandbox",
  "progress",
  "result",
  "error",
  "usage",
  "carrier",
]);
/** Three texts for each set of columns, with arrays for all of them, for few and for none, so that all can be kept prepared. */
const fewRows = 8;

/**
 * Values of rows as a source `new`, and what stands for each column. An array costs both sides something for every row,
 * and the server something for itself: of a fresh order five columns in six are the same as in the one before, and a row
 * alone needs no source at all.
 */
function rowValues(
  columns: readonly Column[],
  rows: readonly OrderRow[],
  as: CellAs,
): {
  readonly cells: readonly string[];
  readonly from: string | undefined;
  /** Values of as many statements as it takes: one, unless the rows are very long. */
  readonly lots: readonly (readonly SqlValue[])[];
} {
  const [first] = rows as readonly [OrderRow];
  const shared = rows.length === 1 ? columns : columns.filter(({ name }) => !ownColumns.has(name));
  const alike = rows.length === 1 || (rows.length >= fewRows && areAlike(shared, rows, first));
  const own = alike ? columns.filter((column) => !shared.includes(column)) : columns;
  const places = new Map((alike ? shared : []).map((column, index) => [column, own.length + index + 1]));
  const cells = columns.map((column) => {
    const place = places.get(column);
    const cell = place === undefined ? `new.${column.name}` : `$${place}::${typeOf(column)}`;
    return as(cell, column.name);
  });
  const arrays = own.map((column, index) =>
    column.form === "json" ? jsonTexts(index + 1) : `$${index + 1}::${typeOf(column)}[]`,
  );
  return {
    cells,
    from: own.length === 0 ? undefined : `unnest(${arrays.join(", ")}) AS new (${columnNames(own)})`,
    lots: inLots(
      own,
      rows,
      [...places.keys()].map((column) => orderCell(first, column)),
    ),
  };
}

/** Whether rows hold the same in these columns, of which none holds JSON but `tags`. */
function areAlike(columns: readonly Column[], rows: readonly OrderRow[], first: OrderRow): boolean {
  let asked = 0;
  let fixed = false;
  for (const { member } of columns) {
    const bit = changeBit[member];
    if (bit === undefined) fixed = true;
    else asked |= bit;
  }
  return rows.every(
    (row) => (changedMembers(first, row) & asked) === 0 && (!fixed || submittedAlike(first, row)),
  );
}

const typeOf = ({ name }: Column): string => (numeric.has(name) ? "bigint" : "text");

/** Cells of `own` as arrays, of so many rows at a time as one statement should carry; `shared` come with each of them. */
function inLots(
  own: readonly Column[],
  rows: readonly OrderRow[],
  shared: readonly SqlValue[],
): readonly (readonly SqlValue[])[] {
  if (own.length === 0) return [shared];
  const lots: SqlValue[][] = [];
  for (let next = 0; next < rows.length;) {
    const cells: (string | number | null)[][] = own.map(() => []);
    for (let text = 0; next < rows.length && text < mostText; next++) {
      for (let place = 0; place < own.length; place++) {
        const cell = orderCell(rows[next] as OrderRow, own[place] as Column);
        if (typeof cell === "string") text += cell.length;
        cells[place]?.push(cell);
      }
    }
    lots.push([...own.map((column, place) => arrayOf(column, cells[place] ?? [])), ...shared]);
  }
  return lots;
}

function arrayOf({ name, form }: Column, cells: readonly (string | number | null)[]): string {
  if (form === "json") return jsonArray(cells as readonly (string | null)[]);
  return numeric.has(name)
    ? numberArray(cells as readonly (number | null)[])
    : textArray(cells as readonly (string | null)[]);
}

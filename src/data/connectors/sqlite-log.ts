import type { DatabaseSync } from "node:sqlite";
import { type Clock, CutoverError, sleep } from "../../core/index.ts";
import { rowRefused } from "../capture-refusals.ts";
import type { Change, LogBatch, Transaction } from "../connector.ts";
import { encodeKey, type KeyValue } from "../key-codec.ts";
import { positionOf } from "../position.ts";
import { encodeRecord } from "../record-codec.ts";
import { cellsOf, keyOf, type Statements, valuesOf } from "./sqlite-rows.ts";
import type { Table } from "./sqlite-schema.ts";

const atOnce = { rows: 1_000, bytes: 4_194_304 };
const quietMs = 1_000;
/** Nobody is told of a write to a SQLite file: the log is looked at this often. */
const lookAgainMs = 20;
const pruneAtOnce = 5_000;

type Read = <T>(
  body: (statements: Statements, tables: ReadonlyMap<string, Table>, captured: boolean) => T,
) => T;

export interface Following {
  readonly name: string;
  readonly slot: string;
  readonly from: number;
  readonly without: ReadonlySet<string>;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Runs the body in one read transaction. */
  readonly read: Read;
}

export async function* followChanges(following: Following): AsyncGenerator<LogBatch> {
  const { signal, clock, read } = following;
  let at = following.from;
  let spoken = clock.monotonic();
  while (!signal.aborted) {
    const batch = read((statements, tables, captured) =>
      readAfter(statements, tables, captured, following, at),
    );
    const head = Number(batch.head);
    const idle = head === at;
    if (!idle || clock.monotonic() - spoken >= quietMs) {
      at = head;
      yield batch;
      spoken = clock.monotonic();
    }
    if (idle) await sleep(clock, lookAgainMs, signal).catch(() => {});
  }
}

function readAfter(
  statements: Statements,
  tables: ReadonlyMap<string, Table>,
  captured: boolean,
  following: Following,
  at: number,
): LogBatch {
  const slot = captured
    ? statements.get("SELECT position FROM cutover_slots WHERE name = ?").get(following.slot)
    : undefined;
  if (slot === undefined) throw lost(following, "there is no slot of this name");
  const [pruned] = statements.get("SELECT pruned FROM cutover_session").get() as unknown as readonly [bigint];
  if (at < Number(pruned)) throw lost(following, `changes up to ${pruned} were removed, ${at} was asked for`);
  const width = Math.max(1, ...[...tables.values()].map(({ columns }) => columns.length));
  const have = (
    statements.get("SELECT count(*) FROM pragma_table_info('cutover_log')").get() as unknown as [bigint]
  )[0];
  const columns = Array.from({ length: Math.min(width, Number(have) - 5) }, (_, index) => `c${index + 1}`);
  const cells = columns.length === 0 ? "''" : cellsOf(columns);
  const sql = `SELECT seq, tbl, gone, origin, at, ${cells} FROM cutover_log WHERE seq > ? ORDER BY seq LIMIT ${atOnce.rows}`;
  const transactions: Transaction[] = [];
  let bytes = 0;
  let head = at;
  for (const row of statements.get(sql).iterate(at)) {
    const [sequence, name, gone, origin, time, ...rest] = row as unknown as readonly [
      bigint,
      string,
      bigint,
      string | null,
      bigint,
    ];
    head = Number(sequence);
    if (origin !== null && following.without.has(origin)) continue;
    const change = changeOf(following, tables.get(name) as Table, gone === 1n, rest, columns.length);
    bytes += change.key.length + (change.value?.length ?? 0);
    transactions.push({ tx: String(head), position: positionOf(head), at: Number(time), changes: [change] });
    if (bytes > atOnce.bytes) break;
  }
  return { transactions, head: positionOf(head) };
}

function changeOf(
  { name }: Following,
  table: Table,
  gone: boolean,
  cells: readonly unknown[],
  width: number,
): Change {
  const values = valuesOf(cells, 0, width).slice(0, table.columns.length);
  const key = keyOf(table, values);
  const collection = table.name;
  if (key === undefined)
    throw rowRefused(
      name,
      { collection, key: encodeKey([] as KeyValue[]) },
      "a row whose primary key holds NULL was written",
    );
  return { collection, key, value: gone ? null : encodeRecord(values) };
}

function lost({ name, slot }: Following, found: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_SLOT_LOST", {
    message: `expected the changes kept for slot "${slot}", found: ${found}`,
    place: name,
    details: { slot },
  });
}

/** Removes what no slot needs, in parts; true: there is more. */
export function pruneChanges(db: DatabaseSync, head: number): boolean {
  const { least } = db.prepare("SELECT min(position) AS least FROM cutover_slots").get() as unknown as {
    readonly least: number | null;
  };
  const { pruned } = db.prepare("SELECT pruned FROM cutover_session").get() as unknown as {
    readonly pruned: number;
  };
  const needed = least ?? head;
  const upTo = Math.min(needed, pruned + pruneAtOnce);
  if (upTo <= pruned) return false;
  db.prepare("DELETE FROM cutover_log WHERE seq <= ?").run(upTo);
  db.prepare("UPDATE cutover_session SET pruned = ?").run(upTo);
  return upTo < needed;
}

import type { JsonObject } from "../../core/index.ts";
import { type Break, genesis, linkHash } from "../chain.ts";
import { type Differing, type FoundRow, ReplayedRows, tellDifference } from "../replayed-rows.ts";
import type { RowValue, Table } from "../row-change.ts";
import { eventText } from "../run-rows.ts";
import type { ChainReport } from "../store.ts";
import { all, arrays, type Dialect, type Program } from "./program.ts";
import type { Sql } from "./write-context.ts";

/** Events replayed before other work gets its turn. */
const chunk = 500;

/** What follows from the events of one run alone; the first column of each table names the run. */
const columns = {
  runs: ["id", "seq", "migration", "hash", "source", "state", "reason", "created_at", "owner", "fence"],
  run_graphs: ["run", "graph"],
  phases: ["run", "phase", "seq", "state", "started_at", "ended_at"],
  steps: [
    "run",
    "step",
    "seq",
    "phase",
    "state",
    "attempt",
    "checkpoint",
    "result",
    "error",
    "started_at",
    "ended_at",
  ],
  evidence: ["run", "id", "seq", "name", "phase", "step", "at", "data"],
  verdicts: ["run", "seq", "at", "gate", "role", "phase", "step", "verdict", "reason", "figures", "evidence"],
  approvals: ["run", "seq", "phase", "approver", "reason", "evidence", "at", "lapsed"],
  incidents: ["run", "id", "seq", "cause", "summary", "seen", "opened_at", "closed_at", "outcome", "facts"],
} as const satisfies Partial<Record<Table, readonly string[]>>;

const numbers: ReadonlySet<string> = new Set([
  "seq",
  "at",
  "fence",
  "attempt",
  "lapsed",
  "created_at",
  "started_at",
  "ended_at",
  "opened_at",
  "closed_at",
]);

const tables = Object.keys(columns) as (keyof typeof columns)[];
const widest = Math.max(...tables.map((table) => columns[table].length));

type Broken = Extract<ChainReport, { readonly whole: false }>;

/** A broken record for its report: an event that does not fit, or a row that is not what the events make of it. */
export const brokenBy = (events: number, found: Break | Differing): Broken =>
  "row" in found
    ? { whole: false, events, ...found, reason: tellDifference(found.row) }
    : { whole: false, events, ...found };

/** Holds the rows of one run at a time against its events: no more of the store is in memory at once. */
export class RunCheck {
  readonly #sql: Sql;
  readonly #rows: string;
  readonly #events: string;

  /** @param previous the hash of the event before `e`, as an expression */
  constructor(sql: Sql, dialect: Dialect, previous: string) {
    this.#sql = sql;
    this.#events = `SELECT e.seq, e.at, e.type, ${dialect.hex("e.hash")}, ${previous}, ${dialect.eventData("e")}
      FROM events e WHERE e.stream = ? AND e.seq > ? AND e.seq <= ? ORDER BY e.seq LIMIT ?`;
    const padded = (cells: readonly string[]): string =>
      [...cells, ...Array<string>(widest - cells.length).fill(dialect.text("NULL"))].join(", ");
    this.#rows = [
      `SELECT 'newest', ${padded([dialect.text("(SELECT max(seq) FROM events WHERE stream = ?)")])}`,
      ...tables.map(
        (table) =>
          `SELECT '${table}', ${padded(columns[table].map((name) => dialect.text(name)))} FROM ${table}
           WHERE ${columns[table][0]} = ?`,
      ),
    ].join(" UNION ALL ");
  }

  /** Runs that have rows. */
  *runs(): Program<readonly string[]> {
    const each = tables.map((table) => `SELECT ${columns[table][0]} AS run FROM ${table}`);
    return (yield* all<{ readonly run: string }>(each.join(" UNION "))).map(({ run }) => run);
  }

  /** `events` and `head` are those of the run. */
  async check(run: string): Promise<ChainReport> {
    const stream = `run:${run}`;
    const { newest, found } = await this.#sql.read(() => this.#standing(run, stream));
    const replayed = new ReplayedRows(tables);
    const state = { after: 0, head: genesis, events: 0 };
    while (state.after < newest) {
      const broken = await this.#sql.read(() => this.#replay(replayed, stream, newest, state));
      if (broken !== undefined) return brokenBy(state.events, broken);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const differing = replayed.difference(found, newest);
    if (differing !== undefined) return brokenBy(state.events, differing);
    return { whole: true, events: state.events, head: state.head };
  }

  /** The rows of a run and the newest event they tell of, of one moment: a single statement sees no commit come between. */
  *#standing(
    run: string,
    stream: string,
  ): Program<{ readonly newest: number; readonly found: ReadonlyMap<string, readonly FoundRow[]> }> {
    const rows = yield* arrays<readonly [string, ...RowValue[]]>(
      this.#rows,
      stream,
      ...tables.map(() => run),
    );
    const found = new Map<string, FoundRow[]>(tables.map((table) => [table, []]));
    let newest = 0;
    for (const cells of rows) {
      const [table] = cells;
      if (table === "newest") newest = Number(cells[1] ?? 0);
      const names: readonly string[] = columns[table as keyof typeof columns] ?? [];
      const row: Record<string, RowValue> = {};
      for (let place = 0; place < names.length; place++) {
        const name = names[place] as string;
        row[name] = cell(name, cells[place + 1]);
      }
      found.get(table)?.push(row);
    }
    return { newest, found };
  }

  *#replay(
    replayed: ReplayedRows,
    stream: string,
    newest: number,
    state: { after: number; head: string; events: number },
  ): Program<Break | undefined> {
    const page = yield* arrays<EventCells>(this.#events, stream, state.after, newest, chunk);
    for (const cells of page) {
      const reason = takeEvent(replayed, stream, cells);
      const [seq, , type, hash] = cells;
      if (reason !== undefined)
        return { brokenAt: seq, reason: `event ${seq} (${type} of ${stream}) ${reason}` };
      state.head = hash;
      state.after = seq;
      state.events++;
    }
    // None where the newest was removed meanwhile, which is for the walk of the whole chain to tell.
    if (page.length === 0) state.after = newest;
    return undefined;
  }
}

/** An event of one stream, read as an array: a run of 10,000 steps has 20,000, and its next step waits for them. */
type EventCells = readonly [
  seq: number,
  at: number,
  type: string,
  hash: string,
  previous: string,
  data: string | null,
  packed?: string | null,
];

const altered = "is not what was written, or the one before it was exchanged";

/** What is wrong with an event, if anything is; else the rows it tells of are changed. */
function takeEvent(
  replayed: ReplayedRows,
  stream: string,
  [seq, at, type, hash, previous, data, packed = null]: EventCells,
): string | undefined {
  let text: string;
  try {
    text = eventText({ seq, data, packed });
  } catch {
    return altered;
  }
  if (linkHash({ seq, at, stream, type, data: text }, previous) !== hash) return altered;
  const event = { seq, at, stream, type, data: JSON.parse(text) as JsonObject };
  return replayed.apply(event) ? undefined : "does not follow from those before it";
}

/** Numbers may have come as text. */
function cell(name: string, value: RowValue = null): RowValue {
  const number = typeof value === "string" && numbers.has(name) ? Number(value) : Number.NaN;
  return Number.isNaN(number) ? value : number;
}

/**
 * Work on an SQL database, written once for every store: a generator that yields statements and is handed what they
 * gave. SQLite runs it without a pause inside its transaction; PostgreSQL waits for each answer.
 *
 * Statements use `?` for values, in the part of the language that SQLite and PostgreSQL share; what differs is in
 * `Dialect`. The text depends on the shape alone, so that every store can keep it prepared.
 */
export type Program<T> = Generator<Statement, T, Answer>;

export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = Readonly<Record<string, unknown>>;

export interface Statement {
  readonly sql: string;
  readonly values: readonly SqlValue[];
  /**
   * `rows`: the answer holds rows. `arrays`: rows as arrays in the order of the columns, half the time of objects where
   * thousands are read. `count`: it holds how many rows were changed.
   */
  readonly wants: "rows" | "arrays" | "count";
}

export interface Answer {
  readonly rows: readonly SqlRow[];
  readonly count: number;
}

/** What the databases say differently. */
export interface Dialect {
  readonly name: "sqlite" | "postgres";
  /** An expression for a BLOB or bytea column as lower-case hexadecimal text. */
  hex(column: string): string;
  /** A column as text, or as it is where rows of several tables may be read by one statement whatever they hold. */
  text(column: string): string;
  /** The columns that hold the data of an event, of a table by this name: see `eventText`. */
  eventData(table: string): string;
}

/** Rows of a query. */
export function* all<R = SqlRow>(sql: string, ...values: readonly SqlValue[]): Program<readonly R[]> {
  return (yield { sql, values, wants: "rows" }).rows as readonly R[];
}

/** Rows of a query as arrays in the order of its columns. */
export function* arrays<R extends readonly unknown[]>(
  sql: string,
  ...values: readonly SqlValue[]
): Program<readonly R[]> {
  return (yield { sql, values, wants: "arrays" }).rows as unknown as readonly R[];
}

/** The first row of a query. */
export function* one<R = SqlRow>(sql: string, ...values: readonly SqlValue[]): Program<R | undefined> {
  return (yield { sql, values, wants: "rows" }).rows[0] as R | undefined;
}

/** Runs a statement that changes rows; the number of rows changed. */
export function* run(sql: string, ...values: readonly SqlValue[]): Program<number> {
  return (yield { sql, values, wants: "count" }).count;
}

/** A program that has nothing to ask: `work` is done when it is run. */
// oxlint-disable-next-line require-yield -- that is what it is for
export function* done<T>(work: () => T): Program<T> {
  return work();
}

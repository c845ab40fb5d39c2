import { asError } from "../../core/index.ts";
import type { SqlRow, Statement } from "../sql/program.ts";
import { isNumeric, type PgDriver, type PgMessages, type PgParts } from "./driver.ts";
import type { PreparedStatement, PreparedStatements } from "./prepared-statements.ts";
import type { Settled } from "./session.ts";

interface Column {
  readonly name: string;
  readonly isNumber: boolean;
}

/** What the answers to a statement look like, as the server has told it once. */
export type Columns = readonly Column[];

/** Statements that are sent and settled together. */
export interface TripOptions {
  readonly statements: readonly Statement[];
  readonly prepared: PreparedStatements;
  readonly done: (settled: readonly Settled[]) => void;
}

/** What is handed to the driver's client. */
export interface Trip {
  readonly statements: readonly Statement[];
}

export type TripClass = new (options: TripOptions) => Trip;

const classes = new WeakMap<PgDriver, TripClass>();

/**
 * Several statements with one end: the driver ends each of its own by itself, and the server answers each end with a packet
 * that wakes the process up. They are one transaction, unless one of them begins or ends one; after one that failed the
 * server skips the others. What a statement answers with is asked for once for each connection.
 * @returns undefined when the driver does not let its class for queries be extended
 */
export function tripClass(driver: PgDriver): TripClass | undefined {
  const { Query } = driver;
  if (Query === undefined) return undefined;
  let known = classes.get(driver);
  if (known === undefined) {
    known = class extends Query {
      readonly statements: readonly Statement[];
      /** Set by a client that gives each answer so much time: it has to know of the end, or it ends the connection later. */
      declare callback?: (error: Error | null) => void;
      readonly #exchange: Exchange;

      constructor(options: TripOptions) {
        super("");
        this.statements = options.statements;
        this.#exchange = new Exchange(options);
      }

      submit(connection: PgParts): Error | null {
        return this.#exchange.send(connection);
      }

      handleRowDescription({ fields }: PgMessages["rowDescription"]): void {
        this.#exchange.described(fields);
      }

      handleDataRow({ fields }: PgMessages["dataRow"]): void {
        this.#exchange.row(fields);
      }

      handleCommandComplete({ text }: PgMessages["commandComplete"]): void {
        this.#exchange.completed(text);
      }

      handleEmptyQuery(): void {
        this.#exchange.completed("");
      }

      handleError(error: Error): void {
        this.callback?.(error);
        this.#exchange.failed(error);
      }

      handleReadyForQuery(): void {
        this.callback?.(null);
        this.#exchange.ended();
      }
    };
    classes.set(driver, known);
  }
  return known;
}

/** What goes out and what comes back of one trip. */
class Exchange {
  readonly #options: TripOptions;
  readonly #sent: PreparedStatement[] = [];
  readonly #settled: Settled[] = [];
  #columns: Columns | undefined;
  #rows: (SqlRow | readonly unknown[])[] = [];

  constructor(options: TripOptions) {
    this.#options = options;
  }

  /** @returns what is wrong with a value. Nothing was sent then: half a trip would be answered as part of the next. */
  send(connection: PgParts): Error | null {
    const { statements, prepared } = this.#options;
    let texts: readonly (readonly (string | Buffer | null)[])[];
    try {
      texts = statements.map(({ values }) => values.map(textOf));
    } catch (error) {
      return asError(error);
    }
    connection.stream?.cork?.();
    for (const [place, { sql }] of statements.entries()) {
      const one = prepared.take(sql);
      this.#sent.push(one);
      if (one.isNew) connection.parse({ text: one.text, name: one.name });
      connection.bind({ statement: one.name, values: texts[place] ?? [] });
      if (one.columns === undefined) connection.describe({ type: "P" });
      connection.execute({});
    }
    connection.sync();
    connection.stream?.uncork?.();
    return null;
  }

  described(fields: PgMessages["rowDescription"]["fields"]): void {
    this.#columns = fields.map(({ name, dataTypeID }) => ({ name, isNumber: isNumeric(dataTypeID) }));
  }

  row(cells: readonly (string | null)[]): void {
    const place = this.#settled.length;
    const columns = this.#columns ?? this.#sent[place]?.columns ?? [];
    const wants = this.#options.statements[place]?.wants;
    this.#rows.push(wants === "arrays" ? cellsOf(columns, cells) : rowOf(columns, cells));
  }

  /** @param tag the command, and how many rows it was about when it was about any */
  completed(tag: string): void {
    const one = this.#sent[this.#settled.length];
    if (one !== undefined) this.#options.prepared.worked(one, this.#columns ?? one.columns ?? []);
    const words = tag.split(" ");
    // `INSERT 0 5`, `UPDATE 5`; `CREATE TABLE` is about none.
    const count = Number(words.at(-1)) || 0;
    const rows = this.#rows as readonly SqlRow[];
    this.#settled.push({ ok: true, answer: { rows, count }, command: words[0] ?? "" });
    this.#columns = undefined;
    this.#rows = [];
  }

  /** Of all that were sent, those before the one that failed had worked. */
  failed(error: Error): void {
    const { statements, prepared, done } = this.#options;
    const worked = Math.min(this.#settled.length, statements.length - 1);
    for (const one of this.#sent.slice(worked)) prepared.failed(one);
    done(statements.map((_, place) => (place < worked && this.#settled[place]) || { ok: false, error }));
  }

  ended(): void {
    this.#options.done(this.#settled);
  }
}

function rowOf(columns: Columns, cells: readonly (string | null)[]): SqlRow {
  const row: Record<string, unknown> = {};
  for (let place = 0; place < columns.length; place++) {
    const { name, isNumber } = columns[place] as Column;
    const cell = cells[place] as string | null;
    row[name] = isNumber && cell !== null ? Number(cell) : cell;
  }
  return row;
}

function cellsOf(columns: Columns, cells: readonly (string | null)[]): readonly unknown[] {
  return cells.map((cell, place) =>
    cell !== null && columns[place]?.isNumber === true ? Number(cell) : cell,
  );
}

/** As the driver wants it: text, bytes as a buffer, or null. */
function textOf(value: unknown): string | Buffer | null {
  if (typeof value === "string" || value === null) return value;
  if (value instanceof Uint8Array)
    return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return String(value as number);
}

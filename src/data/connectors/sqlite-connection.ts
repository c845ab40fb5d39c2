import type { DatabaseSync } from "node:sqlite";
import { type Clock, CutoverError, sleep } from "../../core/index.ts";
import { fenced } from "../capture-refusals.ts";
import { closedStore, storeError } from "./place.ts";
import { checkCaptured, fencedMessage } from "./sqlite-capture.ts";
import { Statements } from "./sqlite-rows.ts";
import { readTables, type Table } from "./sqlite-schema.ts";

const busyCode = 5;
/** SQLite wakes nobody: how long to wait before asking for the lock again. */
const askAgainMs = 5;
/** Readers wait for a commit that is being written, in a file that is not in WAL mode. */
export const readBusyMs = 1_000;

export function missingTable(store: string, table: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_COLLECTION", {
    message: `expected a table of ${store}, found "${table}", which it does not have`,
    place: store,
    details: { collection: table },
  });
}

/** The connection to a file: its transactions, what tables it has, and its errors under codes. */
export class SqliteConnection {
  readonly name: string;
  readonly db: DatabaseSync;
  readonly statements: Statements;
  readonly #clock: Clock;
  readonly #busyMs: number;
  #tables: ReadonlyMap<string, Table> = new Map();
  #tablesOf = -1;
  /** The schema under which all captured tables were found as they were captured. */
  #capturedOf = -1;
  #closed = false;

  constructor(name: string, db: DatabaseSync, clock: Clock, busyMs: number) {
    this.name = name;
    this.db = db;
    this.statements = new Statements(db);
    this.#clock = clock;
    this.#busyMs = busyMs;
  }

  close(): void {
    if (!this.#closed) this.db.close();
    this.#closed = true;
  }

  has(table: string): boolean {
    return (
      this.statements.get("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(table) !==
      undefined
    );
  }

  known(): ReadonlyMap<string, Table> {
    const [version] = this.statements.get("PRAGMA schema_version").get() as unknown as readonly [bigint];
    if (Number(version) !== this.#tablesOf) {
      this.#tables = readTables(this.db);
      this.#tablesOf = Number(version);
    }
    return this.#tables;
  }

  /** @throws CUTOVER_DATA_SCHEMA_CHANGED when a captured table is not as it was, or another one has its name */
  requireCaptured(): void {
    const tables = this.known();
    if (this.#capturedOf === this.#tablesOf) return;
    if (this.has("cutover_captured")) checkCaptured(this.statements, tables, this.name);
    this.#capturedOf = this.#tablesOf;
  }

  table(name: string): Table {
    const table = this.known().get(name);
    if (table !== undefined && table.problem === undefined) return table;
    if (table === undefined) throw missingTable(this.name, name);
    throw new CutoverError("CUTOVER_DATA_COLLECTION", {
      message: `table "${name}" of ${this.name} cannot be moved: ${table.problem ?? ""}`,
      place: this.name,
      details: { collection: name },
    });
  }

  mapped<T>(body: () => T): T {
    if (this.#closed) throw closedStore(this.name);
    try {
      return body();
    } catch (error) {
      if ((error as Error).message === fencedMessage) throw fenced(this.name, 0, 1);
      throw sqliteError(error, this.name);
    }
  }

  /** Everything `body` reads is of one moment. */
  reading<T>(body: () => T): T {
    return this.mapped(() => {
      this.db.exec("BEGIN");
      try {
        return body();
      } finally {
        this.db.exec("COMMIT");
      }
    });
  }

  /** Waits for the file's write lock, without keeping the process from its other work; what is thrown takes all back. */
  async transaction<T>(body: () => T, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const since = this.#clock.monotonic();
    while (!this.mapped(() => this.#begin())) {
      if (signal === undefined && this.#clock.monotonic() - since > this.#busyMs)
        throw new CutoverError("CUTOVER_DATA_LOCKED", {
          message: `expected the write lock of ${this.name} within ${this.#busyMs} ms, another process holds it`,
          place: this.name,
          remedy: "let the transaction that is open in the other process end, then do the same again",
        });
      await sleep(this.#clock, askAgainMs, signal);
    }
    return this.mapped(() => {
      try {
        const result = body();
        this.db.exec("COMMIT");
        return result;
      } catch (error) {
        // A full disk has taken the transaction back already.
        if (this.db.isTransaction) this.db.exec("ROLLBACK");
        throw error;
      }
    });
  }

  #begin(): boolean {
    // SQLite's own waiting stops the whole process and starves: of four processes one did everything.
    this.db.exec("PRAGMA busy_timeout = 0");
    try {
      this.db.exec("BEGIN IMMEDIATE");
      return true;
    } catch (error) {
      if (((error as { errcode?: number }).errcode ?? 0) % 256 === busyCode) return false;
      throw error;
    } finally {
      this.db.exec(`PRAGMA busy_timeout = ${readBusyMs}`);
    }
  }
}

/** What SQLite says, under a code. */
export function sqliteError(error: unknown, name: string): CutoverError {
  const { errcode } = error as { errcode?: number };
  if (errcode !== undefined && errcode % 256 === busyCode)
    return new CutoverError("CUTOVER_DATA_LOCKED", {
      message: `${name}: another process holds the lock of the file`,
      place: name,
      cause: error,
    });
  return storeError(error, name);
}

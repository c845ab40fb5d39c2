import { DatabaseSync } from "node:sqlite";
import { type Clock, faultPoint, systemClock } from "../../core/index.ts";
import { refuseOptions } from "../capture-options.ts";
import { checkEpoch, fenced, isLate, staleFence } from "../capture-refusals.ts";
import type {
  Change,
  Chunk,
  ChunkLimit,
  Collection,
  DataStore,
  LogBatch,
  Position,
  Range,
  Row,
  TargetWrite,
} from "../connector.ts";
import { packedRefused } from "../packed-write.ts";
import { positionOf, sequenceOf } from "../position.ts";
import { turnOfOthers } from "../turn-of-others.ts";
import { demand, whatIsAt, wrongKind } from "./place.ts";
import {
  captureTables,
  endCapture,
  endGuard,
  formatVersion,
  guardTables,
  ownTables,
} from "./sqlite-capture.ts";
import { missingTable, readBusyMs, SqliteConnection, sqliteError } from "./sqlite-connection.ts";
import { followChanges, pruneChanges } from "./sqlite-log.ts";
import { countOwn, getOwn, readOwn, writeOwn } from "./sqlite-own.ts";
import {
  checkedWrite,
  countRows,
  getRow,
  readRows,
  type RowWrite,
  Statements,
  writeRow,
} from "./sqlite-rows.ts";
import { collectionOf, ownName } from "./sqlite-schema.ts";

export interface SqliteStoreOptions {
  /** Makes the file when there is none (tables are the business of whoever configures the target). Default false. */
  readonly create?: boolean;
  /** Tables it has to have; refused by name otherwise. Default: those that are there. */
  readonly collections?: readonly string[];
  /** How long a write waits for other writers of the file, milliseconds. Default 10,000. */
  readonly busyMs?: number;
  readonly clock?: Clock;
}

const scanLimit: ChunkLimit = { rows: 1_000, bytes: 8_388_608 };
interface Session {
  readonly least: number;
  readonly writers: number;
}

/**
 * A SQLite file as source and target. Its tables are the collections, a row is an encoded record (`decodeRecord`), its key
 * the encoded primary key (`decodeKey`). Changes are told by triggers in the file, so whoever writes it is captured and
 * fenced, with no change to the application. Tables that are made while a slot is open are not captured.
 */
export class SqliteStore implements DataStore {
  readonly name: string;
  /** A row is a record made for whoever asks for it, and what is written is bound as copies. */
  readonly givesCopies: boolean = true;
  readonly takesCopies: boolean = true;
  readonly #path: string;
  readonly #file: SqliteConnection;
  readonly #clock: Clock;

  constructor(path: string, db: DatabaseSync, clock: Clock, busyMs: number) {
    this.name = `sqlite:${path}`;
    this.#path = path;
    this.#file = new SqliteConnection(this.name, db, clock, busyMs);
    this.#clock = clock;
  }

  // oxlint-disable-next-line require-await -- what is thrown has to become a rejection
  async collections(): Promise<readonly Collection[]> {
    return this.#file.reading(() =>
      [...this.#file.known().values()].map((table) => collectionOf(this.#file.db, table)),
    );
  }

  // oxlint-disable-next-line require-await
  async get(collection: string, keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#file.reading(() => {
      if (ownName(collection))
        return keys.map((key) =>
          getOwn(this.#file.statements, this.#file.has("cutover_own"), collection, key),
        );
      const table = this.#file.table(collection);
      return keys.map((key) => getRow(this.#file.statements, table, key));
    });
  }

  /** One moment where the file is in WAL mode; in another mode a long reader would stop the application's writers. */
  async *scan(
    range: Range,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<readonly Row[], void, void> {
    const still = this.#file.reading(() => {
      if (!ownName(range.collection)) this.#file.table(range.collection);
      return this.#file.db.prepare("PRAGMA journal_mode").get()?.["journal_mode"] === "wal";
    });
    const db = still ? new DatabaseSync(this.#path, { readOnly: true, timeout: readBusyMs }) : this.#file.db;
    const statements = still ? new Statements(db) : this.#file.statements;
    try {
      if (still) db.exec("BEGIN");
      let rest = range;
      for (let end = false; !end;) {
        options.signal?.throwIfAborted();
        const part = this.#file.mapped(() => this.#rows(statements, rest, scanLimit));
        end = part.end;
        const last = part.rows.at(-1);
        if (last === undefined) return;
        rest = { ...range, after: last.key };
        yield part.rows;
        await turnOfOthers();
      }
    } finally {
      if (still) db.close();
    }
  }

  // oxlint-disable-next-line require-await
  async count(range: Range): Promise<number> {
    return this.#file.reading(() =>
      ownName(range.collection)
        ? countOwn(this.#file.statements, this.#file.has("cutover_own"), range)
        : countRows(this.#file.statements, this.#file.table(range.collection), range),
    );
  }

  async capture(slot: string): Promise<Position> {
    return this.#file.transaction(() => {
      this.#file.db.exec(ownTables);
      const known = this.#file.db.prepare("SELECT position FROM cutover_slots WHERE name = ?").get(slot);
      if (known !== undefined) return positionOf(known["position"] as number);
      const first = this.#file.db.prepare("SELECT 1 FROM cutover_slots").get() === undefined;
      const tables = [...this.#file.known().values()].filter(({ problem }) => problem === undefined);
      // Triggers of a capture before may be of tables as they were then.
      if (first) endCapture(this.#file.db);
      captureTables(this.#file.db, tables);
      // A number that no change has: whoever still stands at a position given before can tell that changes may be missing.
      const head = this.#head() + 1;
      this.#file.db.exec("DELETE FROM sqlite_sequence WHERE name = 'cutover_log'");
      this.#file.db.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES ('cutover_log', ?)").run(head);
      if (first) this.#file.db.prepare("UPDATE cutover_session SET pruned = ?").run(head);
      this.#file.db.prepare("INSERT INTO cutover_slots (name, position) VALUES (?, ?)").run(slot, head);
      return positionOf(head);
    });
  }

  // oxlint-disable-next-line require-await
  async snapshotChunk(range: Range, limit: ChunkLimit): Promise<Chunk> {
    return this.#file.reading(() => {
      this.#file.requireCaptured();
      const { rows, end } = this.#rows(this.#file.statements, range, limit);
      return { rows, end, fence: { kind: "sequence", upTo: String(this.#head()) } };
    });
  }

  log(
    slot: string,
    from: Position,
    options: { readonly signal: AbortSignal; readonly without?: readonly string[] },
  ): AsyncIterable<LogBatch> {
    return followChanges({
      name: this.name,
      slot,
      from: sequenceOf(from, this.name),
      without: new Set(options.without ?? []),
      signal: options.signal,
      clock: this.#clock,
      read: (body) =>
        this.#file.reading(() => {
          this.#file.requireCaptured();
          return body(this.#file.statements, this.#file.known(), this.#file.has("cutover_slots"));
        }),
    });
  }

  async acknowledge(slot: string, position: Position): Promise<void> {
    const upTo = sequenceOf(position, this.name);
    await this.#file.transaction(() => {
      if (!this.#file.has("cutover_slots")) return;
      this.#file.db
        .prepare("UPDATE cutover_slots SET position = min(?, ?) WHERE name = ? AND position < ?")
        .run(upTo, this.#head(), slot, upTo);
    });
    await this.#prune();
  }

  async release(slot: string): Promise<void> {
    if (!this.#file.reading(() => this.#file.has("cutover_slots"))) return;
    await this.#file.transaction(() => {
      this.#file.db.prepare("DELETE FROM cutover_slots WHERE name = ?").run(slot);
      if (this.#file.db.prepare("SELECT 1 FROM cutover_slots").get() === undefined) endCapture(this.#file.db);
    });
    await this.#prune();
  }

  // oxlint-disable-next-line require-await
  async head(): Promise<Position> {
    return this.#file.reading(() => {
      // Of a table whose changes nobody tells of any more, this is not the end.
      this.#file.requireCaptured();
      return positionOf(this.#head());
    });
  }

  /** Whoever has a transaction open holds the file's only write lock: once it is here, nobody has. */
  async fence(epoch: number, options: { readonly signal: AbortSignal }): Promise<Position> {
    checkEpoch(epoch);
    return this.#file.transaction(() => {
      this.#file.requireCaptured();
      this.#file.db.exec(ownTables);
      this.#file.db.prepare("UPDATE cutover_session SET least = max(least, ?)").run(epoch);
      guardTables(this.#file.db, [...this.#file.known().values()]);
      return positionOf(this.#head());
    }, options.signal);
  }

  async lift(epoch: number): Promise<void> {
    checkEpoch(epoch);
    await this.#file.transaction(() => {
      this.#file.db.exec(ownTables);
      const found = this.#file.db.prepare("SELECT least FROM cutover_session").get() as {
        readonly least: number;
      };
      if (isLate(epoch, Number(found.least))) return;
      this.#file.db.prepare("UPDATE cutover_session SET least = ?, writers = ?").run(epoch, epoch);
      endGuard(this.#file.db);
    });
  }

  async applyTxn(write: TargetWrite): Promise<void> {
    const { job, fence, origin, checkpoint } = write;
    if (write.packed !== undefined) throw packedRefused(this.name, write.packed);
    const changes: readonly Change[] = [...write.changes, ...write.rows];
    const writes = this.#file.reading(() => this.#checked(changes));
    await this.#file.transaction(() => {
      if (!this.#file.has("cutover_jobs")) this.#file.db.exec(ownTables);
      const seen = this.#file.statements
        .get("SELECT fence FROM cutover_jobs WHERE job = ?")
        .get(job) as unknown as [bigint] | undefined;
      if (seen !== undefined && fence < Number(seen[0])) throw staleFence(this.name, write, Number(seen[0]));
      this.#file.statements.get("UPDATE cutover_session SET origin = ?").run(origin);
      this.#write(writes);
      this.#file.statements.get("UPDATE cutover_session SET origin = NULL").run();
      this.#file.statements
        .get(
          "INSERT INTO cutover_jobs (job, fence, checkpoint) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET fence = excluded.fence, checkpoint = coalesce(excluded.checkpoint, checkpoint)",
        )
        .run(job, fence, checkpoint ?? null);
    });
    faultPoint("data.target.after-commit");
  }

  // oxlint-disable-next-line require-await
  async checkpoint(job: string): Promise<Uint8Array | undefined> {
    return this.#file.reading(() => {
      if (!this.#file.has("cutover_jobs")) return undefined;
      const found = this.#file.statements
        .get("SELECT checkpoint FROM cutover_jobs WHERE job = ?")
        .get(job) as unknown as readonly [Uint8Array | null] | undefined;
      return found?.[0] ?? undefined;
    });
  }

  async forget(job: string): Promise<void> {
    if (!this.#file.reading(() => this.#file.has("cutover_jobs"))) return;
    await this.#file.transaction(() =>
      this.#file.db.prepare("DELETE FROM cutover_jobs WHERE job = ?").run(job),
    );
  }

  /**
   * Writes encoded rows in one transaction as an application of `epoch`. An application may as well write the file by
   * itself: then it is of the epoch the fence was last lifted at, 0 at first.
   * @throws CUTOVER_DATA_FENCED, CUTOVER_DATA_REFUSED
   */
  async write(changes: readonly Change[], options: { readonly epoch?: number } = {}): Promise<void> {
    const { epoch } = options;
    if (epoch !== undefined) checkEpoch(epoch);
    const writes = this.#file.reading(() => this.#checked(changes));
    await this.#file.transaction(() => {
      const own = this.#file.has("cutover_session");
      const session = (own
        ? this.#file.db.prepare("SELECT least, writers FROM cutover_session").get()
        : { least: 0, writers: 0 }) as unknown as Session;
      const asked = epoch ?? session.writers;
      if (asked < session.least) throw fenced(this.name, asked, session.least);
      if (own) this.#file.statements.get("UPDATE cutover_session SET epoch = ?").run(asked);
      this.#write(writes);
      if (own) this.#file.statements.get("UPDATE cutover_session SET epoch = NULL").run();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#file.close();
    return Promise.resolve();
  }

  /** Refuses a file on which a newer version has worked, and tables that are wanted and not there. */
  check(wanted: readonly string[]): this {
    this.#file.reading(() => {
      if (this.#file.has("cutover_session")) {
        const format = this.#file.db.prepare("SELECT format FROM cutover_session").get()?.[
          "format"
        ] as number;
        if (format > formatVersion)
          throw wrongKind(
            this.name,
            `records of format ${formatVersion}`,
            `format ${format}: a newer Cutover has worked on this file`,
          );
      }
      for (const name of wanted) this.#file.table(name);
    });
    return this;
  }

  #checked(changes: readonly Change[]): readonly (RowWrite | Change)[] {
    return changes.map((change) =>
      ownName(change.collection)
        ? change
        : checkedWrite(this.name, this.#file.table(change.collection), change),
    );
  }

  #write(writes: readonly (RowWrite | Change)[]): void {
    for (const write of writes)
      if ("table" in write) writeRow(this.#file.statements, this.name, write);
      else writeOwn(this.#file.statements, write);
  }

  #rows(
    statements: Statements,
    range: Range,
    limit: ChunkLimit,
  ): { readonly rows: readonly Row[]; readonly end: boolean } {
    return ownName(range.collection)
      ? readOwn(statements, this.#file.has("cutover_own"), range, limit)
      : readRows(statements, this.#file.table(range.collection), range, limit);
  }

  #head(): number {
    if (!this.#file.has("cutover_log")) return 0;
    const found = this.#file.statements
      .get("SELECT seq FROM sqlite_sequence WHERE name = 'cutover_log'")
      .get() as unknown as readonly [bigint] | undefined;
    return found === undefined ? 0 : Number(found[0]);
  }

  async #prune(): Promise<void> {
    if (!this.#file.reading(() => this.#file.has("cutover_log"))) return;
    while (await this.#file.transaction(() => pruneChanges(this.#file.db, this.#head())));
  }

  /**
   * Opens a SQLite file by `node:sqlite`. A file that is made here is in WAL mode; one that is there keeps its mode.
   * @throws CUTOVER_DATA_MISSING, CUTOVER_DATA_FORMAT, CUTOVER_DATA_DENIED, CUTOVER_DATA_COLLECTION
   *
   * @example
   * await using store = await openSqlite("app.db");
   */
}

export async function openSqlite(path: string, options: SqliteStoreOptions = {}): Promise<SqliteStore> {
  const { create = false, collections = [], busyMs = 10_000, clock = systemClock, ...unknown } = options;
  refuseOptions("openSqlite", unknown);
  const name = `sqlite:${path}`;
  const found = whatIsAt(path, name);
  // A file that is made has no tables: who asks for some is told before it is there.
  if (found === "nothing" && create) for (const table of collections) throw missingTable(name, table);
  demand(found, path, name, create);
  if (found === "folder") throw wrongKind(name, "a SQLite file", "a folder");
  let db: DatabaseSync | undefined;
  try {
    // References between tables hold at the source; rows come table by table, and deletions that cascade come by the log.
    db = new DatabaseSync(path, { enableForeignKeyConstraints: false, timeout: readBusyMs });
    if (found === "nothing") db.exec("PRAGMA journal_mode = WAL");
    db.exec("PRAGMA synchronous = FULL");
    return await Promise.resolve(new SqliteStore(path, db, clock, busyMs).check(collections));
  } catch (error) {
    db?.close();
    throw sqliteError(error, name);
  }
}

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ClassicLevel } from "classic-level";
import {
  type DataStore,
  openFiles,
  openLevelDb,
  openLmdb,
  openPostgresData,
  openSqlite,
} from "../../src/data/index.ts";
import type { TestClient } from "../postgres/client.ts";

/**
 * Stores as a program writes and reads them that has nothing of ours: by the driver, or the file system. What the verifier says is held
 * against this.
 */
export interface RawSide {
  readonly collection: string;
  open(): Promise<DataStore>;
  /** Null: the row goes. Absent keys are made. Nobody has the store open. */
  write(rows: Readonly<Record<string, RawValue>>): Promise<void>;
  rows(): Promise<Record<string, RawValue>>;
  close(): Promise<void>;
}

/** As stores of types know it; a store of bytes has a text. `none` is NULL, null a row that is not there. */
export type RawValue = string | number | typeof none | null;
export const none: unique symbol = Symbol("NULL");

const bytesOf = (value: RawValue): Buffer => Buffer.from(String(value));
const nothing = (): Promise<void> => Promise.resolve();
const order = (rows: Record<string, RawValue>): Record<string, RawValue> =>
  Object.fromEntries(Object.entries(rows).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** Has a database open for as long as it is worked with: nobody else may have it meanwhile. */
const opening =
  <Db extends { close(): Promise<void> }>(open: () => Promise<Db>) =>
  async <T>(body: (db: Db) => Promise<T>): Promise<T> => {
    const db = await open();
    try {
      return await body(db);
    } finally {
      await db.close();
    }
  };

/** `byThread`: a LevelDB of any size is read by a thread, as large ones are. */
export function levelSide(path: string, byThread: boolean): RawSide {
  const using = opening(async () => {
    const db = new ClassicLevel<Buffer, Buffer>(path, { keyEncoding: "buffer", valueEncoding: "buffer" });
    await db.open();
    return db;
  });
  return {
    collection: "",
    open: () =>
      openLevelDb(path, { create: true, ...(byThread ? { threadFrom: { rows: 0, bytes: 0 } } : {}) }),
    write: (rows) =>
      using(async (db) => {
        for (const [key, value] of Object.entries(rows))
          if (value === null) await db.del(Buffer.from(key));
          else await db.put(Buffer.from(key), bytesOf(value));
      }),
    rows: () =>
      using(async (db) => {
        const found: Record<string, RawValue> = {};
        // What a move keeps for itself lies behind all keys.
        for await (const [key, value] of db.iterator({ lt: Buffer.alloc(24, 255) }))
          found[String(key)] = String(value);
        return order(found);
      }),
    close: nothing,
  };
}

interface RawLmdb {
  put(key: Buffer, value: Buffer): Promise<boolean>;
  remove(key: Buffer): Promise<boolean>;
  getRange(): Iterable<{ readonly key: Buffer; readonly value: Buffer }>;
  close(): Promise<void>;
}
const lmdb = createRequire(import.meta.url)("lmdb") as { open(options: object): RawLmdb };

export function lmdbSide(path: string): RawSide {
  const using = opening(() =>
    Promise.resolve(lmdb.open({ path, encoding: "binary", keyEncoding: "binary", noSubdir: false })),
  );
  return {
    collection: "",
    open: () => openLmdb(path, { create: true }),
    write: (rows) =>
      using(async (db) => {
        for (const [key, value] of Object.entries(rows))
          await (value === null ? db.remove(Buffer.from(key)) : db.put(Buffer.from(key), bytesOf(value)));
      }),
    rows: () =>
      using((db) => {
        const found: Record<string, RawValue> = {};
        for (const { key, value } of db.getRange())
          // The name of the database in which a move keeps its records.
          if (!String(key).startsWith("cutover.")) found[String(key)] = String(value);
        return Promise.resolve(order(found));
      }),
    close: nothing,
  };
}

export function filesSide(path: string): RawSide {
  return {
    collection: "",
    open: () => openFiles(path, { create: true }),
    write: (rows) => {
      mkdirSync(path, { recursive: true });
      for (const [key, value] of Object.entries(rows))
        if (value === null) rmSync(join(path, `${key}.json`));
        else writeFileSync(join(path, `${key}.json`), bytesOf(value));
      return Promise.resolve();
    },
    rows: () => {
      const names = existsSync(path) ? readdirSync(path).filter((name) => name.endsWith(".json")) : [];
      return Promise.resolve(
        order(
          Object.fromEntries(
            names.map((name) => [name.slice(0, -5), String(readFileSync(join(path, name)))]),
          ),
        ),
      );
    },
    close: nothing,
  };
}

const sqlOf = (value: RawValue): string | number | null =>
  value === none ? null : (value as string | number);
const ofSql = (value: unknown): RawValue => (value === null ? none : (value as string | number));

/** The column has no type, so that a number and its text are two values. */
export function sqliteSide(path: string): RawSide {
  const using = <T>(body: (db: DatabaseSync) => T): Promise<T> => {
    const db = new DatabaseSync(path);
    try {
      return Promise.resolve(body(db));
    } finally {
      db.close();
    }
  };
  void using((db) => db.exec("CREATE TABLE t (k TEXT PRIMARY KEY, v)"));
  return {
    collection: "t",
    open: () => openSqlite(path),
    write: (rows) =>
      using((db) => {
        db.exec("BEGIN");
        for (const [key, value] of Object.entries(rows))
          if (value === null) db.prepare("DELETE FROM t WHERE k = ?").run(key);
          else db.prepare("INSERT OR REPLACE INTO t VALUES (?, ?)").run(key, sqlOf(value));
        db.exec("COMMIT");
      }),
    rows: () =>
      using((db) =>
        order(
          Object.fromEntries(
            db
              .prepare("SELECT k, v FROM t")
              .all()
              .map(({ k, v }) => [k as string, ofSql(v)]),
          ),
        ),
      ),
    close: nothing,
  };
}

/** Values of many types lie in a column of `jsonb`, and NULL beside them. */
export function postgresSide(url: string, client: TestClient): RawSide {
  return {
    collection: "public.t",
    open: () => openPostgresData(url, { collections: ["public.t"] }),
    write: async (rows) => {
      await client.query("BEGIN");
      for (const [key, value] of Object.entries(rows))
        if (value === null) await client.query("DELETE FROM t WHERE k = $1", [key]);
        else
          await client.query("INSERT INTO t VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v", [
            key,
            value === none ? null : JSON.stringify(value),
          ]);
      await client.query("COMMIT");
    },
    rows: async () => {
      const { rows } = await client.query("SELECT k, v FROM t");
      return order(Object.fromEntries(rows.map(({ k, v }) => [k as string, ofSql(v)])));
    },
    close: () => client.end(),
  };
}

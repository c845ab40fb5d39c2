import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { connectorContract, type ConnectorSubject } from "../../testing/index.ts";
import type { Change, Row } from "../connector.ts";
import { encodeKey } from "../key-codec.ts";
import { decodeRecord, encodeRecord, type RecordValue, TextBytes } from "../record-codec.ts";
import { openSqlite, type SqliteStore } from "./sqlite.ts";

const folders: string[] = [];
const file = (): string => {
  const path = mkdtempSync(join(tmpdir(), "cutover-sqlite-"));
  folders.push(path);
  return join(path, "app.db");
};
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

const row = (key: Uint8Array, value: Uint8Array): Row => ({
  key: encodeKey([key]),
  value: encodeRecord([key, value]),
});

async function subject(path = file(), fresh = true): Promise<ConnectorSubject<SqliteStore>> {
  const store = await openSqlite(path, { create: true });
  const application = new DatabaseSync(path, { timeout: 5_000 });
  if (fresh) application.exec("CREATE TABLE t (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID");
  return {
    store,
    collection: "t",
    row,
    changesStandAlone: true,
    write: (changes, epoch) => store.write(changes, { epoch }),
    begin: (changes) => {
      application.exec("BEGIN IMMEDIATE");
      for (const { value } of changes)
        if (value !== null)
          application
            .prepare("INSERT OR REPLACE INTO t VALUES (?, ?)")
            .run(...(decodeRecord(value) as Uint8Array[]));
      return Promise.resolve({
        commit: () => Promise.resolve(application.exec("COMMIT")),
        rollback: () => Promise.resolve(application.exec("ROLLBACK")),
      });
    },
    reopen: () => {
      application.close();
      return subject(path, false);
    },
    close: () => Promise.resolve(application.isOpen ? application.close() : undefined),
  };
}

connectorContract("SQLite", () => subject(), { describe, expect, test });

/** A file made by its application, and the store that moves it. */
async function application(
  schema: string,
): Promise<{ db: DatabaseSync; store: SqliteStore; [Symbol.asyncDispose](): Promise<void> }> {
  const path = file();
  const db = new DatabaseSync(path, { timeout: 5_000 });
  db.exec(schema);
  const store = await openSqlite(path);
  return {
    db,
    store,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      db.close();
    },
  };
}

async function told(store: SqliteStore, from: string): Promise<readonly Change[]> {
  const end = await store.head();
  const changes: Change[] = [];
  if (from >= end) return changes;
  for await (const batch of store.log("s", from, { signal: AbortSignal.timeout(10_000) })) {
    changes.push(...batch.transactions.flatMap((transaction) => transaction.changes));
    if (batch.head >= end) break;
  }
  return changes;
}

/** What a log tells, applied to a copy, is what the table holds. */
async function replayed(store: SqliteStore, table: string, from: string): Promise<void> {
  const copy = new Map<string, string>();
  const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");
  for (const { key, value } of await told(store, from))
    if (value === null) copy.delete(hex(key));
    else copy.set(hex(key), hex(value));
  const now = new Map<string, string>();
  for await (const rows of store.scan({ collection: table }))
    for (const { key, value } of rows) now.set(hex(key), hex(value));
  expect(copy).toEqual(now);
}

describe("a SQLite file that its application goes on writing", () => {
  test("every type comes back exactly: 64-bit integers, infinities, NULL, empty, text that is no UTF-8", async () => {
    await using given = await application("CREATE TABLE t (id INTEGER PRIMARY KEY, v)");
    const { db, store } = given;
    const from = await store.capture("s");
    const values: RecordValue[] = [
      9_223_372_036_854_775_807n,
      -1n,
      0.1,
      5,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      null,
      "",
      "a\u0000b ä",
      Buffer.alloc(0),
      Buffer.from([0, 255]),
    ];
    for (const [index, value] of values.entries())
      db.prepare("INSERT INTO t VALUES (?, ?)").run(index, value as string);
    db.exec("INSERT INTO t VALUES (100, CAST(x'ff00fe' AS TEXT))");
    const expected = [...values, new TextBytes(Buffer.from([0xff, 0, 0xfe]))];
    const chunk = await store.snapshotChunk({ collection: "t" }, { rows: 99, bytes: 1 << 20 });
    const plain = (found: RecordValue | undefined): unknown =>
      found instanceof Uint8Array ? Buffer.from(found) : found;
    expect(chunk.rows.map(({ value }) => plain(decodeRecord(value)[1]))).toEqual(expected);
    expect(
      (await told(store, from)).map(({ value }) => plain(decodeRecord(value ?? Buffer.alloc(0))[1])),
    ).toEqual(expected);

    const target = await openSqlite(file(), { create: true });
    const other = new DatabaseSync(target.name.slice("sqlite:".length));
    other.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v)");
    await target.applyTxn({ job: "j", fence: 1, origin: "o", changes: await told(store, from), rows: [] });
    const copy = await target.snapshotChunk({ collection: "t" }, { rows: 99, bytes: 1 << 20 });
    expect(copy.rows.map(({ value }) => Buffer.from(value))).toEqual(
      chunk.rows.map(({ value }) => Buffer.from(value)),
    );
    other.close();
    await target[Symbol.asyncDispose]();
  });

  test("keys of every sort are in the order of their bytes: integers, text, composite, real, mixed", async () => {
    await using given = await application(`
      CREATE TABLE ints (id INTEGER PRIMARY KEY, v TEXT);
      CREATE TABLE texts (id TEXT PRIMARY KEY, v TEXT);
      CREATE TABLE pairs (a TEXT, b REAL, c INT, v, PRIMARY KEY (b, a, c)) WITHOUT ROWID;
      CREATE TABLE any (id PRIMARY KEY, v);
      INSERT INTO ints VALUES (-9223372036854775808, 'x'), (9223372036854775807, 'x'), (9007199254740993, 'x'), (9007199254740992, 'x'), (0, 'x'), (-1, 'x');
      INSERT INTO texts VALUES ('', 'x'), ('a', 'x'), ('B', 'x'), ('ab', 'x'), ('ä', 'x'), ('a' || char(0), 'x');
      INSERT INTO pairs VALUES ('x', 1.5, 1, 1), ('x', -2e300, 1, 1), ('a', 1.5, 2, 1), ('x', 1.5, 0, 1), ('', 9e999, 0, 1);
      INSERT INTO any VALUES (1, 1), (1.5, 1), ('1', 1), (x'31', 1), (-5, 1), ('', 1), (x'', 1), (9007199254740993, 1), (9007199254740992.0, 1);`);
    for (const { name, problem } of await given.store.collections()) {
      expect(problem).toBe(undefined);
      const all = await given.store.snapshotChunk({ collection: name }, { rows: 99, bytes: 1 << 20 });
      const keys = all.rows.map(({ key }) => Buffer.from(key));
      expect(keys).toEqual(keys.toSorted((a, b) => Buffer.compare(a, b)));
      for (const [index, key] of keys.entries()) {
        const after = await given.store.snapshotChunk(
          { collection: name, after: key },
          { rows: 99, bytes: 1 << 20 },
        );
        expect(after.rows.length).toBe(keys.length - index - 1);
        expect((await given.store.get(name, [key]))[0]).toEqual(all.rows[index]?.value);
      }
    }
  });

  test("a key that changes, rows that REPLACE pushes out, UPSERT and rolled back work are told rightly", async () => {
    await using given = await application(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, mail TEXT UNIQUE, a INT, b INT, UNIQUE (a, b))",
    );
    const { db, store } = given;
    const from = await store.capture("s");
    db.exec("INSERT INTO t VALUES (1, 'a', 1, 1), (2, 'b', 2, 2), (3, 'c', 3, 3), (4, 'd', 4, 4)");
    db.exec("INSERT OR REPLACE INTO t VALUES (9, 'a', 2, 2)");
    db.exec("UPDATE OR REPLACE t SET mail = 'd' WHERE id = 3");
    db.exec("UPDATE t SET id = 30 WHERE id = 3");
    db.exec("INSERT OR IGNORE INTO t VALUES (50, 'd', 7, 7)");
    db.exec("INSERT INTO t VALUES (30, 'x', 8, 8) ON CONFLICT (id) DO UPDATE SET mail = excluded.mail");
    expect(() => db.exec("INSERT INTO t VALUES (60, 'x', 9, 9)")).toThrow(/UNIQUE/);
    db.exec("BEGIN; DELETE FROM t; ROLLBACK");
    db.exec("REPLACE INTO t VALUES (9, 'y', 5, 5)");
    await replayed(store, "t", from);
    expect(await store.count({ collection: "t" })).toBe(2);
  });

  test("an application in plain SQL is fenced off and let in again, and leaves no trace of us when all is released", async () => {
    await using given = await application(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE u (id TEXT PRIMARY KEY)",
    );
    const { db, store } = given;
    await store.capture("s");
    db.exec("INSERT INTO t VALUES (1, 'a')");
    await store.fence(1, { signal: AbortSignal.timeout(5_000) });
    expect(() => db.exec("INSERT INTO t VALUES (2, 'b')")).toThrow(/cutover: this side takes no writes/);
    expect(() => db.exec("UPDATE t SET v = 'b'")).toThrow(/cutover/);
    expect(() => db.exec("INSERT OR IGNORE INTO u VALUES ('b')")).toThrow(/cutover/);
    expect(() => db.exec("DELETE FROM t")).toThrow(/cutover/);
    await store.lift(1);
    db.exec("INSERT INTO t VALUES (2, 'b')");
    await store.release("s");
    expect(db.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE type = 'trigger'").get()).toEqual({
      n: 0,
    });
  });

  test("what cannot be moved says why; a table that changes its columns meanwhile is told", async () => {
    await using given = await application(`
      CREATE TABLE nokey (a); CREATE TABLE nocase (k TEXT COLLATE NOCASE PRIMARY KEY);
      CREATE TABLE nulls (k TEXT PRIMARY KEY); INSERT INTO nulls VALUES (NULL);
      CREATE TABLE exprs (k INTEGER PRIMARY KEY, v TEXT); CREATE UNIQUE INDEX e ON exprs (lower(v));
      CREATE TABLE fine (k INTEGER PRIMARY KEY, v, twice AS (v * 2)); CREATE VIEW seen AS SELECT * FROM fine;`);
    const { db, store } = given;
    const problems = new Map((await store.collections()).map(({ name, problem }) => [name, problem]));
    expect([...problems.keys()]).toEqual(["exprs", "fine", "nocase", "nokey", "nulls"]);
    expect(problems.get("fine")).toBe(undefined);
    expect(problems.get("nokey")).toMatch(/no primary key/);
    expect(problems.get("nocase")).toMatch(/NOCASE/);
    expect(problems.get("nulls")).toMatch(/NULL/);
    expect(problems.get("exprs")).toMatch(/expression/);
    await expect(store.count({ collection: "nokey" })).rejects.toThrow(
      /cannot be moved: it has no primary key/,
    );
    const from = await store.capture("s");
    db.exec("INSERT INTO fine (k, v) VALUES (1, 4)");
    expect(decodeRecord((await told(store, from))[0]?.value ?? Buffer.alloc(0))).toEqual([1n, 4n]);
    db.exec("ALTER TABLE fine ADD COLUMN more");
    await expect(told(store, from)).rejects.toMatchObject({ code: "CUTOVER_DATA_SCHEMA_CHANGED" });
  });

  test.each([
    ["another type", "ALTER TABLE t RENAME TO was; CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)", /v TEXT/],
    [
      "the same columns",
      "ALTER TABLE t RENAME TO was; CREATE TABLE t (k INTEGER PRIMARY KEY, v INT)",
      /nobody tells/,
    ],
    [
      "a column less",
      "ALTER TABLE t RENAME TO was; CREATE TABLE t (k INTEGER PRIMARY KEY)",
      /found others: k INTEGER$/,
    ],
    ["no table of that name", "ALTER TABLE t RENAME TO away", /no such table/],
  ])(
    "a table that was made anew with %s is told to who follows it, and to a slot that is made then",
    async (_, change, found) => {
      await using given = await application(
        "CREATE TABLE t (k INTEGER PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 1)",
      );
      const { db, store } = given;
      const from = await store.capture("s");
      db.exec("INSERT INTO t VALUES (5, 5)");
      // What the triggers tell of cannot be dropped in place: SQLite refuses that by itself.
      expect(() => db.exec("ALTER TABLE t DROP COLUMN v")).toThrow(/cutover_log/);
      db.exec(`BEGIN; ${change}; COMMIT`);
      const refused = {
        code: "CUTOVER_DATA_SCHEMA_CHANGED",
        message: expect.stringMatching(found) as string,
      };
      await expect(told(store, from)).rejects.toMatchObject(refused);
      await store.capture("later");
      await expect(told(store, from)).rejects.toMatchObject(refused);
      await store.release("s");
      await store.release("later");
      if (!/no such/.test(found.source)) {
        // Captured anew, the table is followed as it is now.
        const again = await store.capture("s");
        db.exec("INSERT INTO t (k) VALUES (2)");
        expect(await told(store, again)).toHaveLength(1);
      }
    },
  );

  test("a row the table does not take is refused with table, column and reason, and nothing is kept", async () => {
    await using given = await application(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, mail TEXT NOT NULL UNIQUE) STRICT",
    );
    const write = (values: readonly RecordValue[], id: bigint = values[0] as bigint): Promise<void> =>
      given.store.applyTxn({
        job: "j",
        fence: 1,
        origin: "o",
        changes: [{ collection: "t", key: encodeKey([1n]), value: encodeRecord([1n, "first"]) }],
        rows: [{ collection: "t", key: encodeKey([id]), value: encodeRecord(values) }],
      });
    await expect(write([2n, "first"])).rejects.toThrow(/UNIQUE constraint failed: t.mail/);
    await expect(write([2n, null])).rejects.toThrow(/NOT NULL/);
    await expect(write([2n, Buffer.from("b")])).rejects.toThrow(/cannot store BLOB value/);
    await expect(write([2n, true])).rejects.toThrow(/no booleans/);
    await expect(write([2n, Number.NaN])).rejects.toThrow(/NaN/);
    await expect(write([2n])).rejects.toThrow(/1 columns, the table 2/);
    await expect(write([2n, "x"], 3n)).rejects.toThrow(/not that of the columns/);
    expect(await given.store.count({ collection: "t" })).toBe(0);
    expect(await given.store.checkpoint("j")).toBe(undefined);
  });

  test("a lock that is held too long is told, and a long scan does not stop writers in any mode of the file", async () => {
    const path = file();
    const db = new DatabaseSync(path, { timeout: 0 });
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v)");
    db.exec(
      "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2499) INSERT INTO t SELECT i, 'old' FROM n",
    );
    await using store = await openSqlite(path, { busyMs: 30 });
    let seen = 0;
    for await (const rows of store.scan({ collection: "t" })) {
      db.exec("UPDATE t SET v = 'new' WHERE id = 0");
      seen += rows.length;
    }
    expect(seen).toBe(2_500);
    db.exec("BEGIN IMMEDIATE");
    await expect(store.capture("s")).rejects.toMatchObject({ code: "CUTOVER_DATA_LOCKED" });
    db.exec("ROLLBACK");
    await store.capture("s");
    db.close();
  });

  test("says why it cannot be opened", async () => {
    const path = file();
    const refused = (where: string, options = {}): Promise<unknown> =>
      openSqlite(where, options).then(
        () => "opened",
        (error: unknown) => (error as { code: string }).code,
      );
    expect(await refused(`${path}.none`)).toBe("CUTOVER_DATA_MISSING");
    writeFileSync(path, "no database, but long enough to be looked at as one ".repeat(30));
    expect(await refused(path)).toBe("CUTOVER_DATA_FORMAT");
    mkdirSync(`${path}.folder`);
    expect(await refused(`${path}.folder`)).toBe("CUTOVER_DATA_FORMAT");
    const newer = new DatabaseSync(`${path}.newer`);
    newer.exec("CREATE TABLE cutover_session (format INT); INSERT INTO cutover_session VALUES (9)");
    newer.close();
    expect(await refused(`${path}.newer`)).toBe("CUTOVER_DATA_FORMAT");
    expect(await refused(`${path}.new`, { create: true, collections: ["t"] })).toBe(
      "CUTOVER_DATA_COLLECTION",
    );
    expect(await refused(`${path}.new`, { wrong: 1 })).toBe("CUTOVER_DATA_OPTIONS");
  });
});

import { mkdtemp, rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { systemClock } from "../../core/index.ts";
import { type Step, step } from "../../plan/index.ts";
import { openRig, type Rig, runSteps } from "../../testing/engine-rig.ts";
import type { DataStore } from "../connector.ts";
import { openDataStore } from "../open-data-store.ts";
import { overlay } from "../verify/touched.ts";
import { backfill } from "./backfill.ts";
import type { NamedStore } from "./store-ref.ts";
import { verify } from "./verify.ts";

// What changes under a migration while it copies: tables, rights, room. Each time the step ends with a code that says what it was,
// the old side is as it was with nothing of ours left in it, the new side is empty again, and after the reason is gone a run goes
// through; with `retries` the same one does, from where it was.

let rig: Rig;
let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "cutover-drift-"));
  rig = await openRig({ clock: systemClock });
});
afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const rows = 6_000;
const atOnce = 2_000;

/** The store at the address, with `change` made once before its second chunk is read. */
function changing(address: string, change: () => unknown): NamedStore {
  let chunks = 0;
  return {
    name: "orders",
    open: async (options) => {
      const store = await openDataStore(address, options);
      return overlay<DataStore>(store, {
        snapshotChunk: async (range, limit) => {
          if (++chunks === 2) await change();
          return await store.snapshotChunk(range, { ...limit, rows: Math.min(limit.rows, atOnce) });
        },
      });
    },
  };
}

const run = (...steps: readonly Step[]): ReturnType<typeof runSteps> => runSteps(rig, steps);

const failed = (code: string) => ({
  state: "ROLLED_BACK",
  results: { "move/backfill": { code: expect.stringMatching(`^CUTOVER_DATA_(${code})$`) as string } },
});

describe("tables of SQLite that change under a running copy", () => {
  interface Files {
    readonly from: string;
    readonly to: string;
    readonly old: DatabaseSync;
    readonly fresh: DatabaseSync;
  }
  const table = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n INT NOT NULL DEFAULT 0)";

  function files(): Files {
    const open = (name: string): DatabaseSync => {
      const made = new DatabaseSync(join(dir, name));
      made.exec(`PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000; ${table}`);
      return made;
    };
    const [old, fresh] = [open("old.db"), open("new.db")];
    old.exec(
      `INSERT INTO t SELECT value, 'v' || value, 0 FROM (WITH RECURSIVE s(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM s WHERE value < ${rows}) SELECT * FROM s)`,
    );
    return { from: `sqlite:${dir}/old.db`, to: `sqlite:${dir}/new.db`, old, fresh };
  }
  const all = (db: DatabaseSync, from = "t"): string =>
    JSON.stringify(db.prepare(`SELECT count(*), sum(id), group_concat(v) FROM ${from}`).get());
  const count = (db: DatabaseSync, from = "t"): unknown =>
    db.prepare(`SELECT count(*) AS rows FROM ${from}`).get()?.["rows"];
  const triggers = (db: DatabaseSync): unknown =>
    db.prepare("SELECT count(*) AS made FROM sqlite_schema WHERE type = 'trigger'").get()?.["made"];
  const anew = (columns: string, copied: string): string =>
    `BEGIN; ALTER TABLE t RENAME TO was; CREATE TABLE t (${columns}); INSERT INTO t SELECT ${copied} FROM was; DROP TABLE was; COMMIT`;

  test.each([
    ["a column more", "ALTER TABLE t ADD COLUMN more TEXT", "SCHEMA_CHANGED"],
    ["a column less", anew("id INTEGER PRIMARY KEY, v TEXT", "id, v"), "SCHEMA_CHANGED"],
    ["another type", anew("id INTEGER PRIMARY KEY, v TEXT, n TEXT NOT NULL", "id, v, n"), "SCHEMA_CHANGED"],
    [
      "the same columns in a table made anew",
      anew("id INTEGER PRIMARY KEY, v TEXT, n INT NOT NULL DEFAULT 0", "id, v, n"),
      "SCHEMA_CHANGED",
    ],
  ])("on the old side, %s", async (_, change, code) => {
    const { from, to, old, fresh } = files();
    const before = all(old);
    const source = changing(from, () => old.exec(change));
    expect(await run(backfill(source, to), verify(source, to))).toMatchObject(failed(code));
    expect([all(old), triggers(old), count(fresh)]).toEqual([before, 0, 0]);
    // The new side gets the same table, and a run goes through.
    fresh.exec(change);
    expect((await run(backfill(from, to), verify(from, to))).state).toBe("COMPLETED");
    expect(all(fresh)).toBe(before);
  });

  test("on the old side, another name", async () => {
    const { from, to, old, fresh } = files();
    const before = all(old);
    const source = changing(from, () => old.exec("ALTER TABLE t RENAME TO away"));
    expect(await run(backfill(source, to))).toMatchObject(failed("SCHEMA_CHANGED|COLLECTION"));
    expect([all(old, "away"), triggers(old), count(fresh)]).toEqual([before, 0, 0]);
    old.exec("ALTER TABLE away RENAME TO t");
    expect((await run(backfill(from, to), verify(from, to))).state).toBe("COMPLETED");
  });

  test.each([
    [
      "a column more",
      "ALTER TABLE t ADD COLUMN more TEXT",
      "ALTER TABLE t DROP COLUMN more",
      "SCHEMA_CHANGED|REFUSED",
    ],
    [
      "a column less",
      "ALTER TABLE t DROP COLUMN n",
      "ALTER TABLE t ADD COLUMN n INT NOT NULL DEFAULT 0",
      "SCHEMA_CHANGED|REFUSED",
    ],
    [
      "another name",
      "ALTER TABLE t RENAME TO away",
      "ALTER TABLE away RENAME TO t",
      "SCHEMA_CHANGED|COLLECTION",
    ],
  ])("on the new side, %s", async (_, change, mend, code) => {
    const { from, to, old, fresh } = files();
    const before = all(old);
    const source = changing(from, () => fresh.exec(change));
    expect(await run(backfill(source, to))).toMatchObject(failed(code));
    expect([all(old), triggers(old)]).toEqual([before, 0]);
    fresh.exec(mend);
    // A table that was away could not be emptied on the way back: that was told, and is refused now.
    fresh.exec("DELETE FROM t");
    expect((await run(backfill(from, to), verify(from, to))).state).toBe("COMPLETED");
    expect(all(fresh)).toBe(before);
  });

  test("after the copy, while its log is followed", async () => {
    const { from, to, old, fresh } = files();
    const alter = step("alter", {
      run: () => old.exec("ALTER TABLE t ADD COLUMN more TEXT; UPDATE t SET more = 'x' WHERE id = 7"),
    });
    const { state, results } = await run(backfill(from, to, { follow: true }), alter, verify(from, to));
    expect(results["move/verify"]).toMatchObject({
      code: "CUTOVER_DATA_SCHEMA_CHANGED",
      message: expect.stringContaining('"t"') as string,
    });
    expect([state, count(old), triggers(old), count(fresh)]).toEqual(["ROLLED_BACK", rows, 0, 0]);
  });
});

describe("tables of PostgreSQL that change under a running copy", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await postgresServer({
      wal_level: "logical",
      max_replication_slots: "20",
      max_wal_senders: "20",
    });
  });
  afterAll(() => server.stop());

  interface Databases {
    readonly from: string;
    readonly to: string;
    readonly old: TestClient;
    readonly fresh: TestClient;
  }
  const table = "CREATE TABLE t (id int PRIMARY KEY, v text, n int NOT NULL DEFAULT 0)";
  const clients: TestClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.end();
  });

  async function databases(): Promise<Databases> {
    const [from, to] = [await server.database(), await server.database()];
    const [old, fresh] = [await connectClient(from), await connectClient(to)];
    clients.push(old, fresh);
    await old.query(`${table}; INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, ${rows}) i`);
    await fresh.query(table);
    return { from, to, old, fresh };
  }
  const all = async (client: TestClient, from = "t"): Promise<unknown> =>
    (
      await client.query(
        `SELECT count(*)::int AS rows, md5(string_agg(id || v, '|' ORDER BY id)) AS sum FROM ${from}`,
      )
    ).rows[0];
  const count = async (client: TestClient): Promise<unknown> =>
    (await client.query("SELECT count(*)::int AS rows FROM t")).rows[0]?.["rows"];
  /** Logs and publications that are kept on the server of this database. */
  const kept = async (client: TestClient): Promise<readonly unknown[]> =>
    (
      await client.query(
        "SELECT 1 FROM pg_replication_slots WHERE database = current_database() UNION ALL SELECT 1 FROM pg_publication",
      )
    ).rows;

  test.each([
    ["a column more", "ALTER TABLE t ADD more text; UPDATE t SET more = 'x'", "t"],
    ["a column less", "ALTER TABLE t DROP n", "t"],
    ["another type", "ALTER TABLE t ALTER n TYPE text", "t"],
    ["another name", "ALTER TABLE t RENAME TO away", "away"],
  ])(
    "on the old side, %s",
    async (_, change, name) => {
      const { from, to, old, fresh } = await databases();
      const before = await all(old);
      const source = changing(from, () => old.query(change));
      expect(await run(backfill(source, to), verify(source, to))).toMatchObject(
        failed("SCHEMA_CHANGED|COLLECTION"),
      );
      expect([await all(old, name), await kept(old), await count(fresh)]).toEqual([before, [], 0]);
      // The new side gets the same table, and a run goes through.
      await fresh.query(change);
      expect((await run(backfill(from, to), verify(from, to))).state).toBe("COMPLETED");
      expect(await all(fresh, name)).toEqual(before);
    },
    60_000,
  );

  test("on the new side, a column less; with retries the same run goes on from where it was once it is mended", async () => {
    const { from, to, old, fresh } = await databases();
    const before = await all(old);
    const source = changing(from, () => fresh.query("ALTER TABLE t DROP n"));
    const mended = new Promise<void>((resolve, reject) => {
      const look = setInterval(() => {
        void rig.store.events.read({ limit: 1_000 }).then(async (events) => {
          if (!JSON.stringify(events).includes("CUTOVER_DATA_SCHEMA_CHANGED")) return;
          clearInterval(look);
          await fresh.query("ALTER TABLE t ADD n int NOT NULL DEFAULT 0");
          resolve();
        }, reject);
      }, 50);
    });
    const { state, results } = await run(backfill(source, to, { retries: 2 }), verify(from, to));
    await mended;
    expect(results["move/backfill"]).toMatchObject({ rows });
    expect(state).toBe("COMPLETED");
    expect(await all(fresh)).toEqual(before);
  }, 60_000);

  test("a right that is taken away in the middle is named, and given back a run goes through", async () => {
    const { from, to, old, fresh } = await databases();
    const mover = `mover_${process.pid}`;
    await old.query(
      `CREATE ROLE ${mover} LOGIN REPLICATION PASSWORD 'not-a-secret'; ALTER TABLE t OWNER TO ${mover}`,
    );
    const may = `DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ${mover}', current_database()); END $$; GRANT USAGE, CREATE ON SCHEMA public TO ${mover}; GRANT ALL ON t TO ${mover}`;
    await old.query(may);
    await fresh.query(may);
    const as = (address: string): string => {
      const url = new URL(address);
      url.username = mover;
      return url.href;
    };
    const before = await all(old);
    for (const [side, right] of [
      [old, "SELECT"],
      [fresh, "INSERT"],
    ] as const) {
      const source = changing(as(from), () => side.query(`REVOKE ${right} ON t FROM ${mover}`));
      expect(await run(backfill(source, as(to)))).toMatchObject(failed("DENIED"));
      await side.query(`GRANT ${right} ON t TO ${mover}`);
      expect([await all(old), await kept(old), await count(fresh)]).toEqual([before, [], 0]);
    }
    expect((await run(backfill(as(from), as(to)), verify(as(from), as(to)))).state).toBe("COMPLETED");
    await old.query(`REASSIGN OWNED BY ${mover} TO postgres; DROP OWNED BY ${mover}`);
  }, 60_000);

  test("a new side without room is told, keeps nothing of it, and with room a run goes through", async () => {
    const full = await postgresServer();
    try {
      const from = await server.database();
      const old = await connectClient(from);
      clients.push(old);
      await old.query(
        `${table}; INSERT INTO t SELECT i, repeat(md5(i::text), 60) FROM generate_series(1, 15000) i`,
      );
      const before = await all(old);
      await full.query(table);
      await full.halt();
      // The table would have 30 MB, which no file may have.
      full.limitFiles(20_000_000);
      await full.start();
      expect(await run(backfill(from, full.url()))).toMatchObject(failed("FULL"));
      const [left] = await full.query("SELECT count(*)::int AS rows FROM t");
      expect([await all(old), await kept(old), left]).toEqual([before, [], { rows: 0 }]);
      await full.halt();
      full.limitFiles(undefined);
      await full.start();
      expect((await run(backfill(from, full.url()), verify(from, full.url()))).state).toBe("COMPLETED");
    } finally {
      await full.stop();
    }
  }, 90_000);
});

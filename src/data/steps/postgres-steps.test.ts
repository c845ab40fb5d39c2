import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { systemClock } from "../../core/index.ts";
import { type Step, step } from "../../plan/index.ts";
import { openRig, type Rig, runSteps } from "../../testing/engine-rig.ts";
import { backfill, type BackfillOptions } from "./backfill.ts";
import { backup } from "./backup.ts";
import { verify } from "./verify.ts";

let server: TestServer;
let rig: Rig;
let dir = "";
beforeAll(async () => {
  server = await postgresServer({ wal_level: "logical", max_replication_slots: "20", max_wal_senders: "20" });
});
afterAll(() => server.stop());
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "cutover-postgres-steps-"));
  rig = await openRig({ clock: systemClock });
});
afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

interface Database {
  readonly url: string;
  readonly client: TestClient;
}

/** Children sort before their parents, as tables are copied by name. */
const tables = `CREATE SCHEMA app; CREATE TABLE app.parent (id int PRIMARY KEY, v text);
  CREATE TABLE app.child (id int PRIMARY KEY, parent int NOT NULL REFERENCES app.parent, v text)`;
const rows = `INSERT INTO app.parent SELECT i, 'p' FROM generate_series(1, 2000) i;
  INSERT INTO app.child SELECT i, 2001 - i, 'c' FROM generate_series(1, 2000) i`;

async function given(...statements: readonly string[]): Promise<Database> {
  const url = await server.database();
  const client = await connectClient(url);
  for (const statement of statements) await client.query(statement);
  return { url, client };
}

const run = (...steps: readonly Step[]): ReturnType<typeof runSteps> => runSteps(rig, steps);

const count = async ({ client }: Database, table: string): Promise<unknown> =>
  (await client.query(`SELECT count(*)::int AS rows FROM ${table}`)).rows[0]?.["rows"];

/** Nothing of a run that ended stays on a server: it would keep its log until the disk is full. */
async function leavesNothing({ client }: Database): Promise<void> {
  const slots = "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()";
  expect((await client.query(slots)).rows).toEqual([]);
  expect((await client.query("SELECT pubname FROM pg_publication")).rows).toEqual([]);
}

test("children that come before their parents, and triggers of the new side, do not disturb the copy", async () => {
  const old = await given(tables, rows);
  const fresh = await given(
    tables,
    `CREATE FUNCTION app.shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := upper(NEW.v); RETURN NEW; END $$;
      CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON app.child FOR EACH ROW EXECUTE FUNCTION app.shout()`,
  );
  const { state, results } = await run(
    backfill(old.url, fresh.url, { follow: true }),
    step("write", {
      run: async () => {
        // A parent and its child, both new; a parent that loses its child and goes.
        await old.client.query(
          "BEGIN; INSERT INTO app.parent VALUES (3000, 'late'); INSERT INTO app.child VALUES (3000, 3000, 'late'); COMMIT",
        );
        await old.client.query("DELETE FROM app.child WHERE parent = 7");
        await old.client.query("DELETE FROM app.parent WHERE id = 7");
      },
    }),
    verify(old.url, fresh.url),
  );
  expect(results["move/verify"]).toMatchObject({ equal: true });
  expect(state).toBe("COMPLETED");
  expect((await fresh.client.query("SELECT v FROM app.child WHERE id = 3000")).rows).toEqual([{ v: "late" }]);
  // Afterwards they are there as ever, for applications.
  await expect(fresh.client.query("INSERT INTO app.child VALUES (4000, 7, 'x')")).rejects.toMatchObject({
    code: "23503",
  });
  const inserted = await fresh.client.query("INSERT INTO app.child VALUES (4000, 8, 'x') RETURNING v");
  expect(inserted.rows).toEqual([{ v: "X" }]);
}, 60_000);

test("a user who may not switch off foreign keys and triggers is told so before anything is written, and a grant is enough", async () => {
  const old = await given(tables, rows);
  const fresh = await given(
    tables,
    `CREATE ROLE mover_${process.pid} LOGIN PASSWORD 'not-a-secret'`,
    `GRANT USAGE ON SCHEMA app TO mover_${process.pid}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO mover_${process.pid}`,
    `DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO mover_${process.pid}', current_database()); END $$`,
  );
  const address = new URL(fresh.url);
  address.username = `mover_${process.pid}`;
  const refused = backfill(old.url, address.href);
  expect((await refused.kind.plan?.({} as never))?.summary).toContain(
    '"app.child" of the new store is refused: this user may not switch off child_parent_fkey',
  );
  const { state, results } = await run(refused);
  expect(state).toBe("ROLLED_BACK");
  expect(results["move/backfill"]).toMatchObject({
    code: "CUTOVER_DATA_DENIED",
    details: { collection: "app.child", enforced: ["child_parent_fkey"] },
  });
  expect(
    (await fresh.client.query("SELECT 1 FROM pg_namespace WHERE nspname = 'cutover_data'")).rows,
  ).toEqual([]);
  await leavesNothing(old);

  await fresh.client.query(`GRANT SET ON PARAMETER session_replication_role TO mover_${process.pid}`);
  expect((await run(backfill(old.url, address.href), verify(old.url, address.href))).state).toBe("COMPLETED");
  expect(await count(fresh, "app.child")).toBe(2_000);
}, 60_000);

test("a table without a primary key is told by plan, refused by name before anything is made, and left out by naming the others", async () => {
  const old = await given(tables, rows, "CREATE TABLE app.visits (path text)");
  const fresh = await given(tables);
  const all = backfill(old.url, fresh.url);
  expect((await all.kind.plan?.({} as never))?.summary).toContain('"app.visits": it has no primary key');
  const { state, results } = await run(all);
  expect(state).toBe("ROLLED_BACK");
  expect(results["move/backfill"]).toMatchObject({
    code: "CUTOVER_DATA_COLLECTION",
    message: 'collection "app.visits" cannot be read row by row: it has no primary key',
  });
  expect(await count(fresh, "app.parent")).toBe(0);
  await leavesNothing(old);
  const named: BackfillOptions = { collections: ["app.parent", "app.child"] };
  const again = await run(backfill(old.url, fresh.url, named), verify(old.url, fresh.url, named));
  expect(again.state).toBe("COMPLETED");
}, 60_000);

test("a column that is added to the old side during the copy ends the run by name, and the old side is as it was", async () => {
  const old = await given(tables, rows);
  const fresh = await given(tables);
  let done = false;
  const altering = step("alter", {
    run: async () => {
      await old.client.query("ALTER TABLE app.parent ADD COLUMN more text; UPDATE app.parent SET more = 'x'");
      done = true;
    },
  });
  const { state, results } = await run(
    backfill(old.url, fresh.url, { follow: true }),
    altering,
    verify(old.url, fresh.url),
  );
  expect(done).toBe(true);
  expect(state).toBe("ROLLED_BACK");
  expect(results["move/verify"]).toMatchObject({
    code: expect.stringMatching(/^CUTOVER_DATA_(SCHEMA_CHANGED|REFUSED)$/) as unknown,
  });
  expect(await count(old, "app.parent")).toBe(2_000);
  expect(await count(fresh, "app.parent")).toBe(0);
  await leavesNothing(old);
}, 60_000);

test("a copy that begins while the server is down goes on when it is back", async () => {
  const old = await given(tables, rows);
  const fresh = await given(tables);
  await Promise.all([old.client.end(), fresh.client.end()]);
  await server.halt();
  const going = run(backfill(old.url, fresh.url));
  await server.start();
  const { state, results } = await going;
  expect([state, results["move/backfill"]]).toMatchObject(["COMPLETED", { rows: 4_000 }]);
});

test("a backup of tables counts when it came back to a database with the same tables", async () => {
  const old = await given(tables, rows);
  const scratch = await given(tables);
  const into = join(dir, "kept");
  const { state, results } = await run(backup(old.url, { into, scratch: scratch.url }));
  expect(results["move/backup"]).toMatchObject({ rows: 4_000 });
  expect(state).toBe("COMPLETED");
}, 60_000);

test("no address with a password gets into a record", async () => {
  const old = await given(tables);
  const fresh = await given(tables);
  const made = backfill(old.url, fresh.url);
  expect(JSON.stringify(made.input)).not.toContain("not-a-secret");
  const wrong = new URL(fresh.url);
  wrong.password = "geheim-42";
  const { results } = await run(backfill(old.url, wrong.href));
  expect(results["move/backfill"]).toMatchObject({ code: "CUTOVER_DATA_DENIED" });
  const events = await rig.store.events.read({ limit: 1_000 });
  expect(events.length).toBeGreaterThan(3);
  expect(JSON.stringify(events)).not.toMatch(/geheim-42|not-a-secret/);
}, 60_000);

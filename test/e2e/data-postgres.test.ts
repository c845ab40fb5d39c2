import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { connectClient, type TestClient } from "../postgres/client.ts";
import { postgresServer, type TestServer } from "../postgres/server.ts";
import { type Ended, Project } from "./command-line.ts";

let server: TestServer;
let project: Project;
let [oldUrl, newUrl] = ["", ""];
let [old, fresh] = [] as unknown as [TestClient, TestClient];
beforeAll(async () => {
  server = await postgresServer({ wal_level: "logical", max_replication_slots: "20", max_wal_senders: "20" });
  [oldUrl, newUrl] = [await server.database(), await server.database()];
  [old, fresh] = [await connectClient(oldUrl), await connectClient(newUrl)];
});
afterAll(async () => {
  await old.end();
  await fresh.end();
  await server.stop();
});
beforeEach(async () => {
  project = new Project();
  for (const side of [old, fresh])
    await side.query(
      "DROP SCHEMA IF EXISTS public, cutover_data CASCADE; CREATE SCHEMA public; SET client_min_messages = warning",
    );
  await old.query(
    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()",
  );
  const names = await old.query("SELECT pubname AS name FROM pg_publication");
  for (const { name } of names.rows) await old.query(`DROP PUBLICATION ${String(name)}`);
});
afterEach(() => project[Symbol.dispose]());

const table = "CREATE TABLE t (id int PRIMARY KEY, name text, amount numeric)";
const rows = "INSERT INTO t SELECT i, 'name ' || i, i / 4.0 FROM generate_series(1, 3000) i";
const copy = (from = oldUrl, to = newUrl): Promise<Ended> => project.run("data", "copy", from, to);
const said = ({ stderr }: Ended): string => stderr.replaceAll(/\s+/g, " ");
const sumOf = async (of: TestClient): Promise<unknown> =>
  (await of.query("SELECT count(*)::int AS rows, md5(string_agg(t::text, '|' ORDER BY id)) AS sum FROM t"))
    .rows;

test("tables are copied, compared, and have one digest; nothing is left behind on the old server", async () => {
  await old.query(`${table}; ${rows}`);
  await fresh.query(table);
  const copied = await copy();
  expect(copied.stderr).toBe("");
  expect(copied.stdout).toMatch(/3,000 rows[^]*equal/);
  expect(copied.code).toBe(0);
  expect(await sumOf(fresh)).toEqual(await sumOf(old));
  expect(await project.run("data", "diff", oldUrl, newUrl)).toMatchObject({ code: 0 });
  await fresh.query("UPDATE t SET name = NULL WHERE id = 7; DELETE FROM t WHERE id = 8");
  expect(await project.run("data", "diff", oldUrl, newUrl)).toMatchObject({ code: 4 });
  expect((await old.query("SELECT slot_name FROM pg_replication_slots")).rows).toEqual([]);
  expect((await old.query("SELECT pubname FROM pg_publication")).rows).toEqual([]);
}, 120_000);

test.each<[string, string, string, string, readonly string[]]>([
  [
    "a table without a primary key",
    "CREATE TABLE t (id int, name text); INSERT INTO t VALUES (1, 'a')",
    "CREATE TABLE t (id int, name text)",
    "CUTOVER_DATA_COLLECTION",
    ["public.t", "no primary key"],
  ],
  ["a table that the new side has not", `${table}; ${rows}`, "", "CUTOVER_DATA_COLLECTION", ["public.t"]],
  [
    "a target that holds rows",
    `${table}; ${rows}`,
    `${table}; INSERT INTO t VALUES (1, 'mine', 1)`,
    "CUTOVER_DATA_NOT_EMPTY",
    ["public.t"],
  ],
  [
    "a column that the new side has not",
    `${table}; ${rows}`,
    "CREATE TABLE t (id int PRIMARY KEY, name text)",
    "CUTOVER_DATA_REFUSED",
    ["public.t", "id, name"],
  ],
  [
    "a table with its columns in another order",
    `${table}; ${rows}`,
    "CREATE TABLE t (id int PRIMARY KEY, amount numeric, name text)",
    "CUTOVER_DATA_COLLECTION",
    ["public.t", '"name" at place 3', "place 2"],
  ],
  [
    "a value that does not fit its new type",
    `${table}; ${rows}; UPDATE t SET name = '77' WHERE id <> 1234`,
    "CREATE TABLE t (id int PRIMARY KEY, name int, amount numeric)",
    "CUTOVER_DATA_REFUSED",
    ["name 1234"],
  ],
  [
    "a value that is too long",
    `${table}; ${rows}`,
    "CREATE TABLE t (id int PRIMARY KEY, name varchar(8), amount numeric)",
    "CUTOVER_DATA_REFUSED",
    ["character varying(8)"],
  ],
  [
    "a constraint of the new side",
    `${table}; ${rows}`,
    "CREATE TABLE t (id int PRIMARY KEY, name text, amount numeric CHECK (amount < 700))",
    "CUTOVER_DATA_REFUSED",
    ["t_amount_check"],
  ],
])(
  "%s is refused by name, and the old side stays as it was",
  async (_, ddl, target, code, words) => {
    await old.query(ddl);
    if (target !== "") await fresh.query(target);
    const before = (await old.query("SELECT t::text AS row FROM t ORDER BY id")).rows;
    const held = target === "" ? undefined : (await fresh.query("SELECT count(*)::int AS rows FROM t")).rows;
    const ended = await copy();
    expect(said(ended)).toContain(code);
    for (const word of words) expect(said(ended)).toContain(word);
    expect(said(ended)).toMatch(/help: npx cutover help/);
    expect(ended.stderr).not.toContain("not-a-secret");
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    expect(ended.code).not.toBe(0);
    expect((await old.query("SELECT t::text AS row FROM t ORDER BY id")).rows).toEqual(before);
    if (code !== "CUTOVER_DATA_REFUSED" && held !== undefined)
      expect((await fresh.query("SELECT count(*)::int AS rows FROM t")).rows).toEqual(held);
  },
  60_000,
);

test("after a refused row the same command goes on where it stood, once the row fits", async () => {
  await old.query(`${table}; ${rows}`);
  await fresh.query("CREATE TABLE t (id int PRIMARY KEY, name text, amount numeric CHECK (amount < 700))");
  expect((await copy()).code).not.toBe(0);
  await fresh.query("ALTER TABLE t DROP CONSTRAINT t_amount_check");
  await old.query(
    "UPDATE t SET name = 'changed in between' WHERE id IN (1, 2999); DELETE FROM t WHERE id = 5",
  );
  const again = await copy();
  expect(again.stderr).toBe("");
  expect(again.code).toBe(0);
  expect(await sumOf(fresh)).toEqual(await sumOf(old));
}, 120_000);

test("a wrong address, user, password or right is told by its code, never with the password", async () => {
  await old.query(`${table}; ${rows}`);
  await fresh.query(table);
  await old.query(
    "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader') THEN CREATE ROLE reader LOGIN PASSWORD 'geheim-77'; END IF; END $$; GRANT USAGE ON SCHEMA public TO reader",
  );
  const with_ = (change: (url: URL) => void): string => {
    const url = new URL(oldUrl);
    change(url);
    return url.href;
  };
  const cases: readonly (readonly [string, string])[] = [
    [with_((url) => (url.password = "geheim-77")), "CUTOVER_DATA_DENIED"],
    [with_((url) => (url.pathname = "/nowhere")), "CUTOVER_DATA_MISSING"],
    [with_((url) => (url.port = "1")), "CUTOVER_DATA_UNAVAILABLE"],
    [`${oldUrl}?shema=public`, "CUTOVER_DATA_ADDRESS"],
    [with_((url) => ((url.username = "reader"), (url.password = "geheim-77"))), "CUTOVER_DATA_COLLECTION"],
  ];
  for (const [address, code] of cases) {
    const ended = await copy(address);
    expect(said(ended)).toContain(code);
    expect(ended.stderr + ended.stdout).not.toMatch(/geheim-77|not-a-secret/);
    expect(ended.code).not.toBe(0);
  }
  // May read, but not keep the log.
  await old.query("GRANT SELECT ON t TO reader");
  const ended = await copy(cases[4]?.[0]);
  expect(said(ended)).toContain("CUTOVER_DATA_DENIED");
  expect(said(ended)).toContain("REPLICATION");
  expect((await fresh.query("SELECT count(*)::int AS rows FROM t")).rows).toEqual([{ rows: 0 }]);
  await old.query("DROP OWNED BY reader");
}, 120_000);

test("tables of SQLite go into tables of other names, are compared and repaired there", async () => {
  const made = new DatabaseSync(project.path("shop.db"));
  made.exec(
    `CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, cents INTEGER, photo BLOB, rate REAL);
     CREATE TABLE visits (path TEXT);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
     INSERT INTO customers SELECT i, 'ü ' || i, 9007199254740993 + i, x'00ff', i / 3.0 FROM n`,
  );
  made.close();
  const dir = [`sqlite:${project.path("shop.db")}`, newUrl] as const;
  const names = ["--collection", "customers", "--into", "public.people"];
  const missing = await project.run("data", "copy", ...dir, "--collection", "customers");
  expect(missing).toMatchObject({ code: 2, stdout: "" });
  expect(said(missing)).toContain("--collection customers --into NAME,…");
  const unequal = await project.run("data", "copy", ...dir, ...names.slice(0, -1), "a,b");
  expect(unequal).toMatchObject({ code: 2, stdout: "" });
  expect(said(unequal)).toContain("as many names for --into as for --collection, found 2 and 1");

  await fresh.query(
    "CREATE TABLE people (id bigint PRIMARY KEY, full_name text, cents bigint, photo bytea, rate float8)",
  );
  const planned = await project.run("data", "copy", ...dir, ...names, "--dry-run");
  expect(planned.stdout).toMatch(/\(empty\) · 2,500 rows/);
  const copied = await project.run("data", "copy", ...dir, ...names);
  expect(copied.stderr).toBe("");
  expect(copied.stdout).toMatch(/copied {2}2,500 rows[^]*equal/);
  const { rows: people } = await fresh.query("SELECT * FROM people WHERE id = 7");
  expect(people).toEqual([
    { id: "7", full_name: "ü 7", cents: "9007199254741000", photo: Buffer.from([0, 255]), rate: 7 / 3 },
  ]);
  await fresh.query("UPDATE people SET full_name = 'x' WHERE id = 7; DELETE FROM people WHERE id = 8");
  const found = await project.run("data", "diff", ...dir, ...names);
  expect(found.stdout).toMatch(
    /1 missing · 1 different[^]*--collection customers --into public.people --repair/,
  );
  expect(found.code).toBe(4);
  expect(await project.run("data", "diff", ...dir, ...names, "--repair")).toMatchObject({ code: 0 });
  expect(await project.run("data", "diff", ...dir, ...names)).toMatchObject({ code: 0 });
}, 120_000);

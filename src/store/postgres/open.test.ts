import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { connectClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { created, newOrder, refusal } from "../../testing/store-contract/tools.ts";
import { openStore } from "../open-store.ts";
import { loadDriver } from "./driver.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

describe("opening a PostgreSQL store", () => {
  test("makes the schema once, also when many programs open it at the same time", async () => {
    const schema = server.schema();
    const stores = await Promise.all(
      Array.from({ length: 6 }, () => openPostgresStore({ url: server.url(), schema })),
    );
    const versions = await server.query(`SELECT version, breaking FROM ${schema}.schema ORDER BY version`);
    expect(versions[0]).toEqual({ version: 1, breaking: 1 });
    expect(versions.map(({ version }) => version)).toEqual(versions.map((_, index) => index + 1));
    await Promise.all(stores.map((store) => store.close()));
  });

  test("goes through a socket where the address names its folder", async () => {
    const more = `port=${server.port}&user=postgres&password=not-a-secret&schema=${server.schema()}`;
    await using store = await openStore(`postgres:///postgres?host=${server.folder}&${more}`);
    expect(await store.orders.queues()).toEqual([]);
  });

  test("says where it is, without the password", async () => {
    const schema = server.schema();
    await using store = await openStore(`${server.url()}?schema=${schema}`);
    expect(store.description).toBe(`postgres 127.0.0.1:${server.port}/postgres schema ${schema}`);
  });

  test("makes none for who only looks, and opens one that is there", async () => {
    const schema = server.schema();
    const where = `${server.url()}?schema=${schema}`;
    await expect(openStore(where, { make: false })).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      details: { missing: true },
      place: expect.stringContaining(schema),
    });
    expect(await server.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [schema])).toEqual([]);
    await (await openStore(where)).close();
    await using store = await openStore(where, { make: false });
    expect(await store.orders.queues()).toEqual([]);
  });

  test("refuses a database whose encoding lacks characters, and writes nothing to it", async () => {
    await server.query(
      "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    );
    await expect(openPostgresStore({ url: server.url("latin"), schema: "s" })).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      message: /UTF8.*LATIN1/,
      remedy: /UTF8/,
    });
    const client = await connectClient(server.url("latin"));
    expect((await client.query("SELECT FROM pg_namespace WHERE nspname = 's'")).rowCount).toBe(0);
    await client.end();
    await server.query(
      "CREATE DATABASE bytes ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    );
    await using store = await openPostgresStore({ url: server.url("bytes") });
    await store.orders.submit([newOrder("o", { payload: "10 €" })]);
    expect(await store.orders.get("o")).toMatchObject({ payload: "10 €" });
  });

  test("refuses a schema that a newer program changed, and writes nothing to it", async () => {
    const schema = server.schema();
    await (await openPostgresStore({ url: server.url(), schema })).close();
    await server.query(`INSERT INTO ${schema}.schema VALUES (101, '101-later.sql', 0, 0)`);
    await (await openPostgresStore({ url: server.url(), schema })).close();
    await server.query(`INSERT INTO ${schema}.schema VALUES (102, '102-breaking.sql', 1, 0)`);
    const work = openPostgresStore({ url: server.url(), schema });
    await expect(work).rejects.toThrow(/102-breaking\.sql/);
    expect(await refusal(work)).toBe("CUTOVER_STORE_NEWER");
  });

  test("a program that runs on is refused from its next write when a newer one makes a breaking change", async () => {
    const schema = server.schema();
    const store = await openPostgresStore({ url: server.url(), schema });
    // After the first one a write is one statement, decided beforehand.
    for (const id of ["a", "b", "c"]) await store.orders.submit([newOrder(id)]);
    await server.query(`UPDATE ${schema}.chain_head SET id = 102`);
    await server.query(`INSERT INTO ${schema}.schema VALUES (102, '102-breaking.sql', 1, 0)`);
    expect(await refusal(store.orders.submit([newOrder("d")]))).toBe("CUTOVER_STORE_NEWER");
    expect(await refusal(store.orders.configure("q", { paused: true }, "ana", "test"))).toBe(
      "CUTOVER_STORE_NEWER",
    );
    expect(await refusal(store.runs.commit("r1", [created]))).toBe("CUTOVER_STORE_NEWER");
    expect(await store.orders.get("c")).toMatchObject({ state: "PENDING" });
    expect(await store.orders.get("d")).toBeUndefined();
    await store.close();
  });

  test("refuses a schema of another program and leaves it alone", async () => {
    const schema = server.schema();
    await server.query(`CREATE SCHEMA ${schema}`);
    await server.query(`CREATE TABLE ${schema}.schema (version int)`);
    expect(await refusal(openPostgresStore({ url: server.url(), schema }))).toBe("CUTOVER_STORE_CORRUPT");
    expect(await server.query(`SELECT count(*)::int AS n FROM ${schema}.schema`)).toEqual([{ n: 0 }]);
  });

  test("an empty schema that is there already is used, also without the right to make one", async () => {
    const schema = server.schema();
    await server.query(`CREATE ROLE plain_${schema} LOGIN PASSWORD 'x'`);
    await server.query(`CREATE SCHEMA ${schema} AUTHORIZATION plain_${schema}`);
    const url = server.url().replace(/\/\/[^@]*@/, `//plain_${schema}:x@`);
    const store = await openPostgresStore({ url, schema });
    expect(await store.events.verify()).toMatchObject({ whole: true });
    await store.close();
    const other = server.schema();
    const work = openPostgresStore({ url, schema: other });
    expect(await refusal(work)).toBe("CUTOVER_STORE_UNAVAILABLE");
    await expect(work).rejects.toThrow(/rights/);
  });

  test.each([
    ["a wrong password", (url: string) => url.replace("not-a-secret", "wrong"), /user and password/],
    [
      "a database that does not exist",
      (url: string) => url.replace(/postgres$/, "nowhere"),
      /database to exist/,
    ],
    ["a port nobody answers on", (url: string) => url.replace(/:\d+\/postgres$/, ":1/postgres"), /answers/],
    ["a server without TLS", (url: string) => `${url}?sslmode=no-verify`, /a server that encrypts/],
    [
      "a certificate's file that is not there",
      (url: string) => `${url}?sslrootcert=/nowhere/ca.pem`,
      /no such file/,
    ],
    ["a port that is none", (url: string) => `${url}?port=abc`, /whose port is one/],
  ])("names %s, without the password", async (_title, change, text) => {
    const work = openPostgresStore({ url: change(server.url()) });
    await expect(work).rejects.toThrow(text);
    expect(await refusal(work)).toBe("CUTOVER_STORE_UNAVAILABLE");
    await work.catch((error: Error) => expect(JSON.stringify(error)).not.toMatch(/not-a-secret|wrong/));
  });

  test("names the limit of a role that has no connection left, and how many a process takes", async () => {
    await server.query("CREATE ROLE narrow LOGIN PASSWORD 'x' CONNECTION LIMIT 0");
    const url = server.url().replace(/\/\/[^@]*@/, "//narrow:x@");
    await expect(openPostgresStore({ url })).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      message: /expected a free connection.*role "narrow"/,
      remedy: /CONNECTION LIMIT of the role.*takes three to five/,
    });
  });

  test("names the package that is missing, and how to get it", async () => {
    const missing = (): Promise<never> => Promise.reject(new Error("Cannot find package 'pg'"));
    expect(await refusal(loadDriver(missing))).toBe("CUTOVER_DRIVER_MISSING");
    await loadDriver(missing).catch((error: { remedy: string }) =>
      expect(error.remedy).toMatch(/npm install pg/),
    );
  });

  test.each(["Big", "pg_mine", "a-b", "", "x".repeat(49)])("refuses the schema name %j", async (schema) => {
    expect(await refusal(openPostgresStore({ url: server.url(), schema }))).toBe("CUTOVER_STORE_UNAVAILABLE");
  });
});

describe("openStore", () => {
  test("makes no file for who only looks", async () => {
    const path = join(mkdtempSync(join(tmpdir(), "cutover-look-")), "work.db");
    onTestFinished(() => rmSync(dirname(path), { recursive: true }));
    await expect(openStore(`sqlite:${path}`, { make: false })).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      details: { missing: true },
      place: path,
    });
    expect(existsSync(path)).toBe(false);
    await (await openStore(`sqlite:${path}`)).close();
    await (await openStore(`sqlite:${path}`, { make: false })).close();
  });

  test("opens SQLite by its path, and refuses what is no store without repeating it", async () => {
    await using store = await openStore("sqlite::memory:");
    expect(store.description).toBe("sqlite :memory:");
    const work = openStore("mysql://root:hidden@host/db");
    expect(await refusal(work)).toBe("CUTOVER_STORE_UNAVAILABLE");
    await expect(work).rejects.not.toThrow(/hidden/);
  });
});

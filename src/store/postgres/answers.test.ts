import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { connectClient } from "../../../test/postgres/client.ts";
import { openProxy, type Proxy } from "../../../test/postgres/proxy.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { writerSession } from "../../../test/postgres/writer-session.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { newOrder, starting } from "../../testing/store-contract/tools.ts";
import { openPostgresStore, type PostgresStoreOptions } from "./open.ts";
import { storeError } from "./postgres-error.ts";

let server: TestServer;
let proxy: Proxy;
beforeAll(async () => {
  server = await postgresServer();
  proxy = await openProxy(server.port);
});
afterAll(async () => {
  await proxy.close();
  await server.stop();
});

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  proxy.fate = () => "pass";
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function open(more: Partial<PostgresStoreOptions> = {}): ReturnType<typeof openPostgresStore> {
  const store = await openPostgresStore({ url: server.url(), schema: server.schema(), ...more });
  opened.push(store);
  return store;
}

async function connect(): ReturnType<typeof connectClient> {
  const client = await connectClient(server.url());
  opened.push({ close: () => client.end() });
  return client;
}

/** Swallows what holds this text, and tells when it came. */
function swallowed(text: string): Promise<void> {
  return new Promise((resolve) => {
    proxy.fate = (sent) => {
      if (!sent.includes(text)) return "pass";
      resolve();
      return "swallow";
    };
  });
}

describe("a server that lets one in and then answers nothing", () => {
  test("is not waited for when a store is opened", async () => {
    const timers = new ManualClock();
    const asked = swallowed("search_path");
    const opening = expect(open({ url: proxy.url(server.url()), timers })).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
    });
    await asked;
    await timers.advance(10_000);
    await opening;
  });

  test("keeps neither a call nor the end of the store waiting for ever", async () => {
    const timers = new ManualClock();
    const url = proxy.url(server.url());
    const store = await openPostgresStore({ url, schema: server.schema(), timers, retryMs: 1_000 });
    await store.orders.submit([newOrder("a")]);
    const asked = swallowed("search_path");
    proxy.cutAll();
    const refused = expect(store.orders.submit([newOrder("b")])).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
    });
    let isOver = false;
    // It waits between two tries, too.
    const passing = (async () => {
      for (; !isOver; await pause(1)) await timers.advance(100);
    })();
    await asked;
    const closing = store.close();
    await refused;
    await closing;
    isOver = true;
    await passing;
  });
});

test("a server that lets nobody go is left when a store is closed", async () => {
  const timers = new ManualClock();
  const url = proxy.url(server.url());
  const store = await openPostgresStore({ url, schema: server.schema(), timers });
  await store.orders.submit([newOrder("a")]);
  proxy.fate = () => "swallow";
  let isOver = false;
  const closing = store.close().then(() => (isOver = true));
  for (; !isOver; await pause(1)) await timers.advance(100);
  await closing;
});

test("a server that takes no writes any more is left for one that does", async () => {
  const schema = server.schema();
  const store = await open({ schema });
  const brief = await open({ schema, retryMs: 1 });
  const admin = await connect();
  await store.orders.submit([newOrder("before")]);
  // As behind an address that has led to a standby, and leads to a primary again from some moment on.
  await admin.query(`CREATE TABLE "${schema}".turned (at timestamptz)`);
  await admin.query(`INSERT INTO "${schema}".turned VALUES ('infinity')`);
  await admin.query(`CREATE FUNCTION "${schema}".refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()) < (SELECT at FROM turned) THEN
      RAISE EXCEPTION 'cannot execute INSERT in a read-only transaction' USING ERRCODE = '25006';
    END IF;
    RETURN NEW; END $$`);
  await admin.query(`CREATE TRIGGER refuse_now BEFORE INSERT ON "${schema}".orders
    FOR EACH ROW EXECUTE FUNCTION "${schema}".refuse()`);
  await expect(brief.orders.submit([newOrder("a")])).rejects.toMatchObject({
    code: "CUTOVER_STORE_UNAVAILABLE",
    message: /takes writes/,
  });
  const written = store.orders.submit([newOrder("b")]);
  await pause(100);
  await admin.query(`UPDATE "${schema}".turned SET at = clock_timestamp()`);
  expect(await written).toMatchObject([{ fresh: true }]);
});

test("a database or a role that is set to be read only, or isolated more, is no matter", async () => {
  await server.query("CREATE DATABASE strict");
  await server.query("ALTER DATABASE strict SET default_transaction_read_only = on");
  await server.query("ALTER DATABASE strict SET default_transaction_isolation = 'serializable'");
  const url = server.url("strict");
  const stores = await Promise.all(
    Array.from({ length: 4 }, () => open({ url, schema: "shared", retryMs: 1 })),
  );
  const ids = Array.from({ length: 40 }, (_, n) => `o${n}`);
  const stored = await Promise.all(
    ids.map(async (id, n) => (await stores[n % 4]?.orders.submit([newOrder(id)]))?.[0]?.fresh),
  );
  expect(stored).toEqual(ids.map(() => true));
  expect(await stores[0]?.orders.counts("q")).toMatchObject({ PENDING: 40 });
});

test.each([
  ["off", "on"],
  ["local", "local"],
])("where a database has synchronous_commit %s, writes are made with %s", async (given, found) => {
  await server.query(`CREATE DATABASE wal_${given}`);
  await server.query(`ALTER DATABASE wal_${given} SET synchronous_commit = ${given}`);
  const session = await writerSession(server.url(`wal_${given}`), "s");
  opened.push({ close: () => session.end() });
  const [answer] = await session.send([
    {
      sql: "SELECT setting, source FROM pg_settings WHERE name = $1",
      values: ["synchronous_commit"],
      wants: "rows",
    },
  ]);
  // What is as it should be is left to whoever changes it.
  expect(answer?.rows).toEqual([{ setting: found, source: given === found ? "database" : "session" }]);
});

test("what a server refused for want of memory is not said to be stored or not", async () => {
  const schema = server.schema();
  const store = await open({ schema, retryMs: 100 });
  const admin = await connect();
  await admin.query(`CREATE FUNCTION "${schema}".full() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'out of memory' USING ERRCODE = '53200'; END $$`);
  await admin.query(`CREATE TRIGGER full_now BEFORE INSERT ON "${schema}".orders
    FOR EACH ROW WHEN (NEW.id LIKE 'bad%') EXECUTE FUNCTION "${schema}".full()`);
  const refused: unknown = await store.orders.submit([newOrder("bad")]).catch((error: unknown) => error);
  expect(refused).toMatchObject({
    code: "CUTOVER_STORE_UNAVAILABLE",
    message: /resources left.*out of memory/,
  });
  expect(String(refused)).not.toMatch(/stored or not/);
  expect(await store.orders.submit([newOrder("good")])).toMatchObject([{ fresh: true }]);
});

test("an order that cannot be stored harms neither the others nor the tasks of its commit", async () => {
  const store = await open();
  const outcomes = await Promise.allSettled([
    store.orders.submit([newOrder("good")]),
    store.orders.submit([newOrder("bad", { kind: "a\0b" })]),
    store.orders.setSchedule("q", "s", { when: "every 1s", timezone: null, order: {}, nextAt: 10 }),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(outcomes[1]).toMatchObject({ reason: { code: "CUTOVER_STORE_CONFLICT" } });
  expect(await store.orders.schedules("q")).toHaveLength(1);
});

test("a claim beside a task looks again for what it has passed by", async () => {
  const schema = server.schema();
  const store = await open({ schema });
  const other = await open({ schema });
  const locking = await connect();
  await store.orders.submit([newOrder("held")]);
  await store.orders.claim("q", "w", starting(1), 60_000);
  await other.orders.submit([newOrder("left")]);
  // Until it has heard of the other one.
  await pause(500);
  const rung: string[] = [];
  await locking.query("BEGIN");
  await locking.query(`SELECT 1 FROM "${schema}".orders WHERE id = 'left' FOR NO KEY UPDATE`);
  const [claimed] = await Promise.all([
    store.orders.claim("q", "w", starting(1), 60_000),
    store.orders.renew([{ id: "held", fence: 1 }], 60_000),
  ]);
  expect(claimed).toEqual([]);
  store.orders.onWork((queue) => rung.push(queue));
  await locking.query("ROLLBACK");
  await vi.waitFor(() => expect(rung).toContain("q"), { timeout: 2_000 });
});

test("a rebuild may take as long as it takes", async () => {
  const [schema, timers] = [server.schema(), new ManualClock()];
  const store = await open({ schema, timers });
  const admin = await connect();
  await store.orders.submit([newOrder("a")]);
  await admin.query(`CREATE FUNCTION "${schema}".slow() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$`);
  await admin.query(`CREATE TRIGGER slow BEFORE DELETE ON "${schema}".orders
    FOR EACH STATEMENT EXECUTE FUNCTION "${schema}".slow()`);
  const rebuilt = store.rebuild();
  await pause(500);
  await timers.advance(120_000);
  expect(await rebuilt).toEqual({ events: 1 });
});

test("a server that asks for a password, where none was given, is said to", () => {
  const thrown = new Error("SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string");
  expect(storeError(thrown, "here")).toMatchObject({
    code: "CUTOVER_STORE_UNAVAILABLE",
    message: /expected a password/,
    remedy: /PGPASSWORD/,
  });
});

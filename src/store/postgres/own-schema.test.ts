import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { writerSession } from "../../../test/postgres/writer-session.ts";
import { newOrder } from "../../testing/store-contract/tools.ts";
import type { Store } from "../index.ts";
import { wasCommitted } from "./commit-mark.ts";
import { loadDriver, type PgClient, type PgDriver, type PgOptions } from "./driver.ts";
import { HeldRows } from "./held-rows.ts";
import { commitLinked, decideLinked } from "./linked-commit.ts";
import { openPostgresStore } from "./open.ts";
import { rollBack } from "./session.ts";
import { preparedText } from "./statement-text.ts";
import { lockHead } from "./transaction.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

interface Opened {
  readonly store: Store;
  readonly schema: string;
  /** Sets its connections anew, as somebody does whom a pooler has given them to. */
  readonly turn: (sql: string) => Promise<void>;
}

async function open(): Promise<Opened> {
  const { Client, Query } = await loadDriver();
  const clients: PgClient[] = [];
  function kept(options: PgOptions): PgClient {
    const client = new Client(options);
    if (/ (write|read)$/.test(options.application_name)) clients.push(client);
    return client;
  }
  const driver = { Client: kept, ...(Query === undefined ? {} : { Query }) } as unknown as PgDriver;
  const schema = server.schema();
  const store = await openPostgresStore({ url: server.url(), schema, driver });
  opened.push(store);
  await store.orders.submit([newOrder("first")]);
  await store.orders.get("first");
  const turn = async (sql: string): Promise<void> => {
    for (const client of clients) await client.query(sql);
  };
  return { store, schema, turn };
}

const shared = { code: "CUTOVER_STORE_UNAVAILABLE", remedy: /session mode/ };
const ordersOf = (schema: string): Promise<readonly unknown[]> =>
  server.query(`SELECT id FROM "${schema}".orders`);

describe("a connection that somebody else was given, too", () => {
  test("writes nothing to another store's schema, and says what stands between", async () => {
    const [own, other] = [await open(), await open()];
    await own.turn(`SET search_path TO "${other.schema}"`);
    for (const write of [
      () => own.store.orders.submit([newOrder("a")]),
      () => own.store.orders.configure("q", { paused: true }, "ana", "test"),
    ])
      await expect(write()).rejects.toMatchObject({
        ...shared,
        message: expect.stringContaining(`schema ${other.schema}`),
      });
    expect(await ordersOf(other.schema)).toEqual([{ id: "first" }]);
    expect(await other.store.events.verify()).toMatchObject({ whole: true, events: 1 });
    await own.turn(`SET search_path TO "${own.schema}"`);
    expect(await own.store.orders.submit([newOrder("a")])).toMatchObject([{ fresh: true }]);
  });

  test("has nothing linked to another store's chain", async () => {
    const [own, other] = [await open(), await open()];
    const session = await writerSession(server.url(), own.schema);
    opened.push({ close: () => session.end() });
    await session.script(`SET search_path TO "${other.schema}"`);
    const options = { held: new HeldRows(), now: undefined, learn: () => {} };
    const linkable = await decideLinked(session, [{ do: "submit", orders: [newOrder("a")] }], options);
    expect(linkable?.statement).toBeDefined();
    expect(linkable && (await commitLinked(session, linkable, undefined))).toBeUndefined();
    await rollBack(session);
    expect(await ordersOf(other.schema)).toEqual([{ id: "first" }]);
    expect(await other.store.events.verify()).toMatchObject({ whole: true, events: 1 });
  });

  test("does not say of a commit that it did not get through", async () => {
    const [own, other] = [await open(), await open()];
    const [event] = await own.store.events.read({ limit: 1 });
    const end = { seq: event?.seq ?? 0, hash: event?.hash ?? "" };
    const session = await writerSession(server.url(), own.schema);
    opened.push({ close: () => session.end() });
    expect(await wasCommitted(session, { xact: "0", end })).toBe(true);
    await session.script(`SET search_path TO "${other.schema}"`);
    await expect(wasCommitted(session, { xact: "0", end })).rejects.toMatchObject(shared);
  });

  test("finds no tables, and says nothing of backups", async () => {
    const { store, turn } = await open();
    await turn("SET search_path TO pg_catalog");
    await expect(store.orders.submit([newOrder("a")])).rejects.toMatchObject(shared);
    await expect(store.orders.get("first")).rejects.toMatchObject(shared);
  });

  test("has lost its prepared statements", async () => {
    const { store, turn } = await open();
    await turn("DEALLOCATE ALL");
    await expect(store.orders.get("first")).rejects.toMatchObject(shared);
  });
});

test("a table that is gone is to be restored", async () => {
  const { store, schema } = await open();
  await server.query(`DROP TABLE "${schema}".order_counts`);
  const gone = { code: "CUTOVER_STORE_CORRUPT", remedy: /backup/ };
  await expect(store.orders.submit([newOrder("a")])).rejects.toMatchObject(gone);
  await expect(store.orders.counts("q")).rejects.toMatchObject(gone);
  await server.query(`DROP SCHEMA "${schema}" CASCADE`);
  await expect(store.orders.get("first")).rejects.toMatchObject(gone);
});

test("a name of a prepared statement is that of one text, in every process and for every schema", () => {
  const [ours, others] = ["ours", "others"].map((schema) => preparedText(lockHead.sql, schema));
  expect(ours?.text).toContain("current_schema() = 'ours'");
  expect(ours?.name).not.toBe(others?.name);
  expect(preparedText("COMMIT", "ours")).toEqual(preparedText("COMMIT", "others"));
  // As any process calls it, whatever it has sent before.
  expect(preparedText("COMMIT").name).toBe("cutover_79663c1d3b43");
});

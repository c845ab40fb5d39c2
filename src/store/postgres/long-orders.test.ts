import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { tellingDriver } from "../../../test/postgres/watched-driver.ts";
import { newOrder, starting } from "../../testing/store-contract/tools.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

const long = "x".repeat(1_000_000);
const names = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => `o${n}`);

describe("calls that come together", () => {
  test("are stored by several commits when they are long", async () => {
    const schema = server.schema();
    await using store = await openPostgresStore({ url: server.url(), schema });
    const orders = names(30).map((id) => newOrder(id, { payload: long }));
    await Promise.all(orders.map((order) => store.orders.submit([order])));
    const commits = await server.query(
      `SELECT count(*)::int AS n FROM ${schema}.orders GROUP BY xmin ORDER BY 1`,
    );
    expect(commits.reduce((sum, { n }) => sum + Number(n), 0)).toBe(30);
    expect(commits.every(({ n }) => Number(n) <= 8)).toBe(true);
  });

  test("are stored by several commits when what they ended with is long", async () => {
    const schema = server.schema();
    await using store = await openPostgresStore({ url: server.url(), schema });
    await store.orders.submit(names(30).map((id) => newOrder(id)));
    const claimed = await store.orders.claim("q", "w", starting(30), 60_000);
    await Promise.all(
      claimed.map(({ id, fence }) =>
        store.orders.change([
          { id, fence, from: ["RUNNING"], to: "COMPLETED", event: "completed", set: { result: long } },
        ]),
      ),
    );
    const commits = await server.query(
      `SELECT count(*)::int AS n FROM ${schema}.orders WHERE state = 'COMPLETED' GROUP BY xmin`,
    );
    expect(commits.reduce((sum, { n }) => sum + Number(n), 0)).toBe(30);
    expect(commits.every(({ n }) => Number(n) <= 8)).toBe(true);
  });

  test("are not all refused for what nobody knows to be the fault of one of them", async () => {
    const schema = server.schema();
    await using store = await openPostgresStore({ url: server.url(), schema });
    const admin = await connectClient(server.url());
    await admin.query(`CREATE FUNCTION "${schema}".refuse() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$`);
    await admin.query(`CREATE TRIGGER refuse_now BEFORE INSERT ON "${schema}".orders
      FOR EACH ROW WHEN (NEW.id = 'o3') EXECUTE FUNCTION "${schema}".refuse()`);
    await admin.end();
    const ended = await Promise.allSettled(names(6).map((id) => store.orders.submit([newOrder(id)])));
    expect(ended.map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
      "fulfilled",
    ]);
  });
});

test("a call of many long orders goes out in several statements, and is stored whole", async () => {
  const longest = new Map<string, number>();
  const driver = await tellingDriver(({ sql, values }) => {
    const table = /(?:INSERT INTO|UPDATE) (orders|events)/.exec(sql)?.[1];
    if (table === undefined) return;
    const length = values.reduce<number>(
      (sum, value) => sum + (typeof value === "string" ? value.length : 0),
      0,
    );
    longest.set(table, Math.max(length, longest.get(table) ?? 0));
  });
  const schema = server.schema();
  await using store = await openPostgresStore({ url: server.url(), schema, driver });
  const payload = "x".repeat(17_000_000);
  await store.orders.submit(names(4).map((id) => newOrder(id, { payload })));
  expect(await server.query(`SELECT sum(length(payload))::int AS n FROM ${schema}.orders`)).toEqual([
    { n: 4 * (17_000_000 + 2) },
  ]);
  expect(longest.get("orders")).toBeLessThan(50_000_000);
  expect(longest.get("events")).toBeLessThan(50_000_000);
  expect(await store.events.verify()).toMatchObject({ whole: true });
});

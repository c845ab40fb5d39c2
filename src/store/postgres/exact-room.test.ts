import { afterAll, beforeAll, expect, test } from "vitest";
import { connectClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { claimIds, newOrder, starting } from "../../testing/store-contract/tools.ts";
import { readAhead } from "./order-load.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

const unit = 2 ** 20;

test("a claim with room for exactly one reads as few orders as it may take, and none that is too large", async () => {
  const schema = server.schema();
  await using store = await openPostgresStore({ url: server.url(), schema });
  await store.orders.submit([
    newOrder("large", { priority: 9, memory: 1.5 * unit }),
    ...Array.from({ length: 40 }, (_, n) => newOrder(`o${String(n).padStart(2, "0")}`, { memory: unit })),
  ]);
  const client = await connectClient(server.url());
  await client.query(`SET search_path = "${schema}"`);
  const { sql, values } = readAhead("q", starting(3, { slots: 1, memory: unit }));
  const { rows } = await client.query(sql, values as readonly unknown[]);
  expect(rows.map(({ id }) => id)).toEqual(["o00", "o01", "o02"]);
  await client.end();
});

test("an order that was too large for one claim comes first for the next that has room for it", async () => {
  await using store = await openPostgresStore({ url: server.url(), schema: server.schema() });
  await store.orders.submit([
    newOrder("large", { priority: 9, memory: 1.75 * unit }),
    ...["a", "b", "c", "d"].map((id) => newOrder(id, { memory: unit })),
  ]);
  // The second is given what the first has read and left.
  expect(await claimIds(store, 1, { memory: unit })).toEqual(["a"]);
  expect(await claimIds(store, 1, { memory: unit })).toEqual(["b"]);
  expect(await claimIds(store, 1, { memory: 2 * unit - 1 })).toEqual(["large"]);
  expect(await claimIds(store, 2, { memory: 2 * unit })).toEqual(["c", "d"]);
});

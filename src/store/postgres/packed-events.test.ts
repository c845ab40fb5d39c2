import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { newOrder } from "../../testing/store-contract/tools.ts";
import { genesis, linkHash } from "../chain.ts";
import type { NewOrder, Store } from "../index.ts";
import { packText } from "../packed-text.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

const orders = (queue: string, count: number): readonly NewOrder[] =>
  Array.from({ length: count }, (_, n) =>
    newOrder(`${queue}${String(n).padStart(3, "0")}`, { queue, payload: { n, text: `"é€\u2028\\ ${n}` } }),
  );

/** Which events lie in the database packed, and which as text. */
async function kept(schema: string): Promise<readonly string[]> {
  const rows = await server.query(
    `SELECT data IS NULL AS none, packed IS NULL AS plain FROM ${schema}.events ORDER BY seq`,
  );
  return rows.map(({ none, plain }) => (none === plain ? "wrong" : plain === true ? "text" : "packed"));
}

async function open(schema: string): Promise<Store> {
  return openPostgresStore({ url: server.url(), schema });
}

describe("events that tell of many orders", () => {
  test("are kept packed, and read, verified and rebuilt as what was told", async () => {
    const schema = server.schema();
    await using store = await open(schema);
    const told: unknown[] = [];
    store.events.subscribe((events) => told.push(...events));
    await store.orders.submit(orders("a", 1_000));
    await store.orders.submit(orders("b", 2));
    expect(await kept(schema)).toEqual(["packed", "packed", "text"]);
    expect(await store.events.read({ limit: 10 })).toEqual(told);
    expect(await store.events.verify()).toMatchObject({ whole: true, events: 3 });
    for (const { id, payload } of [...orders("a", 1_000).slice(498, 502), ...orders("b", 1)])
      expect(await store.orders.history(id)).toMatchObject([{ event: "submitted", data: { id, payload } }]);
    const before = await store.orders.list({ queue: "a", limit: 2_000 });
    await store.rebuild();
    expect(await store.orders.list({ queue: "a", limit: 2_000 })).toEqual(before);
  });

  test("are packed beside small ones in a commit of many events", async () => {
    const schema = server.schema();
    await using store = await open(schema);
    const sizes = [100, 1, 100, 100, 2, 100];
    await Promise.all(sizes.map((size, n) => store.orders.submit(orders(`q${n}`, size))));
    expect(await kept(schema)).toEqual(sizes.map((size) => (size < 100 ? "text" : "packed")));
    expect(await store.events.verify()).toMatchObject({ whole: true, events: 6 });
    for (const [n, size] of sizes.entries()) {
      const [event] = await store.events.read({ stream: `queue:q${n}`, limit: 2 });
      expect(event?.data["orders"]).toHaveLength(size);
    }
  });

  test.each([
    ["exchanged for another packed text", packText(`{"orders":[${" ".repeat(5_000)}]}`), true],
    ["cut", packText(JSON.stringify(orders("a", 100)))?.subarray(0, 50), false],
    ["replaced by bytes that are none", Buffer.from("nothing packed"), false],
    ["taken away", null, false],
  ])("are found %s", async (_title, bytes, readable) => {
    const schema = server.schema();
    await using store = await open(schema);
    for (const queue of ["a", "b", "c"]) await store.orders.submit(orders(queue, 100));
    await server.query(`ALTER TABLE ${schema}.events DISABLE TRIGGER ALL`);
    await server.query(`UPDATE ${schema}.events SET packed = $1 WHERE seq = 2`, [bytes]);
    expect(await store.events.verify()).toMatchObject({ whole: false, brokenAt: 2 });
    if (readable) return;
    const broken = { code: "CUTOVER_AUDIT_BROKEN", place: "event 2" };
    await expect(store.events.read({ limit: 5 })).rejects.toMatchObject(broken);
    await expect(store.orders.history("b000")).rejects.toMatchObject(broken);
    await expect(store.rebuild()).rejects.toMatchObject(broken);
    expect(await store.orders.history("c000")).toHaveLength(1);
  });
});

test("a store of before is brought up to date: its events stay as they are, new ones go on from them", async () => {
  const schema = server.schema();
  const files = ["001-initial.sql", "002-first-errors.sql", "003-declarations.sql"];
  const sql = files.map((file) => readFileSync(join(import.meta.dirname, file), "utf8")).join(";\n");
  await server.query(`CREATE SCHEMA ${schema}; SET search_path = ${schema}; ${sql};
    CREATE TABLE schema (version integer PRIMARY KEY, name text NOT NULL, breaking integer NOT NULL, applied_at bigint NOT NULL);
    COMMENT ON TABLE schema IS 'Cutover store';
    INSERT INTO schema VALUES (1, '001', 1, 0), (2, '002', 0, 0), (3, '003', 0, 0)`);
  const data = JSON.stringify({ text: "x".repeat(10_000) });
  const event = { seq: 1, at: 7, stream: "run:r", type: "note.added", data };
  const hash = linkHash(event, genesis);
  const end = `decode('${hash}', 'hex')`;
  await server.query(`SET search_path = ${schema};
    INSERT INTO events VALUES (1, 7, 'run:r', 'note.added', '${data}', ${end});
    UPDATE chain_head SET seq = 1, hash = ${end}`);
  await using store = await open(schema);
  await store.orders.submit(orders("a", 500));
  expect(await kept(schema)).toEqual(["text", "packed"]);
  expect(await store.events.verify()).toMatchObject({ whole: true, events: 2 });
  const [first, second] = await store.events.read({ limit: 5 });
  expect(first).toEqual({ ...event, data: JSON.parse(data), previous: genesis, hash });
  expect(second?.previous).toBe(hash);
});

import { afterAll, beforeAll, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../../test/postgres/server.ts";
import { openPostgresData } from "./open.ts";
import type { PostgresStore } from "./store.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

/** A database of its own with these tables, a client and the store. */
async function given(ddl: string): Promise<{ client: TestClient; store: PostgresStore } & AsyncDisposable> {
  const url = await server.database();
  const client = await connectClient(url);
  await client.query(ddl);
  const store = await openPostgresData(url);
  return {
    client,
    store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await client.end();
    },
  };
}

async function rowsOf(
  store: PostgresStore,
  collection: string,
): Promise<readonly (readonly [string, string])[]> {
  const rows: (readonly [string, string])[] = [];
  for await (const part of store.scan({ collection }))
    for (const { key, value } of part)
      rows.push([Buffer.from(key).toString("hex"), Buffer.from(value).toString("hex")]);
  return rows;
}

test("rows that stay packed are the same rows, with some left out, and are refused by another table", async () => {
  for (const [form, ddl] of [
    ["binary", "CREATE SCHEMA app; CREATE TABLE app.t (a text, id int, v numeric, PRIMARY KEY (id, a))"],
    ["text", "CREATE SCHEMA app; CREATE TABLE app.t (a text, id int, v numeric[], PRIMARY KEY (id, a))"],
  ] as const) {
    await using old = await given(ddl);
    await using fresh = await given(ddl);
    const v = form === "binary" ? "i / 7.0" : "ARRAY[i / 7.0, NULL, 'NaN']";
    await old.client.query(
      `INSERT INTO app.t SELECT E'k\\t\\\\N\\n' || i, i % 50, CASE WHEN i % 9 <> 0 THEN ${v} END FROM generate_series(1, 2000) i`,
    );
    const range = { collection: "app.t" };
    const limit = { rows: 1_500, bytes: 1 << 20 };
    expect(await old.store.packing("app.t")).toMatch(`postgres ${form}`);
    expect(await fresh.store.packing("app.t")).toBe(await old.store.packing("app.t"));
    const plain = await old.store.snapshotChunk(range, limit);
    const { packed, rows, end } = await old.store.snapshotChunk(range, { ...limit, packed: true });
    if (packed === undefined) throw new TypeError("expected packed rows");
    expect([rows.length, end, packed.count]).toEqual([0, false, 1_500]);
    expect(packed.rows()).toEqual(plain.rows);
    expect([packed.first, packed.last]).toEqual([plain.rows[0]?.key, plain.rows.at(-1)?.key]);
    const after = { ...range, after: packed.last };
    const rest = await old.store.snapshotChunk(after, { ...limit, packed: true });
    expect([rest.packed?.count, rest.end]).toEqual([500, true]);
    const none = { ...range, after: (rest.packed as typeof packed).last };
    expect(await old.store.snapshotChunk(none, { ...limit, packed: true })).toMatchObject({
      rows: [],
      end: true,
    });

    const odd = new Set(
      plain.rows.filter((_, at) => at % 7 < 3).map(({ key }) => Buffer.from(key).toString("hex")),
    );
    const kept = packed.filter((key) => !odd.has(Buffer.from(key).toString("hex")));
    const expected = plain.rows.filter(({ key }) => !odd.has(Buffer.from(key).toString("hex")));
    expect(kept?.rows()).toEqual(expected);
    expect([kept?.count, kept?.last]).toEqual([expected.length, expected.at(-1)?.key]);
    expect(packed.filter(() => false)).toBe(undefined);

    const move = { job: "j", fence: 1, origin: "m", changes: [], rows: [] };
    await fresh.store.applyTxn({ ...move, packed: { collection: "app.t", rows: kept as typeof packed } });
    // Those that are there by now are replaced.
    await fresh.store.applyTxn({ ...move, packed: { collection: "app.t", rows: packed } });
    await fresh.store.applyTxn({
      ...move,
      packed: { collection: "app.t", rows: rest.packed as typeof packed },
    });
    expect(await rowsOf(fresh.store, "app.t")).toEqual(await rowsOf(old.store, "app.t"));

    await fresh.client.query("CREATE TABLE app.other (a text, id bigint, v text, PRIMARY KEY (id, a))");
    await expect(
      fresh.store.applyTxn({ ...move, packed: { collection: "app.other", rows: packed } }),
    ).rejects.toMatchObject({ code: "CUTOVER_DATA_REFUSED" });
    expect(await rowsOf(fresh.store, "app.other")).toEqual([]);
  }
});

import { afterAll, beforeAll, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../../test/postgres/server.ts";
import type { Change, LogBatch } from "../../connector.ts";
import { decodeKey, encodeKey } from "../../key-codec.ts";
import { decodeRecord, encodeRecord } from "../../record-codec.ts";
import { openPostgresData } from "./open.ts";
import type { PostgresStore } from "./store.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer({ wal_level: "logical", max_replication_slots: "50", max_wal_senders: "20" });
});
afterAll(() => server.stop());

/** A database of its own with these tables, a client and the store. */
async function given(
  ddl: string,
): Promise<{ client: TestClient; store: PostgresStore; url: string } & AsyncDisposable> {
  const url = await server.database();
  const client = await connectClient(url);
  await client.query(ddl);
  const store = await openPostgresData(url);
  return {
    client,
    store,
    url,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await client.query(
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active AND database = current_database()",
      );
      await client.end();
    },
  };
}

async function changesAfter(store: PostgresStore, slot: string, from: string): Promise<readonly Change[]> {
  const end = await store.head();
  const stop = AbortSignal.timeout(20_000);
  const found: Change[] = [];
  for await (const { transactions, head } of store.log(slot, from, { signal: stop })) {
    found.push(...transactions.flatMap(({ changes }) => changes));
    if (head >= end) break;
  }
  return found;
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

const asPairs = (changes: readonly Change[]): readonly (readonly [string, string])[] =>
  changes.map(({ key, value }) => [
    Buffer.from(key).toString("hex"),
    Buffer.from(value ?? []).toString("hex"),
  ]);

const everyType = `CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('glad', 'sad');
  CREATE DOMAIN app.positive AS int CHECK (value > 0);
  CREATE TABLE app.t (id int PRIMARY KEY, b boolean, i2 int2, i8 int8, f4 float4, f8 float8, t text, vc varchar(20), c char(5),
    by bytea, u uuid, ts timestamp, tz timestamptz, d date, n numeric, n2 numeric(20,5), j json, jb jsonb, m app.mood,
    p app.positive, ia int[], ta text[], iv interval, ip inet, tm time, r int4range)`;
const everyValue = `
  (1, true, -32768, 9223372036854775807, 'NaN', 'NaN', '', '', '', '', '00000000-0000-0000-0000-000000000000', 'infinity', '-infinity', 'infinity', 'NaN', 0, '{"a":  1}', '{"a": 1}', 'glad', 1, '{}', '{NULL,"",a\\\\b}', '1 day -2 hours', '10.0.0.1/8', '23:59:59.999999', '[1,5)'),
  (2, false, 32767, -9223372036854775808, 'Infinity', '-Infinity', E'tab\\tline\\nback\\\\slash \\U0001F680', 'ä', 'ab', '\\x00ff0a5c', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '0044-03-15 12:00:00 BC', '0001-01-01 00:00:00+00', '0044-03-15 BC', 'Infinity', -1.5, 'null', '[]', 'sad', 2147483647, '{{1,2},{3,NULL}}', NULL, '-1 month', '::1', '24:00:00', 'empty'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, true, 0, 9007199254740993, 0.1, -0.0, repeat('long', 50000), 'x', '     ', decode(repeat('00', 70000), 'hex'), gen_random_uuid(), '294276-12-31 23:59:59.999999', '4713-01-01 00:00:00+00 BC', '5874897-12-31', 12345678901234567890.000100, 99999.99999, '1', '"text"', 'glad', 7, '{1}', '{}', '0', '0.0.0.0', '00:00', '(,)'),
  (-5, true, 1, 1, 1e-38, 5e-324, ' x ', '\\\\N', 'äö', '\\x', gen_random_uuid(), '1999-12-31 23:59:59.9', '2024-02-29 12:34:56.789012+02', '2000-01-01', -0.00001, 0.00001, '{}', '{}', 'sad', 9, NULL, '{"a,b"}', '1 year', '1.2.3.0/24', '12:00:00.5', '[1,1]')`;

test("every type comes over by copy, by log and by key with the same bytes, and back into tables as it was", async () => {
  await using old = await given(everyType);
  await using fresh = await given(everyType);
  const from = await old.store.capture("s");
  await old.client.query(`INSERT INTO app.t VALUES ${everyValue}`);
  const logged = asPairs(await changesAfter(old.store, "s", from)).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const scanned = await rowsOf(old.store, "app.t");
  expect(logged).toEqual(scanned);
  expect(scanned.length).toBe(5);
  const keys = scanned.map(([key]) => Buffer.from(key, "hex"));
  const got = await old.store.get("app.t", keys);
  expect(got.map((value) => Buffer.from(value ?? []).toString("hex"))).toEqual(
    scanned.map(([, value]) => value),
  );

  const rows = scanned.map(([key, value]) => ({
    collection: "app.t",
    key: Buffer.from(key, "hex"),
    value: Buffer.from(value, "hex"),
  }));
  const move = { job: "j", fence: 1, origin: "m", checkpoint: Buffer.from("c") };
  await fresh.store.applyTxn({ ...move, changes: [], rows });
  expect(await rowsOf(fresh.store, "app.t")).toEqual(scanned);
  await fresh.store.applyTxn({
    ...move,
    changes: rows.map(({ key, collection }) => ({ collection, key, value: null })),
    rows: [],
  });
  expect(await rowsOf(fresh.store, "app.t")).toEqual([]);
  await fresh.store.applyTxn({ ...move, changes: rows, rows: [] });
  expect(await rowsOf(fresh.store, "app.t")).toEqual(scanned);
  const text = "SELECT md5(string_agg(t::text, '|' ORDER BY id)) AS sum FROM app.t t";
  expect((await fresh.client.query(text)).rows).toEqual((await old.client.query(text)).rows);
  await old.store.release("s");
});

test("tables whose types are all understood go by COPY in binary, with dates of all centuries", async () => {
  const ddl = `CREATE SCHEMA app; CREATE TABLE app.t (id bigint, at timestamptz, day date, n numeric, j jsonb, u uuid, f float4,
    PRIMARY KEY (day, at, id))`;
  await using old = await given(ddl);
  await using fresh = await given(ddl);
  await old.client
    .query(`INSERT INTO app.t SELECT i, timestamptz '2000-01-01 00:00:00+00' + (i - 2000) * interval '13 days 05:07:09.123457',
      date '2000-01-01' + (i - 2000) * 317, (i - 2000) ^ 3 / 7, jsonb_build_object('i', i), gen_random_uuid(), i / 3.0
    FROM generate_series(1, 4000) i`);
  const { rows } = await old.store.snapshotChunk({ collection: "app.t" }, { rows: 10_000, bytes: 1 << 28 });
  expect(rows.length).toBe(4_000);
  const sorted = rows.toSorted((a, b) => Buffer.compare(a.key, b.key));
  expect(sorted).toEqual(rows);
  await fresh.store.applyTxn({
    job: "j",
    fence: 1,
    origin: "m",
    changes: [],
    rows: rows.map((row) => ({ ...row, collection: "app.t" })),
  });
  expect(await rowsOf(fresh.store, "app.t")).toEqual(await rowsOf(old.store, "app.t"));
  const text = "SELECT md5(string_agg(t::text, '|' ORDER BY id)) AS sum FROM app.t t";
  expect((await fresh.client.query(text)).rows).toEqual((await old.client.query(text)).rows);
});

test("text keys come in the order of their bytes, whatever the order of their language", async () => {
  await using old =
    await given(`CREATE SCHEMA app; CREATE COLLATION app.german (provider = icu, locale = 'de-DE');
    CREATE TABLE app.t (k text COLLATE app.german, n char(4), PRIMARY KEY (k, n));
    INSERT INTO app.t SELECT k, n FROM unnest(ARRAY['a','B','b','A','ä','z','Z','','a b','ab','🚀']) k, unnest(ARRAY['x','y ','']) n`);
  const found: string[] = [];
  let range: { collection: string; after?: Uint8Array } = { collection: "app.t" };
  for (;;) {
    const { rows, end } = await old.store.snapshotChunk(range, { rows: 4, bytes: 1_000 });
    found.push(...rows.map(({ key }) => Buffer.from(key).toString("hex")));
    const last = rows.at(-1);
    if (end || last === undefined) break;
    range = { collection: "app.t", after: last.key };
  }
  expect(found.length).toBe(33);
  expect(found.toSorted()).toEqual(found);
  expect(
    await old.store.count({
      collection: "app.t",
      after: encodeKey(["a", "x"]),
      upTo: encodeKey(["ab", "y"]),
    }),
  ).toBe(7);
});

test("tables that cannot be moved say why", async () => {
  await using old =
    await given(`CREATE SCHEMA app; CREATE TABLE app.none (a int); CREATE UNLOGGED TABLE app.unlogged (a int PRIMARY KEY);
    CREATE TABLE app.real (a float8 PRIMARY KEY); CREATE TABLE app.late (a int PRIMARY KEY DEFERRABLE);
    CREATE TABLE app.nothing (a int PRIMARY KEY); ALTER TABLE app.nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE app.fine (a int PRIMARY KEY); CREATE VIEW app.view AS SELECT 1 AS one`);
  const problems = new Map((await old.store.collections()).map(({ name, problem }) => [name, problem]));
  expect(problems.get("app.none")).toBe("it has no primary key");
  expect(problems.get("app.unlogged")).toMatch(/unlogged/);
  expect(problems.get("app.real")).toMatch(/"a" \(double precision\) of its primary key/);
  expect(problems.get("app.late")).toMatch(/deferrable/);
  expect(problems.get("app.nothing")).toMatch(/REPLICA IDENTITY/);
  expect(problems.has("app.fine") && problems.get("app.fine") === undefined).toBe(true);
  expect(problems.has("app.view")).toBe(false);
  await expect(
    old.store.snapshotChunk({ collection: "app.none" }, { rows: 1, bytes: 1 }),
  ).rejects.toMatchObject({
    code: "CUTOVER_DATA_COLLECTION",
  });
});

test("partitioned tables are one collection, in copies and in the log, and are fenced with their parts", async () => {
  const ddl = `CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
    CREATE TABLE app.low PARTITION OF app.t FOR VALUES FROM (0) TO (100); CREATE TABLE app.high PARTITION OF app.t FOR VALUES FROM (100) TO (200)`;
  await using old = await given(ddl);
  await using fresh = await given(ddl);
  // Nobody has counted them yet, which is not that there are none.
  expect((await old.store.collections()).map(({ name, rows }) => [name, rows])).toEqual([
    ["app.t", undefined],
  ]);
  await old.client.query("INSERT INTO app.t SELECT i FROM generate_series(20, 79) i; ANALYZE app.low");
  expect((await old.store.collections())[0]?.rows).toBe(60);
  await old.client.query("DELETE FROM app.t");
  const from = await old.store.capture("s");
  await old.client.query(
    "INSERT INTO app.t SELECT i, 'v' FROM generate_series(0, 199) i; UPDATE app.t SET v = 'w' WHERE id = 150; DELETE FROM app.low WHERE id = 7",
  );
  const changes = await changesAfter(old.store, "s", from);
  expect(changes.length).toBe(202);
  expect(changes.every(({ collection }) => collection === "app.t")).toBe(true);
  await fresh.store.applyTxn({ job: "j", fence: 1, origin: "m", changes, rows: [] });
  expect(await rowsOf(fresh.store, "app.t")).toEqual(await rowsOf(old.store, "app.t"));
  await old.store.fence(1, { signal: AbortSignal.timeout(10_000) });
  await expect(old.client.query("INSERT INTO app.low VALUES (7, 'late')")).rejects.toMatchObject({
    code: "CUF01",
  });
  await expect(old.client.query("TRUNCATE app.t")).rejects.toMatchObject({ code: "CUF01" });
  await old.store.lift(0);
  await old.client.query("INSERT INTO app.low VALUES (7, 'again')");
  await old.store.release("s");
});

test("large values that a change leaves alone are completed, also where the whole old row is logged", async () => {
  await using old = await given(`CREATE SCHEMA app;
    CREATE TABLE app.part (id int PRIMARY KEY, n int, large text); CREATE TABLE app.whole (LIKE app.part INCLUDING ALL);
    ALTER TABLE app.whole REPLICA IDENTITY FULL;
    ALTER TABLE app.part ALTER large SET STORAGE EXTERNAL; ALTER TABLE app.whole ALTER large SET STORAGE EXTERNAL;
    INSERT INTO app.part VALUES (1, 0, repeat('x', 100000)); INSERT INTO app.whole VALUES (1, 0, repeat('y', 100000))`);
  const from = await old.store.capture("s");
  await old.client.query(
    "UPDATE app.part SET n = 1; UPDATE app.whole SET n = 1, id = 2; DELETE FROM app.part",
  );
  await old.client.query("INSERT INTO app.part VALUES (3, 1, repeat('z', 100000))");
  await old.client.query("UPDATE app.part SET n = 2");
  const changes = await changesAfter(old.store, "s", from);
  const seen = changes.map(({ collection, key, value }) => [
    collection,
    Number(decodeKey(key)[0]),
    value === null
      ? null
      : decodeRecord(value).map((column) => (typeof column === "string" ? column.length : Number(column))),
  ]);
  expect(seen).toEqual([
    // Gone since: its large value is nowhere any more.
    ["app.part", 1, null],
    ["app.whole", 1, null],
    ["app.whole", 2, [2, 1, 100_000]],
    ["app.part", 1, null],
    ["app.part", 3, [3, 1, 100_000]],
    ["app.part", 3, [3, 2, 100_000]],
  ]);
  await old.store.release("s");
});

test("generated columns are left to the server, identity columns keep their numbers, sequences stay", async () => {
  const ddl = `CREATE SCHEMA app; CREATE TABLE app.t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,
    twice int GENERATED ALWAYS AS (a * 2) STORED, other int GENERATED BY DEFAULT AS IDENTITY)`;
  await using old = await given(ddl);
  await using fresh = await given(ddl);
  await old.client.query("INSERT INTO app.t (a) VALUES (1), (2), (3)");
  const { rows } = await old.store.snapshotChunk({ collection: "app.t" }, { rows: 10, bytes: 1_000 });
  const placed = rows.map((row) => ({ ...row, collection: "app.t" }));
  await fresh.store.applyTxn({ job: "j", fence: 1, origin: "m", changes: placed.slice(0, 1), rows: placed });
  expect((await fresh.client.query("SELECT * FROM app.t ORDER BY id")).rows).toEqual([
    { id: 1, a: 1, twice: 2, other: 1 },
    { id: 2, a: 2, twice: 4, other: 2 },
    { id: 3, a: 3, twice: 6, other: 3 },
  ]);
});

test("a row that the target does not take is named with its table, key and column, and nothing of the write is kept", async () => {
  await using fresh = await given(
    "CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY, mail varchar(5) UNIQUE, n numeric NOT NULL)",
  );
  const row = (id: bigint, mail: string, n: bigint | null) => ({
    collection: "app.t",
    key: encodeKey([id]),
    value: encodeRecord([id, mail, n]),
  });
  const move = { job: "j", fence: 1, origin: "m" };
  const refused = (changes: readonly Change[], rows: readonly ReturnType<typeof row>[]): Promise<unknown> =>
    fresh.store.applyTxn({ ...move, changes, rows }).then(
      () => "taken",
      (error: unknown) => error,
    );
  expect(await refused([row(1n, "a", 1n), row(2n, "too long", 1n)], [])).toMatchObject({
    code: "CUTOVER_DATA_REFUSED",
    message:
      'expected values that the table takes, found in the row with id = 2 of "app.t": value too long for type character varying(5)',
    details: { collection: "app.t", key: Buffer.from(encodeKey([2n])).toString("hex"), postgres: "22001" },
  });
  expect(await refused([], [row(1n, "a", 1n), row(2n, "b", null), row(3n, "c", 1n)])).toMatchObject({
    details: { column: "n", key: Buffer.from(encodeKey([2n])).toString("hex") },
  });
  expect(await refused([], [{ ...row(1n, "a", 1n), key: encodeKey([9n]) }])).toMatchObject({
    code: "CUTOVER_DATA_REFUSED",
    message: expect.stringContaining("expected the key that its value tells (id 1), found (9)") as string,
  });
  expect(await refused([{ ...row(1n, "a", 1n), key: encodeKey(["1", 2n]) }], [])).toMatchObject({
    message: expect.stringContaining('found ("1", 2)') as string,
  });
  expect(await refused([{ ...row(1n, "a", 1n), value: encodeRecord([1n]) }], [])).toMatchObject({
    message: expect.stringMatching(/expected 3 columns \(id, mail, n\), found 1/) as string,
  });
  expect(await rowsOf(fresh.store, "app.t")).toEqual([]);
  // A unique value that went from one row to another in between: only their order is right.
  await fresh.store.applyTxn({ ...move, changes: [row(1n, "x", 1n), row(2n, "y", 1n)], rows: [] });
  await fresh.store.applyTxn({
    ...move,
    changes: [row(1n, "t", 1n), row(2n, "x", 1n), row(1n, "y", 1n)],
    rows: [],
  });
  expect((await fresh.client.query("SELECT mail FROM app.t ORDER BY id")).rows).toEqual([
    { mail: "y" },
    { mail: "x" },
  ]);
});

test("TRUNCATE and changed columns end a capture with a clear error", async () => {
  for (const statement of [
    "TRUNCATE app.t",
    "ALTER TABLE app.t ADD extra int; INSERT INTO app.t VALUES (2, 3)",
  ]) {
    await using old = await given(
      "CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY); INSERT INTO app.t VALUES (1)",
    );
    const from = await old.store.capture("s");
    await old.client.query(statement);
    await expect(changesAfter(old.store, "s", from)).rejects.toMatchObject({
      code: "CUTOVER_DATA_SCHEMA_CHANGED",
    });
    if (statement.startsWith("ALTER"))
      await expect(
        old.store.snapshotChunk({ collection: "app.t" }, { rows: 1, bytes: 1 }),
      ).rejects.toMatchObject({
        code: "CUTOVER_DATA_SCHEMA_CHANGED",
      });
    await old.store.release("s");
  }
});

test("a transaction of any size comes in parts, and following goes on between two of them", async () => {
  await using old = await given("CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY)");
  const from = await old.store.capture("s");
  await old.client.query("INSERT INTO app.t SELECT generate_series(1, 25000)");
  await old.client.query("INSERT INTO app.t VALUES (30000)");
  const parts: LogBatch["transactions"][number][] = [];
  const end = await old.store.head();
  for await (const { transactions, head } of old.store.log("s", from, {
    signal: AbortSignal.timeout(20_000),
  })) {
    parts.push(...transactions);
    if (head >= end) break;
  }
  const sizes = parts.map(({ changes }) => changes.length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(25_001);
  expect(sizes.at(-1)).toBe(1);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(10_000);
  expect(new Set(parts.slice(0, -1).map(({ tx }) => tx)).size).toBe(1);
  const positions = parts.map(({ position }) => position);
  expect(positions.toSorted()).toEqual(positions);
  const rest = await changesAfter(old.store, "s", positions[0] ?? "");
  const [first = 0] = sizes;
  expect(rest.length).toBe(25_001 - first);
  expect(decodeKey(rest[0]?.key ?? Buffer.alloc(0))).toEqual([BigInt(first + 1)]);
  await old.store.release("s");
});

test("rows much larger than those before do not fill the memory: a chunk ends at its limit, the next goes on", async () => {
  await using old = await given(`CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY, v bytea);
    ALTER TABLE app.t ALTER v SET STORAGE EXTERNAL;
    INSERT INTO app.t SELECT i, decode(repeat('ab', CASE WHEN i <= 2000 THEN 10 ELSE 1000000 END), 'hex') FROM generate_series(1, 2060) i`);
  const limit = { rows: 1_000, bytes: 2_500_000 };
  const sizes: number[] = [];
  let range: { collection: string; after?: Uint8Array } = { collection: "app.t" };
  for (;;) {
    const { rows, end } = await old.store.snapshotChunk(range, limit);
    sizes.push(rows.length);
    const bytes = rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    expect(bytes).toBeLessThanOrEqual(limit.bytes);
    const last = rows.at(-1);
    if (end || last === undefined) break;
    range = { collection: "app.t", after: last.key };
  }
  expect(sizes.reduce((sum, rows) => sum + rows, 0)).toBe(2_060);
  expect(sizes.slice(0, 3)).toEqual([1_000, 1_000, 2]);
});

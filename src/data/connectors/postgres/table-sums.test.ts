import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../../test/postgres/server.ts";
import { compareBytes, equalBytes } from "../../bytes.ts";
import type { Range, Row } from "../../connector.ts";
import { encodeKey } from "../../key-codec.ts";
import type { HashedRows, RangeSums } from "../../range-sums.ts";
import { overlay } from "../../verify/touched.ts";
import { type Verification, verifyData } from "../../verify/verify.ts";
import { readTables } from "./catalog.ts";
import { loadDriver } from "./driver.ts";
import { type HashForm, hashedRows, hashForm } from "./hash-form.ts";
import { openPostgresData } from "./open.ts";
import { Session } from "./session.ts";
import type { Shape } from "./shape.ts";
import type { PostgresStore } from "./store.ts";

let server: TestServer;
const clients: TestClient[] = [];
const urls: string[] = [];

beforeAll(async () => {
  server = await postgresServer();
  for (let side = 0; side < 2; side++) {
    const url = await server.database();
    urls.push(url);
    const client = await connectClient(url);
    await client.query(`CREATE TYPE mood AS ENUM ('glad', 'sad', ''); CREATE DOMAIN positive AS bigint CHECK (value > 0);
      CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
      CREATE COLLATION german (provider = icu, locale = 'de-DE')`);
    clients.push(client);
  }
});
afterAll(async () => {
  for (const client of clients) await client.end();
  await server.stop();
});

/** Fresh tables on both sides. */
async function given(...ddl: readonly [string, string]): Promise<void> {
  for (const [side, client] of clients.entries()) {
    await client.query("DROP TABLE IF EXISTS t");
    await client.query(ddl[side] as string);
  }
}

async function opened<T>(body: (source: PostgresStore, target: PostgresStore) => Promise<T>): Promise<T> {
  await using source = await openPostgresData(urls[0] as string);
  await using target = await openPostgresData(urls[1] as string);
  return await body(source, target);
}

/** The same comparison by sums and by rows alone. */
function bothWays(limit = 1_000): Promise<{ readonly sums: Verification; readonly rows: Verification }> {
  return opened(async (source, target) => {
    const byRows = overlay<Partial<PostgresStore> & PostgresStore>(source, {
      rangeSums: undefined,
    } as unknown as Partial<PostgresStore>);
    const options = { target, random: randomBytes, limit };
    return {
      sums: await verifyData({ ...options, source }),
      rows: await verifyData({ ...options, source: byRows }),
    };
  });
}

/** The hash of each row for a value. */
async function hashesOf(store: PostgresStore, ranges: readonly Range[]): Promise<readonly Row[]> {
  await using sums = await store.rangeSums("public.t", { seed: 0xfeed_5eedn });
  if (sums === undefined) throw new Error("expected a table that can be summed");
  return rowsOf(await sums.hashes(ranges));
}

function rowsOf(listed: HashedRows): readonly Row[] {
  return Array.from({ length: listed.count }, (_, at) => {
    const value = Buffer.alloc(8);
    value.writeUInt32BE(listed.high(at));
    value.writeUInt32BE(listed.low(at), 4);
    return { key: listed.key(at), value };
  });
}

async function scanned(store: PostgresStore): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for await (const part of store.scan({ collection: "public.t" })) rows.push(...part);
  return rows;
}

const texts = [
  null,
  "",
  " ",
  "a",
  "A",
  "a ",
  "ä",
  "a\u0308",
  "NULL",
  "\\x",
  "t",
  "1",
  "1.0",
  "🚀",
  "a,b",
  '"',
];
const instants = [
  null,
  "infinity",
  "-infinity",
  "2000-01-01",
  "1999-12-31",
  "2106-02-07",
  "0044-03-15 BC",
  "0044-03-15",
];
const wholes = [null, "0", "1", "-1", "32767", "-32768"];
const wide = [
  ...wholes,
  "2147483647",
  "-2147483648",
  "4294967296",
  "4294967297",
  "-4294967296",
  "9223372036854775807",
];
const reals = [null, "0", "-0", "1", "-1", "NaN", "Infinity", "-Infinity", "0.5", "1e-30"];
const documents = [
  "null",
  "{}",
  '{"a":1}',
  '{"a": 1}',
  '{"a":1.0}',
  '{"a":"1"}',
  '{"b":2,"a":1}',
  "[]",
  '""',
  "1",
  "1.0",
];

describe("the servers' hashes of two rows are equal exactly where the bytes of the rows are", () => {
  test.each<[string, string, readonly (string | null)[]]>([
    ["boolean", "boolean", [null, "t", "f"]],
    ["smallint", "smallint", wholes],
    ["integer", "bigint", wholes],
    ["bigint", "bigint", wide],
    ["real", "real", reals],
    ["real", "double precision", reals],
    [
      "double precision",
      "double precision",
      [...reals, "0.1", "0.1000000000000000055511151231257827", "5e-324"],
    ],
    [
      "numeric",
      "numeric",
      [...reals.filter((text) => text !== "-0"), "1.0", "1.00", "0.000", "-1.0", "1e10", "10000000000"],
    ],
    ["numeric(10,2)", "numeric(12,4)", [null, "1", "0", "-1", "NaN"]],
    ["text", "varchar(20)", texts],
    ["text COLLATE loose", "text COLLATE loose", texts],
    ["varchar COLLATE german", "name", texts],
    ["char(3)", "char(3)", texts.filter((text) => (text?.length ?? 0) <= 3)],
    ["char(3)", "char(4)", [null, "", "a", "A", "a  "]],
    ["bpchar", "bpchar", [null, "", " ", "a", "a ", "a  "]],
    ["bytea", "bytea", [null, "\\x", "\\x00", "\\x0000", "\\x61", "\\x5c783631", "a"]],
    ["uuid", "uuid", [null, "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001"]],
    ["timestamp", "timestamp", [...instants, "2000-01-01 00:00:00.000001", "294276-12-31 23:59:59.999999"]],
    ["timestamptz", "timestamptz", [...instants, "2000-01-01 00:00:00.000001+00", "2000-01-01 01:00:00+01"]],
    ["date", "date", instants],
    ["json", "json", [null, ...documents, '{"b":2, "a":1}']],
    ["jsonb", "jsonb", [null, ...documents]],
    ["json", "text", [null, ...documents]],
    ["mood", "text", [null, "glad", "sad", ""]],
    ["positive", "bigint", [null, "1", "2", "4294967297"]],
    ["integer[]", "integer[]", [null, "{}", "{1}", "{1,NULL}", "{NULL,1}", "[0:0]={1}", "{{1}}"]],
    ["text[]", "text[]", [null, "{}", "{NULL}", '{"NULL"}', '{""}', '{"a,b"}', "{a,b}"]],
    ["interval", "interval", [null, "0", "1 day", "24:00:00", "1 mon", "30 days"]],
    ["inet", "inet", [null, "10.0.0.1/8", "10.0.0.1", "::1"]],
    ["int4range", "int4range", [null, "empty", "[1,5)", "(,)"]],
  ])("%s and %s", async (ours, theirs, values) => {
    await given(
      `CREATE TABLE t (id int PRIMARY KEY, v ${ours})`,
      `CREATE TABLE t (id bigint PRIMARY KEY, v ${theirs})`,
    );
    const places = values.flatMap((_, a) => values.map((__, b) => [a, b] as const));
    for (const [side, client] of clients.entries()) {
      const rows = places.map((place) => values[place[side] as number] as string | null);
      await client.query(
        `INSERT INTO t SELECT n, v::${side === 0 ? ours : theirs} FROM unnest($1::text[]) WITH ORDINALITY AS r(v, n)`,
        [rows],
      );
    }
    await opened(async (source, target) => {
      const whole = [{ collection: "public.t" }];
      const [a, b] = [await scanned(source), await scanned(target)];
      const [x, y] = [await hashesOf(source, whole), await hashesOf(target, whole)];
      expect(x.map(({ key }) => key)).toEqual(a.map(({ key }) => key));
      const wrong = places.filter(
        (_, at) =>
          equalBytes((a[at] as Row).value, (b[at] as Row).value) !==
          equalBytes((x[at] as Row).value, (y[at] as Row).value),
      );
      expect(wrong.map(([one, other]) => [values[one], values[other]])).toEqual([]);
    });
    const { sums, rows } = await bothWays();
    expect(sums.collections[0]?.by).toBe("sums");
    expect(rows.collections[0]?.by).toBe("rows");
    expect(sums.counts).toEqual(rows.counts);
  });
});

test("a server older than hashbyteaextended hashes rows to the same", async () => {
  await given("CREATE TABLE t (k bytea PRIMARY KEY, n numeric, v float8, b bytea, at timestamptz)", "");
  await clients[0]
    ?.query(`INSERT INTO t VALUES ('', 1.00, '-0', NULL, 'infinity'), ('\\x00', NULL, 0, '', NULL),
    ('\\xff', -12345.678, 'NaN', decode(repeat('ab', 5000), 'hex'), '1999-12-31')`);
  const session = await Session.open(await loadDriver(), {
    url: urls[0] as string,
    name: "t",
    connectMs: 15_000,
  });
  try {
    const shape = (await readTables(session, ["public"])).find(({ table }) => table === "t") as Shape;
    const [older, newer] = [false, true].map((ofBytes) => {
      const form = hashForm(shape, { encoding: "UTF8", ofBytes }) as HashForm;
      return session.query(hashedRows(form, shape, 0x5eedn, "ONLY public.t AS t ORDER BY t.k"));
    });
    expect(await older).toHaveLength(3);
    expect(await newer).toEqual(await older);
  } finally {
    await session.end();
  }
});

describe("a comparison by sums", () => {
  const columns =
    'id bigint, k text COLLATE "C", n numeric, v text, w text, at timestamptz, PRIMARY KEY (k, id)';

  test("finds in tables of many ranges what a comparison by rows finds: rows missing, extra, changed and swapped", async () => {
    await given(`CREATE TABLE t (${columns})`, `CREATE TABLE t (${columns})`);
    const fill = `INSERT INTO t SELECT i, (i % 7)::text, i / 8.0, NULLIF('v' || i % 11, 'v3'), CASE WHEN i % 5 = 0 THEN '' END,
      timestamptz '2020-01-01' + i * interval '1 hour' FROM generate_series(1, 9000) i; ANALYZE t`;
    for (const client of clients) await client.query(fill);
    expect((await bothWays()).sums).toMatchObject({ equal: true, source: { count: 9_000 } });
    await clients[1]
      ?.query(`DELETE FROM t WHERE id IN (1, 4000, 9000); INSERT INTO t SELECT -id, k, n, v, w, at FROM t WHERE id % 1000 = 7;
      UPDATE t SET v = w, w = v WHERE id BETWEEN 100 AND 140; UPDATE t SET n = -n WHERE id = 5000;
      UPDATE t SET n = (SELECT o.n FROM t o WHERE o.id = 1201 - t.id) WHERE id IN (600, 601)`);
    const { sums, rows } = await bothWays();
    expect(sums).toMatchObject({ equal: false, unexplained: [], arrived: 0, unsettled: 0 });
    expect(sums.collections[0]).toMatchObject({ by: "sums" });
    expect(sums.collections[0]?.leaves).toBeGreaterThan(1);
    const found = ({ differences }: Verification): unknown =>
      differences.toSorted((a, b) => compareBytes(a.key, b.key));
    expect(found(sums)).toEqual(found(rows));
    expect(sums.counts.missing).toBe(3);
  });

  test.each<[string, string]>([
    ["int", "i - 3000"],
    ["boolean, b int", "i % 2 = 0, i"],
    ["uuid", "md5(i::text)::uuid"],
    ["bytea", "decode(md5(i::text), 'hex')"],
    // Names that what is made of the columns has too.
    ["date, k int, c0 int, p0 int", "date '1999-01-01' + i, -i, i, i"],
    ["timestamptz, b smallint", "timestamptz '1999-01-01' + (i / 9) * interval '1 hour', i % 9"],
    ['text COLLATE "C"', "'k\\\"' || i"],
  ])("sums of ranges add up to those of all rows, for keys of type %s", async (types, values) => {
    const parts = Math.min(2, types.split(",").length);
    const ddl = `CREATE TABLE t (a ${types}, PRIMARY KEY (${["a", types.split(", ")[1]?.split(" ")[0] ?? ""].slice(0, parts).join(", ")}));
        INSERT INTO t SELECT ${values} FROM generate_series(1, 6000) i; ANALYZE t`;
    await given(ddl, ddl);
    await opened(async (source) => {
      await using sums = await source.rangeSums("public.t", { seed: 7n });
      if (sums === undefined) throw new Error("expected a table that can be summed");
      const bounds = await sums.bounds(300);
      expect(bounds.length).toBeGreaterThan(0);
      expect(bounds.toSorted(compareBytes)).toEqual(bounds);
      const ranges = [...bounds, undefined].map((upTo, at) => ({
        collection: "public.t",
        ...(at === 0 ? {} : { after: bounds[at - 1] as Uint8Array }),
        ...(upTo === undefined ? {} : { upTo }),
      }));
      const each = await sums.sums(ranges);
      const [whole] = await sums.sums([{ collection: "public.t" }]);
      expect(each.reduce((sum, { count }) => sum + count, 0)).toBe(6_000);
      expect(
        BigInt.asUintN(
          64,
          each.reduce((sum, { rows }) => sum + rows, 0n),
        ),
      ).toBe(whole?.rows);
      expect(
        BigInt.asUintN(
          64,
          each.reduce((sum, { keys: some }) => sum + some, 0n),
        ),
      ).toBe(whole?.keys);
      const rows = rowsOf(await sums.hashes(ranges));
      expect(rows.map(({ key }) => key)).toEqual((await scanned(source)).map(({ key }) => key));
    });
    expect((await bothWays()).sums).toMatchObject({ equal: true, collections: [{ by: "sums" }] });
  });

  test("is not made where the servers would hash otherwise, or find no range by its key: rows are read", async () => {
    for (const [ours, theirs] of [
      ["id int PRIMARY KEY, v numeric", "id int PRIMARY KEY, v text"],
      ["id char(4) PRIMARY KEY, v int", "id char(4) PRIMARY KEY, v int"],
      ["id text COLLATE german PRIMARY KEY, v int", "id text COLLATE german PRIMARY KEY, v int"],
    ] as const) {
      await given(`CREATE TABLE t (${ours})`, `CREATE TABLE t (${theirs})`);
      for (const client of clients) await client.query("INSERT INTO t VALUES ('1', '1'), ('2', '2')");
      await clients[1]?.query("DELETE FROM t WHERE id = '2'");
      const { sums, rows } = await bothWays();
      expect(sums.collections[0]?.by).toBe("rows");
      expect(sums.counts).toEqual(rows.counts);
      expect(sums.counts.missing).toBe(1);
    }
  });

  test("is of one moment, however long it takes, and does not take what comes meanwhile for a difference", async () => {
    const ddl =
      "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 2000) i; ANALYZE t";
    await given(ddl, ddl);
    await opened(async (source, target) => {
      let looks = 0;
      // The old side changes while the two moments are apart; the move brings the new side up to date when it is asked.
      await clients[0]?.query("UPDATE t SET v = -v WHERE id % 100 = 0; DELETE FROM t WHERE id = 5");
      const found = await verifyData({
        source,
        target,
        random: randomBytes,
        caughtUp: async () => {
          looks++;
          await clients[1]?.query("UPDATE t SET v = -abs(v) WHERE id % 100 = 0; DELETE FROM t WHERE id = 5");
        },
      });
      expect(looks).toBe(1);
      expect(found).toMatchObject({ equal: true, arrived: 21, unsettled: 0, collections: [{ by: "sums" }] });
    });
  });

  test("of a range too large to list reads its rows", async () => {
    await given(
      "CREATE TABLE t (id int PRIMARY KEY, v int)",
      "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 100010) i",
    );
    await clients[0]?.query(
      "INSERT INTO t SELECT i, i FROM generate_series(1, 100000) i; UPDATE t SET v = 0 WHERE id = 77",
    );
    await opened(async (source, target) => {
      // Without bounds all rows are one range.
      const oneRange = overlay(source, {
        rangeSums: async (
          ...args: Parameters<PostgresStore["rangeSums"]>
        ): Promise<RangeSums | undefined> => {
          const sums = await source.rangeSums(...args);
          return (
            sums && {
              form: sums.form,
              rowBytes: sums.rowBytes,
              bounds: () => Promise.resolve([]),
              sums: (ranges) => sums.sums(ranges),
              hashes: (ranges) => sums.hashes(ranges),
              [Symbol.asyncDispose]: () => sums[Symbol.asyncDispose](),
            }
          );
        },
      });
      const found = await verifyData({ source: oneRange, target, random: randomBytes });
      expect(found).toMatchObject({ counts: { missing: 0, extra: 10, different: 1 }, unexplained: [] });
    });
  });

  test("ends with its signal, and leaves no session behind", async () => {
    const ddl =
      "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 5000) i; ANALYZE t";
    await given(ddl, ddl);
    const stop = new AbortController();
    await opened(async (source, target) => {
      const ending = verifyData({
        source,
        target,
        random: randomBytes,
        signal: stop.signal,
        onRead: () => stop.abort(new Error("enough")),
      });
      await clients[1]?.query("UPDATE t SET v = 0 WHERE id = 4000");
      await expect(ending.then(({ equal }) => equal)).rejects.toThrow("enough");
    });
    const left =
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'cutover scan' AND state LIKE 'idle in%'";
    await expect.poll(async () => (await server.query(left))[0]?.["n"], { timeout: 10_000 }).toBe(0);
  });

  test("finds a row by its key where another row has taken its place", async () => {
    const ddl =
      "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, NULL), (4, NULL), (7, 'a'), (4294967297, 'b')";
    await given(ddl, ddl);
    await clients[1]?.query("UPDATE t SET id = id + 1 WHERE id = 1; UPDATE t SET id = id - 1 WHERE id = 4");
    const { sums } = await bothWays();
    expect(sums.counts).toEqual({ missing: 2, extra: 2, different: 0, clash: 0 });
    expect(sums.differences.map(({ key }) => key)).toEqual([1n, 2n, 3n, 4n].map((id) => encodeKey([id])));
  });
});

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../../test/postgres/server.ts";
import { encodeKey } from "../../key-codec.ts";
import { startMove } from "../../move/move-data.ts";
import { type Verification, verifyData } from "../../verify/verify.ts";
import { openPostgresData } from "./open.ts";

let server: TestServer;
let [oldUrl, newUrl] = ["", ""];
let [old, fresh] = [] as unknown as [TestClient, TestClient];
beforeAll(async () => {
  server = await postgresServer({ wal_level: "logical", max_replication_slots: "20", max_wal_senders: "20" });
  [oldUrl, newUrl] = [await server.database(), await server.database()];
  [old, fresh] = [await connectClient(oldUrl), await connectClient(newUrl)];
});
beforeEach(async () => {
  for (const side of [old, fresh])
    await side.query(
      "DROP SCHEMA IF EXISTS public, cutover_data CASCADE; CREATE SCHEMA public; SET client_min_messages = warning",
    );
});
afterAll(async () => {
  await old.end();
  await fresh.end();
  await server.stop();
});

/** Moves everything, with what `meanwhile` does to the old side before each chunk is read. */
async function moved(meanwhile: (chunk: number) => Promise<void> = () => Promise.resolve()): Promise<void> {
  await using source = await openPostgresData(oldUrl);
  await using target = await openPostgresData(newUrl);
  let chunk = 0;
  const watched = new Proxy(source, {
    get(of, name) {
      const member: unknown = Reflect.get(of, name, of);
      if (typeof member !== "function") return member;
      if (name !== "snapshotChunk") return member.bind(of) as unknown;
      return async (...given: Parameters<typeof source.snapshotChunk>) => {
        await meanwhile(++chunk);
        return of.snapshotChunk(...given);
      };
    },
  });
  const move = startMove({ source: watched, target, job: "move", fence: 1, chunk: { rows: 40 } });
  await Promise.race([move.copied, move.done]);
  move.stopAt(await source.fence(1, { signal: AbortSignal.timeout(20_000) }));
  await move.done;
  await source.lift(0);
  await source.release("move");
}

async function look(): Promise<Verification> {
  await using source = await openPostgresData(oldUrl);
  await using target = await openPostgresData(newUrl);
  return await verifyData({ source, target, random: randomBytes, leafRows: 20 });
}

const textOf = async (of: TestClient, table: string): Promise<unknown> =>
  (await of.query(`SELECT t::text AS row FROM ${table} t ORDER BY t::text COLLATE "C"`)).rows;

describe("a comparison of two PostgreSQL", () => {
  const table = `CREATE TABLE t (id int PRIMARY KEY, name text, n numeric, f float8, d date, doc jsonb, tags text[], raw bytea)`;
  const rows = `INSERT INTO t SELECT i, 'name ' || i, i / 4.0, i / 3.0, date '2024-01-01' + i, jsonb_build_object('i', i, 'at', 1700000000000000000 + i),
    ARRAY['a' || i, NULL], decode(md5(i::text), 'hex') FROM generate_series(1, 200) i;
    INSERT INTO t VALUES (201, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (202, '', 0, 0, NULL, '{}', '{}', '')`;

  test.each<[string, string, object]>([
    [
      "one flipped bit",
      "UPDATE t SET raw = set_bit(raw, 77, 1 - get_bit(raw, 77)) WHERE id = 50",
      { different: 1 },
    ],
    ["a row that is missing", "DELETE FROM t WHERE id = 51", { missing: 1 }],
    ["the last row missing", "DELETE FROM t WHERE id = 202", { missing: 1 }],
    [
      "a row twice, under another key",
      "INSERT INTO t SELECT 1000, name, n, f, d, doc, tags, raw FROM t WHERE id = 5",
      { extra: 1 },
    ],
    [
      "two rows that changed places",
      "UPDATE t SET (name, n, f, d, doc, tags, raw) = (SELECT name, n, f, d, doc, tags, raw FROM t s WHERE s.id = 81 - t.id) WHERE id IN (40, 41)",
      { different: 2 },
    ],
    ["empty text for NULL", "UPDATE t SET name = '' WHERE id = 201", { different: 1 }],
    ["NULL for empty text", "UPDATE t SET name = NULL WHERE id = 202", { different: 1 }],
    ["NULL for an empty list", "UPDATE t SET tags = NULL WHERE id = 202", { different: 1 }],
    [
      "the word NULL for NULL in a list",
      "UPDATE t SET tags = ARRAY['a7', 'NULL'] WHERE id = 7",
      { different: 1 },
    ],
    ["another case", "UPDATE t SET name = upper(name) WHERE id = 8", { different: 1 }],
    ["a blank at the end", "UPDATE t SET name = name || ' ' WHERE id = 9", { different: 1 }],
    [
      "the same letter written in two ways",
      "UPDATE t SET name = U&'name 1\\0308' WHERE id = 10",
      { different: 1 },
    ],
    ["a number with another scale", "UPDATE t SET n = n::numeric(10, 6) WHERE id = 12", { different: 1 }],
    ["minus zero for zero", "UPDATE t SET f = '-0' WHERE id = 202", { different: 1 }],
    ["the next floating-point number", "UPDATE t SET f = 4.333333333333334 WHERE id = 13", { different: 1 }],
    ["NaN", "UPDATE t SET f = 'NaN' WHERE id = 14", { different: 1 }],
    [
      "a number of JSON rounded to a double",
      "UPDATE t SET doc = jsonb_set(doc, '{at}', '1700000000000000000') WHERE id = 15",
      { different: 1 },
    ],
    [
      "a number of JSON that became a text",
      `UPDATE t SET doc = jsonb_set(doc, '{i}', '"16"') WHERE id = 16`,
      { different: 1 },
    ],
    ["a day of another century", "UPDATE t SET d = d - interval '100 years' WHERE id = 17", { different: 1 }],
    [
      "rows moved to other keys",
      "UPDATE t SET id = id + 5000 WHERE id BETWEEN 100 AND 109",
      { missing: 10, extra: 10 },
    ],
    ["a column of another type", "ALTER TABLE t ALTER d TYPE timestamp", { different: 200 }],
  ])("finds %s, and nothing else", async (_, damage, counts) => {
    for (const side of [old, fresh]) await side.query(`${table}; ${rows}`);
    expect(await look()).toMatchObject({ equal: true, unexplained: [] });
    await fresh.query(damage);
    const found = await look();
    expect(Object.fromEntries(Object.entries(found.counts).filter(([, count]) => count > 0))).toEqual(counts);
    expect(found).toMatchObject({ equal: false, unexplained: [], unsettled: 0 });
  });
});

test("values at the edge of their types cross by copy and by log, and come out the same to a reader of its own", async () => {
  const ddl = `CREATE TABLE t (id bigint PRIMARY KEY, f4 float4, f8 float8, n numeric, t text, b bytea, at timestamptz, j jsonb);
    CREATE TABLE l (id bigint PRIMARY KEY, a numeric[], r tstzrange, i interval, ip inet, x xml)`;
  for (const side of [old, fresh]) await side.query(ddl);
  const values = `(0, 'NaN', 'NaN', 'NaN', '', '', 'infinity', 'null'), (-1, 'Infinity', '-Infinity', 'Infinity', NULL, NULL, '-infinity', NULL),
    (9223372036854775807, '-0', '-0', '-0.000', E'\\\\N', '\\x00', '294276-12-31 23:59:59.999999+00', '""'),
    (-9223372036854775808, 1e-45, 5e-324, 1e-16383, E'\\\\.\\n\\t\\r\\u0001', '\\xff', '4713-01-01 00:00:00+00 BC', '[]'),
    (9007199254740993, 3.4028235e38, 1.7976931348623157e308, 9.99e131071, repeat('é', 100000), decode(repeat('00ff', 500000), 'hex'), '0001-01-01', '{"n": 12345678901234567890.123}'),
    (5, 0.1, 0.1, 100000000, '10000', '\\x3130303030', '2000-01-01', '1e3'), (6, 1, 1, 0.00001000, ' ', '\\x20', '1999-12-31 23:59:59.999999+00', '{"": ""}'),
    (7, 1, 1, -12345678.90, 'x', '\\x5c2e', '2024-02-29 12:00:00.5+05:30', '{"a": "\\u2028"}')`;
  const lists = `(1, '{NaN,1.0,NULL}', '[2024-01-01,infinity)', '1 mon -1 day 00:00:00.000001', '::ffff:1.2.3.4/96', '<a b="c">&amp;</a>'),
    (2, '{}', 'empty', '-178000000 years', '0.0.0.0/0', NULL), (3, NULL, '(,)', '0', NULL, 'text')`;
  await old.query(`INSERT INTO t VALUES ${values}; INSERT INTO l VALUES ${lists}`);
  // The same once more by the log, beside rows by which the copy has more than one chunk.
  await old.query("INSERT INTO t SELECT i, 0, 0, i, 'filler' FROM generate_series(1000, 1200) i");
  await moved(async (chunk) => {
    if (chunk !== 3) return;
    await old.query(
      `INSERT INTO t SELECT row_number() OVER () * (CASE WHEN id % 2 = 0 THEN -3 ELSE 5000 END), f4, f8, n, t, b, at, j FROM t WHERE t <> 'filler' OR t IS NULL; INSERT INTO l SELECT id + 10, a, r, i, ip, x FROM l`,
    );
    await old.query("UPDATE t SET f4 = '-Infinity' WHERE id IN (9007199254740993, 1003, 1190)");
  });
  for (const name of ["t", "l"]) expect(await textOf(fresh, name)).toEqual(await textOf(old, name));
  expect(await look()).toMatchObject({ equal: true, unexplained: [] });
});

test("keys of bytes, and of texts in the order of a language, cross in chunks under writes without a row lost or doubled", async () => {
  const ddl = `CREATE COLLATION german (provider = icu, locale = 'de-DE');
    CREATE TABLE words (lang char(3), word text COLLATE german, n int, PRIMARY KEY (lang, word));
    CREATE TABLE blobs (k bytea PRIMARY KEY, n int); CREATE TABLE days (at timestamptz, u uuid, n int, PRIMARY KEY (u, at))`;
  for (const side of [old, fresh]) await side.query(ddl);
  await old.query(`INSERT INTO words SELECT l, w || i, i FROM unnest(ARRAY['de','EN ','f']) l, unnest(ARRAY['a','Z','ä','Ä',' ','_','ß','z','🚀','\\x01','A b']) w, generate_series(1, 9) i;
    INSERT INTO blobs SELECT substr(decode(repeat('00', i % 5) || md5(i::text), 'hex'), 1, 1 + i % 20), i FROM generate_series(1, 400) i ON CONFLICT DO NOTHING;
    INSERT INTO blobs VALUES ('', 0), ('\\x00', 0), ('\\x0000', 0), ('\\x00ff', 0), ('\\xff', 0), ('\\xffff', 0) ON CONFLICT DO NOTHING;
    INSERT INTO days SELECT timestamptz '1900-01-01' + i * interval '400 days', md5((i % 7)::text)::uuid, i FROM generate_series(1, 300) i`);
  await moved(async (chunk) => {
    await old.query(`UPDATE words SET n = n + 1 WHERE n % 9 = ${chunk % 9}; DELETE FROM words WHERE word = 'Z${chunk}';
      UPDATE blobs SET k = k || '\\x00' WHERE n = ${chunk}; DELETE FROM blobs WHERE n = ${400 - chunk};
      UPDATE days SET at = at + interval '1 microsecond' WHERE n = ${chunk * 3}; UPDATE words SET word = word || word WHERE word = 'ä${chunk}' AND lang = 'f'`);
  });
  for (const name of ["words", "blobs", "days"]) {
    expect((await textOf(fresh, name)) as unknown[]).toEqual(await textOf(old, name));
  }
  expect(await look()).toMatchObject({ equal: true, unexplained: [] });
});

test("large values that changes leave alone arrive whole, whoever changes beside them", async () => {
  const ddl = `CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0, large text, raw bytea);
    ALTER TABLE t ALTER large SET STORAGE EXTERNAL; ALTER TABLE t ALTER raw SET STORAGE EXTERNAL`;
  for (const side of [old, fresh]) await side.query(ddl);
  await old.query(
    "INSERT INTO t SELECT i, 0, repeat(md5(i::text), 1000), decode(repeat(md5(i::text), 500), 'hex') FROM generate_series(1, 200) i",
  );
  await moved(async (chunk) => {
    await old.query(`UPDATE t SET n = n + 1 WHERE id % 10 = ${chunk % 10}`);
    await old.query(
      `UPDATE t SET n = n + 1, large = large || 'x' WHERE id % 50 = ${chunk}; UPDATE t SET n = -1 WHERE id % 50 = ${chunk}`,
    );
    await old.query(`UPDATE t SET n = 7 WHERE id = ${100 + chunk}; DELETE FROM t WHERE id = ${100 + chunk}`);
    await old.query(
      `UPDATE t SET id = id + 1000 WHERE id = ${180 + chunk}; UPDATE t SET raw = NULL WHERE id = ${10 + chunk}`,
    );
  });
  expect(await textOf(fresh, "t")).toEqual(await textOf(old, "t"));
  expect(await look()).toMatchObject({ equal: true, unexplained: [] });
});

test("of many thousand rows the one that the new side refuses is named at once", async () => {
  const ddl = "CREATE TABLE t (id int PRIMARY KEY, v text, n int)";
  await old.query(`${ddl}; INSERT INTO t SELECT i, 'v' || i, i FROM generate_series(1, 30000) i`);
  await fresh.query(`${ddl}; ALTER TABLE t ADD CHECK (n <> 23456)`);
  await using source = await openPostgresData(oldUrl);
  await using target = await openPostgresData(newUrl);
  const move = startMove({ source, target, job: "move", fence: 1 });
  await expect(move.done).rejects.toMatchObject({
    code: "CUTOVER_DATA_REFUSED",
    message: expect.stringContaining('found in the row with id = 23456 of "public.t": new row') as string,
    details: {
      collection: "public.t",
      key: Buffer.from(encodeKey([23_456n])).toString("hex"),
      constraint: "t_n_check",
    },
  });
  await source.release("move");
});

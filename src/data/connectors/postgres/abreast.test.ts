import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../../test/postgres/server.ts";
import { ManualClock } from "../../../testing/manual-clock.ts";
import type { PackedRows, Target, TargetWrite } from "../../connector.ts";
import { startMove } from "../../move/move-data.ts";
import { openPostgresData } from "./open.ts";
import type { PostgresStore } from "./store.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer({ wal_level: "logical" });
});
afterAll(() => server.stop());

const table = "CREATE TABLE t (id int PRIMARY KEY, v text)";
const rows = 400;

let client: TestClient;
let urls: { readonly old: string; readonly fresh: string };
let stores: { readonly old: PostgresStore; readonly fresh: PostgresStore };
let clock: ManualClock;
/** Rows 1 to 100, 101 to 200 and so on. */
let chunks: readonly PackedRows[];

beforeEach(async () => {
  urls = { old: await server.database(), fresh: await server.database() };
  const old = await connectClient(urls.old);
  await old.query(`${table}; INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, ${rows}) i`);
  await old.end();
  client = await connectClient(urls.fresh);
  await client.query(table);
  clock = new ManualClock();
  stores = { old: await openPostgresData(urls.old), fresh: await openPostgresData(urls.fresh, { clock }) };
  const found: PackedRows[] = [];
  for (let after: Uint8Array | undefined; found.length < rows / 100; after = found.at(-1)?.last) {
    const range = { collection: "public.t", ...(after === undefined ? {} : { after }) };
    const chunk = await stores.old.snapshotChunk(range, { rows: 100, bytes: 1 << 20, packed: true });
    found.push(chunk.packed as PackedRows);
  }
  chunks = found;
});
afterEach(async () => {
  await stores.old[Symbol.asyncDispose]();
  await stores.fresh[Symbol.asyncDispose]();
  await client.end();
});

/** Writes a chunk; its number is the checkpoint. */
function write(number: number, more: Partial<TargetWrite> = {}): Promise<string> {
  const packed = { collection: "public.t", rows: chunks[number - 1] as PackedRows };
  const checkpoint = Buffer.from([number]);
  const given = { job: "j", fence: 1, origin: "m", changes: [], rows: [], packed, checkpoint, ...more };
  return stores.fresh.applyTxn(given).then(
    () => "written",
    ({ code = "none" }: { readonly code?: string }) => code,
  );
}

const count = async (): Promise<unknown> =>
  (await client.query("SELECT count(*)::int AS n FROM t")).rows[0]?.["n"];
const saved = async (): Promise<number | undefined> => (await stores.fresh.checkpoint("j"))?.[0];

/** What the connections that write are about, as the server sees them; `begun`: in a transaction that has written nothing yet. */
async function writers(): Promise<Readonly<Record<string, string>>> {
  const found = await server.query(
    `SELECT application_name AS name, CASE WHEN wait_event_type = 'Lock' THEN 'waits'
        WHEN state = 'idle in transaction' AND (backend_xid IS NULL OR query ILIKE 'begin%') THEN 'begun'
        ELSE state END AS state FROM pg_stat_activity
      WHERE application_name LIKE 'cutover write%' AND datname = '${urls.fresh.split("/").at(-1)}'`,
  );
  return Object.fromEntries(found.map(({ name, state }) => [String(name), String(state)]));
}

test("rows that are given while those before are under way are written beside them, and are there after them", async () => {
  expect(await stores.fresh.abreast("public.t")).toBe(true);
  await client.query("BEGIN; INSERT INTO t VALUES (50, 'in the way')");
  const [first, second] = [write(1), write(2)];
  await expect
    .poll(writers, { timeout: 10_000 })
    .toEqual({ "cutover write": "waits", "cutover write 2": "idle in transaction" });
  // A third one, of the connection that the first has, behind both.
  const third = write(3);
  await client.query("ROLLBACK");
  expect(await Promise.all([first, second, third])).toEqual(["written", "written", "written"]);
  expect([await count(), await saved()]).toEqual([300, 3]);
  expect(clock.pending).toBe(0);
});

test("of rows that are given behind others that are refused none is there", async () => {
  await client.query("ALTER TABLE t ADD CHECK (id <> 70)");
  const ended = [write(1), write(2), write(3)];
  expect(await Promise.all(ended)).toEqual(Array(3).fill("CUTOVER_DATA_REFUSED"));
  expect([await count(), await saved()]).toEqual([0, undefined]);
  // All that was under way has ended: the next write stands for itself.
  expect(await write(2)).toBe("written");
  expect([await count(), await saved()]).toEqual([100, 2]);
});

test("rows of a worker whose job was taken over are not there, though they were written beside others", async () => {
  const ended = [write(1, { fence: 2 }), write(2, { fence: 1 }), write(3, { fence: 2 })];
  expect(await Promise.all(ended)).toEqual(["written", "CUTOVER_LEASE_LOST", "CUTOVER_LEASE_LOST"]);
  expect([await count(), await saved()]).toEqual([100, 1]);
});

test("rows that stand in the way of those before them let these go first", async () => {
  await client.query(
    "ALTER TABLE t ADD other text GENERATED ALWAYS AS (CASE WHEN id IN (60, 160) THEN 'one' ELSE id::text END) STORED",
  );
  await client.query("CREATE UNIQUE INDEX ON t (other)");
  await stores.fresh[Symbol.asyncDispose]();
  stores = { ...stores, fresh: await openPostgresData(urls.fresh, { clock }) };
  await client.query("BEGIN; INSERT INTO t VALUES (50, 'in the way')");
  const [first, second] = [write(1), write(2)];
  await expect
    .poll(async () => (await writers())["cutover write 2"], { timeout: 10_000 })
    .toBe("idle in transaction");
  await client.query("ROLLBACK");
  await expect.poll(async () => (await writers())["cutover write"], { timeout: 10_000 }).toBe("waits");
  await clock.advance(5_000);
  expect(await first).toBe("written");
  expect(await second).toBe("CUTOVER_DATA_REFUSED");
  expect([await count(), await saved()]).toEqual([100, 1]);
});

test("writes side by side are not made upon what a crash has taken back, and go on where only connections were cut", async () => {
  const durable = false;
  expect(await Promise.all([write(1, { durable }), write(2, { durable })])).toEqual(["written", "written"]);
  const cut = async (names: string): Promise<void> => {
    const those = `FROM pg_stat_activity WHERE application_name LIKE '${names}' AND datname = '${urls.fresh.split("/").at(-1)}'`;
    await server.query(`SELECT pg_terminate_backend(pid) ${those}`);
    await expect
      .poll(async () => (await server.query(`SELECT count(*)::int AS n ${those}`))[0]?.["n"], {
        timeout: 10_000,
      })
      .toBe(0);
  };
  await cut("cutover write 2");
  // A connection that was cut is noticed at the latest by who uses it.
  await expect
    .poll(() => write(3, { durable }).then(async (one) => [one, await saved()]), { timeout: 10_000 })
    .toEqual(["written", 3]);
  expect(await Promise.all([write(3, { durable }), write(4, { durable })])).toEqual(["written", "written"]);
  // As a crash would leave it.
  await client.query("DELETE FROM t WHERE id > 100; UPDATE cutover_data.job SET checkpoint = '\\x01'");
  await cut("cutover write%");
  const ended = (): Promise<readonly string[]> => Promise.all([write(3, { durable }), write(4, { durable })]);
  await expect.poll(ended, { timeout: 10_000 }).toEqual(Array(2).fill("CUTOVER_DATA_UNAVAILABLE"));
  expect([await count(), await saved()]).toEqual([100, 1]);
});

test("rows of tables whose triggers fire for a move, or that are text, or not there, are not written side by side without need", async () => {
  await client.query(`CREATE TABLE plain (id int PRIMARY KEY, p point); CREATE TABLE acting (id int PRIMARY KEY); CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (10); CREATE TABLE usual (id int PRIMARY KEY REFERENCES plain);
    CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER act BEFORE INSERT ON acting FOR EACH ROW EXECUTE FUNCTION act(); ALTER TABLE acting ENABLE ALWAYS TRIGGER act;
    CREATE TRIGGER act BEFORE INSERT ON part FOR EACH ROW EXECUTE FUNCTION act(); ALTER TABLE part ENABLE REPLICA TRIGGER act;
    CREATE TRIGGER act BEFORE INSERT ON usual FOR EACH ROW EXECUTE FUNCTION act()`);
  const found: Record<string, boolean> = {};
  for (const name of ["plain", "acting", "parts", "usual", "nothing"])
    found[name] = await stores.fresh.abreast(`public.${name}`);
  expect(found).toEqual({ plain: true, acting: false, parts: false, usual: true, nothing: false });
});

test("a move has two chunks under way at a time, and whatever holds changes alone", async () => {
  const old = await connectClient(urls.old);
  await old.query("INSERT INTO t SELECT i, 'v' || i FROM generate_series(401, 3000) i");
  let [under, most, chunk] = [0, 0, 0];
  let alone = true;
  const target = new Proxy<Target>(await openPostgresData(urls.fresh), {
    get(of, name) {
      const member: unknown = Reflect.get(of, name, of);
      if (typeof member !== "function") return member;
      if (name !== "applyTxn") return member.bind(of) as unknown;
      return async (given: TargetWrite) => {
        const others = under++;
        most = Math.max(most, under);
        if (given.changes.length > 0 && others > 0) alone = false;
        if (given.packed !== undefined && ++chunk % 8 === 0)
          await old.query("UPDATE t SET v = v || '!' WHERE id % 10 = 0");
        try {
          await of.applyTxn(given);
        } finally {
          under--;
        }
      };
    },
  });
  const move = startMove({ source: stores.old, target, job: "move", fence: 1, chunk: { rows: 100 } });
  await move.copied;
  move.stopAt(await stores.old.fence(1, { signal: AbortSignal.timeout(20_000) }));
  expect((await move.done).progress).toMatchObject({ copied: true });
  expect([most, alone]).toEqual([2, true]);
  const sum = "SELECT count(*)::int AS n, md5(string_agg(t::text, ';' ORDER BY id)) AS sum FROM t";
  expect((await client.query(sum)).rows).toEqual((await old.query(sum)).rows);
  await stores.old.release("move");
  await target[Symbol.asyncDispose]();
  await old.end();
});

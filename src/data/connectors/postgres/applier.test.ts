import { afterAll, beforeAll, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../../test/postgres/server.ts";
import type { TargetWrite } from "../../connector.ts";
import { openPostgresData } from "./open.ts";
import type { PostgresStore } from "./store.ts";

let server: TestServer;
let client: TestClient;
let url: string;

beforeAll(async () => {
  server = await postgresServer();
  url = await server.database();
  client = await connectClient(url);
});
afterAll(async () => {
  await client.end();
  await server.stop();
});

async function apply(store: PostgresStore, write: Partial<TargetWrite>): Promise<void> {
  await store.applyTxn({ job: "j", fence: 1, origin: "j", changes: [], rows: [], ...write });
}

test("a write that need not be on the disk does not wait for it, and the next one does again", async () => {
  await client.query(`CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE seen (id int, waits text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO public.seen VALUES (NEW.id, current_setting('synchronous_commit')); RETURN NEW; END $$;
    CREATE TRIGGER note AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
    ALTER TABLE t ENABLE ALWAYS TRIGGER note`);
  await using store = await openPostgresData(url);
  await client.query("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')");
  const rows = [];
  for await (const part of store.scan({ collection: "public.t" })) rows.push(...part);
  await client.query("TRUNCATE t, seen");
  for (const [at, durable] of [false, undefined, false].entries()) {
    const row = { ...(rows[at] as (typeof rows)[number]), collection: "public.t" };
    await apply(store, { rows: [row], ...(durable === undefined ? {} : { durable }) });
  }
  const found = (await client.query("SELECT id, waits FROM seen ORDER BY id")).rows;
  expect(found).toEqual([
    { id: 1, waits: "off" },
    { id: 2, waits: "local" },
    { id: 3, waits: "off" },
  ]);
});

test("what was written last without waiting is there after a later write that waited, though the server crashes", async () => {
  await client.query("CREATE TABLE u (id int PRIMARY KEY)");
  await using store = await openPostgresData(url);
  await client.query("INSERT INTO u VALUES (1), (2)");
  const rows = [];
  for await (const part of store.scan({ collection: "public.u" })) rows.push(...part);
  await client.query("TRUNCATE u");
  for (const [at, durable] of [false, true].entries())
    await apply(store, {
      rows: [{ ...(rows[at] as (typeof rows)[number]), collection: "public.u" }],
      checkpoint: Buffer.from([at]),
      durable,
    });
  await server.restart("immediate");
  client = await connectClient(url);
  expect((await client.query("SELECT id FROM u ORDER BY id")).rows).toEqual([{ id: 1 }, { id: 2 }]);
  expect(await store.checkpoint("j")).toEqual(Buffer.from([1]));
});

test("what was not on the disk when the server crashed is not written upon: the move has to begin at what is there", async () => {
  await using store = await openPostgresData(url);
  const cut = (): Promise<unknown> =>
    server.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cutover write'",
    );
  const write = (place: number): Promise<void> =>
    apply(store, { job: "k", checkpoint: Buffer.from([place]), durable: false });
  const gone = async (): Promise<void> => {
    await cut();
    const left = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'cutover write'";
    await expect.poll(async () => (await server.query(left))[0]?.["n"], { timeout: 10_000 }).toBe(0);
  };
  await write(1);
  // A connection that was cut alone has taken nothing back.
  await gone();
  await expect.poll(() => write(2).then(() => "written", String), { timeout: 10_000 }).toBe("written");
  // As a crash would leave it.
  await client.query("UPDATE cutover_data.job SET checkpoint = decode('01', 'hex') WHERE name = 'k'");
  await gone();
  const outcome = (): Promise<unknown> =>
    write(3).then(
      () => "written",
      (error: Error) => error.message,
    );
  await expect.poll(outcome, { timeout: 10_000 }).toContain("found an earlier moment");
  expect(await store.checkpoint("k")).toEqual(Buffer.from([1]));
  // Who takes the job over reads where it stands, and goes on from there.
  await write(1);
  await gone();
  await client.query("UPDATE cutover_data.job SET checkpoint = NULL WHERE name = 'k'");
  await expect
    .poll(() => apply(store, { job: "k", fence: 2 }).then(() => "claimed", String), { timeout: 10_000 })
    .toBe("claimed");
  await apply(store, { job: "k", fence: 2, checkpoint: Buffer.from([1]), durable: false });
});

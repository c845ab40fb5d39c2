import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { systemClock } from "../../core/index.ts";
import { defineMigration, phase, type Step, step } from "../../plan/index.ts";
import { openRig, type Rig } from "../../testing/engine-rig.ts";
import type { DataStore } from "../connector.ts";
import { openPostgresData } from "../connectors/postgres/open.ts";
import { decodeKey, encodeKey } from "../key-codec.ts";
import type { DataMap, SourceRow } from "../map.ts";
import { decodeRecord, encodeRecord } from "../record-codec.ts";
import { overlay } from "../verify/touched.ts";
import { memorySwitch } from "../cutover/memory-switch.ts";
import type { Switch } from "../cutover/switch.ts";
import { backfill } from "./backfill.ts";
import type { CutoverLimits } from "./crossing-input.ts";
import { cutoverData } from "./cutover-data.ts";
import { reverseSync } from "./reverse-sync.ts";

let servers: readonly TestServer[] = [];
let rig: Rig;
let kept: Switch;
// A server each: a slot that is made waits for the transactions that are open on its server, so an open one on the old side would
// hold up the way back's log on the new one.
beforeAll(async () => {
  servers = await Promise.all([0, 1].map(() => postgresServer({ wal_level: "logical" })));
});
afterAll(async () => {
  for (const server of servers) await server.stop();
});
beforeEach(async () => {
  rig = await openRig({ clock: systemClock });
  kept = memorySwitch();
});
afterEach(() => rig[Symbol.asyncDispose]());

const tables = `CREATE TABLE parent (id bigserial PRIMARY KEY, v text);
  CREATE TABLE child (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent bigint NOT NULL REFERENCES parent, v text)`;
const rows = `INSERT INTO parent (v) SELECT 'p' FROM generate_series(1, 500);
  INSERT INTO child (parent, v) SELECT i, 'c' FROM generate_series(1, 500) i`;

interface Database {
  readonly url: string;
  readonly client: TestClient;
}

async function pair(): Promise<{ readonly old: Database; readonly fresh: Database }> {
  const [old, fresh] = await Promise.all(
    servers.map(async (server) => {
      const url = await server.database();
      const client = await connectClient(url);
      await client.query(tables);
      return { url, client };
    }),
  );
  await old?.client.query(rows);
  return { old: old as Database, fresh: fresh as Database };
}

/** Through a backfill to the cutover, and whatever comes after it. */
async function cross(
  { old, fresh }: { readonly old: Database; readonly fresh: Database },
  before: readonly Step[],
  after: readonly Step[],
  limits: CutoverLimits = {},
): Promise<{ readonly state: string; readonly results: Readonly<Record<string, unknown>> }> {
  const sw = { name: "switch", open: (): Switch => kept };
  const handle = await rig.start(
    defineMigration({
      name: "crossing",
      phases: [
        phase("move", { steps: [backfill(old.url, fresh.url, { follow: true })] }),
        phase("cutover", {
          steps: [...before, cutoverData(old.url, fresh.url, { switch: sw, limits }), ...after],
        }),
      ],
    }),
  );
  const { state } = await handle.done;
  const records = await rig.store.runs.steps(handle.id);
  return {
    state,
    results: Object.fromEntries(records.map(({ step: id, result, error }) => [id, error ?? result])),
  };
}

const breaks = (): Step =>
  step("breaks", {
    run: () => {
      throw new Error("the new side broke");
    },
  });

/** A row and its child, by whoever names the epoch in charge. */
async function write({ client }: Database, v: string): Promise<readonly unknown[]> {
  const { epoch } = await kept.read();
  await client.query(`SET cutover.epoch = '${epoch}'`);
  const parent = await client.query("INSERT INTO parent (v) VALUES ($1) RETURNING id::int", [v]);
  const id = parent.rows[0]?.["id"];
  const child = await client.query("INSERT INTO child (parent, v) VALUES ($1, $2) RETURNING id", [id, v]);
  return [id, child.rows[0]?.["id"]];
}

const sum = async ({ client }: Database): Promise<unknown> =>
  (
    await client.query(
      `SELECT (SELECT md5(string_agg(p::text, ';' ORDER BY id)) FROM parent p) AS parent,
        (SELECT md5(string_agg(c::text, ';' ORDER BY id)) FROM child c) AS child, (SELECT count(*)::int FROM parent) AS rows`,
    )
  ).rows;

async function fenceWaits(): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const waiting = await (servers[0] as TestServer).query(
      "SELECT 1 FROM pg_stat_activity WHERE application_name = 'cutover fence' AND wait_event_type = 'Lock'",
    );
    if (waiting.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new TypeError("the fence never waited");
}

async function end(...databases: readonly Database[]): Promise<void> {
  for (const { client } of databases) await client.end();
}

test("through a map, a row that takes another one's place at the last moment ends the cutover, and both are told", async () => {
  const both = await pair();
  await both.old.client.query(`CREATE TABLE entry (house text, n int, v text, PRIMARY KEY (house, n));
    INSERT INTO entry SELECT 'a', i, 'v' FROM generate_series(1, 300) i`);
  await both.fresh.client.query("CREATE TABLE entry (n int PRIMARY KEY, v text)");
  const number = (key: Uint8Array): Uint8Array => encodeKey(decodeKey(key).slice(1));
  const inHouse = (key: Uint8Array): Uint8Array => encodeKey(["a", ...decodeKey(key)]);
  const map: DataMap = {
    map: ({ key, value }) => ({ key: number(key), value: encodeRecord(decodeRecord(value).slice(1)) }),
    places: (collection, key) => [{ collection, key: number(key) }],
  };
  const back = {
    map: ({ key, value }: SourceRow) => ({
      key: inHouse(key),
      value: encodeRecord(["a", ...decodeRecord(value)]),
    }),
    places: (collection: string, key: Uint8Array) => [{ collection, key: inHouse(key) }],
  };
  let fences = 0;
  const late = {
    name: "fresh",
    open: async (): Promise<DataStore> => {
      const store = await openPostgresData(both.fresh.url);
      return overlay<DataStore>(store, {
        fence: async (...given: Parameters<DataStore["fence"]>) => {
          if (fences++ === 0) await both.old.client.query("INSERT INTO entry VALUES ('b', 7, 'took it')");
          return await store.fence(...given);
        },
      });
    },
  };
  const sw = { name: "switch", open: (): Switch => kept };
  const named = { map, collections: ["public.entry"] };
  const handle = await rig.start(
    defineMigration({
      name: "crossing",
      phases: [
        phase("move", { steps: [backfill(both.old.url, late, { ...named, follow: true })] }),
        phase("cut", { steps: [cutoverData(both.old.url, late, { ...named, back, switch: sw })] }),
      ],
    }),
  );
  expect((await handle.done).state).toBe("ROLLED_BACK");
  const records = await rig.store.runs.steps(handle.id);
  const { code, message } = records.find(({ step: id }) => id === "cut/cutoverData")?.error ?? {};
  expect(code).toBe("CUTOVER_DATA_DIFFERS");
  expect(message).toMatch(
    /clash public\.entry \(7\) of the rows public\.entry \("a", 7\) and public\.entry \("b", 7\)/,
  );
  expect((await kept.read()).side).toBe("old");
  await both.old.client.query(`SET cutover.epoch = '${(await kept.read()).epoch}'`);
  await both.old.client.query("INSERT INTO entry VALUES ('a', 900, 'goes on')");
  const { rows: found } = await both.old.client.query("SELECT count(*)::int AS rows FROM entry");
  expect(found).toEqual([{ rows: 302 }]);
  await end(both.old, both.fresh);
}, 60_000);

test("when the way back is over, nothing of it stays on the new side, not even the trigger, whoever reads meanwhile", async () => {
  const both = await pair();
  const reader = await connectClient(both.fresh.url);
  const objects = async ({ client }: Database): Promise<unknown> =>
    (
      await client.query(
        `SELECT (SELECT count(*)::int FROM pg_trigger WHERE tgname = 'cutover_epoch_guard') AS triggers,
          (SELECT count(*)::int FROM pg_replication_slots WHERE database = current_database()) AS slots`,
      )
    ).rows[0];
  const { state } = await cross(
    both,
    [],
    [
      reverseSync(both.old.url, both.fresh.url, { for: "100ms" }),
      step("report", {
        run: async () => {
          // Not longer than the removal is tried.
          await reader.query("BEGIN; SELECT count(*) FROM parent");
          setTimeout(() => void reader.query("COMMIT"), 500);
        },
      }),
    ],
  );
  expect(state).toBe("COMPLETED");
  expect(await objects(both.fresh)).toEqual({ triggers: 0, slots: 0 });
  expect(await objects(both.old)).toMatchObject({ triggers: 2, slots: 0 });
  // Whoever names no epoch writes there again, and not on the old side.
  await both.fresh.client.query("INSERT INTO parent (v) VALUES ('by hand')");
  await expect(both.old.client.query("INSERT INTO parent (v) VALUES ('by hand')")).rejects.toMatchObject({
    code: "CUF01",
  });
  await reader.end();
  await end(both.old, both.fresh);
}, 60_000);

test("the first rows after the cutover, and after the way back, have numbers of their own, and none is lost", async () => {
  const both = await pair();
  const numbers: Record<string, readonly unknown[]> = {};
  const { state, results } = await cross(
    both,
    [],
    [
      step("write", {
        run: async () => {
          numbers["new"] = await write(both.fresh, "written on the new side");
          await expect(write(both.old, "late")).rejects.toMatchObject({ code: "CUF01" });
        },
      }),
      reverseSync(both.old.url, both.fresh.url, { for: "300ms" }),
      breaks(),
    ],
  );
  expect(results["cutover/cutoverData"]).toMatchObject({
    note: expect.stringMatching(/is in charge/) as unknown,
  });
  expect(state).toBe("ROLLED_BACK");
  expect(numbers["new"]).toEqual([501, 501]);
  expect(await kept.read()).toMatchObject({ side: "old" });
  // The refused statements took numbers on the old side; what counts is that nobody has them.
  const [parent, child] = await write(both.old, "written after the way back");
  expect([Number(parent) > 501, Number(child) > 501]).toEqual([true, true]);
  const { rows: found } = await both.old.client.query("SELECT v FROM parent WHERE id > 500 ORDER BY id");
  expect(found).toEqual([{ v: "written on the new side" }, { v: "written after the way back" }]);
  await end(both.old, both.fresh);
}, 90_000);

test("a transaction that is open at the cutover holds it up until it commits, and crosses with the rest", async () => {
  const both = await pair();
  const open = await connectClient(both.old.url);
  let committing: Promise<void> | undefined;
  const opening = step("open", {
    run: async () => {
      await open.query("BEGIN");
      await open.query("INSERT INTO parent (v) VALUES ('open')");
      // Goes on until the fence waits for it.
      committing = (async () => {
        await fenceWaits();
        await open.query("INSERT INTO child (parent, v) SELECT max(id), 'open' FROM parent");
        await open.query("COMMIT");
      })();
    },
  });
  const { state, results } = await cross(both, [opening], []);
  expect([state, results["cutover/cutoverData"]]).toEqual(["COMPLETED", expect.anything()]);
  await committing;
  expect(await sum(both.fresh)).toEqual(await sum(both.old));
  const { rows: found } = await both.fresh.client.query(
    "SELECT count(*)::int AS rows FROM child WHERE v = 'open'",
  );
  expect(found).toEqual([{ rows: 1 }]);
  await open.end();
  await end(both.old, both.fresh);
}, 90_000);

test("a transaction that does not end gives the old side back within the limit, with nothing lost", async () => {
  const both = await pair();
  const open = await connectClient(both.old.url);
  const opening = step("open", {
    run: async () => {
      await open.query("BEGIN");
      await open.query("INSERT INTO parent (v) VALUES ('still open')");
    },
  });
  const began = Date.now();
  const { state, results } = await cross(both, [opening], [], { pause: "1s", abort: "1s" });
  expect(state).toBe("ROLLED_BACK");
  expect(results["cutover/cutoverData"]).toMatchObject({ code: "CUTOVER_DATA_PAUSE_TOO_LONG" });
  expect(Date.now() - began).toBeLessThan(60_000);
  // It never was in anybody's way.
  await open.query("INSERT INTO child (parent, v) SELECT max(id), 'still open' FROM parent");
  await open.query("COMMIT");
  expect(await kept.read()).toMatchObject({ side: "old" });
  await write(both.old, "goes on");
  const { rows: found } = await both.old.client.query("SELECT v FROM parent WHERE id > 500 ORDER BY id");
  expect(found).toEqual([{ v: "still open" }, { v: "goes on" }]);
  await open.end();
  await end(both.old, both.fresh);
}, 90_000);

test("a trigger of the old side that could not be switched off on the way back is told before anybody is stopped", async () => {
  const both = await pair();
  const role = `keeper_${process.pid}`;
  await both.old.client.query(
    `CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := upper(NEW.v); RETURN NEW; END $$;
      CREATE TRIGGER shout BEFORE INSERT ON parent FOR EACH ROW EXECUTE FUNCTION shout();
      CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'not-a-secret'; ALTER TABLE parent OWNER TO ${role}; ALTER TABLE child OWNER TO ${role};
      ALTER SEQUENCE parent_id_seq OWNER TO ${role}; GRANT CREATE ON SCHEMA public TO ${role};
      DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ${role}', current_database()); END $$`,
  );
  const address = new URL(both.old.url);
  address.username = role;
  const { state, results } = await cross({ ...both, old: { ...both.old, url: address.href } }, [], []);
  expect(state).toBe("ROLLED_BACK");
  expect(results["cutover/cutoverData"]).toMatchObject({
    code: "CUTOVER_DATA_DENIED",
    details: { collection: "public.parent", enforced: ["shout"] },
  });
  // Nobody was stopped, and those who name no epoch write as before.
  await both.old.client.query("INSERT INTO parent (v) VALUES ('as before')");
  expect(await kept.read()).toEqual({ side: "old", epoch: 0 });
  await end(both.old, both.fresh);
}, 90_000);

import { afterAll, beforeAll, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../../test/postgres/server.ts";
import { openPostgresData, covers } from "../../index.ts";
import type { Transaction } from "../../connector.ts";
import { encodeKey } from "../../key-codec.ts";
import { encodeRecord } from "../../record-codec.ts";
import type { PostgresStore } from "./store.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer({ wal_level: "logical", max_replication_slots: "50", max_wal_senders: "20" });
});
afterAll(() => server.stop());

const table = "CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY, v text)";
const limit = { rows: 10_000, bytes: 1 << 28 };

async function given(ddl = table): Promise<{ url: string; client: TestClient; store: PostgresStore }> {
  const url = await server.database();
  const client = await connectClient(url);
  await client.query(ddl);
  return { url, client, store: await openPostgresData(url) };
}

async function until(done: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (await done()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new TypeError("it did not happen in time");
}

async function logged(store: PostgresStore, slot: string, from: string): Promise<readonly Transaction[]> {
  const end = await store.head();
  const found: Transaction[] = [];
  for await (const { transactions, head } of store.log(slot, from, { signal: AbortSignal.timeout(20_000) })) {
    found.push(...transactions);
    if (head >= end) break;
  }
  return found;
}

const row = (id: number, v: string) => ({
  collection: "app.t",
  key: encodeKey([BigInt(id)]),
  value: encodeRecord([BigInt(id), v]),
});

test("a commit that is in the log before it is visible is not lost", async () => {
  const { url, client, store } = await given();
  const from = await store.capture("race");
  const hanging = await connectClient(url);
  await server.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  await server.query("SELECT pg_reload_conf()");
  try {
    await hanging.query("SET synchronous_commit = on");
    // Flushed, then waits for a standby that never answers: nobody sees it yet. Servers take a moment to know of the standby.
    let commit: Promise<unknown> = Promise.resolve();
    let id = 0;
    await until(async () => {
      let done = false;
      commit = hanging.query("INSERT INTO app.t VALUES ($1, 'late')", [++id]).then(() => (done = true));
      for (;;) {
        const { rows } = await client.query(
          "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()",
        );
        if (rows.length === 1 || done) return rows.length === 1;
      }
    });
    const told = await logged(store, "race", from);
    expect(told.length).toBe(id);
    const chunk = await store.snapshotChunk({ collection: "app.t" }, limit);
    expect(chunk.rows.length).toBe(id - 1);
    // The chunk says that it has not seen the transaction, so its rows may not take back what was applied.
    expect(covers(chunk.fence, told.at(-1)?.tx ?? "")).toBe(false);
    // Neither may a cutover pass it by: it holds its locks.
    const stop = new AbortController();
    const fenced = store.fence(1, { signal: stop.signal });
    setTimeout(() => stop.abort(new TypeError("it waits")), 300);
    await expect(fenced).rejects.toThrow("it waits");
    await server.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    await commit;
    const after = await store.snapshotChunk({ collection: "app.t" }, limit);
    expect(after.rows.length).toBe(id);
    expect(covers(after.fence, told.at(-1)?.tx ?? "")).toBe(true);
  } finally {
    await server.query("ALTER SYSTEM RESET synchronous_standby_names");
    await server.query("SELECT pg_reload_conf()");
    await store.release("race");
    await store[Symbol.asyncDispose]();
    await hanging.end();
    await client.end();
  }
});

test("a transaction that began before the fence and writes only after it is refused", async () => {
  const { url, client, store } = await given();
  const old = await connectClient(url);
  await old.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  await old.query("SELECT * FROM app.t");
  const head = await store.fence(1, { signal: AbortSignal.timeout(10_000) });
  await expect(old.query("INSERT INTO app.t VALUES (1, 'late')")).rejects.toMatchObject({
    code: "CUF01",
    message: "expected a writer of epoch 1 or later, found epoch 0: this side is no longer in charge",
  });
  await old.query("ROLLBACK");
  await client.query("SET cutover.epoch = '1'");
  await client.query("INSERT INTO app.t VALUES (2, 'new epoch')");
  expect((await store.head()) > head).toBe(true);
  await store.lift(0);
  expect((await client.query("SELECT 1 FROM pg_trigger WHERE tgname = 'cutover_epoch_guard'")).rows).toEqual(
    [],
  );
  await store[Symbol.asyncDispose]();
  await old.end();
  await client.end();
});

test("a slot that was dropped is said to be lost, on following and on capturing again", async () => {
  const { client, store } = await given();
  const from = await store.capture("s");
  await client.query(
    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()",
  );
  await expect(logged(store, "s", from)).rejects.toMatchObject({ code: "CUTOVER_DATA_SLOT_LOST" });
  await expect(store.capture("s")).rejects.toMatchObject({ code: "CUTOVER_DATA_SLOT_LOST" });
  await store.release("s");
  await store.capture("s");
  await store.release("s");
  await store[Symbol.asyncDispose]();
  await client.end();
});

test("a log whose connection is cut goes on at the same place, each change once", async () => {
  const { client, store } = await given();
  const from = await store.capture("s");
  const stop = new AbortController();
  const ids: number[] = [];
  const follow = (async () => {
    for await (const { transactions } of store.log("s", from, { signal: stop.signal }))
      ids.push(
        ...transactions.flatMap(({ changes }) =>
          changes.map(({ value }) => Buffer.from(value ?? []).readUInt8(9)),
        ),
      );
  })();
  for (let id = 0; id < 30; id++) {
    await client.query("INSERT INTO app.t VALUES ($1, 'v')", [id]);
    if (id % 10 === 5)
      await client.query(
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active AND database = current_database()",
      );
  }
  await until(() => Promise.resolve(ids.length >= 30));
  stop.abort();
  await follow;
  expect(ids).toEqual(Array.from({ length: 30 }, (_, id) => id));
  await store.release("s");
  await store[Symbol.asyncDispose]();
  await client.end();
});

test("connections that are ended in the middle: reads go on, a write is there whole or not at all", async () => {
  const { url, client, store } = await given(
    `${table}; INSERT INTO app.t SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i`,
  );
  const database = new URL(url).pathname.slice(1);
  // On another connection: within a transaction the activity stays as it was first seen.
  const cut = (name: string): Promise<void> =>
    until(async () => {
      const ended = await server.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = $1 AND datname = $2 AND wait_event_type = 'Lock'`,
        [name, database],
      );
      return ended.length > 0;
    });
  await client.query("BEGIN; LOCK TABLE app.t IN ACCESS EXCLUSIVE MODE");
  const reading = store.snapshotChunk({ collection: "app.t" }, limit);
  await cut("cutover copy");
  await client.query("COMMIT");
  expect((await reading).rows.length).toBe(10_000);

  await client.query("BEGIN; LOCK TABLE app.t IN ACCESS EXCLUSIVE MODE");
  const move = { job: "j", fence: 1, origin: "m", rows: [], checkpoint: Buffer.from("one") };
  const writing = store.applyTxn({ ...move, changes: [row(30_000, "new")] });
  const outcome = expect(writing).rejects.toMatchObject({ code: "CUTOVER_DATA_UNAVAILABLE" });
  await cut("cutover write");
  await outcome;
  await client.query("COMMIT");
  expect(await store.checkpoint("j")).toBe(undefined);
  await store.applyTxn({ ...move, changes: [row(30_000, "new")] });
  expect((await store.get("app.t", [row(30_000, "").key]))[0]).toEqual(row(30_000, "new").value);
  await store[Symbol.asyncDispose]();
  await client.end();
});

test("what goes wrong with an address or a right is told by code, never with the password", async () => {
  const { client, url } = await given();
  const secret = "geheim-42";
  const fails = async (address: string): Promise<Error & { code: string }> => {
    const [outcome] = await Promise.allSettled([openPostgresData(address)]);
    return (outcome as PromiseRejectedResult).reason as Error & { code: string };
  };
  const right = new URL(url);
  const at = (change: (url: URL) => void): string => {
    const changed = new URL(url);
    change(changed);
    return changed.href;
  };
  const cases: readonly (readonly [string, string])[] = [
    [at((u) => (u.password = secret)), "CUTOVER_DATA_DENIED"],
    [at((u) => (u.pathname = "/nowhere")), "CUTOVER_DATA_MISSING"],
    [`postgres://u:${secret}@127.0.0.1:1/db`, "CUTOVER_DATA_UNAVAILABLE"],
    [`postgres://u:${secret}/x@127.0.0.1:${right.port}/db`, "CUTOVER_DATA_ADDRESS"],
    [`${url}?shema=app`, "CUTOVER_DATA_ADDRESS"],
    [`${url}?schema=nothing`, "CUTOVER_DATA_MISSING"],
    [`${url}?sslmode=no-verify`, "CUTOVER_DATA_UNAVAILABLE"],
    [`${url}?sslrootcert=/nowhere/ca.pem`, "CUTOVER_DATA_ADDRESS"],
    [`${url}?port=abc`, "CUTOVER_DATA_ADDRESS"],
  ];
  for (const [address, code] of cases) {
    const error = await fails(address);
    expect([address.replace(secret, "…"), error.code]).toEqual([address.replace(secret, "…"), code]);
    expect(JSON.stringify(error) + error.message).not.toContain(secret);
  }
  await client.query(
    `CREATE ROLE reader LOGIN PASSWORD '${secret}'; GRANT USAGE ON SCHEMA app TO reader; GRANT SELECT ON app.t TO reader`,
  );
  const store = await openPostgresData(at((u) => ((u.username = "reader"), (u.password = secret))));
  expect(store.name).toBe(`postgres:127.0.0.1:${right.port}${right.pathname}`);
  expect((await store.snapshotChunk({ collection: "app.t" }, limit)).rows).toEqual([]);
  await expect(store.capture("s")).rejects.toMatchObject({ code: "CUTOVER_DATA_DENIED" });
  await expect(
    store.applyTxn({ job: "j", fence: 1, origin: "m", changes: [], rows: [] }),
  ).rejects.toMatchObject({
    code: "CUTOVER_DATA_DENIED",
  });
  await client.query("REVOKE SELECT ON app.t FROM reader");
  await expect(store.snapshotChunk({ collection: "app.t" }, limit)).rejects.toMatchObject({
    code: "CUTOVER_DATA_DENIED",
  });
  await client.query("GRANT SELECT ON app.t TO reader");
  expect((await store.snapshotChunk({ collection: "app.t" }, limit)).end).toBe(true);
  await store[Symbol.asyncDispose]();
  await client.end();
});

test("a server without a logical log says what to set before anything is made", async () => {
  const plain = await postgresServer();
  try {
    await plain.query("CREATE TABLE t (id int PRIMARY KEY)");
    const store = await openPostgresData(plain.url());
    await expect(store.capture("s")).rejects.toMatchObject({ code: "CUTOVER_DATA_NO_CAPTURE" });
    expect(await plain.query("SELECT 1 FROM pg_publication")).toEqual([]);
    await store[Symbol.asyncDispose]();
  } finally {
    await plain.stop();
  }
});

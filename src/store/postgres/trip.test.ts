import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { connectClient } from "../../../test/postgres/client.ts";
import { openProxy, type Proxy } from "../../../test/postgres/proxy.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { writerSession } from "../../../test/postgres/writer-session.ts";
import { systemClock } from "../../core/index.ts";
import type { SqlValue, Statement } from "../sql/program.ts";
import { claimIds, end, newOrder } from "../../testing/store-contract/tools.ts";
import { wasCommitted } from "./commit-mark.ts";
import { Connections } from "./connections.ts";
import { loadDriver, type PgClient, type PgDriver, type PgOptions } from "./driver.ts";
import { openPostgresStore } from "./open.ts";
import { troubleOf } from "./postgres-error.ts";
import type { Session, Settled } from "./session.ts";

let server: TestServer;
let proxy: Proxy;
let session: Session;
beforeAll(async () => {
  server = await postgresServer();
  proxy = await openProxy(server.port);
});
let schema: string;
beforeEach(async () => {
  schema = server.schema();
  await (await openPostgresStore({ url: server.url(), schema })).close();
  session = await writerSession(proxy.url(server.url()), schema);
  await session.script("CREATE TABLE kept (n bigint PRIMARY KEY, text text, bytes bytea)");
});
afterEach(async () => {
  proxy.fate = () => "pass";
  await session.end();
});
afterAll(async () => {
  await proxy.close();
  await server.stop();
});

/** A driver whose clients are given more options than are asked for. */
async function driverWith(more: object): Promise<PgDriver> {
  const { Client, Query } = await loadDriver();
  function client(options: PgOptions): PgClient {
    return new Client({ ...options, ...more });
  }
  return { Client: client as unknown as PgDriver["Client"], ...(Query === undefined ? {} : { Query }) };
}

/** As drivers were before they sent anything without waiting for the answer before. */
async function olderDriver(): Promise<PgDriver> {
  const { Client } = await loadDriver();
  function older(options: PgOptions): PgClient {
    return new Client({ ...options, pipeline: false });
  }
  return { Client: older as unknown as PgDriver["Client"] };
}

const ask = (sql: string, ...values: readonly SqlValue[]): Statement => ({ sql, values, wants: "rows" });
const insert = (n: number): Statement => ({
  sql: "INSERT INTO kept (n) VALUES ($1)",
  values: [n],
  wants: "count",
});
const counted = ask("SELECT count(*) AS n FROM kept");
const failing = ask("SELECT 1 / $1::bigint AS n", 0);

const rowsOf = (settled: readonly Settled[]): readonly unknown[] =>
  settled.map((one) => (one.ok ? one.answer.rows : one.error.message));
const count = async (): Promise<unknown> => (await session.send([counted]))[0]?.rows[0]?.["n"];

describe("statements that are sent together", () => {
  test("are answered one by one, the first time and each time after it", async () => {
    const all = [
      insert(1),
      ask("SELECT n, text, bytes FROM kept ORDER BY n"),
      { ...ask("SELECT n, $1::text AS text, NULL::bigint AS none FROM kept", "x"), wants: "arrays" as const },
      ask("SELECT n FROM kept WHERE n < 0"),
      ask("UPDATE kept SET text = $1, bytes = $2 RETURNING bytes", 'a "b"', new Uint8Array([0, 255])),
      ask("DELETE FROM kept"),
    ];
    for (let time = 0; time < 3; time++) {
      const settled = await session.settle(all);
      expect(rowsOf(settled)).toEqual([
        [],
        [{ n: 1, text: null, bytes: null }],
        [[1, "x", null]],
        [],
        [{ bytes: "\\x00ff" }],
        [],
      ]);
      expect(settled.map((one) => one.ok && [one.command, one.answer.count])).toEqual([
        ["INSERT", 1],
        ["SELECT", 1],
        ["SELECT", 1],
        ["SELECT", 0],
        ["UPDATE", 1],
        ["DELETE", 1],
      ]);
    }
  });

  test("are one transaction, and those behind one that fails are skipped", async () => {
    const settled = await session.settle([insert(1), failing, insert(2)]);
    expect(settled.map(({ ok }) => ok)).toEqual([true, false, false]);
    expect(rowsOf(settled).slice(1)).toEqual(["division by zero", "division by zero"]);
    expect(await count()).toBe(0);
    // Nothing is left open: the next is its own transaction again.
    await session.send([insert(3)]);
    expect(await count()).toBe(1);
  });

  test("are known or not known to the server whatever became of those before them", async () => {
    const fresh = ask("SELECT $1::text AS text", "fresh");
    for (let time = 0; time < 2; time++) {
      expect((await session.settle([failing, fresh])).map(({ ok }) => ok)).toEqual([false, false]);
      expect((await session.settle([ask("SELECT nothing FROM kept"), fresh])).some(({ ok }) => ok)).toBe(
        false,
      );
    }
    for (let time = 0; time < 3; time++)
      expect(rowsOf(await session.settle([fresh, fresh]))).toEqual([
        [{ text: "fresh" }],
        [{ text: "fresh" }],
      ]);
  });

  test("may be new in several that are under way at a time", async () => {
    const fresh = (n: number): Statement => ask("SELECT $1::bigint + 1 AS n", n);
    const all = await Promise.all([
      session.settle([fresh(1), fresh(2)]),
      session.settle([failing]),
      session.settle([fresh(3)]),
    ]);
    expect(all.map(rowsOf)).toEqual([[[{ n: 2 }], [{ n: 3 }]], ["division by zero"], [[{ n: 4 }]]]);
  });

  test("are not sent in part where one of them has a value that is no text", async () => {
    const wrong = ask("SELECT $1::text AS text", Object.create(null) as SqlValue);
    const all = await Promise.all([
      session.settle([insert(1), wrong]),
      session.settle([ask("SELECT 2::bigint AS n")]),
    ]);
    expect(all[0].map(({ ok }) => ok)).toEqual([false, false]);
    expect(rowsOf(all[1])).toEqual([[{ n: 2 }]]);
    expect(await count()).toBe(0);
  });

  test("leave a transaction that was begun for its owner to end", async () => {
    await session.settle([ask("BEGIN"), insert(1), failing, ask("COMMIT")]);
    expect(rowsOf(await session.settle([counted]))).toEqual([
      "current transaction is aborted, commands ignored until end of transaction block",
    ]);
    await session.send([ask("ROLLBACK")]);
    expect(await count()).toBe(0);
  });

  test("are not taken for done where the end of their transaction was not answered", async () => {
    await session.send([insert(1)]);
    proxy.fate = () => "cut-after";
    const settled = await session.settle([insert(2), insert(3)]);
    expect(settled.map((one) => one.ok || troubleOf(one.error)).at(-1)).toBe("lost");
    expect((await session.settle([insert(4)])).map((one) => one.ok || troubleOf(one.error))).toEqual([
      "lost",
    ]);
  });
});

test("a commit is looked up again on the same connection where the first look failed", async () => {
  await session.script("SET lock_timeout = 20");
  const blocker = await connectClient(server.url());
  await blocker.query(`BEGIN; SELECT 1 FROM "${schema}".chain_head FOR UPDATE`);
  const mark = { event: { at: 0, stream: "none", text: "none" }, count: 1 };
  await expect(wasCommitted(session, mark)).rejects.toMatchObject({ code: "55P03" });
  await blocker.query("ROLLBACK");
  await blocker.end();
  expect(await wasCommitted(session, mark)).toBe(false);
});

test("a driver that gives each answer its time knows when it is there", async () => {
  const driver = await driverWith({ query_timeout: 60_000 });
  const options = { url: server.url(), schema, timers: systemClock, connectMs: 5_000, name: "cutover other" };
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const other = await new Connections(driver, options).open("write");
  try {
    await other.settle([counted, failing]);
    await other.settle([counted]);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
    await other.end();
  }
});

test("a driver that waits for each answer does all the same, with others beside it", async () => {
  const schema = server.schema();
  const driver = await olderDriver();
  await using a = await openPostgresStore({ url: server.url(), schema, driver });
  await using b = await openPostgresStore({ url: server.url(), schema });
  const done = new Set<string>();
  for (let n = 0; n < 30; n++) {
    await Promise.all([a, b].map((store, index) => store.orders.submit([newOrder(`o${index}-${n}`)])));
    for (const store of [a, b]) {
      for (const id of await claimIds(store, 1)) {
        await end(store, id);
        done.add(id);
      }
    }
  }
  expect(done.size).toBe(60);
  expect(await a.orders.counts("q")).toMatchObject({ PENDING: 0, RUNNING: 0, COMPLETED: 60 });
  expect(await a.events.verify()).toMatchObject({ whole: true });
});

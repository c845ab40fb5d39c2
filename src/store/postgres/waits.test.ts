import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { connectClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { watchedDriver } from "../../../test/postgres/watched-driver.ts";
import { newOrder, starting } from "../../testing/store-contract/tools.ts";
import type { OrderChange, Store } from "../index.ts";
import { clockMs } from "./foreseen-commit.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

type Client = Awaited<ReturnType<typeof connectClient>>;

async function open(): Promise<{ store: Store; other: Client; schema: string; sent: string[] }> {
  const [sent, schema] = [[] as string[], server.schema()];
  const store = await openPostgresStore({ url: server.url(), schema, driver: await watchedDriver(sent) });
  const other = await connectClient(server.url());
  opened.push(store, { close: () => other.end() });
  await other.query(`SET search_path TO "${schema}"`);
  return { store, other, schema, sent };
}

const milliseconds = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
/** The first statement after so many that writes: the bell may ring for what was written before. */
const nextWrite = (sent: readonly string[], after: number): string | undefined =>
  sent.slice(after).find((sql) => !sql.startsWith("SELECT pg_notify"));

async function serverNow(other: Client): Promise<number> {
  return Number((await other.query(`SELECT ${milliseconds} AS now`)).rows[0]?.["now"]);
}

/** Resolves when so many wait for a lock. */
async function untilWaiting(count: number): Promise<void> {
  const waiting = (): ReturnType<TestServer["query"]> =>
    server.query("SELECT pid FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0");
  while ((await waiting()).length < count) await pause(10);
}

/**
 * Holds the end of the chain and leaves it as it is, as a heartbeat does, while `write` waits for it, for longer than the
 * store's clock may be from the server's.
 */
async function behind<T>(other: Client, write: () => Promise<T>): Promise<{ value: T; free: number }> {
  await other.query("BEGIN");
  await other.query("SELECT 1 FROM chain_head FOR UPDATE");
  const written = write();
  await untilWaiting(1);
  await other.query("SELECT pg_sleep($1)", [(2 * clockMs) / 1_000]);
  const free = await serverNow(other);
  await other.query("COMMIT");
  return { value: await written, free };
}

const completed = (id: string): OrderChange => ({
  id,
  fence: 1,
  from: ["RUNNING"],
  to: "COMPLETED",
  event: "completed",
});

test("an event tells the time at which the end of the chain was got, not that at which the wait for it began", async () => {
  const { store, other, sent } = await open();
  const submit = (id: string) => (): Promise<unknown> => store.orders.submit([newOrder(id)]);
  const free = [(await behind(other, submit("first"))).free];
  // From what is known: one statement.
  await submit("known")();
  const before = sent.length;
  free.push((await behind(other, submit("second"))).free);
  expect(nextWrite(sent, before)).toMatch(/^WITH head AS/);
  const [first, , second] = await store.events.read({ limit: 3 });
  expect(first?.at).toBeGreaterThanOrEqual(free[0] ?? Infinity);
  expect(second?.at).toBeGreaterThanOrEqual(free[1] ?? Infinity);
  expect(await store.events.verify()).toMatchObject({ whole: true, events: 3 });
});

test("a heartbeat that has waited never sets back a lease that another one has renewed meanwhile", async () => {
  const { store, other } = await open();
  await store.orders.submit([newOrder("a")]);
  await store.orders.claim("q", "w", starting(1), 1_000);
  const later = (await serverNow(other)) + 60_000;
  const { value: lost } = await behind(other, async () => {
    const renewed = store.orders.renew([{ id: "a", fence: 1 }], 1_000);
    await untilWaiting(1);
    await other.query("UPDATE orders SET lease_until = $1", [later]);
    return renewed;
  });
  expect(lost).toEqual([]);
  expect((await store.orders.get("a"))?.leaseUntil).toBe(later);
});

test("what is stored while another process builds the rows anew is in them as well as in the log", async () => {
  const { store, other, schema, sent } = await open();
  const rebuilding = await openPostgresStore({ url: server.url(), schema });
  opened.push(rebuilding);
  await store.orders.submit([newOrder("a"), newOrder("b")]);
  // It was not crowded for long, though there are others: what it ends is not locked first.
  for (let n = 0; n < 70; n++) await store.orders.submit([newOrder(`x${n}`, { queue: "other" })]);
  await store.orders.claim("q", "w", starting(2), 60_000);
  await store.orders.change([completed("b")]);
  await other.query("BEGIN");
  await other.query("LOCK TABLE queue_configs IN ACCESS EXCLUSIVE MODE");
  const rebuilt = rebuilding.rebuild();
  await untilWaiting(1);
  const before = sent.length;
  const ended = store.orders.change([completed("a")]);
  await untilWaiting(2);
  expect(nextWrite(sent, before)).toMatch(/^WITH head AS/);
  await other.query("COMMIT");
  await rebuilt;
  expect(await ended).toMatchObject([{ state: "COMPLETED" }]);
  expect(await store.orders.get("a")).toMatchObject({ state: "COMPLETED", fence: 1 });
  expect(await store.orders.counts("q")).toMatchObject({ COMPLETED: 2, RUNNING: 0 });
  await rebuilding.rebuild();
  expect(await store.orders.get("a")).toMatchObject({ state: "COMPLETED", fence: 1 });
  expect(await store.events.verify()).toMatchObject({ whole: true });
});

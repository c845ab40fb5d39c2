import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { watchedDriver } from "../../../test/postgres/watched-driver.ts";
import { writerSession } from "../../../test/postgres/writer-session.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { claimIds, newOrder, starting } from "../../testing/store-contract/tools.ts";
import type { OrderRecord, Store } from "../index.ts";
import type { OrderJob } from "../orders/order-io.ts";
import { HeldRows } from "./held-rows.ts";
import { commitLinked, decideLinked, type Linkable, type Linked } from "./linked-commit.ts";
import { openPostgresStore } from "./open.ts";
import { rollBack, type Session } from "./session.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

/** A store, and a connection as the writer of another process would have it. */
async function open(sent: string[] = []): Promise<{ store: Store; other: Session }> {
  const schema = server.schema();
  const store = await openPostgresStore({ url: server.url(), schema, driver: await watchedDriver(sent) });
  opened.push(store);
  const other = await writerSession(server.url(), schema);
  opened.push({ close: () => other.end() });
  return { store, other };
}

const claimOne: OrderJob = {
  do: "claim",
  queue: "q",
  worker: "other",
  capacity: starting(1),
  leaseMs: 60_000,
};

/** What another process is about to claim: until its commit it keeps these orders, and two more, from others. */
const aboutToClaim = async (other: Session): Promise<Linkable> =>
  (await decideLinked(other, [claimOne], {
    held: new HeldRows(),
    now: undefined,
    learn: () => {},
  })) as Linkable;

async function commit(other: Session, decided: Linkable): Promise<Linked | undefined> {
  const linked = await commitLinked(other, decided, undefined);
  await rollBack(other);
  return linked;
}

test("one that commits most keeps nobody waiting who is about to claim, though it claims the usual way", async () => {
  const sent: string[] = [];
  const { store, other } = await open(sent);
  const submit = (name: string): Promise<unknown> =>
    store.orders.submit(Array.from({ length: 20 }, (_, n) => newOrder(`${name}-${n}`)));
  await submit("first");
  expect(await commit(other, await aboutToClaim(other))).toBeDefined();
  for (const name of ["second", "third", "fourth"]) await submit(name);
  let foreseen = 0;
  for (let n = 0; n < 6; n++) {
    // It reads ahead what it takes next.
    if (n % 2 === 1) for (let m = 0; m < 3; m++) await claimIds(store, 1);
    const decided = await aboutToClaim(other);
    const before = sent.length;
    const claimed = claimIds(store, 1);
    // It is done, or it waits.
    await Promise.race([claimed, new Promise((resolve) => setTimeout(resolve, 100))]);
    expect(await commit(other, decided)).toBeDefined();
    expect(await claimed).toHaveLength(1);
    if (sent.slice(before).some((text) => text.startsWith("WITH head AS"))) foreseen++;
  }
  expect(foreseen).toBeGreaterThan(0);
  expect(await store.events.verify()).toMatchObject({ whole: true });
});

test("a claim of what is next in line waits for who was told of it, without the end of the chain", async () => {
  const sent: string[] = [];
  const { store, other } = await open(sent);
  await store.orders.submit([newOrder("a-0")]);
  expect(await commit(other, await aboutToClaim(other))).toBeDefined();
  // It was not crowded for long, though there are others.
  for (let n = 0; n < 70; n++) await store.orders.submit([newOrder(`b-${n + 100}`)]);
  expect(await claimIds(store, 1)).toEqual(["b-100"]);
  const ask = (sql: string): Promise<unknown> => other.send([{ sql, values: [], wants: "rows" }]);
  await ask("BEGIN");
  await ask("SELECT 1 FROM orders WHERE id = 'b-101' FOR NO KEY UPDATE");
  const before = sent.length;
  const claimed = claimIds(store, 1);
  await Promise.race([claimed, new Promise((resolve) => setTimeout(resolve, 100))]);
  await ask("SELECT seq FROM chain_head FOR UPDATE NOWAIT");
  await ask("COMMIT");
  expect(await claimed).toEqual(["b-101"]);
  expect(sent.slice(before).some((text) => text.startsWith("WITH head AS"))).toBe(true);
  expect(await store.events.verify()).toMatchObject({ whole: true });
});

test("what others have looked at and left is rung for, where a claim has passed it by", async () => {
  const { store, other } = await open();
  const rung: string[] = [];
  // What others have committed, nobody told of it here: a look may find it at any time.
  store.orders.onWork((queue, others) => {
    if (!others) rung.push(queue);
  });
  await store.orders.submit([newOrder("a"), newOrder("b")]);
  expect(await commit(other, await aboutToClaim(other))).toBeDefined();
  await store.orders.submit([newOrder("c")]);
  const decided = await aboutToClaim(other);
  rung.length = 0;
  expect(await claimIds(store, 1)).toEqual([]);
  expect(await commit(other, decided)).toMatchObject({ written: [{ id: "b" }] });
  await vi.waitFor(() => expect(rung).toContain("q"), { timeout: 1_500 });
  rung.length = 0;
  // What it has seen and left itself is no reason to look again.
  await store.orders.configure("q", { paused: true }, "ana", "test");
  rung.length = 0;
  expect(await claimIds(store, 1)).toEqual([]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(rung).toEqual([]);
});

test("a claim passes by what is due while others have it in their hands, and waits for nobody", async () => {
  const { store, other } = await open();
  await store.orders.submit([newOrder("a")]);
  expect(await commit(other, await aboutToClaim(other))).toBeDefined();
  await store.orders.submit([newOrder("b"), newOrder("late", { runAt: store.clock.now() + 50 })]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const ask = (sql: string): Promise<unknown> => other.send([{ sql, values: [], wants: "rows" }]);
  await ask("BEGIN");
  await ask("SELECT 1 FROM orders WHERE id = 'late' FOR NO KEY UPDATE");
  expect(await claimIds(store, 2)).toEqual(["b"]);
  // As who changes its priority: with the order locked it waits for the end of the chain.
  await ask("SELECT seq FROM chain_head FOR UPDATE NOWAIT");
  await ask("COMMIT");
  expect(await claimIds(store, 2)).toEqual(["late"]);
  expect(await store.events.verify()).toMatchObject({ whole: true });
});

test.each<[string, (store: Store, order: OrderRecord) => Promise<unknown>]>([
  ["a request to cancel", (store, { id }) => store.orders.requestCancel(id, "not wanted")],
  ["another priority", (store, { id }) => store.orders.setPriority(id, 7)],
  [
    "an order that waits for it",
    (store, { id }) => store.orders.submit([newOrder("after", { after: [id] })]),
  ],
  ["a renewal", (store, { id, fence }) => store.orders.renew([{ id, fence }], 60_000)],
])("%s waits for an order in the hands of others without the end of the chain", async (_, write) => {
  const { store, other } = await open();
  await store.orders.submit([newOrder("a"), newOrder("b")]);
  expect(await commit(other, await aboutToClaim(other))).toBeDefined();
  const [order] = await store.orders.claim("q", "w", starting(1), 60_000);
  const ask = (sql: string): Promise<unknown> => other.send([{ sql, values: [], wants: "rows" }]);
  await ask("BEGIN");
  await ask("SELECT 1 FROM orders WHERE id = 'b' FOR NO KEY UPDATE");
  const written = write(store, order as OrderRecord);
  await Promise.race([written, new Promise((resolve) => setTimeout(resolve, 100))]);
  await ask("SELECT seq FROM chain_head FOR UPDATE NOWAIT");
  await ask("COMMIT");
  await written;
  expect(await store.events.verify()).toMatchObject({ whole: true });
});

test("work of one that died before it told of it is found by the net, whatever was committed here since", async () => {
  const [schema, timers] = [server.schema(), new ManualClock()];
  const store = await openPostgresStore({ url: server.url(), schema, timers, random: () => 0 });
  opened.push(store);
  const other = await writerSession(server.url(), schema);
  opened.push({ close: () => other.end() });
  expect(await claimIds(store, 1)).toEqual([]);
  await store.orders.submit([newOrder("before", { queue: "mine" })]);
  const rung: boolean[] = [];
  store.orders.onWork((_, others) => rung.push(others));
  const submit: OrderJob = { do: "submit", orders: [newOrder("left behind")] };
  const given = { held: new HeldRows(), now: undefined, learn: () => {} };
  expect(await commit(other, (await decideLinked(other, [submit], given)) as Linkable)).toBeDefined();
  await store.orders.submit([newOrder("since", { queue: "mine" })]);
  // The look with which it began may still be on its way, and find it as well.
  await timers.advance(3_000);
  await vi.waitFor(() => expect(rung).toContain(true));
});

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { watchedDriver } from "../../../test/postgres/watched-driver.ts";
import { systemClock } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { claimIds, newOrder, starting } from "../../testing/store-contract/tools.ts";
import type { Store, StoredEvent } from "../index.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

/** Well below the seconds of polling: what comes within it came by the bell. */
const soonMs = 1_500;

async function until(reached: () => boolean, ms = 20_000): Promise<boolean> {
  const end = performance.now() + ms;
  while (!reached() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 2));
  return reached();
}

async function openTwo(): Promise<readonly [Store, Store]> {
  const schema = server.schema();
  return [
    await openPostgresStore({ url: server.url(), schema }),
    await openPostgresStore({ url: server.url(), schema }),
  ];
}

const numbers = (events: readonly StoredEvent[]): number[] => events.map(({ seq }) => seq);

describe("two stores on one database", () => {
  test("each hears of every commit once, whoever made it", async () => {
    const [a, b] = await openTwo();
    const heard: [StoredEvent[], StoredEvent[]] = [[], []];
    a.events.subscribe((events) => heard[0].push(...events));
    b.events.subscribe((events) => heard[1].push(...events));
    await Promise.all(
      [a, b].map(async (store, index) => {
        for (let n = 0; n < 60; n++) await store.orders.submit([newOrder(`o${index}-${n}`)]);
      }),
    );
    const all = numbers(await a.events.read({ limit: 1_000 }));
    expect(await until(() => heard.every((events) => events.length >= all.length))).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const events of heard) expect(numbers(events).toSorted((x, y) => x - y)).toEqual(all);
    await Promise.all([a.close(), b.close()]);
  });

  test("one that follows nobody reads nothing of the other's commits, and hears soon of orders that are to end", async () => {
    const sent: string[] = [];
    const schema = server.schema();
    const a = await openPostgresStore({ url: server.url(), schema });
    const b = await openPostgresStore({ url: server.url(), schema, driver: await watchedDriver(sent) });
    const heard: StoredEvent[] = [];
    b.events.subscribe((events) => heard.push(...events), { others: false });
    await a.orders.submit([newOrder("o1"), newOrder("o2")]);
    // Until both know of each other.
    await until(() => false, 200);
    await claimIds(b, 1);
    sent.length = 0;
    const own = heard.length;
    await a.orders.submit([newOrder("o3")]);
    await claimIds(a, 1);
    await until(() => false, 600);
    expect([heard.length, sent.filter((text) => text.includes("e.stream"))]).toEqual([own, []]);
    await a.orders.requestCancel("o1", "not wanted");
    expect(await until(() => heard.length > own, soonMs)).toBe(true);
    expect(heard.slice(own).map(({ type }) => type)).toEqual(["orders.cancel-requested"]);
    await Promise.all([a.close(), b.close()]);
  });

  test("one that begins to follow the other hears of its next commits at once", async () => {
    const [a, b] = await openTwo();
    const heard: StoredEvent[] = [];
    b.events.subscribe((events) => heard.push(...events), { others: false });
    await a.orders.submit(Array.from({ length: 12 }, (_, n) => newOrder(`o${n}`)));
    await until(() => false, 200);
    expect(heard).toEqual([]);
    const off = b.events.follow();
    await until(() => false, 100);
    // A claim brings no work: where nobody follows it is told every 250 ms, which ten of them could not be told in.
    const began = performance.now();
    for (let n = 1; n <= 10; n++) {
      await claimIds(a, 1);
      const ends = (): number => heard.filter(({ type }) => type === "orders.transition").length;
      expect(await until(() => ends() >= 2 * n, soonMs)).toBe(true);
    }
    expect(performance.now() - began).toBeLessThan(9 * 250);
    off();
    await Promise.all([a.close(), b.close()]);
  });

  test("the ring goes out right behind the commit", async () => {
    const sent: string[] = [];
    const schema = server.schema();
    const driver = await watchedDriver(sent);
    const a = await openPostgresStore({ url: server.url(), schema, driver });
    const b = await openPostgresStore({ url: server.url(), schema });
    const rung: string[] = [];
    b.orders.onWork((queue) => rung.push(queue));
    const behind = async (n: number): Promise<boolean> => {
      const before = sent.length;
      await a.orders.submit([newOrder(`o${n}`)]);
      const texts = sent.slice(before);
      const commit = texts.findIndex((text) => text === "COMMIT" || text.startsWith("WITH head AS"));
      // Not its greeting, which may go out at that very moment.
      return texts[commit + 1]?.includes("set_config('synchronous_commit'") === true;
    };
    // At first it does not know of the other one; then it rings at most every few milliseconds.
    let n = 0;
    while (!(await behind(n++)) && n < 200) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(n).toBeLessThan(200);
    rung.length = 0;
    await new Promise((resolve) => setTimeout(resolve, 10));
    await a.orders.submit([newOrder("last")]);
    expect(await until(() => rung.includes("q"), soonMs)).toBe(true);
    await Promise.all([a.close(), b.close()]);
  });

  test("new work rings in the other one at once, also from a transaction of a caller", async () => {
    const [a, b] = await openTwo();
    const rung: string[] = [];
    b.orders.onWork((queue) => rung.push(queue));
    // Both know of each other once a first ring went through.
    await until(() => rung.length > 0, 200);
    rung.length = 0;
    await a.orders.submit([newOrder("o1")]);
    expect(await until(() => rung.includes("q"), soonMs)).toBe(true);
    rung.length = 0;
    const caller = await connectClient(server.url());
    await caller.query("BEGIN");
    await a.orders.submitWithin(caller, [newOrder("o2", { queue: "other" })]);
    expect(rung).not.toContain("other");
    await caller.query("COMMIT");
    expect(await until(() => rung.includes("other"), soonMs)).toBe(true);
    await caller.end();
    await Promise.all([a.close(), b.close()]);
  });

  test("never take the same order, and see each other's leases", async () => {
    const [a, b] = await openTwo();
    const ids = Array.from({ length: 40 }, (_, n) => `o${String(n).padStart(2, "0")}`);
    await a.orders.submit(ids.map((id) => newOrder(id)));
    const taken = await Promise.all([a, b, a, b].map((store) => claimIds(store, 10)));
    expect(taken.flat().toSorted()).toEqual(ids);
    const [first] = await b.orders.list({ queue: "q", states: ["RUNNING"], limit: 1 });
    expect(await b.orders.renew([{ id: first?.id ?? "", fence: first?.fence ?? 0 }], 60_000)).toEqual([]);
    const lease = (await a.orders.get(first?.id ?? ""))?.leaseUntil ?? 0;
    expect(lease).toBeGreaterThan(a.clock.now() + 50_000);
    await Promise.all([a.close(), b.close()]);
  });

  test("a listener that lost its connection catches up with what it missed", async () => {
    const [a, b] = await openTwo();
    const heard: StoredEvent[] = [];
    b.events.subscribe((events) => heard.push(...events));
    await a.orders.submit([newOrder("o1")]);
    await until(() => heard.length === 1);
    await server.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'cutover % listen'",
    );
    for (let n = 2; n < 6; n++) await a.orders.submit([newOrder(`o${n}`)]);
    expect(await until(() => heard.length === 5)).toBe(true);
    expect(numbers(heard)).toEqual([1, 2, 3, 4, 5]);
    await Promise.all([a.close(), b.close()]);
  });
});

test("a store keeps the server's time, whatever the machine's wall clock says", async () => {
  const wrong = { ...systemClock, now: () => 12_345 };
  const schema = server.schema();
  await using store = await openPostgresStore({ url: server.url(), schema, timers: wrong });
  const [row] = await server.query("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now");
  expect(Math.abs(store.clock.now() - Number(row?.["now"]))).toBeLessThan(1_000);
  await store.orders.submit([newOrder("o1")]);
  const [event] = await store.events.read({ limit: 1 });
  expect(Math.abs((event?.at ?? 0) - Number(row?.["now"]))).toBeLessThan(5_000);
});

test("a look around in case something was missed is one statement", async () => {
  const [sent, timers, schema] = [[] as string[], new ManualClock(), server.schema()];
  const options = { url: server.url(), schema, timers, driver: await watchedDriver(sent) };
  await using store = await openPostgresStore(options);
  let rung = 0;
  store.orders.onWork(() => rung++);
  await store.orders.claim("q", "w", starting(1), 60_000);
  const looks = (): string[] => sent.filter((text) => text.includes("order_inbox) AS inbox"));
  // The first is made when it begins to listen.
  expect(await until(() => looks().length === 1)).toBe(true);
  await server.query(`INSERT INTO "${schema}".order_inbox (queue, id, data) VALUES ('q', 'o', '{}')`);
  const [before, asked] = [rung, sent.filter((text) => text.includes("chain_head")).length];
  await timers.advance(6_000);
  expect(await until(() => rung > before)).toBe(true);
  expect(looks()).toHaveLength(2);
  expect(sent.filter((text) => text.includes("chain_head"))).toHaveLength(asked + 1);
});

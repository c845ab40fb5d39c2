import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openProxy } from "../../../test/postgres/proxy.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { claimIds, newOrder } from "../../testing/store-contract/tools.ts";
import type { Store } from "../index.ts";
import { loadDriver, type PgDriver, type PgOptions } from "./driver.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

/** A driver that notes the texts that are sent. */
async function watched(sent: string[]): Promise<PgDriver> {
  const { Client } = await loadDriver();
  function watch(options: PgOptions): InstanceType<typeof Client> {
    const client = new Client(options);
    const query = client.query.bind(client) as (...parts: readonly unknown[]) => never;
    return Object.assign(client, {
      query: (first: string | { readonly text: string }, ...others: readonly unknown[]) => {
        sent.push(typeof first === "string" ? first : first.text);
        return query(first, ...others);
      },
    });
  }
  return { Client: watch as unknown as PgDriver["Client"] };
}

const open = (schema: string, more: object = {}): Promise<Store> =>
  openPostgresStore({ url: server.url(), schema, ...more });

async function openTwo(): Promise<{ a: Store; b: Store; schema: string }> {
  const schema = server.schema();
  return { a: await open(schema), b: await open(schema), schema };
}

const ids = async (store: Store): Promise<readonly string[]> =>
  (await store.orders.list({ queue: "q", limit: 1_000 })).map(({ id }) => id).sort();

describe("an order submitted after another of the same process", () => {
  test("is stored by one statement, without a look at the store first", async () => {
    const sent: string[] = [];
    const store = await open(server.schema(), { driver: await watched(sent) });
    await store.orders.submit([newOrder("o1")], { depthLimit: 10 });
    const before = sent.length;
    await store.orders.submit([newOrder("o2", { uniqueKey: "k" })], { depthLimit: 10 });
    const texts = sent.slice(before).filter((text) => text.includes("chain_head") || text === "BEGIN");
    expect(texts).toHaveLength(1);
    expect(await ids(store)).toEqual(["o1", "o2"]);
    expect(await store.events.verify()).toMatchObject({ whole: true, events: 2 });
    await store.close();
  });

  test("is stored once and in the order of the chain, whoever submits in between", async () => {
    const { a, b } = await openTwo();
    const names = Array.from({ length: 60 }, (_, n) => `o${String(n).padStart(2, "0")}`);
    for (const [n, id] of names.entries()) {
      const store = n % 7 < 4 ? a : b;
      await store.orders.submit([newOrder(id)]);
    }
    await Promise.all(
      names.flatMap((id) => [a.orders.submit([newOrder(`a${id}`)]), b.orders.submit([newOrder(`b${id}`)])]),
    );
    expect(await ids(a)).toEqual([...names, ...names.flatMap((id) => [`a${id}`, `b${id}`])].sort());
    expect(await a.orders.counts("q")).toMatchObject({ PENDING: 180 });
    const turns = (await claimIds(a, 60)).slice(0, 60);
    expect(turns).toEqual(names);
    expect(await b.events.verify()).toMatchObject({ whole: true });
    const before = await a.orders.list({ queue: "q", limit: 1_000 });
    await b.rebuild();
    expect(await a.orders.list({ queue: "q", limit: 1_000 })).toEqual(before);
    await Promise.all([a.close(), b.close()]);
  });

  test("is known by its id and by its unique key when another process has stored it", async () => {
    const { a, b } = await openTwo();
    await a.orders.submit([newOrder("o1")]);
    await b.orders.submit([newOrder("o2"), newOrder("o3", { uniqueKey: "k" })]);
    await a.orders.submit([newOrder("o4")]);
    await a.orders.submit([newOrder("o5")]);
    const again = await a.orders.submit([newOrder("o2"), newOrder("o6", { uniqueKey: "k" })]);
    expect(again.map(({ order, fresh }) => [order.id, fresh])).toEqual([
      ["o2", false],
      ["o3", false],
    ]);
    // The same when nobody else has committed since: what is stored is no part of what is kept in mind.
    await a.orders.submit([newOrder("o7")]);
    expect((await a.orders.submit([newOrder("o3"), newOrder("o8")])).map(({ fresh }) => fresh)).toEqual([
      false,
      true,
    ]);
    expect(await ids(b)).toEqual(["o1", "o2", "o3", "o4", "o5", "o7", "o8"]);
    expect(await a.events.verify()).toMatchObject({ whole: true });
    await Promise.all([a.close(), b.close()]);
  });

  test("is refused where the queue is full, also when others have filled or emptied it", async () => {
    const { a, b } = await openTwo();
    const submit = (store: Store, id: string): Promise<unknown> =>
      store.orders.submit([newOrder(id)], { depthLimit: 3 });
    await submit(a, "o1");
    await submit(a, "o2");
    await submit(b, "o3");
    await expect(submit(a, "o4")).rejects.toMatchObject({ code: "CUTOVER_QUEUE_FULL" });
    await claimIds(b, 1);
    await b.orders.change([{ id: "o1", fence: 1, from: ["RUNNING"], to: "COMPLETED", event: "completed" }]);
    await submit(a, "o5");
    await expect(submit(a, "o6")).rejects.toMatchObject({ code: "CUTOVER_QUEUE_FULL" });
    // One that is stored beside one that is refused.
    await b.orders.setPriority("o2", 1);
    const both = await Promise.allSettled([a.orders.submit([newOrder("o7")]), submit(a, "o8")]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(await ids(a)).toEqual(["o1", "o2", "o3", "o5", "o7"]);
    await Promise.all([a.close(), b.close()]);
  });

  test("takes its turn by the weights that another process has just set", async () => {
    const { a, b } = await openTwo();
    const of = (id: string, tenant: string): Promise<unknown> => a.orders.submit([newOrder(id, { tenant })]);
    await of("x1", "x");
    await of("y1", "y");
    await b.orders.configure("q", { weights: { y: 4 } }, "test", "y is worth more");
    for (const id of ["y2", "y3", "y4"]) await of(id, "y");
    for (const id of ["x2", "x3"]) await of(id, "x");
    const order = await claimIds(a, 10);
    expect(order.indexOf("y4")).toBeLessThan(order.indexOf("x2"));
    await Promise.all([a.close(), b.close()]);
  });

  test("is stored once when the answer to its commit is lost", async () => {
    const schema = server.schema();
    const proxy = await openProxy(server.port);
    const store = await open(schema, { url: proxy.url(server.url()) });
    await store.orders.submit([newOrder("o1")]);
    for (const [fate, id] of [
      ["cut-before", "o2"],
      ["cut-after", "o3"],
    ] as const) {
      await store.orders.submit([newOrder(`${id}-before`)]);
      proxy.fate = () => {
        proxy.fate = () => "pass";
        return fate;
      };
      expect(await store.orders.submit([newOrder(id)])).toMatchObject([{ fresh: true }]);
    }
    expect(await ids(store)).toEqual(["o1", "o2", "o2-before", "o3", "o3-before"]);
    expect(await store.events.verify()).toMatchObject({ whole: true, events: 5 });
    await store.close();
    await proxy.close();
  });

  test("keeps the server's time when the server's clock and the store's have come apart", async () => {
    let ahead = 0;
    const at = performance.now();
    const timers = {
      now: () => 0,
      monotonic: () => performance.now() - at + ahead,
      after: (ms: number, fn: () => void) => {
        const timer = setTimeout(fn, ms);
        return { cancel: () => clearTimeout(timer), unref: () => void timer.unref() };
      },
    };
    const store = await open(server.schema(), { timers });
    await store.orders.submit([newOrder("o1")]);
    ahead = 3_600_000;
    await store.orders.submit([newOrder("o2")]);
    const [first, second] = await store.events.read({ limit: 10 });
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeLessThan(60_000);
    await store.close();
  });
});

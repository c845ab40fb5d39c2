import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectClient } from "../../../test/postgres/client.ts";
import { openProxy } from "../../../test/postgres/proxy.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { watchedDriver } from "../../../test/postgres/watched-driver.ts";
import { claimIds, newOrder, starting } from "../../testing/store-contract/tools.ts";
import type { OrderChange, OrderRecord, Store } from "../index.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

const open = (schema: string, more: object = {}): Promise<Store> =>
  openPostgresStore({ url: server.url(), schema, ...more });

async function openTwo(): Promise<{ a: Store; b: Store; schema: string }> {
  const schema = server.schema();
  return { a: await open(schema), b: await open(schema), schema };
}

const ids = async (store: Store): Promise<readonly string[]> =>
  (await store.orders.list({ queue: "q", limit: 1_000 })).map(({ id }) => id).sort();

/** How often it took. On a busy machine the clocks may come apart for a moment, and the usual way is gone. */
async function until(seen: (n: number) => Promise<boolean>): Promise<number> {
  for (let n = 1; n <= 100; n++) if (await seen(n)) return n;
  throw new Error("expected it to be seen once in a hundred times");
}

describe("an order submitted after another of the same process", () => {
  test("is stored by one statement, without a look at the store first", async () => {
    const sent: string[] = [];
    const store = await open(server.schema(), { driver: await watchedDriver(sent) });
    const submit = async (n: number): Promise<readonly string[]> => {
      const before = sent.length;
      await store.orders.submit([newOrder(`o${n}`, { uniqueKey: `k${n}` })], { depthLimit: 100 });
      return sent.slice(before).filter((text) => text.includes("chain_head") || text === "BEGIN");
    };
    const count = await until(async (n) => (await submit(n)).length === 1);
    expect(await ids(store)).toHaveLength(count);
    expect(await store.events.verify()).toMatchObject({ whole: true, events: count });
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

const ended = (id: string, fence = 1): OrderChange => ({
  id,
  fence,
  from: ["RUNNING"],
  to: "COMPLETED",
  event: "completed",
  set: { result: { id } },
});
const give = (store: Store): Promise<readonly OrderRecord[]> =>
  store.orders.claim("q", "w", starting(5), 60_000);

describe("an order that is claimed as it comes, by the process that takes it in", () => {
  test("is begun and ended with a statement each, and every step is told", async () => {
    const sent: string[] = [];
    const store = await open(server.schema(), { driver: await watchedDriver(sent) });
    const pass = async (id: string): Promise<readonly string[]> => {
      const before = sent.length;
      const [, claimed] = await Promise.all([store.orders.submit([newOrder(id)]), give(store)]);
      expect(claimed.map(({ state, fence }) => [state, fence])).toEqual([["RUNNING", 1]]);
      await Promise.all([store.orders.change([ended(id)]), give(store)]);
      return sent.slice(before).filter((text) => text.includes("chain_head"));
    };
    const count = await until(async (n) => (await pass(`o${n}`)).length === 2);
    const last = `o${count}`;
    const history = (await store.orders.history(last)).map(({ event }) => event);
    expect(history).toEqual(["submitted", "claimed", "started", "completed"]);
    expect(await store.orders.get(last)).toMatchObject({ state: "COMPLETED", result: { id: last } });
    expect(await store.orders.counts("q")).toMatchObject({ PENDING: 0, RUNNING: 0, COMPLETED: count });
    const before = await store.orders.list({ queue: "q", limit: 100 });
    await store.rebuild();
    expect(await store.orders.list({ queue: "q", limit: 100 })).toEqual(before);
    expect(await store.events.verify()).toMatchObject({ whole: true });
    await store.close();
  });

  test("is looked for without a commit, which would wait for the disk", async () => {
    const sent: string[] = [];
    const store = await open(server.schema(), { driver: await watchedDriver(sent) });
    sent.length = 0;
    expect(await give(store)).toEqual([]);
    expect(sent.filter((text) => text === "COMMIT" || text === "ROLLBACK")).toEqual(["ROLLBACK"]);
    await store.orders.submit([newOrder("o1")]);
    expect(await give(store)).toMatchObject([{ id: "o1" }]);
    await store.close();
  });

  /** Brings `a` to know that the queue is empty. */
  async function emptied(): Promise<{ a: Store; b: Store; schema: string }> {
    const both = await openTwo();
    await Promise.all([both.a.orders.submit([newOrder("o1")]), give(both.a)]);
    await Promise.all([both.a.orders.change([ended("o1")]), give(both.a)]);
    return both;
  }

  const better = newOrder("better", { priority: 5 });
  test.each([
    ["of another process", (b: Store) => b.orders.submit([better])],
    [
      "in the inbox",
      async (b: Store, schema: string) => {
        const client = await connectClient(server.url());
        await client.query(`SET search_path = "${schema}"`);
        await client.query("BEGIN");
        await b.orders.submitWithin(client, [better]);
        await client.query("COMMIT");
        await client.end();
      },
    ],
  ])("comes after a better one %s", async (_, bring: (b: Store, schema: string) => Promise<unknown>) => {
    const { a, b, schema } = await emptied();
    await bring(b, schema);
    const [, claimed] = await Promise.all([
      a.orders.submit([newOrder("o2")]),
      a.orders.claim("q", "w", { ...starting(5), max: 1 }, 60_000),
    ]);
    expect(claimed.map(({ id }) => id)).toEqual(["better"]);
    expect(await a.events.verify()).toMatchObject({ whole: true });
    await Promise.all([a.close(), b.close()]);
  });

  test("comes after one whose time has come", async () => {
    const { a, b, schema } = await emptied();
    await a.orders.submit([{ ...better, runAt: a.clock.now() + 3_600_000 }]);
    expect(await give(a)).toEqual([]);
    // An hour later, as far as this order is concerned.
    await server.query(`UPDATE "${schema}".orders SET run_at = 1, due_at = 1 WHERE id = 'better'`);
    const [, claimed] = await Promise.all([
      a.orders.submit([newOrder("o2")]),
      a.orders.claim("q", "w", { ...starting(5), max: 1 }, 60_000),
    ]);
    expect(claimed.map(({ id }) => id)).toEqual(["better"]);
    await Promise.all([a.close(), b.close()]);
  });

  test("is refused its end when another process has taken it over, or removed it", async () => {
    const { a, b, schema } = await emptied();
    await Promise.all([a.orders.submit([newOrder("gone")]), give(a)]);
    await server.query(`DELETE FROM "${schema}".orders WHERE id = 'gone'`);
    await expect(a.orders.change([ended("gone")])).rejects.toMatchObject({ code: "CUTOVER_LEASE_LOST" });
    await Promise.all([a.orders.submit([newOrder("o2"), newOrder("o3")]), give(a)]);
    await b.orders.change([{ id: "o2", fence: 1, from: ["RUNNING"], to: "PENDING", event: "rescued" }]);
    await give(b);
    await expect(a.orders.change([ended("o2")])).rejects.toMatchObject({ code: "CUTOVER_LEASE_LOST" });
    await expect(a.orders.change([ended("o3", 7)])).rejects.toMatchObject({ code: "CUTOVER_LEASE_LOST" });
    expect(await a.orders.change([ended("o3")])).toMatchObject([{ state: "COMPLETED" }]);
    expect(await b.orders.get("o2")).toMatchObject({ state: "RUNNING", fence: 2 });
    await Promise.all([a.close(), b.close()]);
  });

  test("ends after its lease was renewed, with the request to cancel it that another process made", async () => {
    const { a, b } = await emptied();
    await Promise.all([a.orders.submit([newOrder("o2"), newOrder("o3")]), give(a)]);
    expect(await b.orders.renew([{ id: "o2", fence: 1 }], 600_000)).toEqual([]);
    expect(await a.orders.change([ended("o2")])).toMatchObject([{ state: "COMPLETED", leaseUntil: null }]);
    await b.orders.requestCancel("o3", "no longer wanted");
    expect(await a.orders.change([ended("o3")])).toMatchObject([{ cancelRequested: true }]);
    await Promise.all([a.close(), b.close()]);
  });

  test("lets in those that wait for it", async () => {
    const { a, b } = await emptied();
    await Promise.all([a.orders.submit([newOrder("o2")]), give(a)]);
    await a.orders.submit([newOrder("o3", { after: ["o2"] })]);
    const [, claimed] = await Promise.all([a.orders.change([ended("o2")]), give(a)]);
    expect(claimed.map(({ id }) => id)).toEqual(["o3"]);
    await Promise.all([a.close(), b.close()]);
  });

  test("shares its worker with more of them than fit", async () => {
    const { a, b } = await emptied();
    const two = { ...starting(2), max: 2, slots: 2 };
    const names = ["o2", "o3", "o4", "o5", "o6"];
    const [, claimed] = await Promise.all([
      a.orders.submit(names.map((id) => newOrder(id))),
      a.orders.claim("q", "w", two, 60_000),
    ]);
    expect(claimed.map(({ id }) => id)).toEqual(["o2", "o3"]);
    const [, more] = await Promise.all([
      a.orders.change([ended("o2"), ended("o3")]),
      a.orders.claim("q", "w", two, 60_000),
    ]);
    expect(more.map(({ id }) => id)).toEqual(["o4", "o5"]);
    expect((await give(b)).map(({ id }) => id)).toEqual(["o6"]);
    expect(await a.orders.counts("q")).toMatchObject({ COMPLETED: 3, RUNNING: 3, PENDING: 0 });
    await Promise.all([a.close(), b.close()]);
  });
});

describe("an order that is claimed from a backlog", () => {
  const one = { ...starting(5), max: 1 };
  const claimOne = async (store: Store): Promise<string | undefined> =>
    (await store.orders.claim("q", "w", one, 60_000))[0]?.id;
  const names = (count: number): readonly string[] =>
    Array.from({ length: count }, (_, n) => `o${String(n).padStart(3, "0")}`);

  test("is begun with one statement, and ended with the next one's beginning", async () => {
    const sent: string[] = [];
    const store = await open(server.schema(), { driver: await watchedDriver(sent) });
    const waiting = names(150);
    await store.orders.submit(waiting.map((id) => newOrder(id)));
    const trips = async (call: () => Promise<unknown>): Promise<number> => {
      const before = sent.length;
      await call();
      return sent.slice(before).filter((text) => text.includes("chain_head")).length;
    };
    const taken: (string | undefined)[] = [];
    const short = async (): Promise<boolean> =>
      (await trips(async () => taken.push(await claimOne(store)))) === 1;
    await until(async () => (await short()) && (await short()) && (await short()) && (await short()));
    let last = taken.at(-1) ?? "";
    await until(async () => {
      const next = Promise.all([store.orders.change([ended(last)]), claimOne(store)]);
      const count = await trips(() => next);
      last = (await next)[1] ?? "";
      taken.push(last);
      return count === 1;
    });
    expect(taken).toEqual(waiting.slice(0, taken.length));
    const before = await store.orders.list({ queue: "q", limit: 1_000 });
    await store.rebuild();
    const leaseless = (orders: readonly OrderRecord[]): readonly object[] =>
      orders.map((order) => ({ ...order, leaseUntil: null }));
    expect(leaseless(await store.orders.list({ queue: "q", limit: 1_000 }))).toEqual(leaseless(before));
    expect(await store.events.verify()).toMatchObject({ whole: true });
    await store.close();
  });

  test("goes to one of many processes, and comes in its turn, however they share the queue", async () => {
    const { a, b } = await openTwo();
    const waiting = names(60);
    await a.orders.submit(waiting.map((id) => newOrder(id)));
    const taken: (string | undefined)[] = [];
    for (let n = 0; n < 40; n++) taken.push(await claimOne(n % 11 < 7 ? a : b));
    expect(taken).toEqual(waiting.slice(0, 40));
    const rest = await Promise.all(Array.from({ length: 30 }, (_, n) => claimOne(n % 2 === 0 ? a : b)));
    expect(rest.filter((id) => id !== undefined).sort()).toEqual(waiting.slice(40));
    expect(await a.events.verify()).toMatchObject({ whole: true });
    await Promise.all([a.close(), b.close()]);
  });

  /** A store that knows which orders its next claims will take: `o003` is the first of them. */
  async function knowing(): Promise<{ a: Store; b: Store; schema: string }> {
    const both = await openTwo();
    await both.a.orders.submit(names(40).map((id) => newOrder(id)));
    for (const id of ["o000", "o001", "o002"]) expect(await claimOne(both.a)).toBe(id);
    return both;
  }

  const better = newOrder("better", { priority: 5 });
  test.each([
    ["that the same process submits", (a: Store) => a.orders.submit([better])],
    ["that another process submits", (_: Store, b: Store) => b.orders.submit([better])],
    [
      "in the inbox",
      async (_: Store, b: Store, schema: string) => {
        const client = await connectClient(server.url());
        await client.query(`SET search_path = "${schema}"`);
        await client.query("BEGIN");
        await b.orders.submitWithin(client, [better]);
        await client.query("COMMIT");
        await client.end();
      },
    ],
    ["whose priority was raised", (a: Store) => a.orders.setPriority("o030", 5)],
    [
      "that is given back",
      (a: Store) => a.orders.change([{ ...ended("o000"), to: "PENDING", event: "released" }]),
    ],
  ] as const)("comes after a better one %s", async (_, bring) => {
    const { a, b, schema } = await knowing();
    await bring(a, b, schema);
    expect(await claimOne(a)).not.toBe("o003");
    expect(await claimOne(a)).toBe("o003");
    await Promise.all([a.close(), b.close()]);
  });

  test("comes after one whose time has come meanwhile", async () => {
    const { a, b } = await openTwo();
    const soon = a.clock.now() + 300;
    await a.orders.submit(names(900).map((id) => newOrder(id)));
    await a.orders.submit([{ ...better, runAt: soon }]);
    const taken: OrderRecord[] = [];
    do taken.push(...(await a.orders.claim("q", "w", one, 60_000)));
    while (taken.length < 900 && (taken.at(-1)?.startedAt ?? 0) < soon);
    expect(taken.at(-1)?.id).toBe("better");
    expect(taken.slice(0, -1).map(({ id }) => id)).toEqual(names(taken.length - 1));
    await Promise.all([a.close(), b.close()]);
  });

  test("is passed over once it was cancelled, or is no longer there", async () => {
    const { a, b, schema } = await knowing();
    await a.orders.requestCancel("o003", "no longer wanted");
    await a.orders.change([{ id: "o003", fence: 0, from: ["PENDING"], to: "CANCELLED", event: "cancelled" }]);
    expect(await claimOne(a)).toBe("o004");
    await server.query(`DELETE FROM "${schema}".orders WHERE id = 'o005'`);
    expect(await claimOne(a)).toBe("o006");
    expect(await claimOne(b)).toBe("o007");
    await Promise.all([a.close(), b.close()]);
  });

  test("stays where it is while the queue is paused", async () => {
    const { a, b } = await knowing();
    await b.orders.configure("q", { paused: true }, "test", "a pause");
    expect(await claimOne(a)).toBeUndefined();
    await b.orders.configure("q", { paused: false }, "test", "and on");
    expect(await claimOne(a)).toBe("o003");
    await Promise.all([a.close(), b.close()]);
  });

  test("is given as it was stored, whatever its submitter does with the payload afterwards", async () => {
    const { a, b } = await knowing();
    const payload = { list: [1] };
    await a.orders.submit([newOrder("mine", { payload, priority: 9 })]);
    payload.list.push(2);
    const [claimed] = await a.orders.claim("q", "w", one, 60_000);
    expect(claimed).toMatchObject({ id: "mine", payload: { list: [1] } });
    await Promise.all([a.close(), b.close()]);
  });

  test("is begun once when the answer to its commit is lost", async () => {
    const schema = server.schema();
    const proxy = await openProxy(server.port);
    const store = await open(schema, { url: proxy.url(server.url()) });
    await store.orders.submit(names(20).map((id) => newOrder(id)));
    const taken: (string | undefined)[] = [];
    for (const fate of ["cut-before", "cut-after"] as const) {
      taken.push(await claimOne(store), await claimOne(store));
      proxy.fate = () => {
        proxy.fate = () => "pass";
        return fate;
      };
      taken.push(await claimOne(store));
    }
    expect(taken).toEqual(names(6));
    expect(await store.orders.counts("q")).toMatchObject({ RUNNING: 6, PENDING: 14 });
    expect(await store.events.verify()).toMatchObject({ whole: true });
    await store.close();
    await proxy.close();
  });
});

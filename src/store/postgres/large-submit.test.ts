import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openProxy } from "../../../test/postgres/proxy.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { watchedDriver } from "../../../test/postgres/watched-driver.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { claimIds, newOrder } from "../../testing/store-contract/tools.ts";
import type { NewOrder, Store } from "../index.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

const open = (schema = server.schema(), url = server.url()): Promise<Store> =>
  openPostgresStore({ url, schema });
const name = (n: number): string => `o${String(n).padStart(4, "0")}`;
const orders = (count: number, more: (n: number) => Partial<NewOrder> = () => ({})): readonly NewOrder[] =>
  Array.from({ length: count }, (_, n) => newOrder(name(n), { payload: { n }, ...more(n) }));
const freshOf = (stored: readonly { readonly fresh: boolean }[]): number =>
  stored.filter(({ fresh }) => fresh).length;

describe("many orders handed in at once", () => {
  test("are stored in their turns, and each is told of, as one by one", async () => {
    const store = await open();
    const stored = await store.orders.submit(
      orders(1_234, (n) => ({ tenant: `t${n % 3}`, priority: n % 2 })),
      { depthLimit: 1_234 },
    );
    expect(stored.map(({ order, fresh }) => [order.id, fresh, order.payload])).toEqual(
      Array.from({ length: 1_234 }, (_, n) => [name(n), true, { n }]),
    );
    expect(await store.orders.counts("q")).toMatchObject({ PENDING: 1_234 });
    expect(await store.events.verify()).toMatchObject({ whole: true, events: 3 });
    for (const n of [0, 199, 200, 499, 500, 1_000, 1_233])
      expect(await store.orders.history(name(n))).toMatchObject([{ event: "submitted" }]);
    const before = await store.orders.list({ queue: "q", limit: 2_000 });
    await store.rebuild();
    expect(await store.orders.list({ queue: "q", limit: 2_000 })).toEqual(before);
    // Three tenants take turns among the more urgent half.
    expect(await claimIds(store, 6)).toEqual([1, 3, 5, 7, 9, 11].map(name));
    await store.close();
  });

  test("are each stored once, whichever of them were there already or come twice", async () => {
    const store = await open();
    await store.orders.submit([newOrder(name(700)), newOrder("holder", { uniqueKey: "k3" })]);
    const some = [...orders(900, (n) => ({ uniqueKey: `k${n}` })), newOrder(name(5))];
    const stored = await store.orders.submit(some);
    expect(freshOf(stored)).toBe(898);
    expect([stored[700]?.fresh, stored[3]?.order.id, stored[900]?.order.id]).toEqual([
      false,
      "holder",
      name(5),
    ]);
    expect(freshOf(await store.orders.submit(some))).toBe(0);
    const twice = [...orders(500), ...orders(600)].map((order, n) => ({
      ...order,
      id: `x${order.id}`,
      createdAt: n,
    }));
    expect(freshOf(await store.orders.submit(twice))).toBe(600);
    expect(await store.orders.counts("q")).toMatchObject({ PENDING: 1_500 });
    expect(await store.events.verify()).toMatchObject({ whole: true });
    await store.close();
  });

  test("are stored all or none when the queue has not room for all of them", async () => {
    const store = await open();
    const full = { depthLimit: 1_000 };
    await expect(store.orders.submit(orders(1_001), full)).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_FULL",
    });
    expect(await store.orders.counts("q")).toMatchObject({ PENDING: 0 });
    expect(freshOf(await store.orders.submit(orders(1_000), full))).toBe(1_000);
    // Nothing new is no more.
    expect(freshOf(await store.orders.submit(orders(1_000), full))).toBe(0);
    await expect(store.orders.submit([newOrder("more")], full)).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_FULL",
    });
    expect(await store.events.verify()).toMatchObject({ whole: true, events: 2 });
    await store.close();
  });

  test("are refused as a whole for one that cannot be stored, and nobody else's with them", async () => {
    const store = await open();
    const broken = orders(1_000, (n) => (n === 950 ? { tenant: "a\0b" } : {}));
    const both = await Promise.allSettled([
      store.orders.submit([newOrder("beside")]),
      store.orders.submit(broken),
      store.orders.submit([newOrder("too")]),
    ]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    await expect(store.orders.submit(broken)).rejects.toMatchObject({
      code: expect.stringMatching(/^CUTOVER_STORE/),
    });
    expect(await store.orders.counts("q")).toMatchObject({ PENDING: 2 });
    expect(freshOf(await store.orders.submit(orders(1_000)))).toBe(1_000);
    expect(await store.events.verify()).toMatchObject({ whole: true });
    await store.close();
  });

  test("take over a unique key whose time is over, and wait for each other where they say so", async () => {
    const store = await open();
    await store.orders.submit([newOrder("old", { uniqueKey: "k7", uniqueUntil: 1 })]);
    const stored = await store.orders.submit(orders(800, (n) => ({ uniqueKey: `k${n}` })));
    expect(freshOf(stored)).toBe(800);
    const chain = await store.orders.submit(
      orders(500, (n) => ({ id: `c${n}`, queue: "chain", after: n === 0 ? [] : [`c${n - 1}`] })),
    );
    expect(chain.map(({ order }) => order.waits)).toEqual(["room", ...Array<string>(499).fill("orders")]);
    expect(await store.events.verify()).toMatchObject({ whole: true });
    await store.close();
  });

  test("of two processes with the same ids are stored by one of them", async () => {
    const schema = server.schema();
    const [a, b] = [await open(schema), await open(schema)];
    const stored = await Promise.all([a, b].map((store) => store.orders.submit(orders(1_000))));
    expect(stored.map(freshOf).sort((x, y) => x - y)).toEqual([0, 1_000]);
    expect(await a.orders.counts("q")).toMatchObject({ PENDING: 1_000 });
    expect(await a.events.verify()).toMatchObject({ whole: true });
    await Promise.all([a.close(), b.close()]);
  });

  test("are written without a look at the store when the last commit was this process's own", async () => {
    const sent: string[] = [];
    const driver = await watchedDriver(sent);
    const clock = new ManualClock();
    await using store = await openPostgresStore({
      url: server.url(),
      schema: server.schema(),
      driver,
      clock,
    });
    const looks = async (letter: string): Promise<number> => {
      const before = sent.length;
      const some = orders(500, (n) => ({ id: `${letter}${n}`, uniqueKey: `${letter}${n}` }));
      expect(freshOf(await store.orders.submit(some, { depthLimit: 1_400 }))).toBe(500);
      return sent.slice(before).filter((text) => text.includes("order_lanes lane USING")).length;
    };
    expect([await looks("a"), await looks("b")]).toEqual([1, 0]);
    await expect(store.orders.submit(orders(500), { depthLimit: 1_400 })).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_FULL",
    });
    expect(await store.orders.counts("q")).toMatchObject({ PENDING: 1_000 });
    expect(await store.events.verify()).toMatchObject({ whole: true, events: 2 });
  });

  test("take their turns and fill the queue rightly when two processes hand them in by turns", async () => {
    const schema = server.schema();
    const [a, b] = [await open(schema), await open(schema)];
    const hand = (store: Store, letter: string, more: Partial<NewOrder> = {}): Promise<readonly unknown[]> =>
      store.orders.submit(
        orders(450, (n) => ({ id: `${letter}${String(n).padStart(3, "0")}`, ...more })),
        { depthLimit: 2_700 },
      );
    await hand(a, "a");
    await hand(a, "b");
    await hand(b, "c");
    await hand(a, "d");
    await Promise.all([hand(a, "e"), hand(b, "f")]);
    const refused = await Promise.allSettled([hand(a, "g"), hand(b, "h")]);
    expect(refused.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await b.orders.counts("q")).toMatchObject({ PENDING: 2_700 });
    const letters = (await claimIds(a, 1_800, { slots: 2_000 })).map((id) => id[0]);
    expect(letters).toEqual(["a", "b", "c", "d"].flatMap((letter) => Array<string>(450).fill(letter)));
    expect(await a.events.verify()).toMatchObject({ whole: true });
    await Promise.all([a.close(), b.close()]);
  });

  test.each(["cut-before", "cut-after"] as const)(
    "are stored once when the connection is lost at the commit (%s)",
    async (fate) => {
      const proxy = await openProxy(server.port);
      const store = await open(server.schema(), proxy.url(server.url()));
      await store.orders.submit([newOrder("first")]);
      let cuts = 0;
      proxy.fate = (sent) => (cuts === 0 && sent.includes("UPDATE chain_head") ? (cuts++, fate) : "pass");
      expect(freshOf(await store.orders.submit(orders(1_000)))).toBe(1_000);
      expect(cuts).toBe(1);
      expect(await store.orders.counts("q")).toMatchObject({ PENDING: 1_001 });
      expect(await store.events.verify()).toMatchObject({ whole: true, events: 3 });
      await store.close();
      await proxy.close();
    },
  );
});

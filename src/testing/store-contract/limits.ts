import type { OrderLimit, Store } from "../../store/index.ts";
import { claimIds, type ContractCase, end, newOrder } from "./tools.ts";

/** What each order waits for, by id. */
async function waits(store: Store): Promise<Record<string, string | null>> {
  const orders = await store.orders.list({ queue: "q", states: ["PENDING"], limit: 100 });
  return Object.fromEntries(orders.map((order) => [order.id, order.waits]));
}

const limited = (id: string, priority = 0): ReturnType<typeof newOrder> =>
  newOrder(id, { limitKey: "acme", priority });

export function limitContract({ describe, expect, withStore }: ContractCase): void {
  describe("limits of a key", () => {
    withStore("no more than its concurrency hold a claim, whoever asks", async ({ store }) => {
      await store.orders.configure(
        "q",
        { limits: { acme: { concurrency: 2 } } },
        "ana",
        "their server is small",
      );
      await store.orders.submit([...["a", "b", "c", "d"].map((id) => limited(id)), newOrder("free")]);
      expect(await waits(store)).toEqual({ a: "room", b: "room", c: "limit", d: "limit", free: "room" });
      const behind = [
        store.orders.behind("q", "acme", 9),
        store.orders.behind("q", "acme", 1),
        store.orders.behind("other", "acme", 9),
      ];
      expect(await Promise.all(behind)).toEqual([2, 1, 0]);
      expect((await claimIds(store, 9)).sort()).toEqual(["a", "b", "free"]);
      expect(await claimIds(store, 9)).toEqual([]);
      await end(store, "b");
      expect(await waits(store)).toEqual({ c: "room", d: "limit" });
      expect(await claimIds(store, 9)).toEqual(["c"]);
      await Promise.all([end(store, "a", "FAILED"), end(store, "c")]);
      expect(await claimIds(store, 9)).toEqual(["d"]);
    });

    withStore("a better order takes the place of one that has not begun", async ({ store }) => {
      await store.orders.configure("q", { limits: { "*": { concurrency: 1 } } }, "ana", "one each");
      await store.orders.submit([limited("low"), limited("mid", 5)]);
      expect(await waits(store)).toEqual({ low: "limit", mid: "room" });
      await store.orders.submit([limited("high", 9), newOrder("other", { limitKey: "b" })]);
      expect(await waits(store)).toEqual({ high: "room", low: "limit", mid: "limit", other: "room" });
      await store.orders.setPriority("low", 20);
      expect(await waits(store)).toEqual({ high: "limit", low: "room", mid: "limit", other: "room" });
      expect((await claimIds(store, 9)).sort()).toEqual(["low", "other"]);
      await store.orders.submit([limited("late", 99)]);
      await end(store, "low");
      expect(await claimIds(store, 9)).toEqual(["late"]);
    });

    withStore("cancelled, retried and requeued orders give their place on", async ({ store, clock }) => {
      await store.orders.configure("q", { limits: { acme: { concurrency: 1 } } }, "ana", "one");
      await store.orders.submit(["a", "b", "c"].map((id) => limited(id)));
      await end(store, "a", "CANCELLED");
      expect(await claimIds(store, 9)).toEqual(["b"]);
      const retry = {
        id: "b",
        fence: 1,
        from: ["RUNNING"],
        to: "WAITING_RETRY",
        event: "retry-scheduled",
      } as const;
      await store.orders.change([{ ...retry, set: { runAt: clock.now() + 50 } }]);
      expect(await claimIds(store, 9)).toEqual(["c"]);
      await clock.advance(50);
      expect(await claimIds(store, 9)).toEqual([]);
      expect(await waits(store)).toEqual({ b: "limit" });
      await end(store, "c", "FAILED");
      expect(await claimIds(store, 9)).toEqual(["b"]);
      const again = { id: "c", fence: 1, from: ["FAILED"], to: "PENDING", event: "requeued" } as const;
      await store.orders.change([{ ...again, set: { runAt: clock.now(), attempt: 0, error: null } }]);
      expect(await waits(store)).toEqual({ c: "limit" });
      await end(store, "b");
      expect(await claimIds(store, 9)).toEqual(["c"]);
    });

    withStore("a rate lets a burst begin and then one at a time, best first", async ({ store, clock }) => {
      const rate = { limit: 2, perMs: 1_000 };
      await store.orders.configure("q", { limits: { acme: { rate } } }, "ana", "their API says so");
      await store.orders.submit([...["a", "b", "c", "d", "e"].map((id) => limited(id)), newOrder("free")]);
      expect((await claimIds(store, 9)).sort()).toEqual(["a", "b", "free"]);
      expect(await waits(store)).toEqual({ c: "time", d: "limit", e: "limit" });
      expect(await store.orders.nextDue("q")).toBe(clock.now() + 500);
      await store.orders.setPriority("e", 9);
      await clock.advance(499);
      expect(await claimIds(store, 9)).toEqual([]);
      await clock.advance(1);
      expect(await claimIds(store, 9)).toEqual(["e"]);
      await clock.advance(500);
      expect(await claimIds(store, 9)).toEqual(["c"]);
      await clock.advance(10_000);
      await store.orders.submit([limited("f"), limited("g")]);
      expect(await claimIds(store, 9)).toEqual(["d", "f"]);
    });

    withStore(
      "an order that nobody takes holds one beginning of its rate, not the key",
      async ({ store, clock }) => {
        const rate = { limit: 3, perMs: 3_000 };
        await store.orders.configure("q", { limits: { acme: { rate } } }, "ana", "their API says so");
        await store.orders.submit(["a", "b", "c"].map((id) => limited(id)));
        expect(await claimIds(store, 9)).toEqual(["a", "b", "c"]);
        await store.orders.submit([
          newOrder("nobodys", { limitKey: "acme", kind: "other" }),
          ...["d", "e", "f", "g"].map((id) => limited(id)),
        ]);
        const began: (readonly string[])[] = [];
        for (let second = 1; second <= 5; second++) {
          await clock.advance(1_000);
          began.push(await claimIds(store, 9));
        }
        expect(began).toEqual([[], ["d"], ["e"], ["f"], ["g"]]);
        // What it held is free again when it goes: the burst is whole after a quiet time.
        await end(store, "nobodys", "CANCELLED");
        await clock.advance(60_000);
        await store.orders.submit(["h", "i", "j", "k"].map((id) => limited(id)));
        expect(await claimIds(store, 9)).toEqual(["h", "i", "j"]);
      },
    );

    withStore("orders that were cancelled before they began use no rate up", async ({ store, clock }) => {
      const rate = { limit: 1, perMs: 1_000 };
      await store.orders.configure("q", { limits: { acme: { rate } } }, "ana", "slowly");
      await store.orders.submit(["a", "b", "c", "d"].map((id) => limited(id)));
      expect(await claimIds(store, 9)).toEqual(["a"]);
      await end(store, "b", "CANCELLED");
      await end(store, "c", "CANCELLED");
      expect(await store.orders.nextDue("q")).toBe(clock.now() + 1_000);
      await clock.advance(1_000);
      expect(await claimIds(store, 9)).toEqual(["d"]);
    });

    withStore("a limit can be changed and taken away while orders wait", async ({ store }) => {
      const configure = (limits: Readonly<Record<string, OrderLimit | null>>): Promise<unknown> =>
        store.orders.configure("q", { limits }, "ana", "change");
      await configure({
        "*": { concurrency: 1 },
        acme: { concurrency: 1, rate: { limit: 1, perMs: 60_000 } },
      });
      await store.orders.submit([
        ...["a", "b", "c", "d"].map((id) => limited(id)),
        newOrder("x", { limitKey: "b" }),
        newOrder("y", { limitKey: "b" }),
      ]);
      expect((await claimIds(store, 9)).sort()).toEqual(["a", "x"]);
      await configure({ acme: { concurrency: 3 } });
      expect(await claimIds(store, 9)).toEqual(["b", "c"]);
      await configure({ "*": null });
      expect(await claimIds(store, 9)).toEqual(["y"]);
      expect((await store.orders.config("q")).limits).toEqual({ acme: { concurrency: 3 } });
      await configure({ acme: null });
      expect(await claimIds(store, 9)).toEqual(["d"]);
    });

    withStore("saying the same rate again gives no new burst, whatever key is named", async ({ store }) => {
      const rate = { limit: 2, perMs: 60_000 };
      const configure = (limits: Readonly<Record<string, OrderLimit | null>>): Promise<unknown> =>
        store.orders.configure("q", { limits }, "ana", "a worker starts");
      await configure({ acme: { rate }, "*": { rate } });
      const ids = Array.from({ length: 9 }, (_, n) => n);
      await store.orders.submit(ids.map((n) => limited(`a${n}`)));
      await store.orders.submit(ids.map((n) => newOrder(`b${n}`, { limitKey: "b" })));
      expect((await claimIds(store, 9)).toSorted()).toEqual(["a0", "a1", "b0", "b1"]);
      const before = await waits(store);
      await configure({ acme: { rate }, "*": { rate } });
      expect(await waits(store)).toEqual(before);
      await configure({ "*": { rate, concurrency: 50 } });
      expect(await claimIds(store, 9)).toEqual([]);
      await configure({ b: { rate }, acme: { rate: { limit: 2, perMs: 120_000 } } });
      await configure({ b: null, acme: { rate } });
      expect(await claimIds(store, 9)).toEqual([]);
    });

    withStore(
      "a faster rate holds at once, also for what waits for the old one",
      async ({ store, clock }) => {
        const configure = (limit: number, perMs: number): Promise<unknown> =>
          store.orders.configure("q", { limits: { acme: { rate: { limit, perMs } } } }, "ana", "faster");
        await configure(1, 3_600_000);
        await store.orders.submit(["a", "b", "c", "d", "e"].map((id) => limited(id)));
        expect(await claimIds(store, 9)).toEqual(["a"]);
        await configure(3, 3_000);
        expect((await claimIds(store, 9)).toSorted()).toEqual(["b", "c"]);
        expect(await store.orders.nextDue("q")).toBe(clock.now() + 1_000);
        await clock.advance(1_000);
        expect(await claimIds(store, 9)).toEqual(["d"]);
      },
    );

    withStore(
      "a hundred keys with a thousand orders beyond their limit cost a claim nothing",
      async ({ store }) => {
        await store.orders.configure("q", { limits: { "*": { concurrency: 1 } } }, "ana", "one each");
        const orders = Array.from({ length: 1_000 }, (_, n) =>
          newOrder(`o${String(n).padStart(3, "0")}`, { limitKey: `k${n % 100}` }),
        );
        await store.orders.submit(orders);
        const first = await claimIds(store, 500);
        expect([first.length, new Set(first.map((id) => Number(id.slice(1)) % 100)).size]).toEqual([
          100, 100,
        ]);
        expect(await claimIds(store, 500)).toEqual([]);
        await Promise.all(first.map((id) => end(store, id)));
        expect((await claimIds(store, 500)).length).toBe(100);
      },
    );
  });
}

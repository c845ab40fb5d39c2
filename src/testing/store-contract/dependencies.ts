import { claimIds, type ContractCase, end, newOrder, refusal } from "./tools.ts";

export function dependencyContract({ describe, expect, withStore }: ContractCase): void {
  const after = (
    id: string,
    leaders: string[],
    ifAfterFails: "cancel" | "run" = "cancel",
  ): ReturnType<typeof newOrder> => newOrder(id, { after: leaders, ifAfterFails });

  describe("orders that wait for others", () => {
    withStore("begin when all of them are completed, also of another call", async ({ store }) => {
      await store.orders.submit([after("last", ["a", "b"]), newOrder("a")].concat(newOrder("b")));
      await store.orders.submit([after("later", ["a", "a", "last"])]);
      expect(await store.orders.get("last")).toMatchObject({
        state: "PENDING",
        waits: "orders",
        blockedBy: 2,
      });
      expect(await store.orders.get("later")).toMatchObject({ blockedBy: 2 });
      expect((await claimIds(store, 9)).sort()).toEqual(["a", "b"]);
      await end(store, "a");
      expect(await claimIds(store, 9)).toEqual([]);
      await end(store, "b");
      expect(await store.orders.get("last")).toMatchObject({ waits: "room", blockedBy: 0 });
      expect(await claimIds(store, 9)).toEqual(["last"]);
      await end(store, "last");
      expect(await claimIds(store, 9)).toEqual(["later"]);
      await store.orders.submit([after("after-all", ["a", "later"])]);
      expect(await store.orders.get("after-all")).toMatchObject({ blockedBy: 1 });
    });

    withStore("are cancelled with one that fails, and then those that wait for them", async ({ store }) => {
      await store.orders.submit([
        newOrder("a"),
        after("b", ["a"]),
        after("c", ["b"]),
        after("anyway", ["b", "a"], "run"),
        after("d", ["c", "anyway"]),
      ]);
      await claimIds(store, 9);
      await end(store, "a", "FAILED");
      for (const id of ["b", "c", "d"]) {
        const order = await store.orders.get(id);
        expect(order).toMatchObject({ state: "CANCELLED", error: { code: "CUTOVER_ORDER_CANCELLED" } });
        expect(order?.endedAt === null).toBe(false);
        const history = await store.orders.history(id);
        expect(history.map(({ event }) => event)).toEqual(["submitted", "cancelled"]);
        expect(typeof history[1]?.note).toBe("string");
      }
      expect(await claimIds(store, 9)).toEqual(["anyway"]);
      await end(store, "anyway", "CANCELLED");
      expect(await store.orders.counts("q")).toMatchObject({ PENDING: 0, CANCELLED: 4, FAILED: 1 });
    });

    withStore("are all cancelled in the end, also those of many followers", async ({ store }) => {
      const below = Array.from({ length: 3_000 }, (_, n) => after(`c${n}`, [`b${n % 5}`]));
      await store.orders.submit([newOrder("a"), ...[0, 1, 2, 3, 4].map((n) => after(`b${n}`, ["a"]))]);
      for (let from = 0; from < below.length; from += 1_000)
        await store.orders.submit(below.slice(from, from + 1_000));
      await claimIds(store, 1);
      await end(store, "a", "FAILED");
      for (let claim = 0; claim < 30; claim++) expect(await claimIds(store, 9)).toEqual([]);
      expect(await store.orders.counts("q")).toMatchObject({ PENDING: 0, CANCELLED: 3_005, FAILED: 1 });
    });

    withStore("keep the one they wait for until each of them was told", async ({ store, clock }) => {
      const followers = Array.from({ length: 2_500 }, (_, n) => after(`f${n}`, ["a"]));
      await store.orders.submit([newOrder("a"), ...followers.slice(0, 1_000)]);
      await store.orders.submit(followers.slice(1_000));
      await claimIds(store, 1);
      await end(store, "a");
      await clock.advance(10_000);
      const prune = (): Promise<number> => store.orders.prune("q", clock.now(), 10);
      expect(await prune()).toBe(0);
      const claimed = new Set<string>();
      for (let claim = 0; claim < 30; claim++) for (const id of await claimIds(store, 500)) claimed.add(id);
      expect(claimed.size).toBe(2_500);
      expect(await prune()).toBe(1);
    });

    withStore("wait after a rebuild for who has not ended, and for nobody else", async ({ store }) => {
      await store.orders.submit([newOrder("a"), newOrder("b"), after("f", ["a", "b"])]);
      expect(await claimIds(store, 9)).toEqual(["a", "b"]);
      await end(store, "a");
      await store.rebuild();
      for (let claim = 0; claim < 3; claim++) expect(await claimIds(store, 9)).toEqual([]);
      expect(await store.orders.get("f")).toMatchObject({ blockedBy: 1, waits: "orders" });
      await end(store, "b");
      expect(await claimIds(store, 9)).toEqual(["f"]);
    });

    withStore(
      "are refused when they wait for each other, for nobody, or for one that failed",
      async ({ store }) => {
        const ring = [after("a", ["c"]), after("b", ["a"]), after("c", ["b"]), newOrder("d")];
        let details: unknown;
        await store.orders.submit(ring).catch((error: { details: unknown }) => (details = error.details));
        expect(details).toEqual({ ring: ["a", "c", "b"] });
        expect(await refusal(store.orders.submit(ring))).toBe("CUTOVER_QUEUE_CYCLE");
        expect(await refusal(store.orders.submit([after("a", ["a"])]))).toBe("CUTOVER_QUEUE_CYCLE");
        expect(await refusal(store.orders.submit([newOrder("d"), after("a", ["x"])]))).toBe(
          "CUTOVER_QUEUE_UNKNOWN_ORDER",
        );
        expect(await store.orders.get("d")).toBe(undefined);
        await store.orders.submit([newOrder("f")]);
        await end(store, "f", "CANCELLED");
        expect(await refusal(store.orders.submit([after("a", ["f"])]))).toBe("CUTOVER_QUEUE_INVALID");
        await store.orders.submit([after("a", ["f"], "run")]);
        expect(await claimIds(store, 9)).toEqual(["a"]);
      },
    );

    withStore("may name an order by an id whose key belongs to another", async ({ store }) => {
      await store.orders.submit([newOrder("first", { uniqueKey: "k" })]);
      await store.orders.submit([newOrder("second", { uniqueKey: "k" }), after("then", ["second"])]);
      expect(await claimIds(store, 9)).toEqual(["first"]);
      await end(store, "first");
      expect(await claimIds(store, 9)).toEqual(["then"]);
    });

    withStore("wait for their time and their limit as well", async ({ store, clock }) => {
      await store.orders.configure("q", { limits: { k: { concurrency: 1 } } }, "ana", "one");
      const more = { after: ["a"], limitKey: "k" };
      await store.orders.submit([
        newOrder("a"),
        newOrder("b", more),
        newOrder("c", { ...more, runAt: clock.now() + 9 }),
      ]);
      await claimIds(store, 9);
      await end(store, "a");
      expect([(await store.orders.get("b"))?.waits, (await store.orders.get("c"))?.waits]).toEqual([
        "room",
        "time",
      ]);
      await clock.advance(9);
      expect(await claimIds(store, 9)).toEqual(["b"]);
      expect((await store.orders.get("c"))?.waits).toBe("limit");
      await end(store, "b");
      expect(await claimIds(store, 9)).toEqual(["c"]);
    });

    withStore("in thousands are all told, if need be with the next claims", async ({ store }) => {
      const many = Array.from({ length: 2_500 }, (_, n) => after(`f${n}`, ["a"]));
      await store.orders.submit([newOrder("a"), ...many]);
      await claimIds(store, 1);
      await end(store, "a");
      let claimed = 0;
      for (let turn = 0; turn < 9 && claimed < many.length; turn++)
        claimed += (await claimIds(store, 1_000)).length;
      expect(claimed).toBe(2_500);
    });

    withStore(
      "in a chain of a hundred are all cancelled, if need be with the next claims",
      async ({ store }) => {
        const chain = Array.from({ length: 100 }, (_, n) =>
          n === 0 ? newOrder("o0") : after(`o${n}`, [`o${n - 1}`]),
        );
        await store.orders.submit(chain);
        await end(store, "o0", "CANCELLED");
        for (let turn = 0; turn < 20; turn++) await claimIds(store, 1);
        expect((await store.orders.counts("q")).CANCELLED).toBe(100);
        expect(await store.events.verify()).toMatchObject({ whole: true });
      },
    );

    withStore(
      "the id of an order of another queue is refused, and nothing of the call is stored",
      async ({ store }) => {
        await store.orders.submit([newOrder("taken", { queue: "p", payload: { to: "ann" } })]);
        const all = [newOrder("before"), newOrder("taken"), newOrder("behind", { after: ["taken"] })];
        expect(await refusal(store.orders.submit(all))).toBe("CUTOVER_QUEUE_INVALID");
        expect(await store.orders.list({ queue: "q", limit: 10 })).toEqual([]);
        const [again] = await store.orders.submit([newOrder("taken", { queue: "p" })]);
        expect(again).toMatchObject({ fresh: false, order: { queue: "p", payload: { to: "ann" } } });
      },
    );
  });
}

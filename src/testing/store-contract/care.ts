import { claimIds, type ContractCase, end, newOrder } from "./tools.ts";

export function careContract({ describe, expect, withStore }: ContractCase): void {
  describe("what is kept about a queue", () => {
    withStore("its configuration changes member by member", async ({ store }) => {
      expect(await store.orders.config("q")).toEqual({ paused: false, weights: {}, limits: {} });
      await store.orders.configure("q", { weights: { a: 2, b: 0.5 } }, "ana", "one");
      const rate = { limit: 5, perMs: 1_000 };
      await store.orders.configure(
        "q",
        { weights: { a: null, c: 4 }, limits: { k: { rate } } },
        "ana",
        "two",
      );
      const config = { paused: false, weights: { b: 0.5, c: 4 }, limits: { k: { rate } } };
      expect(await store.orders.config("q")).toEqual(config);
      await store.rebuild();
      expect(await store.orders.config("q")).toEqual(config);
      expect(await store.orders.queues()).toEqual(["q"]);
    });

    withStore(
      "a worker is known from when it was last seen, and forgotten after a day",
      async ({ store, clock }) => {
        const worker = {
          id: "w1",
          queue: "q",
          kinds: ["hash"],
          tags: ["gpu"],
          slots: 4,
          memory: 2 ** 33,
          staggerMs: 5_000,
          startedAt: 1,
        };
        await store.orders.seen(worker);
        await clock.advance(1_000);
        await store.orders.seen({ ...worker, id: "w2", tags: [], memory: null, staggerMs: null });
        await store.orders.seen({ ...worker, id: "w3", queue: "other" });
        const known = async (): Promise<unknown> =>
          (await store.orders.workers("q")).map(({ id, seenAt }) => [id, seenAt]);
        expect(await store.orders.workers("q")).toMatchObject([
          { ...worker, seenAt: clock.now() - 1_000 },
          { id: "w2", memory: null, staggerMs: null },
        ]);
        await store.orders.gone("w2");
        expect(await known()).toEqual([["w1", clock.now() - 1_000]]);
        await clock.advance(86_400_000);
        await store.orders.seen({ ...worker, id: "w4" });
        expect(await known()).toEqual([["w4", clock.now()]]);
      },
    );

    withStore("a schedule is moved on by exactly one of those who try", async ({ store }) => {
      const schedule = {
        when: "every 10m",
        timezone: null,
        order: { kind: "hash", payload: [1] },
        nextAt: 100,
      };
      await store.orders.setSchedule("q", "nightly", schedule);
      await store.orders.setSchedule("q", "hourly", { ...schedule, timezone: "Europe/Berlin", nextAt: 50 });
      expect(await store.orders.schedules("q")).toEqual([
        { ...schedule, name: "hourly", queue: "q", timezone: "Europe/Berlin", nextAt: 50 },
        { ...schedule, name: "nightly", queue: "q" },
      ]);
      const moves = await Promise.all(
        [1, 2, 3].map(() => store.orders.advanceSchedule("q", "nightly", 100, 200)),
      );
      expect(moves.filter((moved) => moved).length).toBe(1);
      await store.orders.setSchedule("q", "hourly", undefined);
      await store.orders.setSchedule("q", "nightly", { ...schedule, when: "every 5m", nextAt: 300 });
      expect(await store.orders.schedules("q")).toMatchObject([
        { name: "nightly", when: "every 5m", nextAt: 300 },
      ]);
      expect(await store.orders.schedules("other")).toEqual([]);
    });

    withStore("finished orders can be removed by age, and their events stay", async ({ store, clock }) => {
      await store.orders.submit(["a", "b", "c", "d"].map((id) => newOrder(id)));
      await claimIds(store, 3);
      await end(store, "a");
      await end(store, "b", "FAILED");
      await clock.advance(1_000);
      await end(store, "c");
      const events = await store.events.count();
      expect(await store.orders.prunable("q", clock.now())).toBe(2);
      expect(await store.orders.prunable("q", clock.now() + 1)).toBe(3);
      expect(await store.orders.prunable("other", clock.now() + 1)).toBe(0);
      expect(await store.orders.prune("q", clock.now(), 1)).toBe(1);
      expect(await store.orders.prunable("q", clock.now())).toBe(1);
      expect(await store.orders.prune("q", clock.now(), 10)).toBe(1);
      expect(await store.orders.prune("q", clock.now(), 10)).toBe(0);
      const left = await store.orders.list({ queue: "q", limit: 9 });
      expect(left.map(({ id }) => id)).toEqual(["c", "d"]);
      expect(await store.orders.counts("q")).toMatchObject({ PENDING: 1, COMPLETED: 1, FAILED: 0 });
      expect(await store.events.count()).toBe(events);
      const [again] = await store.orders.submit([newOrder("a")]);
      expect(again?.fresh).toBe(true);
      await store.rebuild();
      expect(await store.orders.get("a")).toMatchObject({ state: "PENDING" });
    });
  });
}

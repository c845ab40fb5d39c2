import { claimIds, type ContractCase, newOrder, roomForTwo, starting } from "./tools.ts";

const gigabyte = 2 ** 30;

export function claimContract({ describe, expect, withStore }: ContractCase): void {
  describe("claims", () => {
    withStore("a claim takes what fits, with a fence and a lease", async ({ store, clock }) => {
      await store.orders.submit(["a", "b", "c"].map((id) => newOrder(id)));
      const taken = await store.orders.claim("q", "w1", roomForTwo, 10_000);
      expect(
        taken.map(({ id, state, fence, worker, leaseUntil }) => [id, state, fence, worker, leaseUntil]),
      ).toEqual([
        ["a", "PREPARING", 1, "w1", clock.now() + 10_000],
        ["b", "PREPARING", 1, "w1", clock.now() + 10_000],
      ]);
      const rest = await store.orders.claim("q", "w2", { ...roomForTwo, max: 9 }, 10_000);
      expect(rest.map((order) => order.id)).toEqual(["c"]);
    });

    withStore("a kind that needs no preparation begins with its claim", async ({ store, clock }) => {
      await store.orders.submit([newOrder("a"), newOrder("b", { kind: "paint" })]);
      const taken = await store.orders.claim("q", "w", starting(2, { kinds: ["hash", "paint"] }), 10_000);
      expect(
        taken.map(({ id, state, attempt, fence, startedAt, waits }) => [
          id,
          state,
          attempt,
          fence,
          startedAt,
          waits,
        ]),
      ).toEqual([
        ["a", "RUNNING", 1, 1, clock.now(), null],
        ["b", "PREPARING", 0, 1, null, null],
      ]);
      expect(await store.orders.get("a")).toEqual(taken[0]);
      expect((await store.orders.history("a")).map(({ event }) => event)).toEqual([
        "submitted",
        "claimed",
        "started",
      ]);
    });

    withStore("two claims made at once never take the same order", async ({ store }) => {
      await store.orders.submit(Array.from({ length: 20 }, (_, n) => newOrder(`o${n}`)));
      const claims = await Promise.all(
        Array.from({ length: 12 }, (_, n) => store.orders.claim("q", `w${n}`, roomForTwo, 10_000)),
      );
      const ids = claims.flat().map((order) => order.id);
      expect([ids.length, new Set(ids).size]).toEqual([20, 20]);
    });

    withStore("an order submitted at the same time as a claim may be in it", async ({ store }) => {
      const [, taken] = await Promise.all([store.orders.submit([newOrder("a")]), claimIds(store, 5)]);
      const later = await claimIds(store, 5);
      expect([...taken, ...later]).toEqual(["a"]);
    });

    withStore("higher priority goes first, then age", async ({ store }) => {
      await store.orders.submit([
        newOrder("old"),
        newOrder("urgent", { priority: 5 }),
        newOrder("young"),
        newOrder("raised"),
      ]);
      expect(await store.orders.setPriority("raised", 9)).toMatchObject({ priority: 9 });
      expect(await store.orders.setPriority("nobody", 9)).toBe(undefined);
      const all = ["raised", "urgent", "old", "young"];
      expect((await store.orders.waiting("q", 10)).map(({ id }) => id)).toEqual(all);
      const order: string[] = [];
      for (let n = 0; n < 4; n++) order.push(...(await claimIds(store, 1)));
      expect(order).toEqual(all);
    });

    withStore("a tenant with one order does not wait behind one with a hundred", async ({ store }) => {
      await store.orders.submit(
        Array.from({ length: 100 }, (_, n) => newOrder(`big${n}`, { tenant: "big" })),
      );
      await claimIds(store, 1);
      await store.orders.submit([
        newOrder("small0", { tenant: "small" }),
        newOrder("small1", { tenant: "small" }),
      ]);
      const ids: string[] = [];
      for (let n = 0; n < 6; n++) ids.push(...(await claimIds(store, 1)));
      expect(ids.slice(0, 4).filter((id) => id.startsWith("small")).length).toBe(2);
      expect(ids.filter((id) => id.startsWith("big")).length).toBe(4);
    });

    withStore(
      "a tenant of weight three gets three times the part of one of weight one",
      async ({ store }) => {
        await store.orders.configure("q", { weights: { heavy: 3 } }, "ana", "paid for");
        const orders = Array.from({ length: 40 }, (_, n) => [
          newOrder(`light${n}`, { tenant: "light" }),
          newOrder(`heavy${n}`, { tenant: "heavy" }),
        ]);
        await store.orders.submit(orders.flat());
        const ids = await claimIds(store, 40);
        const heavy = ids.filter((id) => id.startsWith("heavy")).length;
        expect(heavy >= 29 && heavy <= 31).toBe(true);
      },
    );

    withStore("weights that lie near each other are held too", async ({ store }) => {
      await store.orders.configure("q", { weights: { a: 700, b: 300 } }, "ana", "paid for");
      const orders = Array.from({ length: 150 }, (_, n) => [
        newOrder(`a${n}`, { tenant: "a" }),
        newOrder(`b${n}`, { tenant: "b" }),
      ]);
      await store.orders.submit(orders.flat());
      const ids = await claimIds(store, 200);
      const ofA = ids.filter((id) => id.startsWith("a")).length;
      expect(ofA >= 139 && ofA <= 141).toBe(true);
    });

    withStore(
      "orders that wait for their time do not push back what their tenant wants now",
      async ({ store, clock }) => {
        const runAt = clock.now() + 60_000;
        const late = Array.from({ length: 50 }, (_, n) =>
          newOrder(`late${String(n).padStart(2, "0")}`, { tenant: "a", runAt }),
        );
        await store.orders.submit([...late, newOrder("now", { tenant: "a" })]);
        await store.orders.submit(
          Array.from({ length: 50 }, (_, n) => newOrder(`other${n}`, { tenant: "b", createdAt: n })),
        );
        expect([...(await claimIds(store, 2))].sort()).toEqual(["now", "other0"]);

        // Due, they take turns with the others, in the line of their tenant, and step in front of nobody.
        await clock.advance(60_000);
        await store.orders.submit([newOrder("last", { tenant: "a" })]);
        const next = await claimIds(store, 8);
        expect(next.filter((id) => id.startsWith("other"))).toEqual(["other1", "other2", "other3", "other4"]);
        expect(next.filter((id) => id.startsWith("la"))).toEqual(["last", "late00", "late01", "late02"]);
        expect((await store.orders.history("late00")).map(({ event }) => event)).toEqual([
          "submitted",
          "due",
          "claimed",
          "started",
        ]);
      },
    );

    withStore(
      "an order that is due and was seen by no claim gets its turn after a rebuild, too",
      async ({ store, clock }) => {
        const runAt = clock.now() + 1_000;
        await store.orders.submit([newOrder("late", { tenant: "a", runAt })]);
        await store.orders.submit(["x", "y", "z"].map((id, createdAt) => newOrder(id, { createdAt })));
        expect(await claimIds(store, 2)).toEqual(["x", "y"]);
        await clock.advance(1_000);
        await store.rebuild();
        expect(await store.orders.get("late")).toMatchObject({ state: "PENDING", waits: "time" });
        await store.orders.submit([newOrder("early", { tenant: "b", createdAt: 0 })]);
        await claimIds(store, 0);
        const rows = await store.orders.list({ queue: "q", limit: 9 });
        await store.rebuild();
        expect(await store.orders.list({ queue: "q", limit: 9 })).toEqual(rows);
        expect(await claimIds(store, 1)).toEqual(["early"]);
      },
    );

    withStore("a tenant that submits one order at a time gets no more than its part", async ({ store }) => {
      await store.orders.submit(Array.from({ length: 50 }, (_, n) => newOrder(`big${n}`, { tenant: "big" })));
      let small = 0;
      for (let n = 0; n < 20; n++) {
        await store.orders.submit([newOrder(`small${n}`, { tenant: "small" })]);
        const [taken] = await claimIds(store, 1);
        if (taken?.startsWith("small") === true) small++;
      }
      expect(small >= 8 && small <= 12).toBe(true);
    });

    withStore("orders that do not fit, or that nobody here can do, are passed over", async ({ store }) => {
      await store.orders.submit([
        newOrder("huge", { priority: 9, memory: 200 * gigabyte }),
        newOrder("wide", { priority: 9, slots: 8 }),
        newOrder("foreign", { priority: 9, kind: "paint" }),
        newOrder("just-over", { priority: 9, memory: 3 * gigabyte + 1 }),
        newOrder("fits", { memory: 3 * gigabyte }),
        newOrder("other-queue", { queue: "p" }),
      ]);
      const capacity = { slots: 4, memory: 3 * gigabyte, max: 9, kinds: ["hash"], starts: [], tags: [] };
      const taken = await store.orders.claim("q", "w", capacity, 10_000);
      expect(taken.map((order) => order.id)).toEqual(["fits"]);
      expect(await store.orders.claim("q", "w", { ...capacity, max: 0 }, 10_000)).toEqual([]);
      expect(await store.orders.claim("q", "w", { ...capacity, kinds: [] }, 10_000)).toEqual([]);
    });

    withStore("an order goes only to a worker that offers all its tags", async ({ store }) => {
      await store.orders.submit([
        newOrder("both", { priority: 9, tags: ["gpu", "x86"] }),
        newOrder("gpu", { priority: 8, tags: ["gpu"] }),
        newOrder("arm", { priority: 7, tags: ["arm"] }),
        newOrder("any"),
      ]);
      expect(await claimIds(store, 9, { tags: ["big"] })).toEqual(["any"]);
      expect(await claimIds(store, 9, { tags: ["gpu"] })).toEqual(["gpu"]);
      expect(await claimIds(store, 9, { tags: ["big", "x86", "gpu"] })).toEqual(["both"]);
      expect(await claimIds(store, 9, { tags: ["arm"] })).toEqual(["arm"]);
    });

    withStore("what is taken never exceeds memory and slots together", async ({ store }) => {
      const sizes = [5, 1, 3, 2, 4, 1, 2, 6];
      await store.orders.submit(
        sizes.map((size, n) => newOrder(`o${n}`, { memory: size * gigabyte, slots: 1 + (n % 2) })),
      );
      const capacity = starting(9, { slots: 4, memory: 8 * gigabyte });
      const taken = await store.orders.claim("q", "w", capacity, 10_000);
      expect(taken.map((order) => order.id)).toEqual(["o0", "o1", "o6"]);
    });

    withStore("an order waits for its time, and timers can be set by it", async ({ store, clock }) => {
      const now = clock.now();
      await store.orders.submit([newOrder("later", { runAt: now + 5_000, priority: 9 }), newOrder("now")]);
      expect((await store.orders.get("later"))?.waits).toBe("time");
      expect(await store.orders.nextDue("q")).toBe(now + 5_000);
      expect(await store.orders.oldestDue("q")).toBe(1_000);
      expect(await claimIds(store, 9)).toEqual(["now"]);
      expect(await store.orders.oldestDue("q")).toBe(undefined);
      await clock.advance(5_000);
      expect(await store.orders.nextDue("q")).toBe(undefined);
      expect(await store.orders.nextDue("q", now + 4_999)).toBe(now + 5_000);
      expect(await store.orders.nextDue("q", now + 5_000)).toBe(undefined);
      expect(await claimIds(store, 9)).toEqual(["later"]);
      expect(await store.orders.nextDue("q")).toBe(undefined);
    });

    withStore(
      "a due retry goes through PENDING, and the new claim has a new fence",
      async ({ store, clock }) => {
        const now = clock.now();
        await store.orders.submit([newOrder("o1")]);
        await store.orders.claim("q", "w1", roomForTwo, 10_000);
        const retry = {
          id: "o1",
          fence: 1,
          from: ["PREPARING"],
          to: "WAITING_RETRY",
          event: "retry-scheduled",
          set: { runAt: now + 100 },
        } as const;
        await store.orders.change([retry]);
        expect(await store.orders.nextDue("q")).toBe(now + 100);
        await clock.advance(99);
        expect(await store.orders.claim("q", "w2", roomForTwo, 10_000)).toEqual([]);
        await clock.advance(1);
        const [again] = await store.orders.claim("q", "w2", roomForTwo, 10_000);
        expect(again).toMatchObject({ id: "o1", fence: 2, worker: "w2", state: "PREPARING" });
        const history = await store.orders.history("o1");
        expect(history.slice(-2).map(({ event }) => event)).toEqual(["retry-due", "claimed"]);
        const late = {
          id: "o1",
          fence: 1,
          from: ["PREPARING"],
          to: "COMPLETED",
          event: "completed",
        } as const;
        let code = "none";
        await store.orders.change([late]).catch((error: { code: string }) => (code = error.code));
        expect(code).toBe("CUTOVER_LEASE_LOST");
      },
    );

    withStore("a paused queue gives nothing to anybody until it goes on", async ({ store }) => {
      await store.orders.submit([newOrder("a"), newOrder("b", { queue: "other" })]);
      const paused = await store.orders.configure("q", { paused: true }, "ana", "lunch");
      expect(paused).toEqual({ paused: true, weights: {}, limits: {} });
      expect(await claimIds(store, 9)).toEqual([]);
      expect((await store.orders.claim("other", "w", starting(9), 10_000)).length).toBe(1);
      await store.orders.configure("q", { paused: false }, "ana", "back");
      expect(await claimIds(store, 9)).toEqual(["a"]);
      const events = await store.events.read({ stream: "queue:q", types: ["queue.configured"], limit: 9 });
      expect(events.map(({ data }) => [data["by"], data["reason"]])).toEqual([
        ["ana", "lunch"],
        ["ana", "back"],
      ]);
    });

    withStore(
      "the bell rings for what can be claimed or will be due, and stops when asked to",
      async ({ store }) => {
        // There may be work: a store may ring once more for safety, whenever it likes.
        const rung = new Set<string>();
        const stop = store.orders.onWork((queue) => rung.add(queue));
        await store.orders.submit([newOrder("a"), newOrder("b", { queue: "p" })]);
        expect([...rung].sort()).toEqual(["p", "q"]);
        await claimIds(store, 1);
        rung.clear();
        const released = { id: "a", fence: 1, from: ["RUNNING"], to: "PENDING", event: "released" } as const;
        await store.orders.change([released]);
        expect([...rung]).toEqual(["q"]);
        stop();
        rung.clear();
        await store.orders.submit([newOrder("c")]);
        expect([...rung]).toEqual([]);
      },
    );
  });
}

import type { OrderChange, OrderRecord } from "../../store/index.ts";
import { claimIds, type ContractCase, end, newOrder, refusal, roomForTwo } from "./tools.ts";

export function orderContract({ describe, expect, withStore }: ContractCase): void {
  describe("work orders", () => {
    withStore("a submitted order is PENDING with everything it was given", async ({ store }) => {
      const carrier = { traceparent: "00-1" };
      const more = { tenant: "acme", priority: 3, tags: ["gpu", "x86"], carrier };
      const [given] = await store.orders.submit([newOrder("o1", more)]);
      expect(given?.fresh).toBe(true);
      expect(given?.order).toEqual({
        id: "o1",
        queue: "q",
        kind: "hash",
        state: "PENDING",
        payload: { file: "o1.txt" },
        priority: 3,
        memory: 64 * 2 ** 20,
        slots: 1,
        tags: ["gpu", "x86"],
        attempt: 0,
        maxRetries: 3,
        timeoutMs: 60_000,
        tenant: "acme",
        limitKey: null,
        uniqueKey: null,
        runAt: 0,
        createdAt: 1_000,
        startedAt: null,
        endedAt: null,
        worker: null,
        fence: 0,
        leaseUntil: null,
        cancelRequested: false,
        waits: "room",
        blockedBy: 0,
        sandbox: null,
        progress: null,
        result: null,
        error: null,
        usage: null,
        carrier,
        crashes: 0,
      });
      expect(await store.orders.get("o1")).toEqual(given?.order);
      expect(await store.orders.get("o2")).toBe(undefined);
    });

    withStore("a payload may be any JSON", async (given) => {
      const payloads = [null, false, 0, -1.5, "", 'ü \u2028 "', [], [1, [null]], {}, { b: 1, a: { c: [] } }];
      const orders = payloads.map((payload, n) => newOrder(`o${n}`, { payload }));
      await given.store.orders.submit(orders);
      const stored = await given.store.orders.list({ queue: "q", limit: 100 });
      expect(stored.map(({ payload }) => payload)).toEqual(payloads);
    });

    withStore("an id or key that is known already gives back the first order", async ({ store }) => {
      const outcomes = await store.orders.submit([
        newOrder("o1", { uniqueKey: "k" }),
        newOrder("o1", { priority: 9 }),
        newOrder("o2", { uniqueKey: "k" }),
        newOrder("o3", { uniqueKey: "k", queue: "other" }),
      ]);
      expect(outcomes.map(({ order, fresh }) => [order.id, fresh])).toEqual([
        ["o1", true],
        ["o1", false],
        ["o1", false],
        ["o3", true],
      ]);
      const again = await store.orders.submit([newOrder("o4", { uniqueKey: "k" })]);
      expect(again.map(({ order, fresh }) => [order.id, fresh])).toEqual([["o1", false]]);
      expect((await store.orders.counts("q")).PENDING).toBe(1);
    });

    withStore("a key counts until its time; then a new order takes it over", async ({ store, clock }) => {
      const until = { uniqueKey: "k", uniqueUntil: clock.now() + 1_000 };
      await store.orders.submit([newOrder("o1", until)]);
      await clock.advance(999);
      expect((await store.orders.submit([newOrder("o2", until)]))[0]?.order.id).toBe("o1");
      await clock.advance(1);
      const later = { uniqueKey: "k", uniqueUntil: clock.now() + 1_000 };
      const [second, third] = await store.orders.submit([newOrder("o2", later), newOrder("o3", later)]);
      expect([second?.fresh, second?.order.uniqueKey, third?.order.id]).toEqual([true, "k", "o2"]);
      expect((await store.orders.get("o1"))?.uniqueKey).toBe(null);
      expect((await store.orders.submit([newOrder("o4", later)]))[0]?.order.id).toBe("o2");
    });

    withStore("a full queue takes nothing of a submission", async ({ store }) => {
      await store.orders.submit([newOrder("o1")], { depthLimit: 2 });
      const tooMany = store.orders.submit([newOrder("o2"), newOrder("o3")], { depthLimit: 2 });
      const other = store.orders.submit([newOrder("o4", { queue: "other" })], { depthLimit: 2 });
      expect([await refusal(tooMany), await refusal(other)]).toEqual([
        "CUTOVER_QUEUE_FULL",
        "nothing thrown",
      ]);
      expect((await store.orders.counts("q")).PENDING).toBe(1);
      expect(await store.orders.get("o2")).toBe(undefined);
      const again = await store.orders.submit([newOrder("o1"), newOrder("o2")], { depthLimit: 2 });
      expect(again.map(({ fresh }) => fresh)).toEqual([false, true]);
      const atOnce = ["o5", "o6", "o7"].map((id) => store.orders.submit([newOrder(id)], { depthLimit: 3 }));
      expect((await Promise.allSettled(atOnce)).filter(({ status }) => status === "fulfilled").length).toBe(
        1,
      );
    });

    withStore(
      "a change needs fence and state, and every change leaves an event",
      async ({ store, clock }) => {
        await store.orders.submit([newOrder("o1")]);
        const [claimed] = await store.orders.claim("q", "w1", roomForTwo, 10_000);
        const started: OrderChange = {
          id: "o1",
          fence: 1,
          from: ["PREPARING"],
          to: "RUNNING",
          event: "started",
          set: { startedAt: clock.now(), attempt: 1, sandbox: { pid: 42 } },
        };
        expect(claimed?.fence).toBe(1);
        const [running] = await store.orders.change([started]);
        expect(running).toMatchObject({ state: "RUNNING", attempt: 1, sandbox: { pid: 42 }, worker: "w1" });
        expect(await refusal(store.orders.change([started]))).toBe("CUTOVER_LEASE_LOST");
        const done: OrderChange = {
          id: "o1",
          fence: 1,
          from: ["RUNNING"],
          to: "COMPLETED",
          event: "completed",
          set: { result: { sha: "ab" }, sandbox: null, usage: { cpuMs: 3.5, maxRss: 4_096 } },
          note: "in time",
        };
        expect(await refusal(store.orders.change([{ ...done, fence: 0 }]))).toBe("CUTOVER_LEASE_LOST");
        const [ended] = await store.orders.change([done]);
        expect(ended).toMatchObject({
          state: "COMPLETED",
          result: { sha: "ab" },
          usage: { cpuMs: 3.5, maxRss: 4_096 },
          endedAt: clock.now(),
          sandbox: null,
          leaseUntil: null,
          waits: null,
        });
        expect(await store.orders.get("o1")).toEqual(ended);
        const events = await store.events.read({ stream: "queue:q", limit: 10 });
        expect(events.map(({ type, data }) => [type, data["event"]])).toEqual([
          ["orders.submitted", undefined],
          ["orders.transition", "claimed"],
          ["orders.transition", "started"],
          ["orders.transition", "completed"],
        ]);
        const moved = {
          id: "o1",
          from: "RUNNING",
          to: "COMPLETED",
          attempt: 1,
          worker: "w1",
          fence: 1,
          note: "in time",
        };
        expect(events.at(-1)?.data["orders"]).toMatchObject([moved]);
      },
    );

    withStore("one refused change takes the whole call back, and no other call", async ({ store }) => {
      await store.orders.submit([newOrder("o1"), newOrder("o2"), newOrder("o3")]);
      await store.orders.claim("q", "w1", { ...roomForTwo, slots: 3, max: 3 }, 10_000);
      const start = (id: string, fence: number): OrderChange => ({
        id,
        fence,
        from: ["PREPARING"],
        to: "RUNNING",
        event: "started",
      });
      const events = await store.events.count();
      const [refused, unknown, kept] = await Promise.all([
        refusal(store.orders.change([start("o1", 1), start("o2", 7)])),
        refusal(store.orders.change([start("o9", 1)])),
        refusal(store.orders.change([start("o3", 1)])),
      ]);
      expect([refused, unknown, kept]).toEqual([
        "CUTOVER_LEASE_LOST",
        "CUTOVER_LEASE_LOST",
        "nothing thrown",
      ]);
      expect(await store.orders.counts("q")).toMatchObject({ PREPARING: 2, RUNNING: 1 });
      expect(await store.events.count()).toBe(events + 1);
      expect((await store.orders.history("o1")).map(({ event }) => event)).toEqual(["submitted", "claimed"]);
    });

    withStore("orders that undergo the same at once share an event", async ({ store }) => {
      const calls = Array.from({ length: 20 }, (_, n) => store.orders.submit([newOrder(`o${n}`)]));
      await Promise.all(calls);
      expect((await store.events.read({ limit: 100 })).length).toBe(1);
      expect((await claimIds(store, 20)).length).toBe(20);
      const told = await store.events.read({ limit: 100 });
      expect(told.map(({ data }) => (data["orders"] as unknown[]).length)).toEqual([20, 20, 20]);
      expect(await store.events.verify()).toMatchObject({ whole: true, events: 3 });
    });

    withStore("counts follow every change", async ({ store }) => {
      await store.orders.submit([newOrder("o1"), newOrder("o2"), newOrder("o3")]);
      await store.orders.claim("q", "w1", roomForTwo, 10_000);
      await end(store, "o1", "FAILED");
      expect(await store.orders.counts("q")).toEqual({
        PENDING: 1,
        PREPARING: 1,
        RUNNING: 0,
        WAITING_RETRY: 0,
        COMPLETED: 0,
        FAILED: 1,
        CANCELLED: 0,
      });
      expect((await store.orders.counts("empty")).PENDING).toBe(0);
    });

    withStore("cancelling marks an unfinished order once", async ({ store }) => {
      await store.orders.submit([newOrder("o1")]);
      expect(await store.orders.requestCancel("o9", "no")).toBe(undefined);
      expect(await store.orders.requestCancel("o1", "late")).toMatchObject({
        cancelRequested: true,
        state: "PENDING",
      });
      await store.orders.requestCancel("o1", "late");
      expect((await store.orders.history("o1")).length).toBe(2);
      await end(store, "o1", "CANCELLED");
      await store.orders.submit([newOrder("o2")]);
      await end(store, "o2", "CANCELLED");
      expect(await store.orders.requestCancel("o2", "x")).toMatchObject({ cancelRequested: false });
    });

    withStore(
      "an outcome is refused once the order's end was asked for, where it says so",
      async ({ store }) => {
        await store.orders.submit([newOrder("o1"), newOrder("o2")]);
        await store.orders.claim("q", "w1", roomForTwo, 10_000);
        await store.orders.requestCancel("o1", "not wanted");
        const outcome = (id: string): OrderChange => ({
          id,
          fence: 1,
          from: ["PREPARING"],
          to: "FAILED",
          event: "failed",
          unlessCancelled: true,
        });
        expect(await refusal(store.orders.change([outcome("o2"), outcome("o1")]))).toBe(
          "CUTOVER_ORDER_CANCELLED",
        );
        expect((await store.orders.get("o2"))?.state).toBe("PREPARING");
        expect((await store.orders.change([outcome("o2")]))[0]?.state).toBe("FAILED");
        const { unlessCancelled: _, ...guarded } = outcome("o1");
        const cancel: OrderChange = { ...guarded, to: "CANCELLED", event: "cancelled" };
        expect((await store.orders.change([cancel]))[0]?.state).toBe("CANCELLED");
      },
    );

    withStore("orders are listed by id and state, page by page", async ({ store, clock }) => {
      await store.orders.submit(["c", "a", "e", "b", "d"].map((id) => newOrder(id)));
      await store.orders.claim("q", "w", roomForTwo, 10_000);
      const page = async (after?: string): Promise<string[]> =>
        (await store.orders.list({ queue: "q", limit: 2, ...(after === undefined ? {} : { after }) })).map(
          (order) => order.id,
        );
      expect([await page(), await page("b"), await page("d"), await page("e")]).toEqual([
        ["a", "b"],
        ["c", "d"],
        ["e"],
        [],
      ]);
      const waiting = await store.orders.list({ queue: "q", states: ["PENDING", "PENDING"], limit: 9 });
      expect(waiting.length).toBe(3);
      const held = await store.orders.list({ queue: "q", states: ["PREPARING"], limit: 9 });
      const back = { fence: 1, from: ["PREPARING"], event: "moved" } as const;
      const [first, second] = held.map(({ id }) => id);
      await store.orders.change([
        { id: first ?? "", ...back, to: "FAILED" },
        { id: second ?? "", ...back, to: "WAITING_RETRY", set: { runAt: clock.now() + 9 } },
      ]);
      const ids = async (state: "FAILED" | "WAITING_RETRY" | "COMPLETED"): Promise<unknown> =>
        (await store.orders.list({ queue: "q", states: [state], limit: 9 })).map(({ id }) => id);
      expect([await ids("FAILED"), await ids("WAITING_RETRY"), await ids("COMPLETED")]).toEqual([
        [first],
        [second],
        [],
      ]);
    });

    withStore(
      "pages pass over no id and give none twice, whatever its signs and states",
      async ({ store }) => {
        const ids = ["a", "Z", "~", "é", "\ue000", "～", "～2", "😀", "😀1", "𐀀"];
        await store.orders.submit(ids.map((id) => newOrder(id)));
        await store.orders.change(
          ["😀", "～2", "a"].map((id) => ({
            id,
            fence: 0,
            from: ["PENDING"],
            to: "CANCELLED",
            event: "cancelled",
          })),
        );
        for (const limit of [1, 2, 3]) {
          const seen: string[] = [];
          for (let page: readonly OrderRecord[] | undefined; page?.length !== 0;) {
            const after = seen.at(-1);
            page = await store.orders.list({ queue: "q", limit, ...(after === undefined ? {} : { after }) });
            seen.push(...page.map(({ id }) => id));
          }
          expect(seen).toEqual(ids.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
        }
      },
    );

    withStore("the history of an order is all that happened to it, in order", async ({ store, clock }) => {
      await store.orders.submit([newOrder("o1"), newOrder("o2")]);
      await store.orders.setPriority("o1", 5);
      await claimIds(store, 2);
      const progress = (done: number): OrderChange => ({
        id: "o1",
        fence: 1,
        from: ["RUNNING"],
        to: "RUNNING",
        event: "progressed",
        set: { progress: { done } },
      });
      await Promise.all([store.orders.change([progress(1)]), store.orders.change([progress(2)])]);
      await store.orders.change([progress(3)]);
      await store.orders.requestCancel("o1", "late");
      await clock.advance(5);
      await end(store, "o1", "CANCELLED");
      const history = await store.orders.history("o1");
      expect(history.map(({ event, from, to }) => [event, from, to])).toEqual([
        ["submitted", null, "PENDING"],
        ["prioritised", null, null],
        ["claimed", "PENDING", "PREPARING"],
        ["started", "PREPARING", "RUNNING"],
        ["progressed", "RUNNING", "RUNNING"],
        ["cancel-requested", null, null],
        ["cancelled", "RUNNING", "CANCELLED"],
      ]);
      expect(history[0]?.data).toMatchObject({ id: "o1", kind: "hash", payload: { file: "o1.txt" } });
      expect(history[3]).toMatchObject({
        attempt: 1,
        worker: "w",
        fence: 1,
        data: { startedAt: clock.now() - 5 },
      });
      expect(history[4]?.data).toEqual({ progress: { done: 3 } });
      expect(history.at(-1)?.at).toBe(clock.now());
      expect(await store.orders.history("o9")).toEqual([]);
    });
  });
}

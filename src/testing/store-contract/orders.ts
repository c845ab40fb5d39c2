import type { OrderChange } from "../../store/index.ts";
import { type ContractCase, newOrder, refusal, roomForTwo } from "./tools.ts";

export function orderContract({ describe, expect, withStore }: ContractCase): void {
  describe("work orders", () => {
    withStore("a submitted order is PENDING with everything it was given", async ({ store }) => {
      const [given] = await store.orders.submit([newOrder("o1", { tenant: "acme", priority: 3 })]);
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
        attempt: 0,
        maxRetries: 3,
        timeoutMs: 60_000,
        tenant: "acme",
        runAt: 0,
        createdAt: 1_000,
        startedAt: null,
        endedAt: null,
        worker: null,
        fence: 0,
        leaseUntil: null,
        cancelRequested: false,
        sandbox: null,
        progress: null,
        result: null,
        error: null,
        crashes: 0,
      });
      expect(await store.orders.get("o1")).toEqual(given?.order);
      expect(await store.orders.get("o2")).toBe(undefined);
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
      expect((await store.orders.counts("q")).PENDING).toBe(1);
    });

    withStore("a full queue takes nothing of a submission", async ({ store }) => {
      await store.orders.submit([newOrder("o1")], { depthLimit: 2 });
      const tooMany = store.orders.submit([newOrder("o2"), newOrder("o3")], { depthLimit: 2 });
      expect(await refusal(tooMany)).toBe("CUTOVER_QUEUE_FULL");
      expect((await store.orders.counts("q")).PENDING).toBe(1);
      expect(await store.orders.get("o2")).toBe(undefined);
      const again = await store.orders.submit([newOrder("o1"), newOrder("o2")], { depthLimit: 2 });
      expect(again.map(({ fresh }) => fresh)).toEqual([false, true]);
    });

    withStore(
      "a change needs fence and state, and every change leaves an event",
      async ({ store, clock }) => {
        await store.orders.submit([newOrder("o1")]);
        const [claimed] = await store.orders.claim("q", "w1", roomForTwo, 10_000, clock.now());
        const started: OrderChange = {
          id: "o1",
          fence: 1,
          from: ["PREPARING"],
          to: "RUNNING",
          event: "started",
          set: { startedAt: clock.now(), attempt: 1, sandbox: { pid: 42 } },
        };
        expect(claimed?.fence).toBe(1);
        const [running] = await store.orders.change([started], clock.now());
        expect(running).toMatchObject({ state: "RUNNING", attempt: 1, sandbox: { pid: 42 }, worker: "w1" });
        expect(await refusal(store.orders.change([started], clock.now()))).toBe("CUTOVER_LEASE_LOST");
        const done: OrderChange = {
          id: "o1",
          fence: 1,
          from: ["RUNNING"],
          to: "COMPLETED",
          event: "completed",
          set: { endedAt: clock.now(), result: { sha: "ab" }, sandbox: null },
          note: "in time",
        };
        expect(await refusal(store.orders.change([{ ...done, fence: 0 }], 1))).toBe("CUTOVER_LEASE_LOST");
        const [ended] = await store.orders.change([done], clock.now());
        expect(ended).toMatchObject({
          state: "COMPLETED",
          result: { sha: "ab" },
          sandbox: null,
          leaseUntil: null,
        });
        const events = await store.events.read({ stream: "order:o1", limit: 10 });
        expect(events.map(({ type, data }) => [type, data["from"], data["to"], data["event"]])).toEqual([
          ["order.submitted", undefined, undefined, undefined],
          ["order.transition", "PENDING", "PREPARING", "claimed"],
          ["order.transition", "PREPARING", "RUNNING", "started"],
          ["order.transition", "RUNNING", "COMPLETED", "completed"],
        ]);
        expect(events.at(-1)?.data).toMatchObject({ attempt: 1, worker: "w1", fence: 1, note: "in time" });
      },
    );

    withStore("one refused change takes the whole call back", async ({ store, clock }) => {
      await store.orders.submit([newOrder("o1"), newOrder("o2")]);
      await store.orders.claim("q", "w1", roomForTwo, 10_000, clock.now());
      const start = (id: string, fence: number): OrderChange => ({
        id,
        fence,
        from: ["PREPARING"],
        to: "RUNNING",
        event: "started",
      });
      const work = store.orders.change([start("o1", 1), start("o2", 7)], clock.now());
      expect(await refusal(work)).toBe("CUTOVER_LEASE_LOST");
      expect(await refusal(store.orders.change([start("o9", 1)], 1))).toBe("CUTOVER_LEASE_LOST");
      expect(await store.orders.counts("q")).toMatchObject({ PREPARING: 2, RUNNING: 0 });
    });

    withStore("counts follow every change", async ({ store, clock }) => {
      await store.orders.submit([newOrder("o1"), newOrder("o2"), newOrder("o3")]);
      await store.orders.claim("q", "w1", roomForTwo, 10_000, clock.now());
      await store.orders.change(
        [{ id: "o1", fence: 1, from: ["PREPARING"], to: "FAILED", event: "failed" }],
        clock.now(),
      );
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

    withStore("cancelling marks an unfinished order once", async ({ store, clock }) => {
      await store.orders.submit([newOrder("o1")]);
      expect(await store.orders.requestCancel("o9", clock.now(), "no")).toBe(undefined);
      expect(await store.orders.requestCancel("o1", clock.now(), "late")).toMatchObject({
        cancelRequested: true,
        state: "PENDING",
      });
      await store.orders.requestCancel("o1", clock.now(), "late");
      expect((await store.events.read({ stream: "order:o1", limit: 10 })).length).toBe(2);
      const end = { from: ["PENDING"], to: "CANCELLED", event: "cancelled" } as const;
      await store.orders.change([{ id: "o1", fence: 0, ...end }], clock.now());
      await store.orders.submit([newOrder("o2")]);
      await store.orders.change([{ id: "o2", fence: 0, ...end }], clock.now());
      expect(await store.orders.requestCancel("o2", clock.now(), "x")).toMatchObject({
        cancelRequested: false,
      });
    });

    withStore("orders are listed by id, page by page", async ({ store, clock }) => {
      await store.orders.submit(["c", "a", "e", "b", "d"].map((id) => newOrder(id)));
      await store.orders.claim("q", "w", roomForTwo, 10_000, clock.now());
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
    });
  });

  describe("leases of work orders", () => {
    withStore("a renewed order is no orphan, one left alone is", async ({ store, clock }) => {
      await store.orders.submit([newOrder("o1"), newOrder("o2")]);
      const now = clock.now();
      await store.orders.claim("q", "w1", roomForTwo, 10_000, now);
      const lost = await store.orders.renew(
        [
          { id: "o1", fence: 1 },
          { id: "o2", fence: 9 },
          { id: "o3", fence: 1 },
        ],
        now + 60_000,
      );
      expect(lost).toEqual(["o2", "o3"]);
      const orphans = async (at: number, workers?: string[]): Promise<string[]> =>
        (await store.orders.orphans("q", at, workers)).map((order) => order.id);
      expect(await orphans(now + 10_000)).toEqual([]);
      expect(await orphans(now + 10_001)).toEqual(["o2"]);
      expect(await orphans(now, ["w1", "w2"])).toEqual(["o1", "o2"]);
      expect(await orphans(now, ["w2"])).toEqual([]);
    });
  });
}

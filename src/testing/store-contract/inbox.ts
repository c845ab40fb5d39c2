import type { NewOrder } from "../../store/index.ts";
import { claimIds, type ContractCase, end, newOrder, refusal, seededRandom } from "./tools.ts";

/** Text that no compression makes shorter, three bytes a character. */
function dense(length: number, seed: number): string {
  const random = seededRandom(seed);
  return String.fromCharCode(...Array.from({ length }, () => 0x4e00 + Math.floor(random() * 20_000)));
}

/** Tags of 99 characters, 102 bytes each as JSON. */
function denseTags(count: number): readonly string[] {
  const random = seededRandom(7);
  const digit = (): string => Math.floor(random() * 36).toString(36);
  return Array.from({ length: count }, () => Array.from({ length: 99 }, digit).join("")).toSorted();
}

export function inboxContract({
  describe,
  expect,
  withStore,
  callersTransaction: begin,
}: ContractCase): void {
  if (begin === undefined) return;
  describe("an order submitted within a transaction of the caller", () => {
    withStore("is there when that commits, and gone when it does not", async ({ store }) => {
      const kept = await begin(store);
      await store.orders.submitWithin(kept.connection, [newOrder("kept", { payload: { n: [1] } })]);
      expect(await store.orders.get("kept")).toBe(undefined);
      await kept.commit();
      expect(await store.orders.get("kept")).toMatchObject({
        state: "PENDING",
        payload: { n: [1] },
        fence: 0,
      });
      expect(await store.orders.queues()).toEqual(["q"]);
      const dropped = await begin(store);
      await store.orders.submitWithin(dropped.connection, [newOrder("dropped")]);
      await dropped.rollback();
      expect(await claimIds(store, 9)).toEqual(["kept"]);
      expect(await store.orders.get("dropped")).toBe(undefined);
      expect((await store.orders.history("kept")).map(({ event }) => event)).toEqual([
        "submitted",
        "claimed",
        "started",
      ]);
      expect((await store.orders.counts("q")).RUNNING).toBe(1);
    });

    withStore("is dropped when its id or key is known by then", async ({ store }) => {
      const caller = await begin(store);
      await store.orders.submitWithin(caller.connection, [
        newOrder("a", { priority: 9 }),
        newOrder("b", { uniqueKey: "k" }),
        newOrder("c", { uniqueKey: "k" }),
      ]);
      await caller.commit();
      await store.orders.submit([newOrder("a")]);
      expect((await claimIds(store, 9)).sort()).toEqual(["a", "b"]);
      expect((await store.orders.get("a"))?.priority).toBe(0);
      expect(await claimIds(store, 9)).toEqual([]);
    });

    withStore("waits for its limit, its time and other orders", async ({ store, clock }) => {
      await store.orders.configure("q", { limits: { k: { concurrency: 1 } } }, "ana", "one");
      const caller = await begin(store);
      await store.orders.submitWithin(caller.connection, [
        newOrder("last", { after: ["first"] }),
        newOrder("first", { limitKey: "k" }),
        newOrder("second", { limitKey: "k" }),
        newOrder("late", { runAt: clock.now() + 5 }),
      ]);
      await caller.commit();
      await store.orders.submit([newOrder("more", { after: ["last"] })]);
      expect(await claimIds(store, 9)).toEqual(["first"]);
      await end(store, "first");
      expect((await claimIds(store, 9)).sort()).toEqual(["last", "second"]);
      await clock.advance(5);
      expect(await claimIds(store, 9)).toEqual(["late"]);
    });

    withStore(
      "is cancelled at once when it waits for what does not exist or can never be",
      async ({ store }) => {
        const caller = await begin(store);
        await store.orders.submitWithin(caller.connection, [
          newOrder("lost", { after: ["nobody"] }),
          newOrder("a", { after: ["b"] }),
          newOrder("b", { after: ["a"] }),
          newOrder("follower", { after: ["lost"] }),
          newOrder("good"),
        ]);
        await caller.commit();
        expect(await claimIds(store, 9)).toEqual(["good"]);
        const errors = await Promise.all(["lost", "a", "b", "follower"].map((id) => store.orders.get(id)));
        expect(errors.map((order) => [order?.state, order?.error?.code])).toEqual([
          ["CANCELLED", "CUTOVER_ORDER_CANCELLED"],
          ["CANCELLED", "CUTOVER_ORDER_CANCELLED"],
          ["CANCELLED", "CUTOVER_ORDER_CANCELLED"],
          ["CANCELLED", "CUTOVER_ORDER_CANCELLED"],
        ]);
      },
    );

    withStore("that no store can hold is cancelled at once and stops nobody else", async ({ store }) => {
      const unfit: readonly (readonly [string, string, Partial<NewOrder>])[] = [
        ["star", "limit", { limitKey: "*" }],
        ["key", "key", { uniqueKey: dense(1_000, 1) }],
        ["tags", "needs.tags", { tags: denseTags(100) }],
      ];
      for (const [id, , more] of unfit)
        expect(await refusal(store.orders.submit([newOrder(id, more)]))).toBe("CUTOVER_QUEUE_INVALID");
      const caller = await begin(store);
      await store.orders.submitWithin(caller.connection, [
        ...unfit.map(([id, , more]) => newOrder(id, more)),
        newOrder("follower", { after: ["star"] }),
        newOrder("good"),
      ]);
      await caller.commit();
      expect(await claimIds(store, 9)).toEqual(["good"]);
      for (const [id, field] of unfit) {
        const order = await store.orders.get(id);
        const said = order?.error?.message.includes(`taken up: ${field} of work order ${id}: expected`);
        expect([order?.state, order?.error?.code, said]).toEqual([
          "CANCELLED",
          "CUTOVER_ORDER_CANCELLED",
          true,
        ]);
      }
      expect((await store.orders.get("follower"))?.state).toBe("CANCELLED");
      const last = await begin(store);
      await store.orders.submitWithin(last.connection, [newOrder("later")]);
      await last.commit();
      expect(await claimIds(store, 9)).toEqual(["later"]);
    });

    withStore("may have names as long as they can be, all at once", async ({ store }) => {
      const longest = (id: string, more: Partial<NewOrder> = {}): NewOrder =>
        newOrder(id + dense(199, 2), {
          queue: `q${"x".repeat(99)}`,
          kind: `k${"y".repeat(99)}`,
          tenant: dense(200, 3),
          limitKey: dense(200, 4),
          tags: denseTags(14),
          ...more,
        });
      const caller = await begin(store);
      const keys = [dense(666, 5), dense(666, 6)] as const;
      await store.orders.submitWithin(caller.connection, [longest("a", { uniqueKey: keys[0] })]);
      await caller.commit();
      await store.orders.submit([longest("b", { uniqueKey: keys[1], after: [longest("a").id] })]);
      const { queue, kind, tags } = longest("a");
      const capacity = { slots: 9, memory: 2 ** 45, max: 9, kinds: [kind], starts: [kind], tags };
      for (const name of ["a", "b"]) {
        const [taken] = await store.orders.claim(queue, "w", capacity, 10_000);
        expect(taken?.id).toBe(longest(name).id);
        await end(store, longest(name).id);
      }
    });

    withStore("can be cancelled and prioritised before anybody took it up", async ({ store }) => {
      const caller = await begin(store);
      await store.orders.submitWithin(caller.connection, [newOrder("a"), newOrder("b"), newOrder("c")]);
      await caller.commit();
      expect(await store.orders.requestCancel("a", "no")).toMatchObject({ id: "a", cancelRequested: true });
      await end(store, "a", "CANCELLED");
      expect(await store.orders.setPriority("c", 5)).toMatchObject({ id: "c", priority: 5 });
      expect(await claimIds(store, 9)).toEqual(["c", "b"]);
    });

    withStore("is taken up with few others when it is long, and all in the end", async ({ store }) => {
      const payload = "x".repeat(1_000_000);
      const caller = await begin(store);
      await store.orders.submitWithin(
        caller.connection,
        Array.from({ length: 20 }, (_, n) => newOrder(`o${n}`, { payload })),
      );
      await caller.commit();
      const rung: string[] = [];
      const off = store.orders.onWork((queue) => rung.push(queue));
      const first = await claimIds(store, 30);
      expect(first.length > 0 && first.length < 10).toBe(true);
      // Who has room for more looks again.
      expect(rung.includes("q")).toBe(true);
      const others = [...(await claimIds(store, 30)), ...(await claimIds(store, 30))];
      expect(new Set([...first, ...others]).size).toBe(20);
      off();
    });

    withStore("is seen by all that look, also before anybody took it up", async ({ store, clock }) => {
      const start = clock.now();
      await clock.advance(10_000);
      await store.orders.submit([newOrder("b", { createdAt: start + 9_000, runAt: start + 9_000 })]);
      const caller = await begin(store);
      await store.orders.submitWithin(caller.connection, [
        newOrder("d", { priority: 3, createdAt: start + 4_000, runAt: start + 5_000 }),
        newOrder("c", { tags: ["gpu"], createdAt: start + 2_000, runAt: start + 6_000 }),
        newOrder("a", { runAt: start + 90_000, createdAt: start }),
        newOrder("after-b", { after: ["b"], createdAt: start }),
        newOrder("b", { payload: "dropped: it is known", createdAt: start }),
        newOrder("c", {
          payload: "dropped: it is the second one",
          createdAt: start + 7_000,
          runAt: start + 7_000,
        }),
        newOrder("elsewhere", { queue: "other", createdAt: start + 8_000 }),
      ]);
      const before = await store.orders.counts("q");
      expect([before.PENDING, await store.orders.untaken("q")]).toEqual([1, 0]);
      await caller.commit();

      expect(await store.orders.untaken("q")).toBe(6);
      expect(await store.orders.counts("q")).toEqual({ ...before, PENDING: 7 });
      expect((await store.orders.counts("other")).PENDING).toBe(1);
      expect(await store.orders.oldestDue("q")).toBe(start + 5_000);
      const listed = await store.orders.list({ queue: "q", limit: 9 });
      expect(listed.map(({ id, waits, payload }) => [id, waits, payload])).toEqual(
        [
          ["a", "time"],
          ["after-b", "orders"],
          ["b", "room"],
          ["c", "room"],
          ["d", "room"],
        ].map(([id, waits]) => [id, waits, { file: `${id}.txt` }]),
      );
      expect(await store.orders.get("d")).toEqual(listed[4]);
      const page = await store.orders.list({ queue: "q", states: ["PENDING"], limit: 2, after: "after-b" });
      expect(page.map(({ id }) => id)).toEqual(["b", "c"]);
      expect(await store.orders.list({ queue: "q", states: ["RUNNING", "FAILED"], limit: 9 })).toEqual([]);
      expect((await store.orders.waiting("q", 2)).map(({ id }) => id)).toEqual(["d", "c"]);

      expect(await claimIds(store, 9)).toEqual(["d", "b"]);
      expect(await store.orders.untaken("q")).toBe(0);
      expect(await store.orders.counts("q")).toMatchObject({ PENDING: 3, RUNNING: 2 });
      expect(await store.orders.oldestDue("q")).toBe(start + 6_000);
    });

    withStore("needs a connection to the same database, inside a transaction", async ({ store }) => {
      expect(await refusal(store.orders.submitWithin({}, [newOrder("a")]))).toBe("CUTOVER_QUEUE_INVALID");
      expect(await refusal(store.orders.submitWithin(undefined, [newOrder("a")]))).toBe(
        "CUTOVER_QUEUE_INVALID",
      );
      const caller = await begin(store);
      await caller.rollback();
    });
  });
}

import type { Capacity } from "../../store/index.ts";
import { type ContractCase, newOrder, roomForTwo } from "./tools.ts";

const gigabyte = 2 ** 30;
const one: Capacity = { slots: 1, memory: 64 * gigabyte, max: 1, kinds: ["hash"] };

export function claimContract({ describe, expect, withStore }: ContractCase): void {
  describe("claims", () => {
    withStore("a claim takes what fits, with a fence and a lease", async ({ store, clock }) => {
      await store.orders.submit(["a", "b", "c"].map((id) => newOrder(id)));
      const taken = await store.orders.claim("q", "w1", roomForTwo, 10_000, clock.now());
      expect(
        taken.map(({ id, state, fence, worker, leaseUntil }) => [id, state, fence, worker, leaseUntil]),
      ).toEqual([
        ["a", "PREPARING", 1, "w1", clock.now() + 10_000],
        ["b", "PREPARING", 1, "w1", clock.now() + 10_000],
      ]);
      const rest = await store.orders.claim("q", "w2", { ...roomForTwo, max: 9 }, 10_000, clock.now());
      expect(rest.map((order) => order.id)).toEqual(["c"]);
    });

    withStore("two claims made at once never take the same order", async ({ store, clock }) => {
      await store.orders.submit(Array.from({ length: 20 }, (_, n) => newOrder(`o${n}`)));
      const claims = await Promise.all(
        Array.from({ length: 12 }, (_, n) =>
          store.orders.claim("q", `w${n}`, roomForTwo, 10_000, clock.now()),
        ),
      );
      const ids = claims.flat().map((order) => order.id);
      expect([ids.length, new Set(ids).size]).toEqual([20, 20]);
    });

    withStore("higher priority goes first, then age", async ({ store, clock }) => {
      await store.orders.submit([
        newOrder("old"),
        newOrder("urgent", { priority: 5 }),
        newOrder("young"),
        newOrder("raised"),
      ]);
      expect(await store.orders.setPriority("raised", 9)).toMatchObject({ priority: 9 });
      expect(await store.orders.setPriority("nobody", 9)).toBe(undefined);
      const order: string[] = [];
      for (let n = 0; n < 4; n++) {
        const [taken] = await store.orders.claim("q", "w", one, 10_000, clock.now());
        order.push(taken?.id ?? "none");
      }
      expect(order).toEqual(["raised", "urgent", "old", "young"]);
    });

    withStore("a tenant with one order does not wait behind one with a hundred", async ({ store, clock }) => {
      await store.orders.submit(
        Array.from({ length: 100 }, (_, n) => newOrder(`big${n}`, { tenant: "big" })),
      );
      await store.orders.claim("q", "w", one, 10_000, clock.now());
      await store.orders.submit([
        newOrder("small0", { tenant: "small" }),
        newOrder("small1", { tenant: "small" }),
      ]);
      const tenants: string[] = [];
      for (let n = 0; n < 6; n++) {
        const [taken] = await store.orders.claim("q", "w", one, 10_000, clock.now());
        tenants.push(taken?.tenant ?? "none");
      }
      expect(tenants.slice(0, 4).filter((tenant) => tenant === "small").length).toBe(2);
      expect(tenants.filter((tenant) => tenant === "big").length).toBe(4);
    });

    withStore(
      "a tenant that submits one order at a time gets no more than its part",
      async ({ store, clock }) => {
        await store.orders.submit(
          Array.from({ length: 50 }, (_, n) => newOrder(`big${n}`, { tenant: "big" })),
        );
        let small = 0;
        for (let n = 0; n < 20; n++) {
          await store.orders.submit([newOrder(`small${n}`, { tenant: "small" })]);
          const [taken] = await store.orders.claim("q", "w", one, 10_000, clock.now());
          if (taken?.tenant === "small") small++;
        }
        expect(small >= 8 && small <= 12).toBe(true);
      },
    );

    withStore(
      "orders that do not fit, or that nobody here can do, are passed over",
      async ({ store, clock }) => {
        await store.orders.submit([
          newOrder("huge", { priority: 9, memory: 200 * gigabyte }),
          newOrder("wide", { priority: 9, slots: 8 }),
          newOrder("foreign", { priority: 9, kind: "paint" }),
          newOrder("just-over", { priority: 9, memory: 3 * gigabyte + 1 }),
          newOrder("fits", { memory: 3 * gigabyte }),
          newOrder("other-queue", { queue: "p" }),
        ]);
        const capacity = { slots: 4, memory: 3 * gigabyte, max: 9, kinds: ["hash"] };
        const taken = await store.orders.claim("q", "w", capacity, 10_000, clock.now());
        expect(taken.map((order) => order.id)).toEqual(["fits"]);
        expect(await store.orders.claim("q", "w", { ...capacity, max: 0 }, 10_000, clock.now())).toEqual([]);
        expect(await store.orders.claim("q", "w", { ...capacity, kinds: [] }, 10_000, clock.now())).toEqual(
          [],
        );
      },
    );

    withStore("what is taken never exceeds memory and slots together", async ({ store, clock }) => {
      const sizes = [5, 1, 3, 2, 4, 1, 2, 6];
      await store.orders.submit(
        sizes.map((size, n) => newOrder(`o${n}`, { memory: size * gigabyte, slots: 1 + (n % 2) })),
      );
      const taken = await store.orders.claim(
        "q",
        "w",
        { slots: 4, memory: 8 * gigabyte, max: 9, kinds: ["hash"] },
        10_000,
        clock.now(),
      );
      expect(taken.map((order) => order.id)).toEqual(["o0", "o1", "o6"]);
      expect(taken.reduce((sum, order) => sum + order.memory, 0) <= 8 * gigabyte).toBe(true);
      expect(taken.reduce((sum, order) => sum + order.slots, 0) <= 4).toBe(true);
    });

    withStore("an order waits for its time, and timers can be set by it", async ({ store, clock }) => {
      const now = clock.now();
      await store.orders.submit([newOrder("later", { runAt: now + 5_000, priority: 9 }), newOrder("now")]);
      expect(await store.orders.nextDue("q", now)).toBe(now + 5_000);
      const first = await store.orders.claim("q", "w", roomForTwo, 10_000, now);
      expect(first.map((order) => order.id)).toEqual(["now"]);
      const second = await store.orders.claim("q", "w", roomForTwo, 10_000, now + 5_000);
      expect(second.map((order) => order.id)).toEqual(["later"]);
      expect(await store.orders.nextDue("q", now)).toBe(undefined);
    });

    withStore(
      "a due retry goes through PENDING, and the new claim has a new fence",
      async ({ store, clock }) => {
        const now = clock.now();
        await store.orders.submit([newOrder("o1")]);
        await store.orders.claim("q", "w1", roomForTwo, 10_000, now);
        await store.orders.change(
          [
            {
              id: "o1",
              fence: 1,
              from: ["PREPARING"],
              to: "WAITING_RETRY",
              event: "failed",
              set: { runAt: now + 100 },
            },
          ],
          now,
        );
        expect(await store.orders.nextDue("q", now)).toBe(now + 100);
        expect(await store.orders.claim("q", "w2", roomForTwo, 10_000, now + 99)).toEqual([]);
        const [again] = await store.orders.claim("q", "w2", roomForTwo, 10_000, now + 100);
        expect(again).toMatchObject({ id: "o1", fence: 2, worker: "w2", state: "PREPARING" });
        const events = await store.events.read({ stream: "order:o1", limit: 10 });
        expect(events.slice(-2).map(({ data }) => data["event"])).toEqual(["retry-due", "claimed"]);
        const late = {
          id: "o1",
          fence: 1,
          from: ["PREPARING"],
          to: "COMPLETED",
          event: "completed",
        } as const;
        let code = "none";
        await store.orders.change([late], now).catch((error: { code: string }) => (code = error.code));
        expect(code).toBe("CUTOVER_LEASE_LOST");
      },
    );
  });
}

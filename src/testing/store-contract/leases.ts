import type { OrderChange } from "../../store/index.ts";
import { type ContractCase, end, newOrder, refusal, roomForTwo } from "./tools.ts";

export function leaseContract({ describe, expect, withStore }: ContractCase): void {
  describe("leases of work orders", () => {
    withStore(
      "a renewed order is no orphan, one left alone is, and its lease is never renewed again",
      async ({ store, clock }) => {
        await store.orders.submit([newOrder("o1"), newOrder("o2")]);
        await store.orders.claim("q", "w1", roomForTwo, 10_000);
        const lost = await store.orders.renew(
          [
            { id: "o1", fence: 1 },
            { id: "o2", fence: 9 },
            { id: "o3", fence: 1 },
          ],
          60_000,
        );
        expect(lost).toEqual(["o2", "o3"]);
        const orphans = async (workers?: string[]): Promise<string[]> =>
          (await store.orders.orphans("q", workers)).map((order) => order.id);
        expect(await store.orders.holders("q")).toEqual(["w1"]);
        expect(await orphans(["w1", "w2"])).toEqual(["o1", "o2"]);
        expect(await orphans(["w2"])).toEqual([]);
        await clock.advance(10_000);
        expect(await orphans()).toEqual([]);
        await clock.advance(1);
        expect(await orphans()).toEqual(["o2"]);
        expect(await store.orders.renew([{ id: "o2", fence: 1 }], 60_000)).toEqual(["o2"]);
        expect(await orphans()).toEqual(["o2"]);
        await end(store, "o1");
        expect(await store.orders.renew([{ id: "o1", fence: 1 }], 60_000)).toEqual(["o1"]);
        expect(await orphans(["w1"])).toEqual(["o2"]);
        await end(store, "o2");
        expect(await store.orders.holders("q")).toEqual([]);
      },
    );

    withStore(
      "a rescue that goes by the lease is refused while it runs, up to its last moment",
      async ({ store, clock }) => {
        await store.orders.submit([newOrder("o1"), newOrder("o2")]);
        await store.orders.claim("q", "w1", roomForTwo, 10_000);
        const rescue = (id: string): OrderChange => ({
          id,
          fence: 1,
          from: ["PREPARING"],
          to: "WAITING_RETRY",
          event: "lost",
          leaseOver: true,
        });
        await clock.advance(10_000);
        expect(await refusal(store.orders.change([rescue("o1")]))).toBe("CUTOVER_LEASE_LOST");
        await store.orders.renew([{ id: "o1", fence: 1 }], 10_000);
        await clock.advance(1);
        // All or nothing: the lease of o1 was renewed.
        expect(await refusal(store.orders.change([rescue("o2"), rescue("o1")]))).toBe("CUTOVER_LEASE_LOST");
        expect((await store.orders.get("o2"))?.state).toBe("PREPARING");
        const [taken] = await store.orders.change([rescue("o2")]);
        expect([taken?.state, taken?.leaseUntil]).toEqual(["WAITING_RETRY", null]);
        expect((await store.orders.history("o1")).map(({ event }) => event)).toEqual([
          "submitted",
          "claimed",
        ]);
      },
    );
  });
}

import { expect, onTestFinished, test } from "vitest";
import { openSqliteStore, type OrderRecord, type Store } from "../../src/store/index.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { newOrder } from "./shelf.ts";

// The model takes two answers of a store for granted that the shared rules do not give: which leases may be renewed, and
// which orders are without a worker.

const capacity = { slots: 1, memory: 1, max: 1, kinds: ["k"], starts: [], tags: [] };

async function held(): Promise<{ clock: ManualClock; store: Store; order: OrderRecord }> {
  const clock = new ManualClock();
  const store = await openSqliteStore({ path: ":memory:", clock });
  onTestFinished(() => store.close());
  await store.orders.submit([newOrder("o1")]);
  const [order] = await store.orders.claim("q", "w", capacity, 1_000);
  if (order === undefined) throw new Error("nothing was claimed");
  return { clock, store, order };
}

test("a lease is renewed up to its last moment, and then no more, although nobody took the order", async () => {
  const { clock, store, order } = await held();
  await clock.advance(1_000);
  expect(await store.orders.orphans("q")).toEqual([]);
  expect(await store.orders.renew([order], 1_000)).toEqual([]);
  await clock.advance(1_001);
  expect(await store.orders.orphans("q")).toMatchObject([{ id: "o1" }]);
  expect(await store.orders.renew([order], 1_000)).toEqual(["o1"]);
  expect(await store.orders.orphans("q")).toMatchObject([{ id: "o1" }]);
});

test("a lease is renewed under the newest fence alone", async () => {
  const { store, order } = await held();
  const back = {
    id: "o1",
    fence: order.fence,
    from: ["PREPARING"],
    to: "PENDING",
    event: "released",
  } as const;
  await store.orders.change([back]);
  expect(await store.orders.renew([order], 1_000)).toEqual(["o1"]);
  const [again] = await store.orders.claim("q", "w", capacity, 1_000);
  expect(again?.fence).toBe(order.fence + 1);
  expect(await store.orders.renew([order], 1_000)).toEqual(["o1"]);
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { openQueue, type Queue, type Submission } from "../../queue/index.ts";
import { openSqliteStore, type Store } from "../../store/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { QueueViewer } from "./queue-view.ts";

/** A queue that does no work itself, and orders that were handed in within transactions of its user. */
async function handIn(
  orders: readonly Submission[],
): Promise<{ clock: ManualClock; store: Store; queue: Queue }> {
  const folder = mkdtempSync(join(tmpdir(), "cutover-handed-in-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const clock = new ManualClock();
  const path = join(folder, "work.db");
  const store = await openSqliteStore({ path, clock });
  const queue = await openQueue({ store }, { clock, stagger: 0, slots: 4, memoryPerSlot: 100 });
  onTestFinished(async () => {
    await queue.stop();
    await store.close();
  });
  using mine = new DatabaseSync(path);
  mine.exec("BEGIN");
  await queue.submitAllWithin(mine, orders);
  mine.exec("COMMIT");
  return { clock, store, queue };
}

test("an outage of all workers is told of also where every order was handed in within a transaction", async () => {
  const { clock, store, queue } = await handIn([{ kind: "mail" }, { kind: "mail" }, { kind: "mail" }]);
  await clock.advance(700_000);
  const health = await queue.health();
  expect(health).toMatchObject({ status: "critical", depth: { unfinished: 3 } });
  expect(health.reasons).toMatchObject([
    { code: "no-worker", message: "3 orders wait and no worker is there" },
    { code: "age" },
    { code: "no-handlers" },
  ]);
  expect(await queue.metrics()).toMatchObject({ depth: 3, ageMs: 700_000, counts: { PENDING: 3 } });
  const view = await new QueueViewer(store, "default").view();
  expect(view).toMatchObject({ status: "critical", counts: { PENDING: 3 }, ageMs: 700_000 });
  // Whoever looks writes nothing.
  expect(await store.orders.untaken("default")).toBe(3);
});

test("all orders of a queue are cancelled with those that nobody has taken up yet", async () => {
  const many = Array.from({ length: 600 }, (_, n) => ({ kind: n < 590 ? "mail" : "bill" }));
  const { store, queue } = await handIn([
    ...many,
    { kind: "mail", key: "one" },
    { kind: "mail", key: "one" },
  ]);
  expect(await queue.cancelAll({ reason: "not wanted", kind: "mail", states: ["RUNNING"] })).toBe(0);
  // The second one of the key never was an order.
  expect(await queue.cancelAll({ reason: "not wanted", kind: "mail" })).toBe(591);
  expect(await queue.counts()).toMatchObject({ CANCELLED: 591, PENDING: 10 });
  expect(await queue.cancelAll({ reason: "not wanted" })).toBe(10);
  expect([await store.orders.untaken("default"), (await queue.counts()).PENDING]).toEqual([0, 0]);
});

test("an order of a known key that was handed in holds up nobody who waits for the end of all", async () => {
  const { store, queue } = await handIn([
    { kind: "mail", id: "first", key: "one" },
    { kind: "mail", id: "second", key: "one" },
  ]);
  await queue.cancel("first", "not wanted");
  expect(await queue.counts()).toMatchObject({ CANCELLED: 1, PENDING: 1 });
  await queue.drain();
  expect(await store.orders.untaken("default")).toBe(0);
  await expect(queue.cancel("second", "not wanted")).rejects.toMatchObject({
    code: "CUTOVER_QUEUE_UNKNOWN_ORDER",
  });
});

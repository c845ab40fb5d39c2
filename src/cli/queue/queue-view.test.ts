import { expect, test } from "vitest";
import { openSqliteStore } from "../../store/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { QueueViewer } from "./queue-view.ts";

test("a worker is shown as gone from the moment on from which its queue does not count on it: after 35 s", async () => {
  const clock = new ManualClock();
  await using store = await openSqliteStore({ path: ":memory:", clock });
  const startedAt = clock.now();
  const worker = {
    id: "one",
    queue: "jobs",
    kinds: ["job"],
    tags: [],
    slots: 4,
    memory: 400,
    staggerMs: 0,
    startedAt,
  };
  await store.orders.seen(worker);
  const viewer = new QueueViewer(store, "jobs");
  const alive = async (): Promise<readonly boolean[]> =>
    (await viewer.view()).workers.map((worker) => worker.alive);
  await clock.advance(35_000);
  expect(await alive()).toEqual([true]);
  await clock.advance(1);
  expect(await alive()).toEqual([false]);
});

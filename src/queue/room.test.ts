import { expect, onTestFinished, test } from "vitest";
import { open } from "../../test/queue/manual-queue.ts";
import { openQueue, type Queue, type QueueOptions } from "./index.ts";

type Opened = Awaited<ReturnType<typeof open>>;

/** Another process on the same store and clock, ended with the test. */
async function beside({ store, clock }: Opened, options: QueueOptions): Promise<Queue> {
  const queue = await openQueue({ store }, { clock, stagger: 0, random: () => 0, slots: 4, ...options });
  onTestFinished(() => queue.stop());
  return queue;
}

test("an order with more memory than each of two equal workers has fails, and says who asked for what", async () => {
  const opened = await open({ workerId: "one", memoryPerSlot: 100 });
  const other = await beside(opened, { workerId: "two", memoryPerSlot: 100 });
  const web = await beside(opened, { workerId: "web", memoryPerSlot: 500 });
  for (const queue of [opened.queue, other]) queue.work("job", () => "done");
  await opened.pass(0);
  const { id } = await web.submit("job");
  await opened.pass(2_000);
  expect(await web.get(id)).toMatchObject({ state: "FAILED", error: { code: "CUTOVER_QUEUE_TOO_LARGE" } });
  await expect(other.submit("job", null, { needs: { memory: 500 } })).rejects.toMatchObject({
    code: "CUTOVER_QUEUE_TOO_LARGE",
    remedy: expect.stringContaining("same `memoryPerSlot` where it is submitted"),
  });
});

test("a large worker elsewhere takes what is too large for the one that looks", async () => {
  const opened = await open({ workerId: "small", memoryPerSlot: 100 });
  const large = await beside(opened, { workerId: "large", memoryPerSlot: 500 });
  for (const queue of [opened.queue, large]) queue.work("job", () => "done");
  await opened.pass(0);
  const { id } = await opened.queue.submit("job", null, { needs: { memory: 2_000 } });
  await opened.pass(2_000);
  expect(await opened.queue.get(id)).toMatchObject({ state: "COMPLETED", worker: "large" });
});

test("that no living worker has room for an order is told by whoever looks", async () => {
  const { queue, store, clock } = await open({ memoryPerSlot: 4_096 * 2 ** 20 });
  const told = { queue: "default", kinds: ["job"], tags: [], slots: 4, staggerMs: 0, startedAt: clock.now() };
  for (const id of ["a", "b"]) await store.orders.seen({ ...told, id, memory: 2 ** 31 });
  await queue.submit("job");
  expect((await queue.health()).reasons).toContainEqual({
    code: "room",
    message: "no living worker has room for job (4 GB asked, most offered 2 GB)",
  });
});

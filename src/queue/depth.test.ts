import { expect, test } from "vitest";
import { open } from "../../test/queue/manual-queue.ts";

test("orders of schedules come also while the queue is as deep as this process allows", async () => {
  const { queue, pass } = await open({ depth: 2 });
  let ticks = 0;
  queue.work("tick", () => ticks++);
  await queue.submitAll([{ kind: "row" }, { kind: "row" }]);
  await queue.schedule("every-second", { every: "1s" }, "tick");
  await pass(1_000);
  await pass(1_000);
  await pass(1_000);
  expect(ticks).toBeGreaterThanOrEqual(2);
  await expect(queue.submit("row")).rejects.toMatchObject({ code: "CUTOVER_QUEUE_FULL" });
});

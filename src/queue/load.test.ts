import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sleep, systemClock } from "../core/index.ts";
import { openQueue } from "./index.ts";

test("on a real file, with a hundred running at a time, every order is done exactly once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cutover-load-"));
  const queue = await openQueue(`sqlite:${join(folder, "work.db")}`, {
    slots: 100,
    memoryPerSlot: "1 MB",
    stagger: 0,
    backoff: { base: "5ms", cap: "20ms" },
  });
  const done = new Map<string, number>();
  let now = 0;
  let most = 0;
  queue.work<{ n: number }>("job", async ({ id, payload }, { attempt }) => {
    most = Math.max(most, ++now);
    await sleep(systemClock, payload.n % 7);
    now--;
    if (payload.n % 10 === 0 && attempt === 1) throw new Error("every tenth fails once");
    done.set(id, (done.get(id) ?? 0) + 1);
  });

  const begin = systemClock.monotonic();
  for (let n = 0; n < 300; n++) await queue.submit("job", { n });
  const perSecond = 300 / ((systemClock.monotonic() - begin) / 1_000);
  await queue.submitAll(Array.from({ length: 1_200 }, (_, n) => ({ kind: "job", payload: { n } })));
  await queue.drain({ timeout: "60s" });

  const { events, wait, run } = await queue.metrics();
  expect(await queue.counts()).toMatchObject({ COMPLETED: 1_500, FAILED: 0, PENDING: 0, RUNNING: 0 });
  expect([...done.values()].every((times) => times === 1)).toBe(true);
  expect(done.size).toBe(1_500);
  expect(events).toMatchObject({ started: 1_650, completed: 1_500, "retry-scheduled": 150 });
  expect(most).toBeGreaterThan(50);
  expect(most).toBeLessThanOrEqual(100);
  expect(wait.count).toBe(1_650);
  expect(run.p50).toBeGreaterThan(0);
  // Each is one durable commit; a machine busy with ten other things still manages a multiple of this.
  expect(perSecond).toBeGreaterThan(5);
  await queue.stop();
  rmSync(folder, { recursive: true });
}, 90_000);

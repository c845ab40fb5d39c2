import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { settle } from "../../test/queue/manual-queue.ts";
import { openSqliteStore } from "../store/index.ts";
import { ManualClock } from "../testing/index.ts";
import { openQueue, type Queue, type QueueOptions } from "./index.ts";

const gone = { code: "CUTOVER_STORE_GONE" };

/** A queue on a file, and the way another process takes that file away. */
async function open(
  options: QueueOptions = {},
): Promise<{ clock: ManualClock; queue: Queue; takeAway: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), "cutover-gone-"));
  const path = join(folder, "work.db");
  const clock = new ManualClock();
  const store = await openSqliteStore({ path, clock });
  const queue = await openQueue({ store }, { clock, stagger: 0, memoryPerSlot: 100, ...options });
  onTestFinished(async () => {
    const stopping = queue.stop();
    await clock.advance(60_000);
    await stopping;
    await store.close();
    rmSync(folder, { recursive: true });
    expect(clock.pending).toBe(0);
  });
  return { clock, queue, takeAway: () => void execFileSync("mv", [path, `${path}.away`]) };
}

test("waits end with the reason when the file of their store is gone", async () => {
  const { clock, queue, takeAway } = await open();
  const { id } = await queue.submit("job");
  const waiting = Promise.allSettled([queue.waitFor(id), queue.drain()]);
  await settle();
  takeAway();
  await clock.advance(5_000);
  const refused = { status: "rejected", reason: gone };
  expect(await waiting).toMatchObject([refused, refused]);
  await expect(queue.submit("job")).rejects.toMatchObject(gone);
});

test.each([
  ["with its next look for work", 2, 10_000],
  ["with its next heartbeat, where it has no room", 1, 25_000],
])("a worker ends what runs when its file is gone: %s", async (_title, slots, withinMs) => {
  const { clock, queue, takeAway } = await open({ slots, lease: "60s" });
  const ended: unknown[] = [];
  queue.work("job", async (_order, { signal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    ended.push(signal.reason);
  });
  await queue.submit("job");
  await settle();
  takeAway();
  // Its lease alone would end it only after 40 s.
  for (let passed = 0; passed < withinMs; passed += 1_000) {
    await clock.advance(1_000);
    await settle();
  }
  expect(ended).toMatchObject([{ code: "CUTOVER_LEASE_LOST" }]);
  expect(await queue.health()).toMatchObject({ status: "critical" });
});

test("an outcome is not tried again and again where the file of its store is gone", async () => {
  const { clock, queue, takeAway } = await open();
  const done = Promise.withResolvers<void>();
  queue.work("job", () => done.promise);
  await queue.submit("job");
  await settle();
  takeAway();
  done.resolve();
  await settle();
  // Nothing waits for the store: the clock stands.
  await queue.stop();
  expect(clock.pending).toBe(0);
});

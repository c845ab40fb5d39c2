import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { prepareAgents } from "../agent/command.ts";
import { until } from "../test/temporary-server.ts";
import { OldQueue, QueueFull } from "./old-queue.ts";
import { readSubmission } from "./submission.ts";
import type { WorkOrder } from "./work-order.ts";

let workDir: string;
let dir: string;
const open: OldQueue[] = [];
beforeEach(() => {
  workDir = mkdtempSync(join(tmpdir(), "cutover-old-queue-"));
  dir = join(workDir, "old");
  mkdirSync(join(dir, "work-orders"), { recursive: true });
  writeFileSync(join(dir, "queue-state.json"), '{"version":"1.0","queue":[],"running":[],"waitTimes":[]}');
  prepareAgents(workDir);
});
afterEach(async () => {
  for (const queue of open.splice(0)) await queue.close({ kill: true });
  rmSync(workDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

function start(): OldQueue {
  const queue = new OldQueue({ dir, workDir });
  open.push(queue);
  queue.start();
  return queue;
}

const submit = (queue: OldQueue, order: Record<string, unknown>): Promise<WorkOrder> =>
  queue.submit(readSubmission({ taskPrompt: "work", ...order }));
const hang = { agentType: "crawler", maxWallClockSeconds: 60 };
const onDisk = (id: string): WorkOrder =>
  JSON.parse(readFileSync(join(dir, "work-orders", `${id}.json`), "utf8")) as WorkOrder;
const endOf = (queue: OldQueue, id: string): Promise<void> =>
  until(`${id} has ended`, () => queue.get(id)?.completedAt !== undefined);

test("two run at a time, a hundred wait, the next one is refused", async () => {
  const queue = start();
  for (let i = 0; i < 102; i++) await submit(queue, { id: `o${i}`, ...hang });
  expect(queue.counts()).toEqual({ running: 2, waiting: 100, unfinished: 102 });
  await expect(submit(queue, { id: "one-too-many" })).rejects.toThrow(QueueFull);
  expect(queue.get("one-too-many")).toBeUndefined();
  expect(readdirSync(join(dir, "work-orders"))).toHaveLength(102);
});

test("higher priority goes first, then age", async () => {
  const queue = start();
  for (const id of ["block-1", "block-2"]) await submit(queue, { id, ...hang });
  await submit(queue, { id: "low", priority: 1 });
  await submit(queue, { id: "high", priority: 9 });
  await submit(queue, { id: "later", priority: 9 });
  await queue.cancel("block-1");
  for (const id of ["low", "high", "later"]) await endOf(queue, id);
  const ended = ["low", "high", "later"].toSorted((a, b) =>
    (queue.get(a)?.completedAt ?? "") < (queue.get(b)?.completedAt ?? "") ? -1 : 1,
  );
  expect(ended).toEqual(["high", "later", "low"]);
});

test("an agent that asks for another iteration gets as many as the order allows", async () => {
  const queue = start();
  await submit(queue, { id: "enough", agentType: "fixer", maxIterations: 2 });
  await submit(queue, { id: "short", agentType: "fixer", maxIterations: 1 });
  for (const id of ["enough", "short"]) await endOf(queue, id);
  expect([queue.get("enough")?.status, queue.get("short")?.status]).toEqual(["succeeded", "failed"]);
  expect(queue.get("short")?.error).toBe("Agent exited with code 75");
});

test("a parent integrates once, however its end and its children's fall together", async () => {
  const queue = start();
  for (let i = 0; i < 12; i++) {
    for (const child of [0, 1])
      await submit(queue, { id: `c${i}_${child}`, agentType: "reviewer", parentId: `p${i}` });
    await submit(queue, { id: `p${i}`, agentType: "reviewer", childIds: [`c${i}_0`, `c${i}_1`] });
  }
  for (let i = 0; i < 12; i++) await endOf(queue, `p${i}`);
  const lines = readFileSync(join(workDir, "ledger.ndjson"), "utf8").split("\n");
  for (let i = 0; i < 12; i++) {
    expect(queue.get(`p${i}`)?.status).toBe("succeeded");
    expect(lines.filter((line) => line.startsWith(`{"event":"end","id":"p${i}.integration"`))).toHaveLength(
      1,
    );
  }
});

test("after a stop, what was running runs again, first of all", async () => {
  const first = start();
  await submit(first, { id: "was-running", ...hang });
  await until("it runs", () => first.counts().running === 1);
  await first.close({ kill: true });
  expect(onDisk("was-running").status).toBe("running");
  const second = start();
  await until("it runs again", () => second.counts().running === 1);
  expect(second.get("was-running")?.status).toBe("running");
});

test("killed between the two files of a submit, or of a start, the order still runs", async () => {
  const first = start();
  for (const id of ["block-1", "block-2"]) await submit(first, { id, ...hang });
  await submit(first, { id: "waits" });
  await first.close({ kill: true });
  // What a kill -9 leaves: the order's file is written, the state without or no more with its entry.
  writeFileSync(join(dir, "queue-state.json"), '{"version":"1.0","queue":[],"running":[],"waitTimes":[]}');
  const second = start();
  expect(second.get("waits")).not.toHaveProperty("entry");
  for (const id of ["block-1", "block-2"]) await second.cancel(id);
  await endOf(second, "waits");
  expect(second.get("waits")?.status).toBe("succeeded");
});

test("files that cannot be read are left as they are, and so is an entry without a file", async () => {
  cpSync(join(import.meta.dirname, "../data"), dir, { recursive: true, force: true });
  const queue = start();
  await until("all that can run has ended", () => queue.unfinishedIds().length <= 2);
  expect(queue.unfinishedIds().toSorted()).toEqual(["q0AgtSnT0MRc", "sPZjyccYneXF"]);
  expect(readFileSync(join(dir, "work-orders/bh8Ztue3prjV.json"), "utf8")).toBe("");
  await queue.close({ kill: false });
  const state = JSON.parse(readFileSync(join(dir, "queue-state.json"), "utf8")) as { queue: unknown[] };
  expect(state.queue).toMatchObject([{ workOrderId: "sPZjyccYneXF" }]);
});

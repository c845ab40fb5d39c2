import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { endlessAtFirst } from "../../../test/queue/container-worker.ts";
import { DockerEngineDouble } from "../../../test/queue/docker-engine.ts";
import { openQueue, type Queue, subprocess, workerThread } from "../index.ts";

const worker = join(import.meta.dirname, "../../../test/queue/container-worker.ts");
const threadModule = new URL("../../../test/queue/thread-work.ts", import.meta.url);
let folder: string;
const queues: Queue[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cutover-sandboxes-"));
});

afterEach(async () => {
  for (const queue of queues.splice(0)) await queue.stop();
  rmSync(folder, { recursive: true });
});

async function open(): Promise<Queue> {
  const queue = await openQueue(`sqlite:${join(folder, "work.db")}`, {
    slots: 4,
    stagger: 0,
    grace: "200ms",
  });
  queues.push(queue);
  return queue;
}

describe("an order in a sandbox", () => {
  test("that takes more memory than it asked for fails at its first attempt, and its usage says how much", async () => {
    const queue = await open();
    queue.work(
      "program",
      subprocess({
        command: () => ({
          file: process.execPath,
          args: ["-e", "globalThis.b = Buffer.alloc(200e6, 1); setInterval(() => {}, 1e3)"],
        }),
      }),
    );
    queue.work("thread", workerThread({ module: threadModule, export: "fillHeap" }));
    const orders = await queue.submitAll(
      ["program", "thread"].map((kind) => ({ kind, retries: 3, needs: { memory: "100 MB" } })),
    );
    for (const { id } of orders) {
      const order = await queue.waitFor(id, { timeout: "20s" });
      expect(order).toMatchObject({ state: "FAILED", attempt: 1, error: { code: "CUTOVER_ORDER_MEMORY" } });
      expect(order.usage?.cpuMs).toBeGreaterThan(0);
      expect(order.usage?.maxRss).toBeGreaterThan(10 * 2 ** 20);
    }
  });

  test("that loses its thread to what another left there goes on at no cost", async () => {
    const queue = await open();
    const leftovers = workerThread({ module: threadModule, export: "leftovers", threads: 1 });
    queue.work("leftovers", leftovers);
    const run = async (payload: { readonly leave?: string }) => {
      const { id } = await queue.submit("leftovers", payload, { retries: 0 });
      return queue.waitFor(id, { timeout: "20s" });
    };
    expect(await run({ leave: "error" })).toMatchObject({ state: "COMPLETED", result: "first" });
    const second = await run({});
    expect(second).toMatchObject({ state: "COMPLETED", result: "second", attempt: 1, crashes: 1 });
    const lost = (await queue.timeline(second.id)).find(({ event }) => event === "lost");
    expect(lost?.note).toContain("ended by what an earlier order left running in it: left behind");
  });

  test("that blocks its thread runs out of time, while the queue does other work", async () => {
    const queue = await open();
    queue.work("blocking", workerThread({ module: threadModule, export: "spin" }));
    queue.work("quick", () => "done");
    const { id } = await queue.submit("blocking", {}, { timeout: "500ms", retries: 0 });
    const quick = await queue.submit("quick");
    expect(await queue.waitFor(quick.id, { timeout: "10s" })).toMatchObject({ state: "COMPLETED" });
    expect((await queue.get(id))?.state).not.toBe("FAILED");
    expect(await queue.waitFor(id, { timeout: "10s" })).toMatchObject({
      state: "FAILED",
      error: { code: "CUTOVER_ORDER_TIMEOUT" },
    });
  });
});

describe("an order whose worker was killed", () => {
  test.each(["queue.container.before-create", "queue.container.after-create", "queue.container.after-start"])(
    "at %s goes on after its container was ended",
    async (fault) => {
      const socket = join(folder, "docker.sock");
      const double = new DockerEngineDouble();
      await double.listen(socket);
      const child = spawn(process.execPath, [worker, join(folder, "work.db"), socket, fault], {
        stdio: ["ignore", "inherit", "inherit"],
      });
      const [, signal] = (await once(child, "exit")) as [number | null, string | null];
      expect(signal).toBe("SIGKILL");
      const made = fault === "queue.container.before-create" ? 0 : 1;
      expect(double.containers.size).toBe(made);

      const queue = await open();
      queue.work("contained", endlessAtFirst(socket));
      expect(await queue.waitFor("order-1", { timeout: "20s" })).toMatchObject({
        state: "COMPLETED",
        fence: 2,
        result: { stdout: "again\n" },
      });
      expect(double.containers.size).toBe(0);
      expect(queue.recovered.orphansEnded).toBe(made);
      await double.close();
    },
  );
});

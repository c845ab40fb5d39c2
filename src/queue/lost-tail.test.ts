import { execFileSync } from "node:child_process";
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { postgresServer, type TestServer } from "../../test/postgres/server.ts";
import { openStore, type StoredEvent } from "../store/index.ts";
import { openQueue, type Queue } from "./index.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
}, 120_000);
afterAll(() => server.stop());

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** A queue over connections of its own, with the errors it tells of. */
async function open(schema: string, workerId: string): Promise<{ queue: Queue; errors: string[] }> {
  const errors: string[] = [];
  const queue = await openQueue(server.url(), {
    schema,
    workerId,
    stagger: 0,
    slots: 1,
    memoryPerSlot: "1 MB",
    memory: { read: () => ({ limit: 1, used: 0, source: "test" }) },
    lease: "60s",
    poll: "100ms",
    log: { ...quiet, error: (message) => errors.push(message) },
  });
  onTestFinished(() => queue.stop());
  return { queue, errors };
}

/** Keeps the server's files as they are now; the way back to them, with a new timeline as after a failover, or without. */
async function keep(): Promise<(how: "failover" | "snapshot") => Promise<void>> {
  const data = join(server.folder, "data");
  const kept = join(server.folder, "kept");
  rmSync(kept, { recursive: true, force: true });
  await server.halt();
  execFileSync("cp", ["-a", data, kept]);
  await server.start();
  return async (how) => {
    await server.halt("immediate");
    rmSync(data, { recursive: true });
    execFileSync("cp", ["-a", kept, data]);
    if (how === "failover") {
      writeFileSync(join(data, "recovery.signal"), "");
      execFileSync("chown", ["--reference", join(data, "PG_VERSION"), join(data, "recovery.signal")]);
      appendFileSync(join(data, "postgresql.auto.conf"), "restore_command = 'false'\n");
    }
    await server.start();
    await expect.poll(() => server.query("SELECT pg_is_in_recovery() AS is")).toEqual([{ is: false }]);
  };
}

interface Work {
  readonly fences: number[];
  readonly aborted: string[];
  readonly finish: (result: string) => void;
}

/** Work that ends when it is told to, whatever its signal says. */
function work(queue: Queue): Work {
  const fences: number[] = [];
  const aborted: string[] = [];
  const { promise, resolve } = Promise.withResolvers<string>();
  queue.work("slow", (_, { fence, signal }) => {
    fences.push(fence);
    signal.addEventListener("abort", () => aborted.push(String((signal.reason as { code?: unknown }).code)));
    return promise;
  });
  return { fences, aborted, finish: resolve };
}

describe.each(["failover", "snapshot"] as const)("a database that lost its last commits (%s)", (how) => {
  test("takes no outcome of a claim that it does not have, and says what is gone", async () => {
    const schema = server.schema();
    const one = await open(schema, "one");
    const { id } = await one.queue.submit("slow", null, { id: "X" });
    const goBack = await keep();
    const first = work(one.queue);
    await expect.poll(() => first.fences, { timeout: 20_000 }).toHaveLength(1);
    await one.queue.submit("other", null, { id: "gone" });
    await goBack(how);
    const two = await open(schema, "two");
    const second = work(two.queue);
    await expect.poll(() => second.fences, { timeout: 20_000 }).toHaveLength(1);
    if (how === "failover") expect(second.fences[0]).toBeGreaterThan(first.fences[0] ?? Infinity);
    await expect.poll(() => first.aborted, { timeout: 20_000 }).toEqual(["CUTOVER_LEASE_LOST"]);
    first.finish("by one");
    await expect.poll(async () => (await one.queue.metrics()).late, { timeout: 20_000 }).toBe(1);
    second.finish("by two");
    expect(await two.queue.waitFor(id, { timeout: "20s" })).toMatchObject({
      state: "COMPLETED",
      worker: "two",
      result: "by two",
    });
    expect(await two.queue.get("gone")).toBeUndefined();
    expect((await one.queue.health()).reasons).toContainEqual(
      expect.objectContaining({
        code: "lost-events",
        message: expect.stringContaining("does not have event"),
      }),
    );
    expect((await two.queue.health()).reasons).not.toContainEqual(
      expect.objectContaining({ code: "lost-events" }),
    );
    expect(one.errors).toContainEqual(expect.stringContaining("are gone"));
  }, 120_000);

  test("has requests to cancel heard, and its events followed", async () => {
    const schema = server.schema();
    const one = await open(schema, "one");
    const running = work(one.queue);
    const { id } = await one.queue.submit("slow", null, { id: "X" });
    await expect.poll(() => running.fences, { timeout: 20_000 }).toHaveLength(1);
    const goBack = await keep();
    const store = await openStore(`${server.url()}?schema=${schema}`);
    onTestFinished(() => store.close());
    const told: StoredEvent[] = [];
    store.events.subscribe((events) => told.push(...events));
    const door = await open(schema, "door");
    for (let n = 0; n < 30; n++) await door.queue.submit("other", n, { id: `lost-${n}` });
    await door.queue.cancel("lost-0", "before the tail was lost");
    await expect.poll(() => told.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(31);
    await goBack(how);
    told.length = 0;
    await door.queue.cancel(id, "after it");
    for (let n = 0; n < 10; n++) await door.queue.submit("other", n, { id: `new-${n}` });
    await expect.poll(() => running.aborted, { timeout: 20_000 }).toEqual(["CUTOVER_ORDER_CANCELLED"]);
    running.finish("too late");
    await expect.poll(async () => (await door.queue.get(id))?.state, { timeout: 20_000 }).toBe("CANCELLED");
    await expect
      .poll(() => told.filter(({ type }) => type === "orders.submitted").length, { timeout: 20_000 })
      .toBeGreaterThan(0);
    const seqs = told.map(({ seq }) => seq);
    expect(new Set(seqs).size).toBe(seqs.length);
    const all = await store.events.read({ after: 0, limit: 500, types: ["orders.submitted"] });
    const fresh = all.filter(({ data }) => JSON.stringify(data).includes("new-")).map(({ seq }) => seq);
    await expect
      .poll(() => fresh.filter((seq) => !told.some((one) => one.seq === seq)), { timeout: 20_000 })
      .toEqual([]);
  }, 120_000);
});

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { connectClient } from "../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../test/postgres/server.ts";
import { openQueue, type Queue, type QueueOptions } from "./index.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
}, 120_000);
afterAll(() => server.stop());

/** Workers on one queue, each over connections of its own as on machines of their own. */
async function workers(names: readonly string[], options: QueueOptions = {}): Promise<readonly Queue[]> {
  const schema = server.schema();
  const open = (workerId: string): Promise<Queue> =>
    openQueue(server.url(), {
      schema,
      workerId,
      slots: 50,
      memoryPerSlot: "1 MB",
      stagger: 0,
      memory: { read: () => ({ limit: 1, used: 0, source: "test" }) },
      ...options,
    });
  const queues: Queue[] = [];
  for (const name of names) queues.push(await open(name));
  onTestFinished(async () => {
    await Promise.all(queues.map((queue) => queue.stop()));
  });
  return queues;
}

describe("a queue on PostgreSQL", () => {
  test("is shared by workers: each order is done once, whoever does it", async () => {
    const [door, ...hands] = await workers(["door", "one", "two", "three"]);
    const done = new Map<string, string[]>();
    for (const queue of hands) {
      queue.work("job", ({ id }) => {
        done.set(id, [...(done.get(id) ?? []), queue.workerId]);
      });
    }
    for (let n = 0; n < 10; n++)
      await door?.submitAll(
        Array.from({ length: 100 }, (_, i) => ({ kind: "job", id: `o${n}-${i}`, payload: i })),
      );
    await door?.drain({ timeout: "60s" });
    expect(await door?.counts()).toMatchObject({ COMPLETED: 1_000, PENDING: 0, RUNNING: 0 });
    expect(done.size).toBe(1_000);
    expect([...done.values()].every((by) => by.length === 1)).toBe(true);
    expect(new Set([...done.values()].flat()).size).toBeGreaterThan(1);
    expect((await door?.workers())?.map(({ id }) => id).toSorted()).toEqual(["one", "three", "two"]);
  }, 90_000);

  test("an order that was cancelled with its predecessor is retried when that is completed", async () => {
    const [queue] = await workers(["one"], { retries: 0 });
    let broken = true;
    queue?.work("part", () => {
      if (broken) throw new Error("away");
    });
    queue?.work("report", () => "done");
    await queue?.submitAll([
      { kind: "part", id: "p1" },
      { kind: "report", id: "rep", after: ["p1"], tenant: "a", limit: "k" },
    ]);
    expect(await queue?.waitFor("rep", { timeout: "20s" })).toMatchObject({ state: "CANCELLED" });
    await expect(queue?.retry("rep")).rejects.toMatchObject({ code: "CUTOVER_QUEUE_ILLEGAL_TRANSITION" });
    broken = false;
    await queue?.retry("p1");
    await queue?.waitFor("p1", { timeout: "20s" });
    await queue?.retry("rep");
    expect(await queue?.waitFor("rep", { timeout: "20s" })).toMatchObject({
      state: "COMPLETED",
      error: null,
    });
  }, 60_000);

  test("what the store will never take is told as a failure, and does not repeat the work", async () => {
    const schema = server.schema();
    const [queue] = await workers(["one"], { schema, backoff: { base: "10ms" } });
    await server.query(`CREATE FUNCTION "${schema}".refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'character U+20AC has no equivalent in encoding "LATIN1"' USING ERRCODE = '22P05'; END $$`);
    await server.query(`CREATE TRIGGER refuse_now BEFORE UPDATE ON "${schema}".orders FOR EACH ROW
      WHEN (concat(NEW.result, NEW.error, NEW.progress) LIKE '%€%') EXECUTE FUNCTION "${schema}".refuse()`);
    const runs: string[] = [];
    queue?.work("result", ({ kind }) => {
      runs.push(kind);
      return "10 €";
    });
    queue?.work("error", ({ kind }) => {
      runs.push(kind);
      throw new Error("costs 10 €");
    });
    queue?.work("progress", ({ kind }, { progress }) => {
      runs.push(kind);
      progress({ cost: "10 €" });
      return "done";
    });
    const kinds = ["result", "error", "progress"];
    const ended: unknown[] = [];
    for (const kind of kinds) {
      const { id = "" } = (await queue?.submit(kind, null, { retries: kind === "error" ? 1 : 5 })) ?? {};
      const { state, attempt, error } = (await queue?.waitFor(id, { timeout: "20s" })) ?? {};
      ended.push([state, attempt, error?.code, error?.message.slice(0, 32)]);
    }
    expect(ended).toEqual([
      ["FAILED", 1, "CUTOVER_ORDER_FAILED", "the result could not be stored: "],
      ["FAILED", 2, "CUTOVER_ORDER_FAILED", "the error could not be stored: e"],
      ["COMPLETED", 1, undefined, undefined],
    ]);
    expect(runs).toEqual(["result", "error", "error", "progress"]);
  }, 60_000);

  test("what one worker runs another one cancels, at once", async () => {
    const [busy, asks] = await workers(["busy", "asks"], { grace: "10s", poll: "30s" });
    const started = Promise.withResolvers<void>();
    busy?.work("job", (_, { signal }) => {
      started.resolve();
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const { id = "" } = (await asks?.submit("job")) ?? {};
    await started.promise;
    await asks?.cancel(id, "not wanted");
    // Nobody polls within this time: the request and the end were told.
    expect(await asks?.waitFor(id, { timeout: "20s" })).toMatchObject({ state: "CANCELLED" });
  }, 60_000);

  test("who does no work itself hears when others have done all of it", async () => {
    const [hand, door] = await workers(["hand", "door"], { poll: "30s" });
    await door?.submitAll(Array.from({ length: 50 }, () => ({ kind: "job" })));
    const drained = door?.drain({ timeout: "20s" });
    hand?.work("job", () => "done");
    await drained;
    expect(await door?.counts()).toMatchObject({ COMPLETED: 50, PENDING: 0, RUNNING: 0 });
  }, 60_000);

  test("a pause holds for every worker, and new work rings the bell of another one", async () => {
    const [hand, door] = await workers(["hand", "door"], { poll: "30s" });
    hand?.work("job", () => "done");
    await door?.pause("deploying");
    const { id = "" } = (await door?.submit("job")) ?? {};
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await door?.get(id))?.state).toBe("PENDING");
    await door?.resume();
    expect(await door?.waitFor(id, { timeout: "20s" })).toMatchObject({ state: "COMPLETED", worker: "hand" });
  }, 60_000);

  test("takes orders within a transaction of the caller, or not when it is rolled back", async () => {
    const [queue] = await workers(["one"], { poll: "30s" });
    queue?.work<{ n: number }>("job", ({ payload }) => payload.n);
    const client = await connectClient(server.url());
    onTestFinished(() => client.end());
    await client.query("BEGIN");
    const lost = await queue?.submitWithin(client, "job", { n: 1 });
    await client.query("ROLLBACK");
    await client.query("BEGIN");
    const kept = await queue?.submitWithin(client, "job", { n: 2 });
    await client.query("COMMIT");
    expect(await queue?.waitFor(kept?.id ?? "", { timeout: "20s" })).toMatchObject({ result: 2 });
    expect(await queue?.get(lost?.id ?? "")).toBe(undefined);
  }, 60_000);

  test("cancels while it waits also what was submitted within a transaction and not taken up yet", async () => {
    const [queue] = await workers(["one"]);
    const client = await connectClient(server.url());
    onTestFinished(() => client.end());
    await client.query("BEGIN");
    const order = await queue?.submitWithin(client, "job");
    await client.query("COMMIT");
    const cancelled = await queue?.cancel(order?.id ?? "", "not wanted", { onlyWaiting: true });
    expect(cancelled).toMatchObject({ id: order?.id, state: "CANCELLED" });
  }, 60_000);

  test("takes no order by a connection that is in no transaction of its own database", async () => {
    const schema = server.schema();
    await using queue = await openQueue(server.url(), { schema });
    const client = await connectClient(server.url());
    onTestFinished(() => client.end());
    // A pool, or an older client, does not tell whether it is in a transaction.
    const silent = {
      query: (sql: string, values?: readonly unknown[]) => client.query(sql, values),
    };
    const refused = (found: string): unknown =>
      expect.objectContaining({ code: "CUTOVER_QUEUE_INVALID", message: expect.stringContaining(found) });
    await expect(queue.submitWithin(client, "job")).rejects.toEqual(refused("one outside"));
    await expect(queue.submitWithin(silent, "job")).rejects.toEqual(refused("one outside"));
    await client.query("BEGIN");
    await client.query("SELECT 1 / 0").catch(() => {});
    await expect(queue.submitWithin(client, "job")).rejects.toEqual(refused("a statement has failed"));
    await expect(queue.submitWithin(silent, "job")).rejects.toEqual(refused("a statement has failed"));
    await client.query("ROLLBACK");
    await client.query("BEGIN");
    await queue.submitWithin(silent, "job");
    await client.query("ROLLBACK");

    const url = await server.database();
    const strange = await connectClient(url);
    onTestFinished(() => strange.end());
    await strange.query("BEGIN");
    await expect(queue.submitWithin(strange, "job")).rejects.toEqual(refused("another database"));
    await strange.query("ROLLBACK");
    // A store of the same name there: the order would be done by its workers.
    await using twin = await openQueue(url, { schema });
    await strange.query("BEGIN");
    await expect(queue.submitWithin(strange, "job")).rejects.toEqual(refused("another database"));
    await strange.query("COMMIT");
    expect([await queue.counts(), await twin.counts()]).toEqual(
      Array(2).fill(expect.objectContaining({ PENDING: 0 })),
    );
  }, 60_000);

  test("a worker whose connections are cut goes on when they are back, and nothing is lost", async () => {
    const [queue] = await workers(["one"], { poll: "100ms" });
    queue?.work("job", () => new Promise((resolve) => setTimeout(resolve, 20, null)));
    const submitted = queue?.submitAll(Array.from({ length: 300 }, () => ({ kind: "job" })));
    await submitted;
    await server.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
    );
    await queue?.drain({ timeout: "60s" });
    expect(await queue?.counts()).toMatchObject({ COMPLETED: 300, FAILED: 0 });
  }, 90_000);

  test("refuses a schema that is said twice, and one for a store that has none", async () => {
    await expect(openQueue(`${server.url()}?schema=one`, { schema: "two" })).rejects.toMatchObject({
      place: "schema",
    });
    await expect(openQueue("sqlite::memory:", { schema: "two" })).rejects.toMatchObject({ place: "schema" });
    await expect(openQueue("mysql://localhost/x")).rejects.toMatchObject({ place: "where" });
  });
});

import { describe, expect, test } from "vitest";
import { CutoverError, silentLog } from "../core/index.ts";
import { fatal, openQueue, type Queue, retryAfter } from "./index.ts";
import { gate, open } from "../../test/queue/manual-queue.ts";

describe("an order", () => {
  test("is done once and its result, times and every transition are kept", async () => {
    const { queue, clock, pass } = await open();
    const seen: unknown[] = [];
    queue.work<{ n: number }>("double", (order, { fence, attempt, idempotencyKey }) => {
      seen.push({ fence, attempt, same: idempotencyKey === order.id });
      return { twice: order.payload.n * 2 };
    });
    const { id, fresh } = await queue.submit("double", { n: 21 });
    await pass(0);
    expect(fresh).toBe(true);
    expect(seen).toEqual([{ fence: 1, attempt: 1, same: true }]);
    expect(await queue.get(id)).toMatchObject({
      state: "COMPLETED",
      result: { twice: 42 },
      attempt: 1,
      startedAt: clock.now(),
      error: null,
    });
    const timeline = await queue.timeline(id);
    expect(timeline.map(({ event }) => event)).toEqual(["submitted", "claimed", "started", "completed"]);
    expect(timeline.at(-1)).toMatchObject({
      from: "RUNNING",
      to: "COMPLETED",
      worker: queue.workerId,
      fence: 1,
    });
  });

  test("is stored as it was handed in, whatever is done to that afterwards", async () => {
    const { queue } = await open();
    const payload = { n: 0 };
    const submits: ReturnType<typeof queue.submit>[] = [];
    for (; payload.n < 3; payload.n++) submits.push(queue.submit("a", payload));
    const orders = await Promise.all(submits);
    const stored = await Promise.all(orders.map(({ id }) => queue.get(id)));
    expect(orders.map((order) => order.payload)).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
    expect(stored.map((order) => order?.payload)).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
  });

  test("with a known key or id is not stored again: the first one is given back", async () => {
    const { queue } = await open();
    const first = await queue.submit("a", { n: 1 }, { key: "k", id: "my-id" });
    expect(await queue.submit("a", { n: 2 }, { key: "k" })).toMatchObject({
      id: "my-id",
      payload: { n: 1 },
      fresh: false,
    });
    expect(await queue.submit("a", {}, { id: "my-id" })).toMatchObject({
      fresh: false,
      createdAt: first.createdAt,
    });
    expect((await queue.counts()).PENDING).toBe(1);
  });

  test("may be given parts of a millisecond, which are rounded up: the store counts whole ones", async () => {
    const { queue, clock } = await open({ timeout: 1_000 / 3, lease: "0.0301s", keep: 1.5 });
    const { id, timeoutMs } = await queue.submit("a", null, { key: "k", keyFor: 0.5 + 1 });
    expect(timeoutMs).toBe(334);
    expect((await queue.submit("a", null, { timeout: "1.2ms" })).timeoutMs).toBe(2);
    await clock.advance(1);
    expect((await queue.submit("a", null, { key: "k" })).id).toBe(id);
    await clock.advance(1);
    expect((await queue.submit("a", null, { key: "k" })).id).not.toBe(id);
  });

  test("starts when its time has come, not before", async () => {
    const { queue, clock, pass } = await open({ poll: "1h" });
    queue.work("later", () => "done");
    const { id } = await queue.submit("later", null, { runAt: clock.now() + 90_000 });
    await pass(89_000);
    expect((await queue.get(id))?.state).toBe("PENDING");
    await pass(1_000);
    expect((await queue.get(id))?.state).toBe("COMPLETED");
  });

  test("keeps its progress, the newest at most once a second and the last one always", async () => {
    const { queue, pass } = await open();
    const door = gate<null>();
    queue.work("steps", (_, { progress }) => {
      progress({ done: 1 });
      progress({ done: 2 });
      return door.work().then(() => {
        progress({ done: 3 });
        return null;
      });
    });
    const { id } = await queue.submit("steps");
    await pass(0);
    expect((await queue.get(id))?.progress).toEqual({ done: 2 });
    door.finish(null);
    await pass(0);
    expect((await queue.get(id))?.progress).toEqual({ done: 3 });
    expect((await queue.timeline(id)).filter(({ event }) => event === "progressed")).toHaveLength(1);
  });
});

describe("a failed attempt", () => {
  test("is repeated after 5, 10 and 20 s, then the order is exhausted", async () => {
    const { queue, clock, pass } = await open();
    const at: number[] = [];
    const begin = clock.now();
    queue.work("broken", () => {
      at.push(clock.now() - begin);
      throw new Error("no luck");
    });
    const { id } = await queue.submit("broken", null, { retries: 3 });
    for (let second = 0; second < 60; second++) await pass(1_000);
    // A tenth of each wait is random; the random number is 0 here.
    expect(at).toEqual([0, 4_500, 13_500, 31_500]);
    expect(await queue.get(id)).toMatchObject({ state: "FAILED", attempt: 4, error: { message: "no luck" } });
    const last = (await queue.timeline(id)).at(-1);
    expect(last).toMatchObject({ event: "exhausted", note: "all 4 attempts failed" });
    expect((await queue.metrics()).events).toMatchObject({ started: 4, "retry-scheduled": 3, exhausted: 1 });
  });

  test("that is fatal is the last one", async () => {
    const { queue, pass } = await open();
    queue.work("bad", () => {
      throw fatal(new Error("no such customer"));
    });
    const { id } = await queue.submit("bad");
    await pass(0);
    expect(await queue.get(id)).toMatchObject({
      state: "FAILED",
      attempt: 1,
      error: { message: "no such customer" },
    });
    expect((await queue.timeline(id)).at(-1)?.event).toBe("failed");
  });

  test("is recorded by the built-in rules when the queue's own rule throws or says nonsense", async () => {
    const warned: string[] = [];
    const log = { ...silentLog, warn: (message: string) => void warned.push(message) };
    const rules = [
      () => {
        throw new Error("the rule is broken");
      },
      () => ({ class: "perhaps" }) as never,
    ];
    for (const classify of rules) {
      const { queue, pass } = await open({ classify, log });
      queue.work("bad", () => {
        throw Object.assign(new Error("not there"), { code: "ENOENT" });
      });
      const { id } = await queue.submit("bad");
      await pass(0);
      expect(await queue.get(id)).toMatchObject({ state: "FAILED", attempt: 1, error: { code: "ENOENT" } });
    }
    expect(warned).toEqual(Array(2).fill("classify failed; the built-in rules decide"));
  });

  test("is recorded whatever was thrown", async () => {
    const { queue, pass } = await open({ retries: 0 });
    queue.work("odd", () => {
      throw Object.create(null);
    });
    const { id } = await queue.submit("odd");
    await pass(0);
    expect(await queue.get(id)).toMatchObject({ state: "FAILED", error: { code: "Error", message: "{}" } });
  });

  test("that asks for a wait gets it", async () => {
    const { queue, pass } = await open();
    let calls = 0;
    queue.work("busy", () => {
      if (calls++ === 0) throw retryAfter("2m", new Error("429"));
      return "ok";
    });
    const { id } = await queue.submit("busy");
    await pass(119_000);
    expect(calls).toBe(1);
    await pass(1_000);
    expect(await queue.get(id)).toMatchObject({ state: "COMPLETED", attempt: 2, error: null });
  });

  test("whose result is not JSON fails with the path of what is not", async () => {
    const { queue, pass } = await open();
    queue.work("odd", () => ({ when: new Date(0) }));
    const { id } = await queue.submit("odd");
    await pass(0);
    expect(await queue.get(id)).toMatchObject({
      state: "FAILED",
      error: { code: "CUTOVER_QUEUE_INVALID", message: expect.stringContaining("result.when") },
    });
  });

  test("can be repeated by a person, from the first attempt", async () => {
    const { queue, pass } = await open();
    let healthy = false;
    queue.work("mended", () => {
      if (!healthy) throw fatal("not yet");
      return "ok";
    });
    const { id } = await queue.submit("mended");
    await pass(0);
    healthy = true;
    expect(await queue.retry(id, "cause mended")).toMatchObject({
      state: "PENDING",
      attempt: 0,
      error: null,
      endedAt: null,
    });
    await pass(0);
    expect(await queue.get(id)).toMatchObject({ state: "COMPLETED", attempt: 1 });
    await expect(queue.retry(id)).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_ILLEGAL_TRANSITION",
      details: { state: "COMPLETED", event: "requeued", legal: [] },
    });
  });

  test("that waits can be hurried", async () => {
    const { queue, pass } = await open();
    let calls = 0;
    queue.work("flaky", () => {
      if (calls++ === 0) throw new Error("once");
      return "ok";
    });
    const { id } = await queue.submit("flaky");
    await pass(0);
    expect((await queue.get(id))?.state).toBe("WAITING_RETRY");
    await queue.retry(id);
    await pass(0);
    expect(await queue.get(id)).toMatchObject({ state: "COMPLETED", attempt: 2 });
  });
});

describe("time and cancelling", () => {
  test("work that takes too long is asked to end and counts as failed", async () => {
    const { queue, pass } = await open();
    const reasons: unknown[] = [];
    queue.work(
      "slow",
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            reasons.push(signal.reason);
            reject(signal.reason);
          });
        }),
    );
    const { id } = await queue.submit("slow", null, { timeout: "10s", retries: 0 });
    await pass(9_999);
    expect((await queue.get(id))?.state).toBe("RUNNING");
    await pass(1);
    expect(reasons).toMatchObject([{ code: "CUTOVER_ORDER_TIMEOUT" }]);
    expect(await queue.get(id)).toMatchObject({ state: "FAILED", error: { code: "CUTOVER_ORDER_TIMEOUT" } });
  });

  test("work that does not listen is left behind after the grace time, its slot is given on, its result dropped", async () => {
    const { queue, pass } = await open({ slots: 1, grace: "5s" });
    const door = gate<string>();
    queue.work("deaf", door.work);
    const { id } = await queue.submit("deaf", null, { timeout: "10s", retries: 0 });
    const next = await queue.submit("deaf");
    await pass(10_000);
    expect((await queue.get(id))?.state).toBe("RUNNING");
    await pass(5_000);
    expect((await queue.get(id))?.state).toBe("FAILED");
    expect((await queue.get(next.id))?.state).toBe("RUNNING");
    door.finish("too late");
    await pass(0);
    expect(await queue.get(id)).toMatchObject({ state: "FAILED", result: null });
    door.finish("in time");
    await pass(0);
    expect(await queue.get(next.id)).toMatchObject({ state: "COMPLETED", result: "in time" });
  });

  test.each([
    ["rejects", () => Promise.reject(new Error("the other machine does not answer"))],
    [
      "throws",
      () => {
        throw new Error("the other machine does not answer");
      },
    ],
  ])("work whose sandbox %s when it is to end it is left behind after the grace time", async (_, cancel) => {
    const errors: unknown[] = [];
    const log = { ...silentLog, error: (...said: unknown[]) => void errors.push(said) };
    const { queue, pass } = await open({ slots: 1, grace: "5s", log });
    let ends = Promise.withResolvers<string>();
    queue.work("job", {
      provider: "broken",
      prepare: () => Promise.resolve({ run: () => ends.promise, cancel, cleanup: () => Promise.resolve() }),
      findOrphan: () => undefined,
    });
    const { id } = await queue.submit("job");
    const next = await queue.submit("job");
    await pass(0);
    await queue.cancel(id, "not wanted");
    await pass(4_999);
    expect((await queue.get(id))?.state).toBe("RUNNING");
    expect(errors).toEqual([
      [
        `work order ${id} could not be ended by its sandbox`,
        expect.objectContaining({ id, error: "the other machine does not answer" }),
      ],
    ]);
    const first = ends;
    ends = Promise.withResolvers();
    await pass(1);
    expect((await queue.get(id))?.state).toBe("CANCELLED");
    expect((await queue.get(next.id))?.state).toBe("RUNNING");
    // What was left behind ends after all, and changes nothing; what ends within its time is not waited for longer.
    first.resolve("late");
    const stopping = queue.stop();
    await pass(0);
    ends.resolve("in time");
    await stopping;
  });

  test("a waiting order is cancelled at once, a running one when its work has ended, even with a result", async () => {
    const { queue, pass } = await open({ slots: 1 });
    const door = gate<string>();
    queue.work("job", door.work);
    const running = await queue.submit("job");
    const waiting = await queue.submit("job");
    await pass(0);
    expect((await queue.cancel(waiting.id, "not wanted")).state).toBe("CANCELLED");
    expect(await queue.cancel(running.id, "not wanted")).toMatchObject({
      state: "RUNNING",
      cancelRequested: true,
    });
    door.finish("finished anyway");
    await pass(0);
    expect(await queue.get(running.id)).toMatchObject({
      state: "CANCELLED",
      result: null,
      error: {
        code: "CUTOVER_ORDER_CANCELLED",
        message: `work order ${running.id} was cancelled: not wanted`,
      },
    });
    expect((await queue.timeline(running.id)).map(({ event, note }) => [event, note])).toEqual([
      ["submitted", null],
      ["claimed", null],
      ["started", null],
      ["cancel-requested", "not wanted"],
      ["cancelled", null],
    ]);
    expect(await queue.cancel(running.id, "again")).toMatchObject({ state: "CANCELLED" });
    expect(door.started).toBe(1);
  });

  test("waitFor and drain without a timeout outlast a store that is away", async () => {
    const { queue, store, pass } = await open({ poll: "1s" });
    const { id } = await queue.submit("job");
    let reads = 0;
    for (const name of ["get", "counts"] as const) {
      const read = store.orders[name].bind(store.orders) as (given: string) => Promise<unknown>;
      const away = (): Promise<never> =>
        Promise.reject(new CutoverError("CUTOVER_STORE_UNAVAILABLE", { message: "nobody answers" }));
      Object.defineProperty(store.orders, name, {
        value: (given: string) => (++reads < 10 ? away() : read(given)),
      });
    }
    const waits = Promise.all([queue.waitFor(id), queue.drain()]);
    await pass(2_000);
    queue.work("job", () => "done");
    for (let second = 0; second < 10; second++) await pass(1_000);
    expect(await waits).toMatchObject([{ state: "COMPLETED", result: "done" }, undefined]);
    expect(reads).toBeGreaterThanOrEqual(10);
  });

  test("a store that is closed under the queue does not come back: waits end, and stopping does", async () => {
    const { queue, store, pass } = await open({ poll: "1s" });
    const { id } = await queue.submit("job");
    const waits = Promise.allSettled([queue.waitFor(id), queue.drain()]);
    await pass(500);
    await store.close();
    await pass(3_000);
    const closed = { status: "rejected", reason: { code: "CUTOVER_STORE_CLOSED" } };
    expect(await waits).toMatchObject([closed, closed]);
    await expect(queue.submit("job")).rejects.toMatchObject({ code: "CUTOVER_STORE_CLOSED" });
    await queue.stop();
  });

  test("a finished order cannot be cancelled, an unknown one neither", async () => {
    const { queue, pass } = await open();
    queue.work("job", () => null);
    const { id } = await queue.submit("job");
    await pass(0);
    await expect(queue.cancel(id, "late")).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_ILLEGAL_TRANSITION",
    });
    await expect(queue.cancel("nobody", "x")).rejects.toMatchObject({ code: "CUTOVER_QUEUE_UNKNOWN_ORDER" });
  });

  test("stopping gives unfinished work back without costing it an attempt", async () => {
    const { queue, store, clock, pass } = await open({ grace: "1s" });
    const door = gate<string>();
    queue.work("job", door.work);
    const { id } = await queue.submit("job");
    await pass(0);
    const stopping = queue.stop();
    await pass(1_000);
    await stopping;
    expect(await store.orders.get(id)).toMatchObject({ state: "PENDING", attempt: 0, crashes: 0 });
    await expect(queue.submit("job")).rejects.toMatchObject({ code: "CUTOVER_QUEUE_CLOSED" });
    const again = await openQueue({ store }, { clock, stagger: 0 });
    again.work("job", () => "second worker");
    await pass(0);
    expect(await again.get(id)).toMatchObject({
      state: "COMPLETED",
      result: "second worker",
      attempt: 1,
      fence: 2,
    });
    await again.stop();
  });

  test("stopping with a wait lets work finish", async () => {
    const { queue, store, pass } = await open();
    const door = gate<string>();
    queue.work("job", door.work);
    const { id } = await queue.submit("job");
    await pass(0);
    const stopping = queue.stop({ wait: "10s" });
    await pass(5_000);
    door.finish("done");
    await pass(0);
    await stopping;
    expect(await store.orders.get(id)).toMatchObject({ state: "COMPLETED", result: "done" });
  });
});

test.each<[string, (queue: Queue) => Promise<unknown>]>([
  ["options", (queue) => queue.submit("job", null, 5 as never)],
  ["options", (queue) => queue.submit("job", null, ["urgent"] as never)],
  ["after", (queue) => queue.list({ after: 5 as never })],
  ["after", (queue) => queue.deadLetters({ after: {} as never })],
  ["kind", (queue) => queue.deadLetters({ kind: 5 as never })],
  ["kind", (queue) => queue.cancelAll({ kind: ["job"] as never, reason: "x" })],
  ["kind", (queue) => queue.resubmit({ kind: "" })],
  ["code", (queue) => queue.resubmit({ code: 5 as never })],
  ["list", (queue) => queue.list(null as never)],
  ["stop", (queue) => queue.stop({ now: true } as never)],
  ["timeout", (queue) => queue.submit("job", null, { timeout: 10n as never })],
])("what no call can mean is refused naming %s, as a rejected promise: %s", async (place, call) => {
  const { queue } = await open();
  let refused: Promise<unknown> | undefined;
  expect(() => (refused = call(queue))).not.toThrow();
  await expect(refused).rejects.toMatchObject({ code: "CUTOVER_QUEUE_INVALID", place });
});

test("after stop() every call that gives a promise rejects, none throws", async () => {
  const { queue } = await open();
  await queue.stop();
  const calls = [
    () => queue.counts(),
    () => queue.config(),
    () => queue.list(),
    () => queue.schedules(),
    () => queue.schedule("s", { every: "1m" }, "job"),
    () => queue.unschedule("s"),
    () => queue.workers(),
    () => queue.prune({ olderThan: "1d" }),
    () => queue.recoverFromAudit({ since: "1h" }),
  ];
  const codes = await Promise.all(
    calls.map((call) => call().catch((error: unknown) => (error as { code?: string }).code)),
  );
  expect(new Set(codes)).toEqual(new Set(["CUTOVER_QUEUE_CLOSED"]));
});

describe("waiting", () => {
  test("waitFor gives the finished order, also one that had finished before", async () => {
    const { queue, pass } = await open();
    queue.work("job", () => 7);
    const { id } = await queue.submit("job");
    const waited = queue.waitFor(id);
    await pass(0);
    expect((await waited).result).toBe(7);
    expect((await queue.waitFor(id)).result).toBe(7);
  });

  test("waitFor gives up after its time or when it is told to, and the order goes on", async () => {
    const { queue, pass } = await open();
    const { id } = await queue.submit("nobody-does-this");
    const waited = expect(queue.waitFor(id, { timeout: "3s" })).rejects.toMatchObject({
      code: "CUTOVER_ORDER_TIMEOUT",
    });
    const stop = new AbortController();
    const told = expect(queue.waitFor(id, { signal: stop.signal })).rejects.toThrow("enough");
    await pass(3_000);
    await waited;
    stop.abort(new Error("enough"));
    await told;
    expect((await queue.get(id))?.state).toBe("PENDING");
  });

  test("drain waits for retries too", async () => {
    const { queue, pass } = await open();
    let calls = 0;
    queue.work("flaky", () => {
      if (calls++ === 0) throw new Error("once");
      return "ok";
    });
    await queue.submit("flaky");
    let drained = false;
    const waited = queue.drain().then(() => (drained = true));
    await pass(1_000);
    expect(drained).toBe(false);
    await pass(5_000);
    await waited;
    expect(await queue.counts()).toMatchObject({ COMPLETED: 1, WAITING_RETRY: 0 });
  });

  test("a paused queue starts nothing, and drain then means that nothing runs", async () => {
    const { queue, pass } = await open();
    queue.work("job", () => null);
    await queue.pause();
    const { id } = await queue.submit("job");
    await pass(5_000);
    await queue.drain();
    expect((await queue.get(id))?.state).toBe("PENDING");
    expect((await queue.health()).reasons.map(({ code }) => code)).toEqual(["paused"]);
    await queue.resume();
    await pass(0);
    expect((await queue.get(id))?.state).toBe("COMPLETED");
  });

  test("stopping ends every wait", async () => {
    const { queue, pass } = await open();
    const { id } = await queue.submit("nobody-does-this");
    const waited = expect(queue.waitFor(id)).rejects.toMatchObject({ code: "CUTOVER_QUEUE_CLOSED" });
    await pass(0);
    await queue.stop();
    await waited;
  });
});

describe("recovery from the audit trail", () => {
  test("finds the failed orders of the time and submits each again exactly once", async () => {
    const { queue, clock, pass } = await open();
    let healthy = false;
    queue.work<{ n: number }>("job", (order) => {
      if (!healthy && order.payload.n % 2 === 0) throw fatal("outage");
      return order.payload.n;
    });
    await queue.submit("job", { n: 0 });
    await pass(60_000);
    const since = clock.now();
    for (let n = 1; n <= 6; n++) await queue.submit("job", { n }, { tenant: "t", key: `k${n}` });
    await pass(1_000);
    healthy = true;

    const dry = await queue.recoverFromAudit({ since, dryRun: true });
    expect(dry.orders.map(({ outcome, newId }) => [outcome, newId])).toEqual(
      Array(3).fill(["resubmitted", null]),
    );
    expect((await queue.counts()).COMPLETED).toBe(3);

    const first = await queue.recoverFromAudit({ since });
    const second = await queue.recoverFromAudit({ since: "10s" });
    await pass(0);
    expect(first.orders.map(({ outcome }) => outcome)).toEqual(["resubmitted", "resubmitted", "resubmitted"]);
    expect(second.orders.map(({ outcome }) => outcome)).toEqual(["already", "already", "already"]);
    expect(second.orders.map(({ newId }) => newId)).toEqual(first.orders.map(({ newId }) => newId));
    const again = await queue.get(first.orders[0]?.newId ?? "");
    expect(again).toMatchObject({ state: "COMPLETED", payload: { n: 2 }, tenant: "t" });
    // The one that failed before the time, and nothing else, stays as it was.
    expect(await queue.counts()).toMatchObject({ COMPLETED: 6, FAILED: 4, PENDING: 0 });
    expect((await queue.recoverFromAudit({ since, dryRun: true })).orders[0]?.outcome).toBe("already");
  });

  test.each([50, 101])("finds each of %s orders once, in the order they came", async (many) => {
    const { queue, pass } = await open({ slots: many });
    queue.work("job", () => null);
    const given = await queue.submitAll(Array.from({ length: many }, () => ({ kind: "job" })));
    await pass(0);
    const made = await queue.recoverFromAudit({ since: 0, match: () => true });
    expect(made.orders.map(({ id }) => id)).toEqual(given.map(({ id }) => id));
    expect(new Set(made.orders.map(({ newId }) => newId)).size).toBe(many);
  });

  test("takes any rule on what happened, and leaves alone what will still run", async () => {
    const { queue, clock, pass } = await open();
    queue.work("job", () => "wrong answer");
    const since = clock.now();
    const done = await queue.submit("job");
    const waiting = await queue.submit("other");
    await pass(0);
    const worker = queue.workerId;
    const made = await queue.recoverFromAudit({
      since: new Date(since),
      match: ({ events, order }) => order.kind === "other" || events.some((entry) => entry.worker === worker),
    });
    expect(Object.fromEntries(made.orders.map(({ id, outcome }) => [id, outcome]))).toEqual({
      [done.id]: "resubmitted",
      [waiting.id]: "unfinished",
    });
  });
});

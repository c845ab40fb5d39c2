import { describe, expect, onTestFinished, test } from "vitest";
import { replacing } from "../../test/queue/failing-store.ts";
import { gate, open } from "../../test/queue/manual-queue.ts";
import { silentLog } from "../core/index.ts";
import { openQueue } from "./open.ts";
import type { MemoryReading } from "./memory.ts";

describe("what is claimed first", () => {
  test("higher priority first, then the older one", async () => {
    const { queue, pass } = await open({ slots: 1 });
    const order: string[] = [];
    await queue.pause();
    queue.work("job", ({ id }) => void order.push(id));
    for (const [id, priority] of [
      ["a", 0],
      ["b", 5],
      ["c", 0],
      ["d", 9],
    ] as const) {
      await queue.submit("job", null, { id, priority });
      await pass(1);
    }
    await queue.setPriority("c", 7);
    await queue.resume();
    await pass(0);
    expect(order).toEqual(["d", "c", "b", "a"]);
  });

  test("tenants take turns: one with many orders does not hold up one with few", async () => {
    const { queue, pass } = await open({ slots: 1 });
    const order: string[] = [];
    await queue.pause();
    queue.work("job", ({ tenant }) => void order.push(tenant));
    await queue.submitAll(Array.from({ length: 20 }, () => ({ kind: "job", tenant: "many" })));
    await queue.submitAll(Array.from({ length: 3 }, () => ({ kind: "job", tenant: "few" })));
    await queue.resume();
    await pass(0);
    expect(order.slice(0, 7).filter((tenant) => tenant === "few")).toHaveLength(3);
    expect(order).toHaveLength(23);
  });
});

describe("how much is claimed", () => {
  test("no more than the slots allow, and the next one at once when a slot comes free", async () => {
    const { queue, pass } = await open({ slots: 3, poll: "1h" });
    const door = gate<null>();
    queue.work("job", door.work);
    await queue.submitAll(Array.from({ length: 5 }, () => ({ kind: "job" })));
    await pass(0);
    expect(door.started).toBe(3);
    expect(await queue.counts()).toMatchObject({ RUNNING: 3, PENDING: 2 });
    door.finish(null);
    await pass(0);
    expect(door.started).toBe(4);
    for (let i = 0; i < 4; i++) door.finish(null);
    await pass(0);
    door.finish(null);
    await pass(0);
    expect((await queue.counts()).COMPLETED).toBe(5);
  });

  test("no more than the memory behind the slots allows", async () => {
    const { queue, pass } = await open({ slots: 4, memoryPerSlot: 100 });
    const door = gate<null>();
    queue.work("job", door.work);
    await queue.submitAll(Array.from({ length: 3 }, () => ({ kind: "job", needs: { memory: 180 } })));
    await queue.submit("job", null, { needs: { memory: 40 } });
    await pass(0);
    expect(door.started).toBe(3);
    expect(await queue.counts()).toMatchObject({ RUNNING: 3, PENDING: 1 });
    for (let i = 0; i < 4; i++) {
      door.finish(null);
      await pass(0);
    }
  });

  test("starts lie at least the stagger apart", async () => {
    const { queue, clock, pass } = await open({ slots: 4, stagger: "5s" });
    const begin = clock.now();
    const at: number[] = [];
    queue.work("job", () => void at.push(clock.now() - begin));
    await queue.submitAll(Array.from({ length: 4 }, () => ({ kind: "job" })));
    for (let i = 0; i < 20; i++) await pass(1_000);
    expect(at).toEqual([0, 5_000, 10_000, 15_000]);
  });

  test("work goes on and health answers, with a reason of its own, when memory.read throws or answers nonsense", async () => {
    const readers: (() => unknown)[] = [
      () => {
        throw new Error("cgroup file gone");
      },
      () => 5,
    ];
    for (const read of readers) {
      const told: string[] = [];
      const log = { ...silentLog, warn: (message: string) => void told.push(message) };
      const { queue, pass } = await open({ memory: { read: read as never, critical: 1, warning: 1 }, log });
      queue.work("job", () => 1);
      const { id } = await queue.submit("job");
      await pass(1_000);
      expect((await queue.get(id))?.state).toBe("COMPLETED");
      expect((await queue.health()).reasons.map(({ code }) => code)).toEqual(["memory-unread"]);
      expect(told).toHaveLength(1);
    }
  });

  test("fewer at the memory warning, none at the critical mark, all again when memory is back", async () => {
    let memory: MemoryReading = { limit: 100, used: 85, source: "test" };
    const { queue, pass } = await open({ slots: 4, memory: { read: () => memory } });
    const door = gate<null>();
    queue.work("job", door.work);
    await queue.submitAll(Array.from({ length: 6 }, () => ({ kind: "job" })));
    await pass(0);
    expect(door.started).toBe(2);
    expect((await queue.health()).reasons.map(({ code }) => code)).toContain("memory-warning");

    memory = { ...memory, used: 95 };
    await pass(1_000);
    door.finish(null);
    await pass(5_000);
    expect(door.started).toBe(2);
    expect((await queue.health()).status).toBe("critical");

    memory = { ...memory, used: 20 };
    await pass(1_000);
    expect(door.started).toBe(5);
    for (let i = 0; i < 8; i++) {
      door.finish(null);
      await pass(0);
    }
    expect((await queue.counts()).COMPLETED).toBe(6);
  });

  test("only kinds that have a handler here", async () => {
    const { queue, pass } = await open();
    queue.work("known", () => null);
    await queue.submitAll([{ kind: "unknown" }, { kind: "known" }]);
    await pass(2_000);
    expect(await queue.counts()).toMatchObject({ PENDING: 1, COMPLETED: 1 });
    queue.work("unknown", () => null);
    await pass(0);
    expect((await queue.counts()).COMPLETED).toBe(2);
  });
});

test("a store in trouble is asked again at the poll, however often the bell rings", async () => {
  const { queue, store, pass } = await open({ poll: "30s" });
  const claim = store.orders.claim.bind(store.orders);
  let away = true;
  let looks = 0;
  Object.defineProperty(store.orders, "claim", {
    value: (...given: Parameters<typeof claim>) => {
      looks++;
      return away ? Promise.reject(new Error("the disk is full")) : claim(...given);
    },
  });
  queue.work("job", () => null);
  await pass(0);
  for (let n = 0; n < 50; n++) {
    await queue.submit("job");
    await pass(1);
  }
  expect(looks).toBe(1);
  await pass(30_000);
  expect(looks).toBe(2);
  away = false;
  await pass(30_000);
  expect((await queue.counts()).COMPLETED).toBe(50);
  // The bell counts again.
  await queue.submit("job");
  await pass(0);
  expect((await queue.counts()).COMPLETED).toBe(51);
});

describe("orders that do not fit", () => {
  test("one larger than the machine is refused at once, also when the machine became smaller later", async () => {
    const { queue, store, clock, pass } = await open({ slots: 2, memoryPerSlot: "4096 MB" });
    await expect(queue.submit("job", null, { needs: { memory: "9 GB" } })).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_TOO_LARGE",
      message: expect.stringContaining("asks for 1 slots and 9 GB; this queue has 2 slots and 8 GB in all"),
    });
    await expect(queue.submit("job", null, { needs: { slots: 3 } })).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_TOO_LARGE",
    });
    expect((await queue.counts()).PENDING).toBe(0);

    const first = await queue.submit("job");
    const { uniqueKey: _, ...kept } = first;
    const larger = { ...kept, id: "from-a-larger-machine", slots: 8, uniqueKey: null, runAt: clock.now() };
    await store.orders.submit([{ ...larger, uniqueUntil: null, after: [], ifAfterFails: "run" }]);
    queue.work("job", () => null);
    await pass(1_000);
    expect(await queue.get("from-a-larger-machine")).toMatchObject({
      state: "FAILED",
      error: { code: "CUTOVER_QUEUE_TOO_LARGE" },
    });
    expect((await queue.get(first.id))?.state).toBe("COMPLETED");
  });

  test("a large one gets its room in the end, although small ones keep coming", async () => {
    const { queue, clock, pass } = await open({ slots: 4, reserveAfter: "10s", poll: "1s" });
    let runs = 0;
    const spans: { id: string; from: number }[] = [];
    queue.work(
      "job",
      ({ id }) =>
        new Promise<void>((resolve) => {
          spans.push({ id, from: clock.now() });
          // Small ones end at different times, so that all slots are never free together.
          clock.after(700 + 500 * (runs++ % 4), resolve);
        }),
    );
    await queue.submitAll(Array.from({ length: 4 }, () => ({ kind: "job" })));
    const large = await queue.submit("job", null, { needs: { slots: 4 } });
    for (let second = 0; second < 20; second++) {
      await queue.submitAll(Array.from({ length: 6 }, () => ({ kind: "job" })));
      await pass(1_000);
    }
    const started = spans.find(({ id }) => id === large.id);
    expect(started).toBeDefined();
    const waited = (started?.from ?? Infinity) - large.createdAt;
    expect(waited).toBeGreaterThanOrEqual(10_000);
    expect(waited).toBeLessThan(15_000);
    for (let second = 0; second < 60; second++) await pass(1_000);
    expect((await queue.counts()).COMPLETED).toBe(4 + 1 + 120);
  });
});

describe("the depth limit", () => {
  test("refuses what goes beyond, all or nothing, and says when to come back", async () => {
    const { queue, pass } = await open({ depth: 5, poll: "2s" });
    await queue.submitAll(Array.from({ length: 4 }, () => ({ kind: "job" })));
    const refused = await queue
      .submitAll([{ kind: "job" }, { kind: "job" }])
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "CUTOVER_QUEUE_FULL",
      message: expect.stringContaining("come back in 2.0 s"),
      details: { limit: 5, retryAfterMs: 2_000 },
    });
    expect((await queue.counts()).PENDING).toBe(4);
    expect((await queue.health()).reasons.map(({ code }) => code)).toContain("depth");
    queue.work("job", () => null);
    await pass(0);
    expect(await queue.submit("job")).toMatchObject({ fresh: true });
  });

  test("says in its text the time that stands in its details, also less than a second", async () => {
    const { queue } = await open({ depth: 1, poll: "200ms" });
    await queue.submit("job");
    await expect(queue.submit("job")).rejects.toMatchObject({
      message: expect.stringMatching(/come back in 200 ms$/),
      details: { retryAfterMs: 200 },
    });
  });

  test("says when to come back by what others have done, too, and later each time while nobody does anything", async () => {
    const { queue, store, clock, pass } = await open({ depth: 5, poll: "1s" });
    await queue.submitAll(Array.from({ length: 5 }, () => ({ kind: "job" })));
    const refusal = (): Promise<unknown> =>
      queue.submit("job").then(
        () => "taken in",
        (error: { details: { retryAfterMs: number } }) => error.details.retryAfterMs,
      );
    expect(await refusal()).toBe(1_000);
    await pass(4_000);
    expect(await refusal()).toBe(8_000);
    await pass(16_000);
    expect(await refusal()).toBe(40_000);
    const other = await openQueue({ store }, { clock, stagger: "10s", workerId: "other", random: () => 0 });
    onTestFinished(() => other.stop());
    other.work("job", () => null);
    await pass(20_000);
    expect(await queue.submit("job")).toMatchObject({ fresh: true });
    await queue.submitAll([{ kind: "job" }, { kind: "job" }]);
    // Three have ended in the 40 s since the first refusal.
    expect(await refusal()).toBe(13_334);
  });

  test("refuses more at once than it ever lets in, and does not say to come back", async () => {
    const { queue } = await open({ depth: 5 });
    const refused = await queue
      .submitAll(Array.from({ length: 6 }, () => ({ kind: "job" })))
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "CUTOVER_QUEUE_INVALID",
      message: "orders: expected at most 5 in one call, the depth of this queue, found 6",
    });
    expect((await queue.counts()).PENDING).toBe(0);
  });

  test("a known order is given back even when the queue is full", async () => {
    const { queue } = await open({ depth: 1 });
    await queue.submit("job", null, { key: "k" });
    expect((await queue.submit("job", null, { key: "k" })).fresh).toBe(false);
  });
});

test("metrics tell counts, waits, runs, age and throughput", async () => {
  const { queue, pass } = await open({ slots: 1 });
  const door = gate<null>();
  queue.work("job", door.work);
  await queue.submitAll([{ kind: "job" }, { kind: "job" }]);
  await pass(4_000);
  expect(await queue.metrics()).toMatchObject({ depth: 2, ageMs: 4_000, counts: { RUNNING: 1, PENDING: 1 } });
  door.finish(null);
  await pass(2_000);
  door.finish(null);
  await pass(4_000);
  const { wait, run, throughput, events, ageMs } = await queue.metrics();
  expect(wait).toMatchObject({ count: 2, max: 4_000 });
  expect(run).toMatchObject({ count: 2, max: 4_000, mean: 3_000 });
  expect(throughput).toBeCloseTo(0.2, 3);
  expect(events).toMatchObject({ claimed: 2, started: 2, completed: 2 });
  expect(ageMs).toBe(0);
});

describe("bad input", () => {
  test.each([
    [{ slots: 0 }, "slots"],
    [{ poll: "soon" }, "poll"],
    [{ poll: 0 }, "poll"],
    [{ stagger: "-1s" }, "stagger"],
    [{ memoryPerSlot: "many" }, "memoryPerSlot"],
    [{ backoff: { factor: 0.5 } }, "backoff.factor"],
    [{ backoff: { base: "10s", cap: "5s" } }, "backoff.cap"],
    [{ memory: { warning: 0.95 } }, "memory.warning"],
    [{ retries: 1.5 }, "retries"],
    [{ name: "a b" }, "name"],
    [{ slot: 3 } as object, "options"],
    [{ backoff: { bse: "1s" } } as object, "backoff"],
    [{ memory: { warn: 0.5 } } as object, "memory"],
    [{ memory: { read: 5 } } as never, "memory.read"],
    [{ classify: "fatal" } as never, "classify"],
    [{ random: 0.5 } as never, "random"],
    [{ name: 7 } as never, "name"],
    [{ workerId: "a\nb" }, "workerId"],
    [{ memoryPerSlot: 1e300 }, "memoryPerSlot"],
    [{ timeout: `${"9".repeat(400)}d` }, "timeout"],
  ])("option %j is refused by name", async (options, place) => {
    await expect(open(options)).rejects.toMatchObject({ code: "CUTOVER_QUEUE_INVALID", place });
  });

  test.each([
    ["", {}, "kind"],
    ["job", { retries: -1 }, "retries"],
    ["job", { priority: 0.5 }, "priority"],
    ["job", { timeout: "0ms" }, "timeout"],
    ["job", { needs: { memory: "lots" } }, "needs.memory"],
    ["job", { needs: { slots: 0 } }, "needs.slots"],
    ["job", { id: "" }, "id"],
    ["job", { key: "a\nb" }, "key"],
    ["job", { limit: "*" }, "limit"],
    ["job", { runAt: Number.NaN }, "runAt"],
    ["job", { createdAt: new Date("never") }, "createdAt"],
    ["job", { retry: 3 } as object, "work order"],
    ["job", { needs: "512 MB" as unknown as { slots: 1 } }, "needs"],
    ["job", { needs: { mem: "1 GB" } as object }, "needs"],
    ["job", { runAt: 1e300 }, "runAt"],
    ["job", { runAt: "" as never }, "runAt"],
    ["job", { tenant: "half of a pair \ud83d" }, "tenant"],
    ["job", { needs: { memory: "99999999 TB" } }, "needs.memory"],
  ])("submit(%j, …, %j) is refused by name and nothing is stored", async (kind, options, place) => {
    const { queue } = await open();
    await expect(queue.submit(kind, null, options)).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_INVALID",
      place,
    });
    expect((await queue.counts()).PENDING).toBe(0);
  });

  test("keys and tags that an index cannot hold are refused by name, in whatever alphabet", async () => {
    const { queue } = await open();
    const tags = Array.from({ length: 100 }, (_, n) => `${n}`.padStart(99, "t"));
    const refused = (place: string): unknown =>
      expect.objectContaining({ code: "CUTOVER_QUEUE_INVALID", place });
    await expect(queue.submit("job", null, { key: "界".repeat(667) })).rejects.toEqual(refused("key"));
    await expect(queue.submit("job", null, { needs: { tags } })).rejects.toEqual(refused("needs.tags"));
    await queue.submit("job", null, { key: "界".repeat(666), needs: { tags: tags.slice(0, 14) } });
    expect((await queue.counts()).PENDING).toBe(1);
  });

  test("a handler that is no function and a place that is no store are refused", async () => {
    const { queue } = await open();
    expect(() => queue.work("job", undefined as never)).toThrow(expect.objectContaining({ place: "work" }));
    for (const [where, found] of [
      [undefined, "undefined"],
      [null, "null"],
      [5, "a number"],
      [{}, "an object without a store"],
      ["foo.db", '"foo.db"'],
      ["", '""'],
      ["sqlite:", 'an address that begins with "sqlite:"'],
      ["mysql://ann:s3cret@host", 'an address that begins with "mysql:"'],
      ["ann:s3cret@host/db", "a text that begins otherwise"],
    ] as const)
      await expect(openQueue(where as never)).rejects.toMatchObject({
        code: "CUTOVER_QUEUE_INVALID",
        place: "where",
        message: `where: expected "sqlite:PATH", "postgres://…" or { store }, found ${found}`,
        remedy: expect.stringMatching(/^say where the queue lies: "sqlite:work\.db"/),
      });
  });

  test("the remedy for an option of a queue speaks of that option, not of a work order", async () => {
    for (const [options, remedy] of [
      [{ slots: 0 }, "correct the option slots of openQueue or defineWorker, or leave it out"],
      [{ backoff: { base: "soon" } }, /^correct the option backoff\.base of/],
      [{ memoryPerSlot: "much" }, /^correct the option memoryPerSlot of/],
      [{ slot: 1 }, 'did you mean "slots"?'],
      [{ wings: 2 }, 'leave out "wings"'],
    ] as const)
      await expect(openQueue("sqlite::memory:", options as never)).rejects.toMatchObject({
        code: "CUTOVER_QUEUE_INVALID",
        remedy: expect.stringMatching(remedy),
      });
  });

  test("what a call does not know is refused by name, and nothing happens", async () => {
    const { queue } = await open();
    const order = await queue.submit("job");
    const calls: readonly [string, () => unknown][] = [
      ["id", () => queue.get(undefined as never)],
      ["id", () => queue.waitFor({ id: order.id } as never)],
      ["list", () => queue.list({ state: ["FAILED"] } as never)],
      ["states", () => queue.list({ states: "FAILED" as never })],
      ["states", () => queue.list({ states: ["DONE" as never] })],
      ["wait", () => queue.waitFor(order.id, { timeuot: "1s" } as never)],
      ["wait", () => queue.drain("1s" as never)],
      ["stop", () => queue.stop({ grace: "1s" } as never)],
      ["cancel", () => queue.cancel(order.id, "no", { onlyWaitng: true } as never)],
      ["reason", () => queue.cancel(order.id, undefined as never)],
      ["reason", () => queue.cancelAll({} as never)],
      ["reason", () => queue.pause("")],
      ["reason", () => queue.retry(order.id, "x".repeat(5_000))],
      ["ids", () => queue.resubmit({ ids: order.id as never })],
      ["orders", () => queue.submitAll({ kind: "job" } as never)],
      ["recoverFromAudit", () => queue.recoverFromAudit({ since: 0, dryrun: true } as never)],
      ["since", () => queue.recoverFromAudit({ since: "yesterday" })],
      ["since", () => queue.recoverFromAudit({} as never)],
      ["until", () => queue.recoverFromAudit({ since: 0, until: new Date("never") })],
      ["until", () => queue.recoverFromAudit({ since: 1_000, until: 0 })],
      ["dryRun", () => queue.recoverFromAudit({ since: 0, dryRun: "false" as never })],
      ["match", () => queue.recoverFromAudit({ since: 0, match: "FAILED" as never })],
    ];
    for (const [place, call] of calls)
      await expect((async () => call())(), place).rejects.toMatchObject({
        code: "CUTOVER_QUEUE_INVALID",
        place,
      });
    expect(await queue.get(order.id)).toEqual({ ...order, fresh: undefined });
    expect((await queue.config()).paused).toBe(false);
  });

  test("a second handler of a kind is refused", async () => {
    const { queue } = await open();
    queue.work("job", () => null);
    expect(() => queue.work("job", () => null)).toThrow(expect.objectContaining({ place: "kind" }));
  });
});

test("a claim that is answered when its lease is nearly over is not begun: somebody else may be about to take it", async () => {
  const { store, clock, pass } = await open();
  const leases: number[] = [];
  const late = replacing(store, (own) => ({
    claim: async (...given) => {
      const claimed = await own.claim(...given);
      if (claimed.length > 0 && leases.push(given[3]) === 1) await clock.advance(12_000);
      return claimed;
    },
  }));
  const queue = await openQueue({ store: late }, { clock, stagger: 0, lease: "15s", random: () => 0 });
  onTestFinished(() => queue.stop());
  let begun = 0;
  queue.work("job", () => void begun++);
  const { id } = await queue.submit("job");
  await pass(0);
  expect([leases.length, begun]).toEqual([1, 0]);
  for (let n = 0; n < 6; n++) await pass(5_000);
  expect(begun).toBe(1);
  expect(await queue.get(id)).toMatchObject({ state: "COMPLETED", fence: 2, crashes: 0, attempt: 1 });
});

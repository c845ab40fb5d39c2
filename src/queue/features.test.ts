import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { replacing } from "../../test/queue/failing-store.ts";
import { gate, open, settle } from "../../test/queue/manual-queue.ts";
import { systemClock } from "../core/index.ts";
import { openSqliteStore } from "../store/index.ts";
import { fatal, listWorkers, openQueue, type QueueOptions } from "./index.ts";
import { workerName } from "./machine.ts";

/** A second worker on the same store and clock, ended with the test. */
async function second(
  { store, clock }: Pick<Awaited<ReturnType<typeof open>>, "store" | "clock">,
  options: QueueOptions = {},
): ReturnType<typeof openQueue> {
  const queue = await openQueue(
    { store },
    { clock, stagger: 0, random: () => 0, workerId: "second", ...options },
  );
  onTestFinished(() => queue.stop());
  return queue;
}

describe("tags", () => {
  test("an order goes to a worker that offers all of its tags, and waits while there is none", async () => {
    const opened = await open({ workerId: "first" });
    const { queue, pass } = opened;
    queue.work("job", () => "plain");
    const { id } = await queue.submit("job", null, { needs: { tags: ["gpu", "eu"] } });
    const plain = await queue.submit("job");
    await pass(2_000);
    expect((await queue.get(id))?.state).toBe("PENDING");
    expect((await queue.get(plain.id))?.result).toBe("plain");
    expect((await queue.health()).reasons).toMatchObject([
      { code: "tags", message: /takes job with eu \+ gpu$/ },
    ]);

    const other = await second(opened, { tags: ["gpu", "eu", "large"] });
    other.work("job", () => "with both");
    await pass(0);
    expect(await queue.get(id)).toMatchObject({ result: "with both", worker: "second", tags: ["eu", "gpu"] });
    expect((await queue.workers()).map((worker) => [worker.id, worker.tags, worker.kinds])).toEqual([
      ["first", [], ["job"]],
      ["second", ["eu", "gpu", "large"], ["job"]],
    ]);
    expect((await queue.health()).reasons).toEqual([]);
  });

  test("one that is not known is refused, for orders and workers alike", async () => {
    const { queue } = await open({ knownTags: ["gpu"] });
    await expect(queue.submit("job", null, { needs: { tags: ["gpu", "gqu"] } })).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_UNKNOWN_TAG",
      details: { tag: "gqu", known: ["gpu"] },
    });
    await expect(open({ knownTags: ["gpu"], tags: ["cpu"] })).rejects.toMatchObject({ place: "tags" });
  });
});

describe("limits", () => {
  test("orders of one limit key run no more than its concurrency at a time, others are not held up", async () => {
    const { queue, pass } = await open({ slots: 10 });
    await queue.configure({ limits: { "*": { concurrency: 2 }, open: { concurrency: 9 } } });
    const doors = { a: gate<null>(), b: gate<null>() };
    queue.work("a", doors.a.work);
    queue.work("b", doors.b.work);
    await queue.submitAll(Array.from({ length: 5 }, () => ({ kind: "a", limit: "customer-42" })));
    await queue.submitAll(Array.from({ length: 3 }, () => ({ kind: "b", limit: "open" })));
    await pass(0);
    expect([doors.a.started, doors.b.started]).toEqual([2, 3]);
    doors.a.finish(null);
    await pass(0);
    expect(doors.a.started).toBe(3);
    await queue.configure({ limits: { "*": null } });
    await pass(1_000);
    expect(doors.a.started).toBe(5);
    for (let i = 0; i < 5; i++) doors.a.finish(null);
    for (let i = 0; i < 3; i++) doors.b.finish(null);
    await pass(0);
    expect((await queue.counts()).COMPLETED).toBe(8);
  });

  test("orders of one limit key begin no faster than its rate", async () => {
    const { queue, clock, pass } = await open({ slots: 10 });
    await queue.configure({ limits: { mail: { rate: { limit: 2, per: "10s" } } } });
    const begin = clock.now();
    const at: number[] = [];
    queue.work("mail", () => void at.push(clock.now() - begin));
    await queue.submitAll(Array.from({ length: 5 }, () => ({ kind: "mail", limit: "mail" })));
    for (let second = 0; second < 20; second++) await pass(1_000);
    expect(at).toEqual([0, 0, 5_000, 10_000, 15_000]);
  });

  test("a tenant with more weight gets more turns", async () => {
    const { queue, pass } = await open({ slots: 1, claimBatch: 1 });
    await queue.configure({ weights: { gold: 3 } });
    await queue.pause();
    const order: string[] = [];
    queue.work("job", ({ tenant }) => void order.push(tenant));
    for (const tenant of ["gold", "tin"])
      await queue.submitAll(Array.from({ length: 20 }, () => ({ kind: "job", tenant })));
    await queue.resume();
    await pass(0);
    expect(order.slice(0, 16).filter((tenant) => tenant === "gold").length).toBeGreaterThanOrEqual(11);
    expect(await queue.config()).toEqual({ paused: false, weights: { gold: 3 }, limits: {} });
  });

  test.each([
    [{ limits: { a: {} } }, "limits.a"],
    [{ limits: { a: { concurrency: 0 } } }, "limits.a.concurrency"],
    [{ limits: { a: { rate: { limit: 1, per: "never" } } } }, "limits.a.rate.per"],
    [{ weights: { a: 0 } }, "weights.a"],
    [{ weight: {} }, "configure"],
  ])("configure(%j) is refused by name", async (change, place) => {
    const { queue } = await open();
    await expect(queue.configure(change as object)).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_INVALID",
      place,
    });
  });
});

describe("orders that wait for others", () => {
  test("start when all of them are done; when one fails they are cancelled, or run all the same", async () => {
    const { queue, pass } = await open();
    const ran: string[] = [];
    queue.work("job", ({ id }) => {
      ran.push(id);
      if (id.startsWith("bad")) throw fatal("no");
    });
    await queue.submitAll([
      { kind: "job", id: "last", after: ["left", "right"] },
      { kind: "job", id: "left", after: ["first"] },
      { kind: "job", id: "right", after: ["first"] },
      { kind: "job", id: "first" },
      { kind: "job", id: "bad" },
      { kind: "job", id: "never", after: ["bad"] },
      { kind: "job", id: "anyway", after: ["bad"], ifAfterFails: "run" },
    ]);
    await pass(0);
    expect(ran.indexOf("last")).toBeGreaterThan(Math.max(ran.indexOf("left"), ran.indexOf("right")));
    expect(ran[0] === "first" || ran[0] === "bad").toBe(true);
    expect(ran.toSorted()).toEqual(["anyway", "bad", "first", "last", "left", "right"]);
    expect(await queue.get("never")).toMatchObject({
      state: "CANCELLED",
      error: { code: "CUTOVER_ORDER_CANCELLED" },
    });
  });

  test("one that was cancelled with its predecessor is retried when all of them are completed", async () => {
    const { queue, store, pass } = await open({ retries: 0 });
    let broken = true;
    queue.work("part", () => {
      if (broken) throw new Error("away");
    });
    queue.work("report", () => "done");
    await queue.submitAll([
      { kind: "part", id: "p1" },
      { kind: "part", id: "p2" },
      { kind: "report", id: "rep", key: "report", after: ["p1", "p2"] },
      { kind: "report", id: "mail", after: ["rep"] },
    ]);
    await pass(0);
    expect(await queue.get("rep")).toMatchObject({ state: "CANCELLED", error: { details: { after: "p1" } } });
    await expect(queue.retry("rep")).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_ILLEGAL_TRANSITION",
      remedy: "retry p1 first, and retry rep when p1 is COMPLETED",
    });
    broken = false;
    expect(await queue.resubmit()).toBe(2);
    await pass(0);
    await expect(queue.retry("mail")).rejects.toMatchObject({ details: { after: "rep" } });
    expect(await queue.retry("rep", "the parts are there")).toMatchObject({ state: "PENDING", error: null });
    await pass(0);
    await queue.retry("mail");
    await pass(0);
    expect(await queue.counts()).toMatchObject({ COMPLETED: 4, CANCELLED: 0 });
    expect(await queue.submit("report", null, { key: "report" })).toMatchObject({
      fresh: false,
      id: "rep",
      result: "done",
    });
    const events = (await queue.history("rep")).map(({ event }) => event);
    expect(events).toEqual(["submitted", "cancelled", "requeued", "claimed", "started", "completed"]);
    const before = await queue.list();
    await store.rebuild();
    expect(await queue.list()).toEqual(before);
  });

  test("one whose end was asked for is not retried, and the remedy says who keeps its key", async () => {
    const { queue } = await open();
    const { id } = await queue.submit("job", null, { key: "daily" });
    await queue.cancel(id, "not wanted");
    await expect(queue.retry(id)).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_ILLEGAL_TRANSITION",
      remedy: 'submit it again, as a new order, if it is still wanted, under another key: it keeps "daily"',
    });
  });

  test("a ring, and one that waits for nobody, are refused", async () => {
    const { queue } = await open();
    const ring = queue.submitAll([
      { kind: "job", id: "a", after: ["b"] },
      { kind: "job", id: "b", after: ["a"] },
    ]);
    await expect(ring).rejects.toMatchObject({ code: "CUTOVER_QUEUE_CYCLE" });
    await expect(queue.submit("job", null, { after: ["nobody"] })).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_UNKNOWN_ORDER",
    });
    expect((await queue.counts()).PENDING).toBe(0);
  });
});

test("a key counts for as long as it was given, then a new order takes it", async () => {
  const { queue, pass } = await open({ poll: "1m" });
  const options = { key: "daily", keyFor: "1h" } as const;
  const first = await queue.submit("job", null, options);
  await pass(3_599_000);
  expect(await queue.submit("job", null, options)).toMatchObject({ id: first.id, fresh: false });
  await pass(1_000);
  expect(await queue.submit("job", null, options)).toMatchObject({ fresh: true });
  await expect(queue.submit("job", null, { keyFor: "1h" })).rejects.toMatchObject({ place: "keyFor" });
});

test("what the submitter lets travel along reaches the work", async () => {
  const { queue, pass } = await open();
  queue.work("job", ({ carrier }) => carrier);
  const { id } = await queue.submit("job", null, { carrier: { traceparent: "00-1-2-01" } });
  await pass(0);
  expect((await queue.get(id))?.result).toEqual({ traceparent: "00-1-2-01" });
});

describe("cancelling", () => {
  test("only what waits: what was claimed goes on undisturbed", async () => {
    const { queue, pass } = await open({ slots: 1 });
    const door = gate<string>();
    queue.work("job", door.work);
    const running = await queue.submit("job");
    const waiting = await queue.submit("job");
    await pass(0);
    await expect(queue.cancel(running.id, "back", { onlyWaiting: true })).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_ILLEGAL_TRANSITION",
      details: { state: "RUNNING" },
    });
    expect(await queue.cancel(waiting.id, "back", { onlyWaiting: true })).toMatchObject({
      state: "CANCELLED",
    });
    // Only one of two is told that it took the order away.
    await expect(queue.cancel(waiting.id, "again", { onlyWaiting: true })).rejects.toMatchObject({
      details: { state: "CANCELLED" },
    });
    await expect(queue.retry(running.id)).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_ILLEGAL_TRANSITION",
      details: { state: "RUNNING", event: "requeued" },
    });
    door.finish("done");
    await pass(0);
    expect(await queue.get(running.id)).toMatchObject({ state: "COMPLETED", cancelRequested: false });
  });

  test("many that wait: what was claimed since it was looked at goes on undisturbed", async () => {
    const opened = await open({ slots: 2 });
    const { queue, store, pass } = opened;
    const finish = Promise.withResolvers<null>();
    queue.work("job", () => finish.promise);
    await queue.pause();
    const [first, next, last] = await queue.submitAll(["a", "b", "c"].map((id) => ({ kind: "job", id })));
    const claimedBetween = replacing(store, (own) => ({
      list: async (query) => {
        const page = await own.list(query);
        await queue.resume();
        await settle();
        return page;
      },
    }));
    const asking = await second({ ...opened, store: claimedBetween });
    expect(await asking.cancelAll({ reason: "only those that wait", states: ["PENDING"] })).toBe(1);
    expect(await queue.get(last?.id ?? "")).toMatchObject({ state: "CANCELLED" });
    finish.resolve(null);
    await pass(0);
    for (const order of [first, next])
      expect(await queue.get(order?.id ?? "")).toMatchObject({ state: "COMPLETED", cancelRequested: false });
  });

  test("at the moment of a claim it is either claimed or cancelled, whichever is first", async () => {
    const { queue, pass } = await open({ slots: 50 });
    const ran = new Set<string>();
    queue.work("job", ({ id }) => void ran.add(id));
    const submitted = await queue.submitAll(Array.from({ length: 100 }, () => ({ kind: "job" })));
    const cancelled = new Set<string>();
    for (const { id } of submitted.toReversed()) {
      await queue.cancel(id, "back", { onlyWaiting: true }).then(
        () => cancelled.add(id),
        () => {},
      );
    }
    await pass(1_000);
    expect(cancelled.size).toBeGreaterThan(0);
    expect(ran.size + cancelled.size).toBe(100);
    for (const id of ran) expect(cancelled.has(id)).toBe(false);
  });

  test("what completed between the look at it and the mark is refused like what was finished before", async () => {
    const opened = await open();
    const { queue, store } = opened;
    const door = gate<null>();
    queue.work("job", door.work);
    const late: typeof store.orders = {
      ...store.orders,
      requestCancel: async (id, reason) => {
        door.finish(null);
        await queue.waitFor(id);
        return store.orders.requestCancel(id, reason);
      },
    };
    const asks = await second({ ...opened, store: { ...store, orders: late } }, { workerId: "asks" });
    const { id } = await queue.submit("job");
    await opened.pass(0);
    await expect(asks.cancel(id, "not wanted")).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_ILLEGAL_TRANSITION",
      details: { id, state: "COMPLETED", event: "cancelled" },
    });
    await queue.submit("job");
    await opened.pass(0);
    expect(await asks.cancelAll({ reason: "not wanted" })).toBe(0);
    expect((await queue.counts()).COMPLETED).toBe(2);
  });

  test("all of a kind, waiting and running", async () => {
    const { queue, pass } = await open({ slots: 2 });
    const door = gate<null>();
    queue.work("job", door.work);
    await queue.submitAll(Array.from({ length: 700 }, () => ({ kind: "job" })));
    await queue.submit("other");
    await pass(0);
    expect(await queue.cancelAll({ kind: "job", reason: "not wanted" })).toBe(700);
    door.finish(null);
    door.finish(null);
    await pass(0);
    expect(await queue.counts()).toMatchObject({ CANCELLED: 700, PENDING: 1, RUNNING: 0 });
    await expect(queue.cancelAll({ reason: "x", states: ["COMPLETED"] })).rejects.toMatchObject({
      place: "states",
    });
  });
});

test("dead letters are listed and run again in one go, those that are meant", async () => {
  const { queue, pass } = await open({ slots: 10 });
  let healthy = false;
  queue.work<number>("job", ({ payload }) => {
    if (!healthy) throw Object.assign(new Error("no"), { code: payload % 2 === 0 ? "EACCES" : "ENOENT" });
    return payload;
  });
  queue.work("other", () => {
    throw fatal("always");
  });
  await queue.submitAll(Array.from({ length: 6 }, (_, n) => ({ kind: "job", payload: n })));
  const other = await queue.submit("other");
  await pass(0);
  expect(await queue.deadLetters()).toHaveLength(7);
  const page = await queue.deadLetters({ kind: "job", limit: 4 });
  expect(page).toHaveLength(4);
  expect(await queue.deadLetters({ kind: "job", after: page.at(-1)?.id ?? "" })).toHaveLength(2);

  healthy = true;
  expect(await queue.resubmit({ kind: "job", code: "EACCES" })).toBe(3);
  await pass(0);
  expect(await queue.counts()).toMatchObject({ COMPLETED: 3, FAILED: 4 });
  const left = await queue.deadLetters({ kind: "job" });
  expect(await queue.resubmit({ ids: left.slice(0, 2).map(({ id }) => id), reason: "mended" })).toBe(2);
  await pass(0);
  expect((await queue.timeline(left[0]?.id ?? "")).find(({ event }) => event === "requeued")?.note).toBe(
    "mended",
  );
  expect(await queue.resubmit({ kind: "job", limit: 1 })).toBe(1);
  await pass(0);
  expect((await queue.deadLetters()).map(({ id }) => id)).toEqual([other.id]);
  await expect(queue.resubmit({ ids: ["nobody"] })).rejects.toMatchObject({
    code: "CUTOVER_QUEUE_UNKNOWN_ORDER",
  });
});

describe("many workers of one queue", () => {
  test("a pause holds for all of them and for those that come later", async () => {
    const opened = await open({ workerId: "first" });
    const { queue, pass } = opened;
    const other = await second(opened);
    queue.work("job", () => "first");
    other.work("job", () => "second");
    await pass(0);
    await other.pause("the mail server is down");
    const { id } = await queue.submit("job");
    await pass(5_000);
    const third = await second(opened, { workerId: "third" });
    third.work("job", () => "third");
    await pass(5_000);
    expect((await queue.get(id))?.state).toBe("PENDING");
    expect((await third.health()).reasons.map(({ code }) => code)).toEqual(["paused"]);
    await queue.resume();
    await pass(1_000);
    expect((await queue.get(id))?.state).toBe("COMPLETED");
  });

  test("one asks for the end of what runs on another, which nobody told it of", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cutover-two-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "work.db");
    const options = { poll: "50ms", stagger: 0, grace: "5s" } as const;
    // Two stores on one file hear nothing of each other, as in two processes.
    const one = await openSqliteStore({ path, clock: systemClock });
    await using busy = await openQueue({ store: one }, { ...options, workerId: "one" });
    await using asks = await openQueue(`sqlite:${path}`, { ...options, workerId: "two" });
    const started = Promise.withResolvers<void>();
    busy.work("job", (_, { signal }) => {
      started.resolve();
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const { id } = await asks.submit("job");
    await started.promise;
    expect(await asks.cancel(id, "not wanted")).toMatchObject({ state: "RUNNING", cancelRequested: true });
    expect(await asks.waitFor(id, { timeout: "20s" })).toMatchObject({ state: "CANCELLED" });
    await busy.stop();
    await one.close();
  }, 30_000);

  test.each([
    ["returns", () => "done"],
    [
      "fails and would be tried again",
      () => {
        throw new Error("not now");
      },
    ],
    [
      "fails for good",
      () => {
        throw fatal(new Error("never"));
      },
    ],
  ])(
    "work that %s after its end was asked for, before its worker heard of that, is cancelled",
    async (_, end) => {
      const folder = mkdtempSync(join(tmpdir(), "cutover-unheard-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const path = join(folder, "work.db");
      // Two stores on one file hear nothing of each other, as in two processes; no poll comes to tell.
      const options = { poll: "1h", stagger: 0 } as const;
      const one = await openSqliteStore({ path, clock: systemClock });
      await using busy = await openQueue({ store: one }, { ...options, workerId: "one" });
      await using asks = await openQueue(`sqlite:${path}`, { ...options, workerId: "two" });
      const door = gate<null>();
      busy.work("job", () => door.work().then(end));
      const { id } = await busy.submit("job");
      await expect.poll(async () => (await asks.get(id))?.state).toBe("RUNNING");
      expect(await asks.cancel(id, "not wanted")).toMatchObject({ state: "RUNNING", cancelRequested: true });
      door.finish(null);
      expect(await busy.waitFor(id, { timeout: "20s" })).toMatchObject({ state: "CANCELLED", result: null });
      await busy.stop();
      await one.close();
    },
    30_000,
  );

  test("everything a dead worker had begun is taken up in one look, however much it was", async () => {
    const opened = await open({
      slots: 1_000,
      workerId: workerName().replace(/\d+:\d+$/, "1:1"),
      claimBatch: 500,
    });
    const { queue, store, clock, pass } = opened;
    const door = gate<null>();
    queue.work("job", door.work);
    await queue.submitAll(Array.from({ length: 600 }, () => ({ kind: "job" })));
    await pass(0);
    expect((await queue.counts()).RUNNING).toBe(600);
    await queue.pause();
    const begin = performance.now();
    const heir = await openQueue({ store }, { clock, stagger: 0, workerId: "heir" });
    // One look at all processes of the machine takes milliseconds; one for each order would take many seconds.
    expect(performance.now() - begin).toBeLessThan(5_000);
    expect(heir.recovered).toMatchObject({ lost: 600, orphansEnded: 0 });
    for (let i = 0; i < 600; i++) door.finish(null);
    await pass(0);
    expect((await queue.metrics()).late).toBe(600);
    expect(await heir.counts()).toMatchObject({ RUNNING: 0, COMPLETED: 0 });
    await heir.stop();
  });

  test("one process may serve several queues: it is there for each of them until that one stops", async () => {
    const opened = await open({ workerId: "one" });
    const { queue, store, pass } = opened;
    const mail = await second(opened, { name: "mail", workerId: "one" });
    const post = await second(opened, { name: "post", workerId: "one", tags: ["eu"] });
    for (const each of [queue, mail, post]) each.work("job", () => null);
    await pass(0);
    const ids = (of: typeof queue): Promise<readonly string[]> =>
      of.workers().then((workers) => workers.map(({ id }) => id));
    expect([await ids(queue), await ids(mail), await ids(post)]).toEqual([["one"], ["one"], ["one"]]);
    await mail.stop();
    expect([await ids(queue), await listWorkers(store, "mail"), await ids(post)]).toEqual([
      ["one"],
      [],
      ["one"],
    ]);
  });

  test("an order too large for the submitter's machine is taken where a larger worker was seen", async () => {
    const opened = await open({ slots: 2, workerId: "small" });
    const { queue, pass } = opened;
    queue.work("job", () => "small");
    await pass(0);
    await expect(queue.submit("job", null, { needs: { slots: 8, memory: 1 } })).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_TOO_LARGE",
    });
    const large = await second(opened, { slots: 16, workerId: "large" });
    large.work("job", () => "large");
    await pass(0);
    const { id } = await queue.submit("job", null, { needs: { slots: 8, memory: 1 } });
    await pass(2_000);
    expect(await queue.get(id)).toMatchObject({ result: "large", worker: "large" });
  });
});

describe("submit within the caller's transaction", () => {
  test("the order is there when it commits and never was when it does not", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cutover-within-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "work.db");
    await using queue = await openQueue(`sqlite:${path}`, { poll: "20ms", stagger: 0 });
    using mine = new DatabaseSync(path);
    mine.exec("PRAGMA busy_timeout = 5000; CREATE TABLE invoices (id INTEGER)");
    mine.exec("BEGIN IMMEDIATE; INSERT INTO invoices VALUES (1)");
    const lost = await queue.submitWithin(mine, "send", { invoice: 1 });
    mine.exec("ROLLBACK");
    mine.exec("BEGIN IMMEDIATE; INSERT INTO invoices VALUES (2)");
    const kept = await queue.submitAllWithin(mine, [
      { kind: "send", payload: { invoice: 2 }, key: "two" },
      { kind: "send", payload: { invoice: 2 }, key: "two" },
    ]);
    mine.exec("COMMIT");
    expect(await queue.get(lost.id)).toBe(undefined);
    expect(await queue.get(kept[0]?.id ?? "")).toMatchObject({ state: "PENDING", payload: { invoice: 2 } });
    for (const [key, outcome] of [
      ["one", { state: "CANCELLED" }],
      // Its key is known, so it is dropped when it is taken up.
      ["two", { code: "CUTOVER_QUEUE_UNKNOWN_ORDER" }],
    ] as const) {
      mine.exec("BEGIN");
      const { id } = await queue.submitWithin(mine, "send", null, { key });
      mine.exec("COMMIT");
      const cancelling = queue.cancel(id, "not wanted", { onlyWaiting: true });
      expect(await cancelling.catch((error: unknown) => error)).toMatchObject(outcome);
    }
    queue.work<{ invoice: number }>("send", ({ payload }) => payload.invoice);
    expect(await queue.waitFor(kept[0]?.id ?? "", { timeout: "20s" })).toMatchObject({ result: 2 });
    expect(await queue.counts()).toMatchObject({ COMPLETED: 1, CANCELLED: 1, PENDING: 0 });
    mine.exec("BEGIN");
    const last = await queue.submitWithin(mine, "send", { invoice: 3 });
    mine.exec("COMMIT");
    await queue.drain({ timeout: "20s" }); // it is part of the queue, though nobody took it up yet
    expect(await queue.get(last.id)).toMatchObject({ result: 3 });
    await expect(queue.submitWithin(mine, "")).rejects.toMatchObject({ place: "kind" });
    const invalid = { code: "CUTOVER_QUEUE_INVALID" };
    await expect(queue.submitWithin(mine, "send")).rejects.toMatchObject(invalid); // in no transaction
    using another = new DatabaseSync(join(folder, "another.db"));
    another.exec("BEGIN");
    const strange = { ...invalid, message: expect.stringMatching(/store, found one to .*another\.db$/) };
    await expect(queue.submitWithin(another, "send")).rejects.toMatchObject(strange);
    // Some connections tell nothing of where they lead; none of them leads into another queue.
    const store = await openSqliteStore({ path: join(folder, "other-queue.db"), clock: systemClock });
    onTestFinished(() => store.close());
    using silent = new DatabaseSync(join(folder, "other-queue.db"));
    silent.exec("BEGIN");
    const untold = { prepare: (sql: string) => silent.prepare(sql) };
    const led = { ...invalid, message: expect.stringMatching(/found one to .*other-queue\.db$/) };
    await expect(queue.submitWithin(untold, "send")).rejects.toMatchObject(led);
    using unnamed = new DatabaseSync(":memory:");
    unnamed.exec("BEGIN");
    const nowhere = { ...invalid, message: expect.stringContaining("found one to a database in memory") };
    await expect(queue.submitWithin(unnamed, "send")).rejects.toMatchObject(nowhere);
    const closed = new DatabaseSync(path);
    closed.close();
    await expect(queue.submitWithin(closed, "send")).rejects.toMatchObject(invalid);
    expect(await queue.counts()).toMatchObject({ COMPLETED: 2, PENDING: 0 });
  }, 30_000);
});

describe("finished orders", () => {
  test("are removed when they are older than asked, their events stay", async () => {
    const { queue, store, pass } = await open({ slots: 10, poll: "1m" });
    queue.work("job", () => null);
    const [old] = await queue.submitAll(Array.from({ length: 1_200 }, () => ({ kind: "job" })));
    await pass(3_600_000);
    await queue.submit("job");
    await pass(0);
    const events = await store.events.count();
    expect(await queue.prune({ olderThan: "30m" })).toBe(1_200);
    expect(await queue.counts()).toMatchObject({ COMPLETED: 1 });
    expect(await queue.get(old?.id ?? "")).toBe(undefined);
    expect(await store.events.count()).toBe(events);
    const gone = {
      code: "CUTOVER_QUEUE_UNKNOWN_ORDER",
      remedy: expect.stringMatching(/was pruned is gone .* events stay in the audit log/),
    };
    const id = old?.id ?? "";
    await expect(queue.history(id)).rejects.toMatchObject(gone);
    await expect(queue.timeline(id)).rejects.toMatchObject(gone);
    await expect(queue.submit("job", null, { after: [id] })).rejects.toMatchObject(gone);
  });

  test("go by themselves once they were kept as long as the queue was told", async () => {
    const { queue, pass } = await open({ slots: 10, keep: "1h", poll: "1m" });
    queue.work("job", () => null);
    await queue.submitAll(Array.from({ length: 20 }, () => ({ kind: "job" })));
    await pass(3_500_000);
    expect((await queue.counts()).COMPLETED).toBe(20);
    await pass(200_000);
    expect((await queue.counts()).COMPLETED).toBe(0);
  });
});

test("what waits too long is told by health and metrics", async () => {
  const { queue, pass } = await open({ ageLimit: "1m" });
  await queue.submit("nobody-does-this");
  await pass(60_000);
  expect((await queue.metrics()).ageMs).toBe(60_000);
  expect((await queue.health()).reasons.map(({ code }) => code)).toEqual(["no-worker", "age", "no-handlers"]);
  await settle();
});

test("history tells what was set", async () => {
  const { queue, pass } = await open();
  queue.work("job", () => 5);
  const { id } = await queue.submit("job", { n: 1 });
  await pass(0);
  const history = await queue.history(id);
  expect(history.map(({ event }) => event)).toEqual(["submitted", "claimed", "started", "completed"]);
  expect(history[0]?.data).toMatchObject({ payload: { n: 1 } });
  expect(history[3]?.data).toMatchObject({ result: 5 });
});

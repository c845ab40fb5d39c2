import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { CutoverError, setFaultHandler, silentLog } from "../core/index.ts";
import { openSqliteStore, type Store } from "../store/index.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { Meter } from "./metrics.ts";
import { Schedules } from "./schedule.ts";
import { type QueueOptions, queueSettings } from "./settings.ts";
import { newOrder } from "./submission.ts";

interface World {
  readonly clock: ManualClock;
  readonly store: Store;
  /** One more worker of the queue, with a memory of its own. */
  readonly worker: (options?: QueueOptions) => Schedules;
  /** Keys and payloads of all orders there are. */
  readonly orders: () => Promise<readonly string[]>;
}

/** Noon of the first day of 2026, a store in memory. */
async function open(): Promise<World> {
  const clock = new ManualClock(Date.UTC(2026, 0, 1, 12));
  const store = await openSqliteStore({ path: ":memory:", clock });
  onTestFinished(() => store.close());
  return {
    clock,
    store,
    worker(options = {}) {
      const settings = queueSettings({ clock, poll: "1s", ...options });
      const context = { settings, store, worker: "one", meter: new Meter(clock) };
      return new Schedules(context as never, (submission) =>
        store.orders.submit([newOrder(submission, settings, clock.now())], { depthLimit: settings.depth }),
      );
    },
    async orders() {
      const all = await store.orders.list({ queue: "default", limit: 1_000 });
      return all.map(({ uniqueKey, payload }) => `${uniqueKey} ${JSON.stringify(payload)}`).toSorted();
    },
  };
}

const hour = 3_600_000;
const at = (iso: string): number => Date.parse(iso);

afterEach(() => setFaultHandler(undefined));

describe("a schedule", () => {
  test("submits one order for each of its times, due at that time", async () => {
    const { clock, store, worker, orders } = await open();
    const schedules = worker();
    const made = await schedules.set(
      "nightly",
      { cron: "0 3 * * *" },
      "report",
      { of: "day" },
      { retries: 7 },
    );
    expect(made).toEqual({
      name: "nightly",
      queue: "default",
      when: "0 3 * * *",
      timezone: "UTC",
      order: { kind: "report", payload: { of: "day" }, retries: 7 },
      nextAt: at("2026-01-02T03:00:00Z"),
    });
    expect(await schedules.list()).toEqual([made]);
    expect(await schedules.run()).toBe(made.nextAt);
    expect(await orders()).toEqual([]);
    await clock.advance(15 * hour);
    expect(await schedules.run()).toBe(at("2026-01-03T03:00:00Z"));
    expect(await schedules.run()).toBe(at("2026-01-03T03:00:00Z"));
    await clock.advance(24 * hour);
    await schedules.run();
    expect(await orders()).toEqual([
      'schedule:nightly:2026-01-02T03:00:00.000Z {"of":"day"}',
      'schedule:nightly:2026-01-03T03:00:00.000Z {"of":"day"}',
    ]);
    const [first] = await store.orders.list({ queue: "default", limit: 1 });
    expect(first).toMatchObject({ kind: "report", maxRetries: 7, runAt: made.nextAt });
  });

  test("whose times were missed by everybody makes up for the newest alone", async () => {
    const { clock, worker, orders } = await open();
    await worker().set("tick", { every: "10m" }, "note");
    await clock.advance(5 * hour + 61_000);
    const later = worker();
    expect(await later.run()).toBe(at("2026-01-01T17:10:00Z"));
    expect(await orders()).toEqual(["schedule:tick:2026-01-01T17:00:00.000Z null"]);
  });

  test("keeps its next time when a worker that starts says it again, and takes a new one with new times", async () => {
    const { clock, worker, store } = await open();
    const first = await worker().set("tick", { every: "10m" }, "note", { v: 1 });
    await clock.advance(11 * 60_000);
    const again = await worker().set("tick", { every: "10m" }, "note", { v: 2 });
    expect(again.nextAt).toBe(first.nextAt);
    expect(await store.orders.schedules("default")).toMatchObject([{ order: { payload: { v: 2 } } }]);
    const changed = await worker().set("tick", { every: "1h" }, "note", { v: 2 });
    expect(changed.nextAt).toBe(clock.now() + hour);
  });

  test("that was taken away submits nothing more; its orders stay", async () => {
    const { clock, worker, orders } = await open();
    const schedules = worker();
    await schedules.set("tick", { every: "10m" }, "note");
    await clock.advance(10 * 60_000);
    await schedules.run();
    expect(await schedules.remove("tick")).toBe(true);
    expect(await schedules.remove("tick")).toBe(false);
    await clock.advance(24 * hour);
    expect(await schedules.run()).toBeUndefined();
    expect(await orders()).toHaveLength(1);
  });
});

describe("many workers", () => {
  test("that look at the same moment submit one order between them", async () => {
    const { clock, worker, orders } = await open();
    const workers = Array.from({ length: 5 }, () => worker());
    await workers[0]?.set("tick", { every: "10m" }, "note");
    for (let round = 0; round < 3; round++) {
      await clock.advance(10 * 60_000);
      await Promise.all(workers.map((each) => each.run()));
    }
    expect(await orders()).toEqual([
      "schedule:tick:2026-01-01T12:10:00.000Z null",
      "schedule:tick:2026-01-01T12:20:00.000Z null",
      "schedule:tick:2026-01-01T12:30:00.000Z null",
    ]);
  });

  test.each(["queue.schedule.before-submit", "queue.schedule.after-submit", "queue.schedule.after-advance"])(
    "one of which ends at %s leave one order for that time",
    async (place) => {
      const { clock, store, worker, orders } = await open();
      const victim = worker();
      const heir = worker();
      await victim.set("tick", { every: "10m" }, "note");
      await heir.run();
      await clock.advance(10 * 60_000);
      setFaultHandler((name) => {
        if (name === place) throw new Error("the process ends here");
      });
      await victim.run();
      setFaultHandler(undefined);
      expect(await heir.run()).toBe(at("2026-01-01T12:20:00Z"));
      expect(await orders()).toEqual(["schedule:tick:2026-01-01T12:10:00.000Z null"]);
      expect(await store.orders.schedules("default")).toMatchObject([{ nextAt: at("2026-01-01T12:20:00Z") }]);
    },
  );

  test("hear of a schedule that another one set within a poll", async () => {
    const { clock, worker, orders } = await open();
    const [here, there] = [worker(), worker()];
    expect(await here.run()).toBeUndefined();
    await there.set("tick", { every: "2s" }, "note");
    await clock.advance(999);
    expect(await here.run()).toBeUndefined();
    await clock.advance(1);
    expect(await here.run()).toBe(at("2026-01-01T12:00:02Z"));
    await clock.advance(1_000);
    await here.run();
    expect(await orders()).toHaveLength(1);
  });
});

test("an order that is refused is tried again at the next poll, and holds up no other schedule", async () => {
  const { clock, worker, orders } = await open();
  const told: unknown[] = [];
  const log = { ...silentLog, warn: (_: string, data: unknown) => told.push(data) };
  const full = worker({ depth: 1, log });
  await full.set("a", { every: "10m" }, "note", "a");
  await full.set("b", { every: "10m" }, "note", "b");
  await clock.advance(10 * 60_000);
  expect(await full.run()).toBe(clock.now() + 1_000);
  expect(await orders()).toHaveLength(1);
  expect(told).toMatchObject([{ schedule: "b", code: "CUTOVER_QUEUE_FULL" }]);
  await clock.advance(1_000);
  await worker().run();
  expect(await orders()).toHaveLength(2);
});

test("looks that find nothing due cost no read of the store until the next poll", async () => {
  const { clock, store, worker } = await open();
  let reads = 0;
  const schedules = worker();
  const read = store.orders.schedules.bind(store.orders);
  Object.defineProperty(store.orders, "schedules", {
    value: (queue: string) => {
      reads++;
      return read(queue);
    },
  });
  for (let i = 0; i < 100; i++) await schedules.run();
  expect(reads).toBe(1);
  await clock.advance(1_000);
  await schedules.run();
  expect(reads).toBe(2);
});

test("a stored schedule without a further time submits its order once and has ended then, also when orders are pruned", async () => {
  const { clock, store, worker, orders } = await open();
  const due = clock.now() + 2_000;
  const order = { kind: "note" };
  const when = new Date(due).toISOString().slice(0, 19);
  await store.orders.setSchedule("default", "launch", { when, timezone: "UTC", order, nextAt: due });
  await clock.advance(2_000);
  expect(await worker().run()).toBeUndefined();
  expect(await orders()).toEqual([`schedule:launch:${new Date(due).toISOString()} null`]);
  expect(await store.orders.schedules("default")).toEqual([]);
});

test("a schedule that is set while a look is under way is not late", async () => {
  const { clock, store, worker, orders } = await open();
  const schedules = worker({ poll: "30s" });
  const answer = Promise.withResolvers<void>();
  const read = store.orders.schedules.bind(store.orders);
  let held = true;
  Object.defineProperty(store.orders, "schedules", {
    value: async (queue: string) => {
      const found = await read(queue);
      const hold = held;
      held = false;
      if (hold) await answer.promise;
      return found;
    },
  });
  const look = schedules.run();
  await schedules.set("tick", { every: "2s" }, "note");
  answer.resolve();
  await look;
  expect(await schedules.run()).toBe(at("2026-01-01T12:00:02Z"));
  await clock.advance(2_000);
  await schedules.run();
  expect(await orders()).toEqual(["schedule:tick:2026-01-01T12:00:02.000Z null"]);
});

test("a look that the store refused is made again at once, not at the next poll", async () => {
  const { store, worker } = await open();
  const schedules = worker({ poll: "30s" });
  await worker().set("tick", { every: "2s" }, "note");
  const read = store.orders.schedules.bind(store.orders);
  const away = Promise.reject(new Error("away"));
  const answers = [() => away];
  Object.defineProperty(store.orders, "schedules", {
    value: (queue: string) => (answers.pop() ?? (() => read(queue)))(),
  });
  await expect(schedules.run()).rejects.toThrow("away");
  expect(await schedules.run()).toBe(at("2026-01-01T12:00:02Z"));
});

test.each([
  ["schedule", ["", { every: "1m" }, "note"]],
  ["schedule", ["a b", { every: "1m" }, "note"]],
  ["kind", ["n", { every: "1m" }, "4711"]],
  ["cron", ["n", { cron: "0 0 30 2 *" }, "note"]],
  ["timezone", ["n", { cron: "@daily", timezone: "Mars/Base" }, "note"]],
  ["key", ["n", { every: "1m" }, "note", null, { key: "k" }]],
  ["runAt", ["n", { every: "1m" }, "note", null, { runAt: 0 }]],
  ["work order", ["n", { every: "1m" }, "note", null, { retrys: 1 }]],
  ["retries", ["n", { every: "1m" }, "note", null, { retries: -1 }]],
  ["payload", ["n", { every: "1m" }, "note", () => 1]],
])("a schedule with a wrong %s is refused at the door: %j", async (field, given) => {
  const { worker, store } = await open();
  const schedules = worker();
  const refused = await (schedules.set.bind(schedules) as (...all: unknown[]) => Promise<unknown>)(
    ...given,
  ).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(CutoverError);
  expect(refused).toMatchObject({ code: "CUTOVER_QUEUE_INVALID", place: field });
  expect(await store.orders.schedules("default")).toEqual([]);
});

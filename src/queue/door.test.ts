import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { open } from "../../test/queue/manual-queue.ts";
import { openSqliteStore } from "../store/index.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { defineWorker, openQueue, type Queue } from "./index.ts";

/** What plain JavaScript may hand in. */
type Anything = Readonly<Record<string, (...given: readonly unknown[]) => Promise<unknown>>>;
const anything = (queue: Queue): Anything => queue as unknown as Anything;

class Settings {
  readonly priority = 5;
}
const said = new Map([["kind", "zz"]]);

describe("what is no plain object is refused where an object is expected, not taken for nothing", () => {
  test.each([
    ["options", "submit", ["k", 1, said]],
    ["options", "submit", ["k", 1, new Settings()]],
    ["options", "submit", ["k", 1, Object.create({ key: "inherited" })]],
    ["options", "submitWithin", [{}, "k", 1, said]],
    ["work order", "submitAll", [[said]]],
    ["needs", "submit", ["k", 1, { needs: new Set(["gpu"]) }]],
    ["needs", "submit", ["k", 1, { needs: [] }]],
    ["limits", "configure", [{ limits: new Map([["a", { concurrency: 1 }]]) }]],
    ["weights", "configure", [{ weights: new Map([["a", 1]]) }]],
    ["limits.a", "configure", [{ limits: { a: new Map([["concurrency", 1]]) } }]],
    ["list", "list", [[]]],
    ["resubmit", "resubmit", [said]],
    ["deadLetters", "deadLetters", [said]],
    ["cancelAll", "cancelAll", [said]],
    ["recoverFromAudit", "recoverFromAudit", [new Map([["since", "1h"]])]],
    ["options", "schedule", ["n", { every: "1m" }, "k", null, 7]],
    ["options", "schedule", ["n", { every: "1m" }, "k", null, said]],
    ["options", "schedule", ["n", { every: "1m" }, "k", null, null]],
    ["when", "schedule", ["n", new Map([["every", "1m"]]), "k"]],
    ["wait", "drain", [new Map([["timeout", "1s"]])]],
  ])("%s of %s: %j", async (place, call, given) => {
    const { queue } = await open();
    await expect(anything(queue)[call]?.(...given)).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_INVALID",
      place,
    });
    expect((await queue.counts()).PENDING).toBe(0);
    expect(await queue.schedules()).toEqual([]);
  });

  test.each([[new Map([["slots", 9]])], [new Settings()], [{ backoff: [] }], [{ memory: new Map() }]])(
    "the options of openQueue and defineWorker: %j",
    async (options) => {
      const refused = { code: "CUTOVER_QUEUE_INVALID" };
      await expect(openQueue("sqlite::memory:", options as never)).rejects.toMatchObject(refused);
      const worker = Object.assign(options, { kinds: { k: () => null } });
      expect(() => defineWorker(worker as never)).toThrow(expect.objectContaining(refused));
    },
  );

  test("the remedy says what to do with a Map; plain objects of another realm are taken", async () => {
    const { queue } = await open();
    await expect(anything(queue)["resubmit"]?.(said)).rejects.toMatchObject({
      message: expect.stringContaining("an instance of Map") as string,
      remedy: expect.stringContaining("Object.fromEntries") as string,
    });
    const elsewhere = runInNewContext("({ priority: 5, needs: { tags: [] } })") as { priority: number };
    expect((await queue.submit("k", null, elsewhere)).priority).toBe(5);
    const bare = Object.assign(Object.create(null) as object, { priority: 6 });
    expect((await queue.submit("k", null, bare)).priority).toBe(6);
  });
});

test.each([
  ["kind", "submit", ["k", 1, { kind: "other" }], "arguments of their own"],
  ["payload", "submit", ["k", undefined, { payload: { n: 1 } }], "arguments of their own"],
  ["payload", "schedule", ["n", { every: "1m" }, "k", null, { payload: 1 }], "arguments of their own"],
  ["submitAll", "submitAll", [[{ kind: "k" }], { priority: 5 }], "in each order"],
  ["submitAllWithin", "submitAllWithin", [{}, [{ kind: "k" }], { priority: 5 }], "in each order"],
  ["queue", "recoverFromAudit", [{ since: "1h", queue: "other" }], "open the other queue"],
])("what would be passed by is refused: %s of %s", async (place, call, given, remedy) => {
  const { queue } = await open();
  await expect(anything(queue)[call]?.(...given)).rejects.toMatchObject({
    code: "CUTOVER_QUEUE_INVALID",
    place,
    remedy: expect.stringContaining(remedy) as string,
  });
  expect((await queue.counts()).PENDING).toBe(0);
});

test("an address with several hosts is refused for them, whether a schema is named or not", async () => {
  for (const options of [{}, { schema: "jobs" }])
    await expect(openQueue("postgres://app@a:5432,b:5432/db", options)).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      message: /one host/,
    });
});

test.each(["sqlite://work.db", "sqlite:work.db?schema=x"])(
  "%s makes no file: it is no path",
  async (where) => {
    await expect(openQueue(where)).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      remedy: expect.stringContaining("write sqlite:work.db") as string,
    });
  },
);

test("options behind the handler of work() are refused, with where they are said here", async () => {
  const { queue } = await open();
  const work = queue.work.bind(queue) as (...given: readonly unknown[]) => void;
  expect(() => work("k", () => null, { concurrency: 3 })).toThrow(
    expect.objectContaining({
      code: "CUTOVER_QUEUE_INVALID",
      place: "work",
      remedy: expect.stringContaining("slots of openQueue") as string,
    }),
  );
  work("k", () => null, undefined);
});

test.each([
  ["a controller", new AbortController(), "controller.signal"],
  ["an object", {}, ""],
  ["null", null, ""],
])("a wait for %s in place of a signal is refused", async (_, signal, remedy) => {
  const { queue } = await open();
  const { id } = await queue.submit("k");
  for (const wait of [
    queue.waitFor(id, { signal: signal as never }),
    queue.drain({ signal: signal as never }),
  ])
    await expect(wait).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_INVALID",
      place: "signal",
      remedy: expect.stringContaining(remedy) as string,
    });
});

test.each([
  ["clock", {}],
  ["clock", Date],
  ["clock", null],
  ["log", () => {}],
  ["log", {}],
])("openQueue refuses a %s without its methods: %s", async (place, value) => {
  await expect(openQueue("sqlite::memory:", { [place]: value } as never)).rejects.toMatchObject({
    code: "CUTOVER_QUEUE_INVALID",
    place,
  });
});

test("the console is a log", async () => {
  await using queue = await openQueue("sqlite::memory:", { log: console as never });
  expect((await queue.counts()).PENDING).toBe(0);
});

test.each([
  ["runAt", 5_000],
  ["runAt", Math.floor(Date.UTC(2030, 0) / 1_000)],
  ["createdAt", Math.floor(Date.UTC(2020, 0) / 1_000)],
])("%s as a delay or in seconds is refused: %s", async (place, value) => {
  const { queue, clock } = await open();
  await expect(queue.submit("k", null, { [place]: value })).rejects.toMatchObject({
    code: "CUTOVER_QUEUE_INVALID",
    place,
    remedy: expect.stringContaining("Date.now() + 5_000") as string,
  });
  // Zero is no delay, and any date is a date.
  expect((await queue.submit("k", null, { runAt: 0 })).waits).toBe("room");
  expect((await queue.submit("k", null, { runAt: new Date(5_000) })).waits).toBe("room");
  expect((await queue.submit("k", null, { runAt: clock.now() + 5_000 })).waits).toBe("time");
});

test("on a clock that begins at 0 small times are times", async () => {
  const clock = new ManualClock(0);
  await using store = await openSqliteStore({ path: ":memory:", clock });
  await using queue = await openQueue({ store }, { clock });
  expect(await queue.submit("k", null, { runAt: 5_000 })).toMatchObject({ runAt: 5_000, waits: "time" });
});

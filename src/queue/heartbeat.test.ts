import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, type TestContext } from "vitest";
import { connectClient } from "../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../test/postgres/server.ts";
import { type Clock, silentLog, sleep, systemClock } from "../core/index.ts";
import {
  openPostgresStore,
  openStore,
  openSqliteStore,
  type OrderRecord,
  type Store,
} from "../store/index.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { Heartbeat } from "./heartbeat.ts";
import { openQueue } from "./index.ts";
import { queueSettings } from "./settings.ts";
import { newOrder } from "./submission.ts";

/** Long enough that a thread gets its turn in time on a machine that is busy with other things. */
const leaseMs = 2_500;

/** The thread of this test stands still, as it does under work that computes. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Orders of these timeouts, claimed by `worker`. */
async function claim(
  store: Store,
  worker: string,
  timeouts: readonly number[],
): Promise<readonly OrderRecord[]> {
  const settings = queueSettings({ name: "q", slots: 100 });
  const now = store.clock.now();
  await store.orders.submit(
    timeouts.map((timeout) => newOrder({ kind: "job", timeout, needs: { memory: 0 } }, settings, now)),
  );
  const capacity = { slots: 100, memory: 1e12, max: 100, kinds: ["job"], starts: ["job"], tags: [] };
  return store.orders.claim("q", worker, capacity, leaseMs);
}

/** Where a test says what is to be tidied up after it; tests side by side each have one of their own. */
type Ending = TestContext["onTestFinished"];

function watch(
  store: Store,
  given: { clock?: Clock; lease?: number; told?: string[]; ending?: Ending } = {},
): Heartbeat {
  const settings = queueSettings({
    name: "q",
    lease: given.lease ?? leaseMs,
    grace: 100,
    clock: given.clock ?? systemClock,
    log: { ...silentLog, warn: (_, data) => given.told?.push(JSON.stringify(data)) },
  });
  const heartbeat = new Heartbeat({ settings, store, worker: "one" } as never);
  (given.ending ?? onTestFinished)(() => heartbeat.stop());
  return heartbeat;
}

const orphans = async (store: Store): Promise<readonly string[]> =>
  (await store.orders.orphans("q")).map(({ id }) => id).toSorted();

async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !done(); i++) await sleep(systemClock, 50);
  expect(done()).toBe(true);
}

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
}, 90_000);
afterAll(() => server.stop());

const stores: readonly (readonly [string, (ending: Ending) => Promise<Store>])[] = [
  [
    "SQLite",
    async (ending) => {
      const folder = mkdtempSync(join(tmpdir(), "cutover-heartbeat-"));
      const store = await openSqliteStore({ path: join(folder, "work.db"), clock: systemClock });
      ending(async () => {
        await store.close();
        rmSync(folder, { recursive: true });
      });
      return store;
    },
  ],
  [
    "PostgreSQL",
    async (ending) => {
      const store = await openPostgresStore({ url: server.url(), schema: server.schema() });
      ending(() => store.close());
      return store;
    },
  ],
];

describe.each(stores)("on %s", (_, open) => {
  test("what a worker holds is kept for it while its thread stands still, and nothing else", async () => {
    const store = await open(onTestFinished);
    const heartbeat = watch(store);
    const before = systemClock.monotonic();
    const [kept, alsoKept] = await claim(store, "one", [60_000, 60_000]);
    const [tooLong] = await claim(store, "one", [200]);
    const [ofAnother] = await claim(store, "two", [60_000]);
    heartbeat.beat(before);
    block(2 * leaseMs);
    const lost = new Set(await orphans(store));
    expect(lost).toEqual(new Set([tooLong?.id, ofAnother?.id]));
    expect(lost).not.toContain(kept?.id);
    expect(lost).not.toContain(alsoKept?.id);
    expect(systemClock.monotonic() - heartbeat.renewedAt).toBeLessThan(leaseMs);
    expect(heartbeat.trouble).toBeUndefined();
  });
});

// These only wait, so all do at once; above and below the thread of the tests stands still.
describe.concurrent.each(stores)("on %s", (_, open) => {
  test("a worker whose heartbeats come, or that holds nothing, is left alone by the thread", async ({
    expect,
    onTestFinished: ending,
  }) => {
    const store = await open(ending);
    const heartbeat = watch(store, { ending });
    const [order] = await claim(store, "one", [60_000]);
    for (let i = 0; i < 5; i++) {
      heartbeat.beat(systemClock.monotonic());
      await sleep(systemClock, leaseMs / 4);
    }
    heartbeat.idle();
    await sleep(systemClock, leaseMs);
    expect(heartbeat.renewedAt).toBe(Number.NEGATIVE_INFINITY);
    expect(await orphans(store)).toEqual([order?.id]);
  });

  test("a lease that ended before the thread came stays over, and nobody is told otherwise", async ({
    expect,
    onTestFinished: ending,
  }) => {
    const store = await open(ending);
    const heartbeat = watch(store, { ending });
    const [order] = await claim(store, "one", [60_000]);
    await sleep(systemClock, leaseMs + 100);
    heartbeat.beat(systemClock.monotonic() - 2 * leaseMs);
    await sleep(systemClock, leaseMs);
    expect(await orphans(store)).toEqual([order?.id]);
    expect(heartbeat.renewedAt).toBe(Number.NEGATIVE_INFINITY);
  });
});

test.concurrent(
  "what is in the hands of others was not renewed, and nobody is told that it was",
  async ({ expect, onTestFinished: ending }) => {
    const schema = server.schema();
    const store = await openPostgresStore({ url: server.url(), schema });
    ending(() => store.close());
    const heartbeat = watch(store, { ending });
    const orders = await claim(store, "one", [60_000, 60_000]);
    const other = await connectClient(server.url());
    ending(() => other.end());
    await other.query("BEGIN");
    // As a heartbeat of the queue that waits for its turn, orders in its hands.
    const locked = `SELECT 1 FROM "${schema}".orders WHERE id = $1 FOR NO KEY UPDATE`;
    await other.query(locked, [orders[0]?.id]);
    heartbeat.beat(systemClock.monotonic() - leaseMs / 2);
    await sleep(systemClock, leaseMs / 2);
    expect(heartbeat.renewedAt).toBe(Number.NEGATIVE_INFINITY);
    const ends = await Promise.all(
      orders.map(async ({ id }) => (await store.orders.get(id))?.leaseUntil ?? 0),
    );
    expect(ends[1]).toBeGreaterThan(ends[0] ?? 0);
    await other.query("COMMIT");
  },
);

test.concurrent.for(["PostgreSQL", "SQLite"])(
  "work that blocks its thread for two leases from its first line completes once on %s, though another worker looks for it",
  async (database, { expect, onTestFinished }) => {
    const folder = mkdtempSync(join(tmpdir(), "cutover-heartbeat-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const address =
      database === "SQLite"
        ? `sqlite:${join(folder, "work.db")}`
        : `${server.url()}?schema=${server.schema()}`;
    const store = await openStore(address);
    onTestFinished(() => store.close());
    const worker = new URL("../../test/queue/blocked-worker.ts", import.meta.url);
    const child = fork(worker, [address, `${leaseMs}ms`], { execArgv: [] });
    onTestFinished(() => void child.kill("SIGKILL"));
    const other = await openQueue({ store }, { slots: 4, stagger: 0, poll: "50ms", lease: leaseMs });
    onTestFinished(() => other.stop());
    const { id } = await other.submit("block", { ms: 2 * leaseMs }, { timeout: "1m" });
    const blocked = once(child, "message", { signal: AbortSignal.timeout(20_000) });
    await blocked;
    // Only now, so that the order went to the worker that blocks.
    let taken = 0;
    other.work("block", () => void taken++);
    expect(await other.waitFor(id, { timeout: "20s" })).toMatchObject({
      state: "COMPLETED",
      attempt: 1,
      fence: 1,
      result: 1,
    });
    expect(taken).toBe(0);
    const ended = once(child, "exit");
    child.send("stop");
    expect(await ended).toEqual([0, null]);
  },
);

test("a store that the thread cannot reach is told as trouble until it can", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cutover-heartbeat-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "away", "work.db");
  const told: string[] = [];
  const heartbeat = watch({ reach: { kind: "sqlite", path }, clock: systemClock } as Store, { told });
  heartbeat.beat(systemClock.monotonic() - leaseMs);
  await until(() => heartbeat.trouble !== undefined);
  expect(told).toEqual([JSON.stringify({ reason: heartbeat.trouble })]);
  expect(heartbeat.renewedAt).toBe(Number.NEGATIVE_INFINITY);
});

test.each([
  ["a store in memory", { reach: undefined, clock: systemClock }, {}],
  ["a clock that somebody moves", { reach: { kind: "sqlite", path: "x.db" } }, { clock: new ManualClock() }],
  ["a store whose clock is not the system's", { reach: { kind: "sqlite", path: "x.db" } }, {}],
  [
    "a lease too short for a thread",
    { reach: { kind: "sqlite", path: "x.db" }, clock: systemClock },
    { lease: 500 },
  ],
])("%s has no thread, and that is no trouble", async (_, store, options) => {
  const heartbeat = watch({ clock: new ManualClock(), ...store } as unknown as Store, options);
  heartbeat.beat(systemClock.monotonic() - 10_000);
  await sleep(systemClock, 300);
  expect(heartbeat.trouble).toBeUndefined();
  expect(heartbeat.renewedAt).toBe(Number.NEGATIVE_INFINITY);
});

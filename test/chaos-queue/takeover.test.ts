import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openQueue, type Queue } from "../../src/queue/index.ts";
import { openPostgresStore, openSqliteStore, type OrderRecord, type Store } from "../../src/store/index.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { postgresServer, type TestServer } from "../postgres/server.ts";
import { gate } from "../queue/manual-queue.ts";

// Two workers, each with a store of its own over the same orders, whose time moves only when told to. The first has a clock of
// its own that stands: it is a process that stands still, and goes on before any of its heartbeats does.

const leaseMs = 15_000;

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
}, 90_000);
afterAll(() => server.stop());

type Open = (clock: ManualClock) => Promise<Store>;

/** Opens stores over the same place, again and again. */
const places: readonly (readonly [string, () => Open])[] = [
  [
    "SQLite",
    () => {
      const folder = mkdtempSync(join(tmpdir(), "cutover-takeover-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      return (clock) => openSqliteStore({ path: join(folder, "work.db"), clock });
    },
  ],
  [
    "PostgreSQL",
    () => {
      const schema = server.schema();
      return (clock) => openPostgresStore({ url: server.url(), schema, clock });
    },
  ],
];

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(async () => await done(), { timeout: 20_000, interval: 2 }).toBe(true);
}

describe.each(places)("on %s", (_, newPlace) => {
  /** An order whose work is under way with a worker that stands still from then on. */
  async function standing(): Promise<{
    readonly id: string;
    /** The stores' time. */
    readonly clock: ManualClock;
    readonly first: Queue;
    /** That of the first worker's timers. */
    readonly own: ManualClock;
    readonly work: ReturnType<typeof gate<string>>;
    /** What the first one's work was told of its end. */
    readonly told: () => unknown;
    readonly next: (name: string) => Promise<Queue>;
    readonly look: () => Promise<OrderRecord | undefined>;
  }> {
    const open = newPlace();
    const clock = new ManualClock();
    const worker = async (workerId: string, own: ManualClock): Promise<Queue> => {
      const store = await open(clock);
      // With one slot, the first has no room for the order that it holds, however it hears that it waits again.
      const options = { workerId, clock: own, lease: leaseMs, stagger: 0, slots: 1 };
      const queue = await openQueue({ store }, options);
      onTestFinished(async () => {
        let stopped = false;
        const stopping = queue.stop({ wait: 0 }).finally(() => (stopped = true));
        // What still runs is given a time to end, by a clock that somebody has to move.
        await until(async () => {
          await own.advance(1_000);
          return stopped;
        });
        await stopping;
        await store.close();
      });
      return queue;
    };
    const own = new ManualClock();
    const first = await worker("first", own);
    const work = gate<string>();
    let signal: AbortSignal | undefined;
    first.work("job", (_order, tools) => {
      signal = tools.signal;
      return work.work();
    });
    const { id } = await first.submit("job");
    await until(() => work.started === 1);
    const next = (name: string): Promise<Queue> => worker(name, clock);
    const look = (): Promise<OrderRecord | undefined> => first.get(id);
    return { id, clock, first, own, work, told: () => signal?.reason as unknown, next, look };
  }

  test("a worker that comes back after its lease cannot record what it did: another one has the order", async () => {
    const { id, clock, first, work, next, look } = await standing();
    await clock.advance(leaseMs + 1);
    const second = await next("second");
    const again = gate<string>();
    second.work("job", again.work);
    await until(() => again.started === 1);
    expect(await look()).toMatchObject({ state: "RUNNING", worker: "second", fence: 2 });

    work.finish("by the first");
    await until(async () => (await first.metrics()).late === 1);
    expect(await look()).toMatchObject({ state: "RUNNING", worker: "second", fence: 2 });

    again.finish("by the second");
    expect(await second.waitFor(id)).toMatchObject({
      state: "COMPLETED",
      result: "by the second",
      fence: 2,
    });
    expect((await first.timeline(id)).map(({ event }) => event)).toEqual([
      "submitted",
      "claimed",
      "started",
      "lost",
      "retry-due",
      "claimed",
      "started",
      "completed",
    ]);
  });

  test("a worker that comes back after its lease hears with its next heartbeat that its claim is lost", async () => {
    const { clock, own, told, next, look } = await standing();
    await clock.advance(leaseMs + 1);
    expect((await next("second")).recovered.lost).toBe(1);
    expect(told()).toBeUndefined();
    await own.advance(leaseMs / 3);
    await until(() => told() !== undefined);
    expect(told()).toMatchObject({ code: "CUTOVER_LEASE_LOST" });
    expect(await look()).toMatchObject({ state: "WAITING_RETRY", fence: 1 });
  });

  test("nobody takes an order over before the end of its lease, and whoever looks after it does", async () => {
    const { clock, next, look } = await standing();
    await clock.advance(leaseMs - 1);
    expect((await next("one before")).recovered.lost).toBe(0);
    await clock.advance(1);
    expect((await next("the last moment")).recovered.lost).toBe(0);
    expect(await look()).toMatchObject({ state: "RUNNING", worker: "first", fence: 1 });
    await clock.advance(1);
    expect((await next("one after")).recovered.lost).toBe(1);
    expect(await look()).toMatchObject({ state: "WAITING_RETRY", fence: 1 });
  });
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "vitest";
import { openQueue, type Queue } from "../../src/queue/index.ts";
import { openProxy } from "../postgres/proxy.ts";
import { postgresServer, type TestServer } from "../postgres/server.ts";
import { type Book, type Lived, readBook } from "./book.ts";
import { lostForNothing, overtaken, togetherWrong } from "./overlap.ts";
import { leaseMs, limitConcurrency, type Plan, queueName, type Work } from "./plan.ts";
import { WorkerPool } from "./worker-pool.ts";

// The workers of the chaos, with nothing in their way but what the scene is about.

interface Scene {
  readonly queue: Queue;
  readonly book: () => Book;
  /** So many worker processes over this address, each for one order at a time. */
  readonly start: (workers: number, where: string) => WorkerPool;
  readonly submit: (works: readonly Work[]) => Promise<readonly string[]>;
}

/** Where a scene says what is to be tidied up after it: they are played side by side. */
type Ending = TestContext["onTestFinished"];

async function scene(where: string, ending: Ending): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), "cutover-scene-"));
  const queue = await openQueue(where, { name: queueName });
  const pools: WorkerPool[] = [];
  ending(async () => {
    await Promise.all(pools.map((pool) => pool.close(500)));
    await queue.stop();
    rmSync(folder, { recursive: true });
  });
  return {
    queue,
    book: () => readBook(folder),
    start(workers, at) {
      const store = at.startsWith("sqlite:") ? "sqlite" : "postgres";
      const rest = { orders: 0, seed: 1, mix: "all", forMs: 0, calmMs: 0, built: undefined } as const;
      const plan: Plan = { store, workers, ...rest };
      const pool = new WorkerPool(plan, at, folder, { name: `pool-${pools.length}-`, slots: 1 });
      pools.push(pool);
      return pool;
    },
    async submit(works) {
      const orders = works.map((work) => ({
        kind: "step",
        payload: { ...work },
        retries: 20,
        ...(work.limit === undefined ? {} : { limit: work.limit }),
      }));
      return (await queue.submitAll(orders)).map(({ id }) => id);
    },
  };
}

async function server(ending: Ending): Promise<TestServer> {
  const own = await postgresServer();
  ending(() => own.stop());
  return own;
}

const places: Readonly<Record<string, (ending: Ending) => Promise<string>>> = {
  SQLite(ending) {
    const folder = mkdtempSync(join(tmpdir(), "cutover-scene-"));
    ending(() => rmSync(folder, { recursive: true }));
    return Promise.resolve(`sqlite:${join(folder, "work.db")}`);
  },
  PostgreSQL: async (ending) => (await server(ending)).url(),
};

test.concurrent.for(Object.keys(places))(
  "processes on %s do no more of a limit key at a time than it allows, beside work that lasts two leases and is done once",
  async (place, { expect, onTestFinished: ending }) => {
    const where = (await places[place]?.(ending)) ?? "";
    const { queue, book, start, submit } = await scene(where, ending);
    await queue.configure({ limits: { "*": { concurrency: limitConcurrency } } });
    start(4, where);
    await expect.poll(async () => (await queue.workers()).length, { timeout: 30_000 }).toBe(4);
    const [long = ""] = await submit([{ n: 0, long: 1 }]);
    // For the other three.
    const limited = await submit(Array.from({ length: 20 }, (_, at) => ({ n: at + 1, limit: "key" })));
    await Promise.all(limited.map((id) => queue.waitFor(id, { timeout: "30s" })));
    expect(await queue.waitFor(long, { timeout: "30s" })).toMatchObject({ state: "COMPLETED", fence: 1 });

    const noted = book();
    expect(togetherWrong(noted)).toEqual([]);
    expect(meeting(noted.attempts.filter(({ limit }) => limit !== undefined))).toBe(true);
    const [only, ...more] = noted.attempts.filter(({ n }) => n === 0);
    expect(more).toEqual([]);
    expect((only?.end ?? 0) - (only?.begin ?? 0)).toBeGreaterThan(2 * leaseMs);
  },
);

/** Whether two processes had work at the same time: else a limit that each holds for itself would have done as well. */
const meeting = (attempts: readonly Lived[]): boolean =>
  attempts.some((one) =>
    attempts.some(
      (other) => one.process !== other.process && other.begin > one.begin && other.begin < one.end,
    ),
  );

test.concurrent(
  "a worker whose heartbeats do not arrive has ended its work when another one begins it",
  async ({ expect, onTestFinished: ending }) => {
    const own = await server(ending);
    const wire = await openProxy(own.port);
    ending(() => wire.close());
    const { queue, book, start, submit } = await scene(own.url(), ending);
    start(1, wire.url(own.url()));
    const [id = ""] = await submit([{ n: 0, long: 1 }]);
    await expect.poll(() => book().attempts.length, { timeout: 20_000 }).toBe(1);
    // Connections stay, and nothing that is sent comes to the server any more.
    wire.fate = () => "swallow";
    start(1, own.url());
    expect(await queue.waitFor(id, { timeout: "30s" })).toMatchObject({ state: "COMPLETED", fence: 2 });

    const noted = book();
    expect(togetherWrong(noted)).toEqual([]);
    expect(overtaken(noted)).toBe(0);
    const [first, second] = noted.attempts.toSorted((a, b) => a.fence - b.fence);
    expect(first?.how).toBe("CUTOVER_LEASE_LOST");
    // By the server's clock from the claim on, by the ledger's from the begin of the work.
    expect((second?.begin ?? 0) - (first?.begin ?? 0)).toBeGreaterThan(leaseMs - 500);
    expect(lostForNothing(noted, [])).toHaveLength(1);
  },
);

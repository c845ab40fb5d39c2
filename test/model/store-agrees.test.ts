import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import {
  openPostgresStore,
  openSqliteStore,
  type OrderChange,
  type OrderRecord,
  type Store,
} from "../../src/store/index.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { connectClient, type TestClient } from "../postgres/client.ts";
import { postgresServer } from "../postgres/server.ts";
import { newOrder } from "./shelf.ts";

// The model takes some answers of a store for granted that the shared rules do not give: which leases may be renewed, and
// which orders are without a worker.

const server = await postgresServer();
afterAll(() => server.stop());

const capacity = { slots: 1, memory: 1, max: 1, kinds: ["k"], starts: [], tags: [] };

const rescue = ({ id, fence }: OrderRecord): OrderChange => ({
  id,
  fence,
  from: ["PREPARING"],
  to: "WAITING_RETRY",
  event: "lost",
  leaseOver: true,
});

type Open = (clock: ManualClock, schema: string) => Promise<Store>;

const stores: readonly (readonly [string, Open])[] = [
  ["SQLite", (clock) => openSqliteStore({ path: ":memory:", clock })],
  ["PostgreSQL", (clock, schema) => openPostgresStore({ url: server.url(), schema, clock })],
];

describe.each(stores)("%s", (_, open) => {
  async function held(): Promise<{ clock: ManualClock; store: Store; order: OrderRecord }> {
    const clock = new ManualClock();
    const store = await open(clock, server.schema());
    onTestFinished(() => store.close());
    await store.orders.submit([newOrder("o1")]);
    const [order] = await store.orders.claim("q", "w", capacity, 1_000);
    if (order === undefined) throw new Error("nothing was claimed");
    return { clock, store, order };
  }

  test("a lease is renewed up to its last moment, and then no more, although nobody took the order", async () => {
    const { clock, store, order } = await held();
    await clock.advance(1_000);
    expect(await store.orders.orphans("q")).toEqual([]);
    expect(await store.orders.renew([order], 1_000)).toEqual([]);
    await clock.advance(1_001);
    expect(await store.orders.orphans("q")).toMatchObject([{ id: "o1" }]);
    expect(await store.orders.renew([order], 1_000)).toEqual(["o1"]);
    expect(await store.orders.orphans("q")).toMatchObject([{ id: "o1" }]);
  });

  test("a lease is renewed under the newest fence alone", async () => {
    const { store, order } = await held();
    const back = {
      id: "o1",
      fence: order.fence,
      from: ["PREPARING"],
      to: "PENDING",
      event: "released",
    } as const;
    await store.orders.change([back]);
    expect(await store.orders.renew([order], 1_000)).toEqual(["o1"]);
    const [again] = await store.orders.claim("q", "w", capacity, 1_000);
    expect(again?.fence).toBe(order.fence + 1);
    expect(await store.orders.renew([order], 1_000)).toEqual(["o1"]);
  });

  test("what is found without a worker was so all at once, however fast orders go on meanwhile", async () => {
    const clock = new ManualClock();
    const schema = server.schema();
    const store = await open(clock, schema);
    onTestFinished(() => store.close());
    const ids = Array.from({ length: 60 }, (_unused, at) => `o${at}`);
    await store.orders.submit(ids.map(newOrder));
    const many = { ...capacity, slots: 60, memory: 60, max: 60 };
    let running = true;
    const going = (async () => {
      while (running) {
        const claimed = await store.orders.claim("q", "w", many, 1_000);
        await store.orders.change(
          claimed.map(
            ({ id, fence }) =>
              ({ id, fence, from: ["PREPARING"], to: "PENDING", event: "released" }) as const,
          ),
        );
      }
    })();
    onTestFinished(async () => {
      running = false;
      await going;
    });
    for (let seen = 0, looks = 0; seen < 15 && looks < 2_000; looks++) {
      const found = await store.orders.orphans("q", ["w"]);
      // Otherwise a loop that never waits for anything outside would keep the other from running.
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (found.length === 0) continue;
      seen++;
      expect([...new Set(found.map(({ state }) => state))]).toEqual(["PREPARING"]);
      // All of them are claimed and released together.
      expect(new Set(found.map(({ fence }) => fence)).size).toBe(1);
    }
  });
});

test("PostgreSQL: a rescue waits for a renewal that is under way beside the chain, and sees it", async () => {
  const clock = new ManualClock();
  const schema = server.schema();
  const store = await openPostgresStore({ url: server.url(), schema, clock });
  onTestFinished(() => store.close());
  await store.orders.submit([newOrder("o1")]);
  const [order] = await store.orders.claim("q", "w", capacity, 1_000);
  if (order === undefined) throw new Error("nothing was claimed");
  const thread = await connectClient(server.url());
  onTestFinished(() => thread.end());
  await thread.query("BEGIN");
  await thread.query(`UPDATE ${schema}.orders SET lease_until = $1`, [clock.now() + 5_000]);
  await clock.advance(1_001);
  const taking = store.orders.change([rescue(order)]).then(
    () => "taken",
    (error: { code: string }) => error.code,
  );
  await waitsForLock(thread);
  await thread.query("COMMIT");
  expect(await taking).toBe("CUTOVER_LEASE_LOST");
});

/** Until somebody waits for this client's transaction. */
async function waitsForLock(client: TestClient): Promise<void> {
  for (let looks = 0; looks < 500; looks++) {
    const { rows } = await client.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    if (rows.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("nobody came to wait for the lock");
}

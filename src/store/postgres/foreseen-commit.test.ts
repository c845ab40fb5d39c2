import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { connectClient } from "../../../test/postgres/client.ts";
import { openProxy } from "../../../test/postgres/proxy.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { watchedDriver } from "../../../test/postgres/watched-driver.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { newOrder, starting } from "../../testing/store-contract/tools.ts";
import type { OrderChange, Store } from "../index.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

const one = { ...starting(5), max: 1 };
const claimOne = async (store: Store): Promise<string | undefined> =>
  (await store.orders.claim("q", "w", one, 60_000))[0]?.id;
const ended = (id: string): OrderChange => ({
  id,
  fence: 1,
  from: ["RUNNING"],
  to: "COMPLETED",
  event: "completed",
});
const better = newOrder("better", { priority: 5 });

interface Knowing {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly schema: string;
  readonly open: (more?: object) => Promise<Store>;
  /** Statements that were decided on what the store knew, since it was asked last. */
  readonly foreseen: () => number;
}

/** With a clock of its own, so that no difference of clocks keeps the store from going by what it knows. */
async function opened(more: object = {}): Promise<Knowing> {
  const [sent, schema, clock] = [[] as string[], server.schema(), new ManualClock()];
  const open = async (options: object = {}): Promise<Store> => {
    const store = await openPostgresStore({ url: server.url(), schema, clock, ...options });
    onTestFinished(() => store.close());
    return store;
  };
  const store = await open({ driver: await watchedDriver(sent), ...more });
  const foreseen = (): number => sent.splice(0).filter((sql) => sql.startsWith("WITH head AS")).length;
  return { store, clock, schema, open, foreseen };
}

/** A store that knows that nothing waits in its queue. */
async function knowsNothingWaits(): Promise<Knowing> {
  const known = await opened();
  const { orders } = known.store;
  await Promise.all([orders.submit([newOrder("first")]), claimOne(known.store)]);
  await Promise.all([orders.change([ended("first")]), claimOne(known.store)]);
  await Promise.all([orders.submit([newOrder("known")]), claimOne(known.store)]);
  known.foreseen();
  await orders.change([ended("known")]);
  expect(known.foreseen()).toBe(1);
  return known;
}

/** A store that knows which orders its next claims will take: `o2` is the first of them. */
async function knowsWhoIsNext(more: object = {}): Promise<Knowing> {
  const known = await opened(more);
  const names = Array.from({ length: 40 }, (_, n) => newOrder(`o${n}`));
  await known.store.orders.submit(names);
  expect(await claimOne(known.store)).toBe("o0");
  known.foreseen();
  expect(await claimOne(known.store)).toBe("o1");
  expect(known.foreseen()).toBe(1);
  return known;
}

/** Into the inbox, by a connection of the caller, whose ring is not heard. */
async function intoInbox(store: Store, schema: string): Promise<void> {
  const client = await connectClient(server.url());
  await client.query(`SET search_path = "${schema}"`);
  await client.query("BEGIN");
  const silent = {
    query: (text: string, values?: readonly unknown[]) =>
      text.includes("pg_notify") ? Promise.resolve({}) : client.query(text, values as unknown[]),
  };
  await store.orders.submitWithin(silent, [better]);
  await client.query("COMMIT");
  await client.end();
}

describe("what comes without an event is seen by a commit that was decided before", () => {
  test.each([
    ["beside a new one", knowsNothingWaits, "late"],
    ["from a backlog", knowsWhoIsNext, undefined],
  ] as const)("in the inbox, by a claim %s", async (_, knowing, beside) => {
    const { store, schema, foreseen } = await knowing();
    await intoInbox(store, schema);
    foreseen();
    const [claimed] = await Promise.all([
      claimOne(store),
      beside === undefined ? undefined : store.orders.submit([newOrder(beside)]),
    ]);
    expect(claimed).toBe("better");
    expect(foreseen()).toBe(1);
  });

  test("that another process has let in, its time having come, by a claim beside a new one", async () => {
    const { store, clock, schema, foreseen } = await knowsNothingWaits();
    await store.orders.submit([{ ...better, runAt: clock.now() + 1_000 }]);
    await Promise.all([store.orders.submit([newOrder("more")]), claimOne(store)]);
    await clock.advance(1_000);
    // As the claim of another process leaves it that had no room.
    await server.query(`UPDATE "${schema}".orders SET waits = 'room', due_at = NULL WHERE id = 'better'`);
    foreseen();
    const [, claimed] = await Promise.all([store.orders.submit([newOrder("late")]), claimOne(store)]);
    expect(claimed).toBe("better");
    expect(foreseen()).toBe(1);
  });

  test("whose time has come, by a claim beside a new one", async () => {
    const { store, clock, foreseen } = await knowsNothingWaits();
    await store.orders.submit([{ ...better, runAt: clock.now() + 1_000 }]);
    await Promise.all([store.orders.submit([newOrder("more")]), claimOne(store)]);
    await clock.advance(1_000);
    foreseen();
    const [, claimed] = await Promise.all([store.orders.submit([newOrder("late")]), claimOne(store)]);
    expect(claimed).toBe("better");
    expect(foreseen()).toBe(1);
  });

  test("followers that nobody has told yet of an end, by a claim beside a new one", async () => {
    const { store, schema, foreseen } = await knowsNothingWaits();
    await Promise.all([store.orders.submit([newOrder("m")]), claimOne(store)]);
    await store.orders.submit([newOrder("f", { after: ["m"] })]);
    await Promise.all([store.orders.submit([newOrder("n")]), claimOne(store)]);
    // As an end leaves those that were too many to be told in its own commit.
    await server.query(`UPDATE "${schema}".orders SET followed = 1 WHERE id = 'known'`);
    await server.query(`UPDATE "${schema}".orders SET blocked_by = 2 WHERE id = 'f'`);
    await server.query(`INSERT INTO "${schema}".order_links (leader, id) VALUES ('known', 'f')`);
    foreseen();
    await Promise.all([store.orders.submit([newOrder("late")]), claimOne(store)]);
    expect(foreseen()).toBe(1);
    expect(await store.orders.get("f")).toMatchObject({ blockedBy: 1, waits: "orders" });
  });
});

test.each([1, 2])("ends told by one commit, of %i orders, are refused when one is gone", async (count) => {
  const { store, schema, foreseen } = await knowsNothingWaits();
  const names = ["a", "b"].slice(0, count);
  await Promise.all([
    store.orders.submit(names.map((id) => newOrder(id))),
    store.orders.claim("q", "w", { ...starting(2), max: 2 }, 60_000),
  ]);
  await server.query(`DELETE FROM "${schema}".orders WHERE id = $1`, [names.at(-1)]);
  foreseen();
  await expect(store.orders.change(names.map(ended))).rejects.toMatchObject({ code: "CUTOVER_LEASE_LOST" });
  expect(foreseen()).toBe(1);
  for (const id of names.slice(0, -1)) expect(await store.orders.get(id)).toMatchObject({ state: "RUNNING" });
});

test("what others have committed and not told of is not passed by", async () => {
  const { store, open } = await knowsWhoIsNext();
  const other = await open();
  // Both in one turn: nobody has heard of the other yet.
  const claimed = await Promise.all([claimOne(store), claimOne(other), claimOne(store), claimOne(other)]);
  expect(claimed.toSorted()).toEqual(["o2", "o3", "o4", "o5"]);
  expect(await store.events.verify()).toMatchObject({ whole: true });
});

test.each(["cut-before", "cut-after"] as const)(
  "a claim of which no answer came (%s) is made once",
  async (fate) => {
    const proxy = await openProxy(server.port);
    onTestFinished(() => proxy.close());
    const { store, foreseen } = await knowsWhoIsNext({ url: proxy.url(server.url()) });
    proxy.fate = () => {
      proxy.fate = () => "pass";
      return fate;
    };
    expect(await claimOne(store)).toBe("o2");
    expect(foreseen()).toBeGreaterThan(0);
    expect(await store.orders.counts("q")).toMatchObject({ RUNNING: 3 });
    expect(await store.events.verify()).toMatchObject({ whole: true });
  },
);

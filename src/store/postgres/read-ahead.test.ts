import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tellingDriver } from "../../../test/postgres/watched-driver.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { newOrder, seededRandom, starting } from "../../testing/store-contract/tools.ts";
import type { NewOrder, OrderChange, OrderRecord, Store } from "../index.ts";
import type { PgDriver } from "./driver.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

/** A driver that counts statements by whether they look for orders to claim, do so ahead, or go on from those before. */
function counting(counts: { looked: number; ahead: number; on: number }): Promise<PgDriver> {
  const noKind = "{}";
  return tellingDriver(({ sql, values }) => {
    if (sql.includes("(turn, created_at, id) >=")) counts.on++;
    if (!sql.includes("RECURSIVE class") || values[1] === noKind) return;
    if (sql.includes("'candidate'")) counts.looked++;
    else counts.ahead++;
  });
}

const most = 120;
const names = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `o${String(n).padStart(4, "0")}`);
const claim = (store: Store): Promise<readonly OrderRecord[]> =>
  store.orders.claim("q", "w", starting(most), 60_000);
const idsOf = (orders: readonly OrderRecord[]): readonly string[] => orders.map(({ id }) => id);
const ended = ({ id, fence }: OrderRecord): OrderChange => ({
  id,
  fence,
  from: ["RUNNING"],
  to: "COMPLETED",
  event: "completed",
});
/** Ends what is held, and claims as much again, in one commit. */
async function goOn(store: Store, held: readonly OrderRecord[]): Promise<readonly OrderRecord[]> {
  const [next] = await Promise.all([
    claim(store),
    ...held.map((order) => store.orders.change([ended(order)])),
  ]);
  return next;
}

describe("many orders that are claimed after many others", () => {
  /** A store that has read the orders of its next claim: `o0240` is the first of them. */
  async function knowing(): Promise<{ a: Store; b: Store; held: readonly OrderRecord[]; schema: string }> {
    const schema = server.schema();
    const open = (): Promise<Store> => openPostgresStore({ url: server.url(), schema });
    const [a, b] = [await open(), await open()];
    await a.orders.submit(names(6 * most).map((id) => newOrder(id)));
    const first = await claim(a);
    expect(idsOf(first)).toEqual(names(most));
    const held = await goOn(a, first);
    expect(idsOf(held)).toEqual(names(2 * most).slice(most));
    return { a, b, held, schema };
  }

  test("were read behind the commit before, and come in their turn, with every step told", async () => {
    const counts = { looked: 0, ahead: 0, on: 0 };
    // What was read ahead grows old; on a busy machine it would now and then be too old.
    const given = { driver: await counting(counts), clock: new ManualClock() };
    await using store = await openPostgresStore({ url: server.url(), schema: server.schema(), ...given });
    const waiting = names(5 * most + 7);
    await store.orders.submit(waiting.map((id) => newOrder(id)));
    const taken: string[] = [];
    for (let held = await claim(store); held.length > 0; held = await goOn(store, held))
      taken.push(...idsOf(held));
    expect(taken).toEqual(waiting);
    expect(counts).toEqual({ looked: 1, ahead: 1, on: 4 });
    expect(await store.orders.counts("q")).toMatchObject({
      PENDING: 0,
      RUNNING: 0,
      COMPLETED: waiting.length,
    });
    const before = await store.orders.list({ queue: "q", limit: 1_000 });
    await store.rebuild();
    expect(await store.orders.list({ queue: "q", limit: 1_000 })).toEqual(before);
    expect(await store.events.verify()).toMatchObject({ whole: true });
  });

  test.each([1, 2, 3])(
    "come in their turn among those that this process brings in between (seed %i)",
    async (seed) => {
      const counts = { looked: 0, ahead: 0, on: 0 };
      const given = { driver: await counting(counts), clock: new ManualClock() };
      await using store = await openPostgresStore({ url: server.url(), schema: server.schema(), ...given });
      const random = seededRandom(seed);
      const kinds = ["hash", "other"];
      const places: string[] = [];
      const waiting = new Map<string, number>();
      const submit = async (count: number, more: Partial<NewOrder> = {}): Promise<void> => {
        const orders = Array.from({ length: count }, (_, n) =>
          newOrder(`s${places.length + n}`, { priority: 5, ...more }),
        );
        await store.orders.submit(orders);
        for (const { id, priority } of orders) {
          places.push(id);
          waiting.set(id, priority);
        }
      };
      await submit(8 * most + 7);
      await submit(4 * most, { priority: 3 });
      let held: readonly OrderRecord[] = [];
      for (let round = 0; waiting.size > 0 && round < 40; round++) {
        // Left alone in between, so that looks go on from those before.
        const chance = (share: number): boolean => round % 4 === 3 && round < 12 && random() < share;
        const back = chance(0.6) ? held.slice(0, 3) : [];
        for (const { id, fence, priority } of back) {
          await store.orders.change([{ id, fence, from: ["RUNNING"], to: "PENDING", event: "released" }]);
          waiting.set(id, priority);
        }
        const priority = Math.floor(random() * 10);
        if (chance(0.6)) await submit(3, { priority });
        if (chance(0.4)) await submit(2, { priority, kind: "other" });
        if (chance(0.4)) await submit(2, { memory: 2 ** 30 });
        const best = [...waiting].toSorted(
          ([x, xPriority], [y, yPriority]) => yPriority - xPriority || places.indexOf(x) - places.indexOf(y),
        );
        const [next] = await Promise.all([
          store.orders.claim("q", "w", starting(most, { kinds, starts: kinds }), 60_000),
          ...held.slice(back.length).map((order) => store.orders.change([ended(order)])),
        ]);
        held = next;
        expect(idsOf(held)).toEqual(best.slice(0, most).map(([id]) => id));
        for (const { id } of held) waiting.delete(id);
      }
      expect([waiting.size, counts.on > 0]).toEqual([0, true]);
      expect(await store.events.verify()).toMatchObject({ whole: true });
    },
  );

  describe("of several classes", () => {
    const kinds = ["hash", "other"];
    const begin = async (): Promise<{
      store: Store;
      clock: ManualClock;
      counts: { on: number; ahead: number };
      next: () => Promise<readonly string[]>;
    }> => {
      const counts = { looked: 0, ahead: 0, on: 0 };
      const clock = new ManualClock();
      const given = { driver: await counting(counts), clock };
      const store = await openPostgresStore({ url: server.url(), schema: server.schema(), ...given });
      let held: readonly OrderRecord[] = [];
      const next = async (): Promise<readonly string[]> => {
        [held] = await Promise.all([
          store.orders.claim("q", "w", starting(most, { kinds, starts: kinds }), 60_000),
          ...held.map((order) => store.orders.change([ended(order)])),
        ]);
        return idsOf(held);
      };
      return { store, clock, counts, next };
    };

    /** `highs` orders, and behind them two claims of lower priority. */
    const twoPriorities = async (
      store: Store,
      highs: number,
    ): Promise<{ readonly high: readonly string[]; readonly low: readonly string[] }> => {
      const high = names(highs).map((id) => `high-${id}`);
      const low = names(2 * most).map((id) => `low-${id}`);
      await store.orders.submit(high.map((id) => newOrder(id, { priority: 5 })));
      await store.orders.submit(low.map((id) => newOrder(id, { priority: 3 })));
      return { high, low };
    };

    test("come in their turn among each other", async () => {
      const { store, counts, next } = await begin();
      const mixed = names(5 * most);
      await store.orders.submit(mixed.map((id, n) => newOrder(id, { kind: kinds[n % 2] ?? "" })));
      for (let n = 0; n < 5; n++) expect(await next()).toEqual(mixed.slice(n * most, (n + 1) * most));
      expect(counts.on).toBe(0);
      await store.close();
    });

    test("are seen when they come behind all that is known", async () => {
      const { store, counts, next } = await begin();
      const { high, low } = await twoPriorities(store, 4 * most + 7);
      for (let n = 0; n < 3; n++) await next();
      expect(counts.on).toBe(2);
      await store.orders.submit([newOrder("late", { kind: "other", priority: 4 })]);
      const rest = [...(await next()), ...(await next())];
      expect(rest).toEqual([...high.slice(3 * most), "late", ...low].slice(0, 2 * most));
      await store.close();
    });

    test("are looked for among all others eight times a second", async () => {
      const { store, clock, counts, next } = await begin();
      await store.orders.submit(names(8 * most).map((id) => newOrder(id)));
      for (let n = 0; n < 3; n++) await next();
      expect(counts).toMatchObject({ ahead: 1, on: 2 });
      await clock.advance(126);
      await next();
      expect(counts).toMatchObject({ ahead: 2, on: 2 });
      await next();
      expect(counts).toMatchObject({ ahead: 2, on: 3 });
      await store.close();
    });

    test("of lower priority come when the higher ones are over", async () => {
      const { store, counts, next } = await begin();
      const { high, low } = await twoPriorities(store, 3 * most + 7);
      const taken: string[] = [];
      for (let n = 0; n < 5; n++) taken.push(...(await next()));
      expect(taken).toEqual([...high, ...low].slice(0, 5 * most));
      expect(counts.on).toBeGreaterThan(2);
      await store.close();
    });
  });

  test("come after better ones, whoever has submitted them or put them forward", async () => {
    const { a, b, held } = await knowing();
    const better = names(most + 1).map((id) => `better-${id}`);
    await b.orders.submit(better.map((id) => newOrder(id, { priority: 5 })));
    const second = await goOn(a, held);
    expect(idsOf(second)).toEqual(better.slice(0, most));
    const third = await goOn(a, second);
    expect(idsOf(third)).toEqual([...better.slice(most), ...names(3 * most - 1).slice(2 * most)]);
    const [, fourth] = await Promise.all([
      a.orders.submit([newOrder("best", { priority: 9 })]),
      goOn(a, third),
    ]);
    expect(idsOf(fourth)[0]).toBe("best");
    const [, fifth] = await Promise.all([b.orders.setPriority("o0700", 7), goOn(a, fourth)]);
    expect(new Set(idsOf([...held, ...second, ...third, ...fourth, ...fifth])).size).toBe(5 * most);
    await Promise.all([a.close(), b.close()]);
  });

  test("go to one process each, when two of them claim in turn and at the same time", async () => {
    const { a, b, held } = await knowing();
    const others = await claim(b);
    expect(idsOf(others)).toEqual(names(3 * most).slice(2 * most));
    const both = await Promise.all([goOn(a, held), goOn(b, others)]);
    const last = await Promise.all([goOn(a, both[0]), goOn(b, both[1])]);
    const taken = [...both.flat(), ...last.flat()].map(({ id }) => id);
    expect(taken.sort()).toEqual(names(6 * most).slice(3 * most));
    expect(await a.events.verify()).toMatchObject({ whole: true });
    await Promise.all([a.close(), b.close()]);
  });

  test("are passed over when they are gone or held, though nobody has told of it", async () => {
    const { a, b, held, schema } = await knowing();
    await server.query(`DELETE FROM "${schema}".orders WHERE id = 'o0240'`);
    await server.query(`UPDATE "${schema}".orders SET waits = NULL WHERE id = 'o0242'`);
    expect(idsOf(await goOn(a, held)).slice(0, 3)).toEqual(["o0241", "o0243", "o0244"]);
    await Promise.all([a.close(), b.close()]);
  });

  test("stay where they are while the queue is paused", async () => {
    const { a, b, held } = await knowing();
    await b.orders.configure("q", { paused: true }, "test", "a pause");
    expect(await goOn(a, held)).toEqual([]);
    await b.orders.configure("q", { paused: false }, "test", "and on");
    expect(idsOf(await claim(a))[0]).toBe("o0240");
    await Promise.all([a.close(), b.close()]);
  });

  test("are handed out as they are stored, and their ends are refused to whoever has lost them", async () => {
    const { a, b, held } = await knowing();
    const [lost, ...kept] = held as readonly [OrderRecord, ...OrderRecord[]];
    await b.orders.change([{ ...ended(lost), to: "PENDING", event: "released" }]);
    const refused = a.orders.change([ended(lost)]).catch(({ code }: { code: string }) => code);
    const next = await goOn(a, kept);
    expect(await refused).toBe("CUTOVER_LEASE_LOST");
    expect(idsOf(next)[0]).toBe(lost.id);
    const stored = new Map((await b.orders.list({ queue: "q", limit: 1_000 })).map((row) => [row.id, row]));
    for (const order of next) expect(stored.get(order.id)).toEqual(order);
    await Promise.all([a.close(), b.close()]);
  });
});

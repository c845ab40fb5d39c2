import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import type { CapturedStore } from "../capture-store.ts";
import { openLevelDb } from "../connectors/leveldb.ts";
import { openLmdb } from "../connectors/lmdb.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import { memorySwitch } from "./memory-switch.ts";
import { movable, type MovableOptions } from "./movable.ts";
import { storeSides } from "./store-sides.ts";
import type { Standing, Switch } from "./switch.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString();
const signal = AbortSignal.timeout(120_000);

type Stores = Readonly<Record<"old" | "new", CapturedStore>>;

async function contentOf(store: CapturedStore): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const rows of store.scan({ collection: "" }))
    for (const { key, value } of rows) found[Buffer.from(key).toString()] = Buffer.from(value).toString();
  return found;
}

async function textsOf(found: AsyncIterable<Uint8Array>): Promise<(string | undefined)[]> {
  const texts = [];
  for await (const each of found) texts.push(text(each));
  return texts;
}

/** A crossing by hand: both sides are fenced, rows carried over, and `turned` says whether the switch is turned. */
async function cross(
  stores: Stores,
  kept: Switch,
  { turned, during = () => Promise.resolve() }: { turned: boolean; during?: () => Promise<void> },
): Promise<Standing> {
  const { side, epoch } = await kept.read();
  const other = side === "old" ? "new" : "old";
  const e = epoch + 1;
  await stores[other].fence(e + 1, { signal });
  await stores[side].fence(e, { signal });
  await during();
  if (turned) {
    const [here, there] = [await contentOf(stores[side]), await contentOf(stores[other])];
    const changes = [
      ...Object.keys(there).map((key) => ({ collection: "", key: bytes(key), value: null })),
      ...Object.entries(here).map(([key, value]) => ({
        collection: "",
        key: bytes(key),
        value: bytes(value),
      })),
    ];
    await stores[other].applyTxn({ job: "cross", fence: 1, origin: "cross", changes, rows: [] });
  }
  const to: Standing = { side: turned ? other : side, epoch: e };
  await kept.turn(to);
  await stores[to.side].lift(e);
  return to;
}

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "cutover-movable-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const memory = (): Stores => ({
  old: openMemoryStore({ name: "old" }),
  new: openMemoryStore({ name: "new" }),
});
const embedded = async (): Promise<Stores> => ({
  old: await openLevelDb(join(folder, "old"), { create: true }),
  new: await openLmdb(join(folder, "new"), { create: true }),
});

const handle = (stores: Stores, options: Partial<MovableOptions> = {}) =>
  movable({ switch: memorySwitch(), ...stores, ...options });

describe("an application's handle on data that moves", () => {
  test("has the calls of a key-value store, on the side in charge", async () => {
    const stores = memory();
    await using db = await handle(stores);
    await db.put(bytes("a"), bytes("1"));
    await db.batch([
      { type: "put", key: bytes("b"), value: bytes("2") },
      { type: "put", key: bytes("c"), value: bytes("3") },
      { type: "del", key: bytes("a") },
    ]);
    await db.batch().put(bytes("d"), bytes("4")).del(bytes("c")).write();
    await db.del(bytes("never there"));
    expect(text(await db.get(bytes("b")))).toBe("2");
    expect((await db.getMany([bytes("a"), bytes("d")])).map(text)).toEqual([undefined, "4"]);
    expect([await db.has(bytes("b")), await db.has(bytes("c"))]).toEqual([true, false]);
    expect(await textsOf(db.keys())).toEqual(["b", "d"]);
    expect(await textsOf(db.values({ gt: bytes("b") }))).toEqual(["4"]);
    expect(await contentOf(stores.old)).toEqual({ b: "2", d: "4" });
    expect(await contentOf(stores.new)).toEqual({});
  });

  test("goes through a crossing and back: nothing lost, each read sees what was written before it", async () => {
    const stores = await embedded();
    const kept = memorySwitch();
    await using db = await handle(stores, { switch: kept });
    await db.put(bytes("a"), bytes("1"));
    const during: Promise<void>[] = [];
    const to = await cross(stores, kept, {
      turned: true,
      during: async () => {
        during.push(db.put(bytes("a"), bytes("2")), db.put(bytes("b"), bytes("1")));
        expect(text(await db.get(bytes("a")))).toBe("1");
      },
    });
    expect(to).toEqual({ side: "new", epoch: 1 });
    await Promise.all(during);
    expect(text(await db.get(bytes("a")))).toBe("2");
    expect(await contentOf(stores.new)).toEqual({ a: "2", b: "1" });
    expect(await contentOf(stores.old)).toEqual({ a: "1" });
    await cross(stores, kept, { turned: true });
    await db.put(bytes("c"), bytes("1"));
    expect(await contentOf(stores.old)).toEqual({ a: "2", b: "1", c: "1" });
    expect(db.standing).toEqual({ side: "old", epoch: 2 });
    await db.close();
    for (const store of [stores.old, stores.new]) await store[Symbol.asyncDispose]();
  });

  test("an iterator that is open across the turn gives all rows as they stood when it began", async () => {
    const stores = await embedded();
    const kept = memorySwitch();
    await using db = await handle(stores, { switch: kept });
    const keys = Array.from({ length: 3_000 }, (_, index) => `k${String(index).padStart(5, "0")}`);
    await db.batch(keys.map((key) => ({ type: "put", key: bytes(key), value: bytes("1") })));
    const seen: string[] = [];
    for await (const [key, value] of db.iterator()) {
      if (seen.length === 10) {
        await cross(stores, kept, { turned: true });
        await db.batch(keys.map((each) => ({ type: "put", key: bytes(each), value: bytes("2") })));
      }
      seen.push(`${text(key)} ${text(value)}`);
    }
    expect(seen).toEqual(keys.map((key) => `${key} 1`));
    expect(await textsOf(db.values({ limit: 2 }))).toEqual(["2", "2"]);
    await db.close();
    for (const store of [stores.old, stores.new]) await store[Symbol.asyncDispose]();
  });

  test("opens a side when it is first needed, closes what it opened, and leaves what it was given", async () => {
    const kept = memorySwitch();
    const opened: string[] = [];
    const closed: string[] = [];
    let old: Promise<CapturedStore> | undefined;
    const opener = (name: string) => (): Promise<CapturedStore> => {
      const store = open(name);
      if (name === "old") old = store;
      return store;
    };
    const open = (name: string): Promise<CapturedStore> => {
      opened.push(name);
      const store = openMemoryStore({ name });
      const dispose = store[Symbol.asyncDispose].bind(store);
      store[Symbol.asyncDispose] = () => (closed.push(name), dispose());
      return Promise.resolve(store);
    };
    const db = await movable({ switch: kept, old: opener("old"), new: opener("new") });
    expect(opened).toEqual(["old"]);
    await (await old)?.fence(1, { signal });
    const writes = [db.put(bytes("a"), bytes("1")), db.put(bytes("a"), bytes("2"))];
    await kept.turn({ side: "new", epoch: 1 });
    await Promise.all([...writes, db.get(bytes("a"))]);
    expect([opened, text(await db.get(bytes("a")))]).toEqual([["old", "new"], "2"]);
    await db.close();
    expect(closed).toEqual(["new", "old"]);
    // After the move the old side is not needed any more.
    opened.length = 0;
    const given = openMemoryStore();
    const after = await movable({ switch: kept, old: opener("old"), new: given });
    await after.close();
    expect([opened, await contentOf(given)]).toEqual([[], {}]);
  });

  test("a side that cannot be opened fails its calls with the reason, and is tried again", async () => {
    const kept = memorySwitch();
    let there = false;
    const fresh = openMemoryStore();
    const open = (): Promise<CapturedStore> =>
      there ? Promise.resolve(fresh) : Promise.reject(new RangeError("no disk"));
    const old = openMemoryStore();
    const db = await movable({ switch: kept, old, new: open });
    await old.fence(1, { signal });
    await kept.turn({ side: "new", epoch: 1 });
    await expect(db.put(bytes("a"), bytes("1"))).rejects.toThrow("no disk");
    await expect(db.get(bytes("a"))).rejects.toThrow("no disk");
    there = true;
    await db.put(bytes("a"), bytes("2"));
    expect(await contentOf(fresh)).toEqual({ a: "2" });
    await db.close();
  });

  test("two writes to a key stay in their order, also when the fence is lifted between them", async () => {
    // LevelDB takes waiting writes in one line: fence, write, lift and write in one turn of the event loop.
    const store = await openLevelDb(join(folder, "old"), { create: true });
    await using db = await movable({ switch: memorySwitch(), old: store, new: openMemoryStore() });
    for (let round = 0; round < 20; round++) {
      const fence = store.fence(1, { signal });
      const first = db.put(bytes("a"), bytes(`${round} first`));
      const lift = store.lift(0);
      const second = db.put(bytes("a"), bytes(`${round} second`));
      await Promise.all([fence, first, lift, second]);
      expect(text(await db.get(bytes("a")))).toBe(`${round} second`);
    }
    expect(db.counts.waited).toBeGreaterThanOrEqual(40);
    await db.close();
    await store[Symbol.asyncDispose]();
  });

  test("a write that is still on its way when the switch is turned is not overtaken by the next one", async () => {
    const stores = memory();
    const kept = memorySwitch();
    const slow = openMemoryStore();
    let arrive = (): void => {};
    const wire = new Promise<void>((resolve) => (arrive = resolve));
    slow.write = async (...call) => {
      await wire;
      return stores.old.write(...call);
    };
    await using db = await movable({ switch: kept, old: slow, new: stores.new });
    const first = db.put(bytes("a"), bytes("first"));
    await cross(stores, kept, { turned: true });
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(db.standing.side).toBe("new");
    const second = db.put(bytes("a"), bytes("second"));
    for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    arrive();
    await Promise.all([first, second]);
    expect(await contentOf(stores.new)).toEqual({ a: "second" });
  });

  test("a row the store cannot hold fails its own call and nobody else's", async () => {
    const stores = await embedded();
    const kept = memorySwitch();
    await using db = await handle({ old: stores.new, new: stores.old }, { switch: kept });
    await stores.new.fence(1, { signal });
    const huge = db.put(Buffer.alloc(5_000), bytes("1"));
    const fine = db.put(bytes("a"), bytes("1"));
    await expect(huge).rejects.toMatchObject({ code: "CUTOVER_DATA_REFUSED" });
    await stores.new.lift(0);
    await fine;
    expect(await contentOf(stores.new)).toEqual({ a: "1" });
    await db.close();
    for (const store of [stores.old, stores.new]) await store[Symbol.asyncDispose]();
  });

  test("a migration that died gives the side back to its writers after their longest pause", async () => {
    const clock = new ManualClock();
    const stores = memory();
    const kept = memorySwitch();
    const db = await handle(stores, { switch: kept, clock, longestPause: "2s" });
    await stores.new.fence(2, { signal });
    await stores.old.fence(1, { signal });
    const writes = ["1", "2", "3"].map((value) => db.put(bytes("a"), bytes(value)));
    await clock.advance(2_500);
    await Promise.all(writes);
    expect(await contentOf(stores.old)).toEqual({ a: "3" });
    expect([db.counts.gaveBack, await kept.read()]).toEqual([1, { side: "old", epoch: 1 }]);
    await db.close();
    expect(clock.pending).toBe(0);
  });

  test("a closed handle takes nothing, and a close waits for writes that wait", async () => {
    const stores = memory();
    const db = await handle(stores);
    await stores.old.fence(1, { signal });
    const write = db.put(bytes("a"), bytes("1"));
    const closed = db.close();
    await expect(db.put(bytes("b"), bytes("1"))).rejects.toMatchObject({ code: "CUTOVER_DATA_CLOSED" });
    await stores.old.lift(0);
    await Promise.all([write, closed]);
    expect(await contentOf(stores.old)).toEqual({ a: "1" });
    await db.close();
  });

  const wrong: readonly (readonly [string, object, string])[] = [
    ["a collection that is no name", { collection: 5 }, "collection"],
    ["a collection for one side only", { collection: { old: "a" } }, "collection"],
    ["no new side", { new: undefined }, "new"],
    ["an address instead of a store", { old: "leveldb:data/old" }, "old"],
    ["no switch", { switch: undefined }, "switch"],
    ["a misspelt option", { durabel: true }, "durabel"],
    ["a collection that is not there", { collection: "orders" }, "orders"],
    ["a line for nobody", { mostWaiting: 0 }, "mostWaiting"],
  ];
  test.each(wrong)("refuses %s at once", async (_, options, named) => {
    const given = { switch: memorySwitch(), ...memory(), ...options } as MovableOptions;
    await expect(movable(given)).rejects.toThrow(named);
    await expect(storeSides(given)).rejects.toThrow(named);
  });

  test("a random history of writes, crossings, broken crossings and ways back ends as if each write came alone", async () => {
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({ kind: fc.constant("put" as const), key: fc.nat(3), flush: fc.boolean() }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant("del" as const), key: fc.nat(3), flush: fc.boolean() }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("cross" as const), turned: fc.boolean() }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("settle" as const) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        const stores = memory();
        const kept = memorySwitch();
        await using db = await handle(stores, { switch: kept, longestPause: "10s" });
        const reference = new Map<string, string>();
        let work: Promise<unknown>[] = [];
        let crossing: Promise<unknown> = Promise.resolve();
        for (const [index, each] of steps.entries()) {
          if (each.kind === "cross") {
            const { turned } = each;
            crossing = crossing.then(() => cross(stores, kept, { turned }));
          } else if (each.kind === "settle") {
            await crossing;
            await Promise.all(work);
            work = [];
            for (let key = 0; key <= 3; key++)
              expect(text(await db.get(bytes(`k${key}`)))).toBe(reference.get(`k${key}`));
          } else {
            const key = `k${each.key}`;
            if (each.kind === "put") {
              reference.set(key, String(index));
              work.push(db.put(bytes(key), bytes(String(index))));
            } else {
              reference.delete(key);
              work.push(db.del(bytes(key)));
            }
            if (each.flush) await new Promise<void>((resolve) => setImmediate(resolve));
          }
        }
        await crossing;
        await Promise.all(work);
        const { side } = await kept.read();
        expect(await contentOf(stores[side])).toEqual(Object.fromEntries(reference));
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});

describe("both sides for an application whose layout changes", () => {
  test("a body writes the layout of its side, and is run again there when it was stopped", async () => {
    const stores = memory();
    const kept = memorySwitch();
    await using orders = await storeSides({ switch: kept, ...stores });
    const save = (id: string): Promise<void> =>
      orders.run(async ({ side, db }) => {
        const key = bytes(side === "old" ? `order:${id}` : `orders/${id}`);
        const before = await db.get(key);
        await db.put(key, bytes(`${text(before) ?? ""}${id}`));
      });
    await save("1");
    await stores.new.fence(2, { signal });
    await stores.old.fence(1, { signal });
    const waiting = save("2");
    await kept.turn({ side: "new", epoch: 1 });
    await stores.new.lift(1);
    await waiting;
    await save("2");
    expect([await contentOf(stores.old), await contentOf(stores.new)]).toEqual([
      { "order:1": "1" },
      { "orders/2": "22" },
    ]);
    expect(
      await orders.read(({ side, db }) => db.has(bytes("orders/2")).then((there) => [side, there])),
    ).toEqual(["new", true]);
    expect([orders.epochOf("old"), orders.epochOf("new"), orders.standing.side]).toEqual([0, 1, "new"]);
  });

  test("a body that only reads cannot write, as it has no epoch", async () => {
    await using orders = await storeSides({ switch: memorySwitch(), ...memory() });
    const write = orders.read(({ db }) =>
      (db as unknown as { put(...row: Uint8Array[]): Promise<void> }).put(bytes("a"), bytes("1")),
    );
    await expect(write).rejects.toMatchObject({ code: "CUTOVER_DATA_OPTIONS" });
  });

  test("a writer that a body kept is refused once its run is over and the switch is turned", async () => {
    const stores = memory();
    const kept = memorySwitch();
    await using orders = await storeSides({ switch: kept, ...stores });
    const db = await orders.run((at) => Promise.resolve(at.db));
    await cross(stores, kept, { turned: true });
    await expect(db.put(bytes("a"), bytes("1"))).rejects.toMatchObject({ code: "CUTOVER_DATA_FENCED" });
  });

  test("an application of classic-level keeps its calls, encodings and sublevels", async () => {
    let orders: Awaited<ReturnType<typeof storeSides>> | undefined;
    const epoch = (side: "old" | "new") => (): number => orders?.epochOf(side) ?? 0;
    const level = { valueEncoding: "json" };
    const old = await openLevelDb(join(folder, "old"), { create: true, level, epoch: epoch("old") });
    const fresh = await openLevelDb(join(folder, "new"), { create: true, level, epoch: epoch("new") });
    const kept = memorySwitch();
    orders = await storeSides({ switch: kept, old, new: fresh });
    const dbs = { old: old.db, new: fresh.db };
    const put = (key: string, value: object): Promise<void> =>
      (orders as NonNullable<typeof orders>).run(({ side }) => dbs[side].put(key, value));
    await put("a", { total: 1 });
    await fresh.fence(2, { signal });
    await old.fence(1, { signal });
    const waiting = put("a", { total: 2 });
    await kept.turn({ side: "new", epoch: 1 });
    await fresh.lift(1);
    await waiting;
    expect([await old.db.get("a"), await fresh.db.get("a")]).toEqual([{ total: 1 }, { total: 2 }]);
    // With the epoch of the other side this would get past the fence.
    await expect(old.db.put("a", { total: 3 })).rejects.toMatchObject({ code: "CUTOVER_DATA_FENCED" });
    await orders.close();
    await old[Symbol.asyncDispose]();
    await fresh[Symbol.asyncDispose]();
  });
});

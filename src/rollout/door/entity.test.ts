import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { type CutoverError, type RouteState, type Stage } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import type { EntityOptions } from "./entity-options.ts";
import { memoryLink } from "./memory-link.ts";
import { createRollout } from "./rollout.ts";
import type { Write } from "./write-ids.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cutover-entity-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const turns = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) await new Promise((resolve) => setImmediate(resolve));
};

interface Order {
  readonly id: string;
  readonly text: string;
}

/** A store of orders that can be made to fail, and that remembers who called it. */
class Side {
  readonly rows = new Map<string, string>();
  readonly calls: { readonly text: string; readonly write: Write }[] = [];
  fail: ((text: string) => Error | undefined) | undefined;
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  async get(id: string): Promise<string> {
    return `${this.name}:${this.rows.get(id) ?? "-"}`;
  }

  async put(write: Write, order: Order): Promise<string> {
    this.calls.push({ text: order.text, write });
    const error = this.fail?.(order.text);
    if (error !== undefined) throw error;
    this.rows.set(order.id, order.text);
    return `${this.name} took ${order.text}`;
  }
}

interface Openings {
  readonly stage?: Stage;
  readonly share?: number;
  readonly epoch?: number;
  readonly old?: Side;
  readonly new?: Side;
  readonly clock?: ManualClock;
  readonly options?: Pick<EntityOptions<{}, {}>, "attempts" | "unsure" | "survives" | "journal">;
  readonly journal?: string | undefined;
}

/** An entity "orders" with two sides, and everything that can be seen of it. */
function open(given: Openings = {}) {
  const clock = given.clock ?? new ManualClock();
  const link = memoryLink();
  const errors: CutoverError[] = [];
  const old = given.old ?? new Side("old");
  const candidate = given.new ?? new Side("new");
  let epoch = given.epoch ?? 1;
  const state: RouteState = {
    route: "orders",
    stage: given.stage ?? "off",
    share: given.share ?? 0,
    epoch,
    salt: "s",
  };
  const rollout = createRollout({
    clock,
    link,
    random: () => 0.5,
    state: [state],
    onError: (error) => errors.push(error),
  });
  const orders = rollout.entity("orders", {
    key: (order: string | Order) => (typeof order === "string" ? order : order.id),
    reads: { get: { old: (id: string) => old.get(id), new: (id) => candidate.get(id) } },
    writes: {
      put: {
        old(this: Write, order: Order): Promise<string> {
          return old.put(this, order);
        },
        new(order) {
          return candidate.put(this, order);
        },
      },
    },
    ...("journal" in given ? {} : { journal: dir }),
    ...given.options,
  });
  const set = (stage: Stage, share = 0): void =>
    link.push({ route: "orders", stage, share, epoch: ++epoch, salt: "s" });
  const lastBacklog = (): number | undefined => {
    rollout.flush();
    return link.intervals.at(-1)?.backlog;
  };
  return {
    clock,
    link,
    errors,
    old,
    new: candidate,
    rollout,
    orders,
    set,
    backlog: rollout.backlog("orders"),
    lastBacklog,
  };
}

const order = (id: string, text: string): Order => ({ id, text });
const keys = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `k${i}`);

describe("the stages of an entity", () => {
  test.each([
    ["off", "old:1", ["1"], []],
    ["dualwrite", "old:1", ["1"], ["1"]],
    ["shadow", "old:1", ["1"], ["1"]],
    ["rampdown", "new:1", ["1"], ["1"]],
    ["complete", "new:1", [], ["1"]],
  ] as const)("at %s a read answers %j after a write", async (stage, answer, inOld, inNew) => {
    const { orders, old, new: candidate, rollout } = open({ stage });
    await orders.put(order("a", "1"));
    await turns();
    expect([[...old.rows.values()], [...candidate.rows.values()]]).toEqual([inOld, inNew]);
    expect(await orders.get("a")).toBe(answer);
    await rollout.close();
  });

  test("at live the new side answers and is written first for keys of the share, the old side for all others", async () => {
    const { orders, old, new: candidate, rollout } = open({ stage: "live", share: 40 });
    const first: string[] = [];
    for (const key of keys(100)) {
      const answer = await orders.put(order(key, "1"));
      const side = answer.slice(0, 3);
      expect(orders.put.side(key)).toBe(side);
      await turns();
      expect(await orders.get(key)).toBe(`${side}:1`);
      first.push(side);
    }
    expect(first.filter((side) => side === "new").length).toBeGreaterThan(20);
    expect(first.filter((side) => side === "old").length).toBeGreaterThan(20);
    expect([old.rows.size, candidate.rows.size]).toEqual([100, 100]);
    await rollout.close();
  });

  test("each function has the type of the old one, and synchronous sides stay synchronous", async () => {
    const rollout = createRollout({ link: null, state: [{ route: "n", stage: "dualwrite" }] });
    const seen: number[] = [];
    const numbers = rollout.entity("n", {
      key: (n: number) => n,
      reads: { twice: { old: (n: number) => 2 * n, new: (n) => n + n } },
      writes: { add: { old: (n: number, by: number) => n + by, new: (n, by) => seen.push(n + by) } },
      journal: dir,
    });
    expectTypeOf(numbers.twice).toBeCallableWith(1);
    expectTypeOf(numbers.add).parameters.toEqualTypeOf<[n: number, by: number]>();
    expect([numbers.twice(4), numbers.add(1, 2)]).toEqual([8, 3]);
    await turns();
    expect(seen).toEqual([3]);
    await rollout.close();
  });

  test("at shadow reads are compared, by operation", async () => {
    const { orders, link, rollout } = open({ stage: "shadow" });
    await orders.put(order("a", "1"));
    await turns();
    await orders.get("a");
    await turns();
    rollout.flush();
    const { compared, mismatches, operations } =
      link.intervals.find((interval) => interval.compared > 0) ?? {};
    expect({ compared, mismatches, operations }).toEqual({
      compared: 1,
      mismatches: 1,
      operations: { get: 1 },
    });
    expect(link.declarations[0]).toMatchObject({ operations: ["get"], backlogLimit: 0 });
    await rollout.close();
  });
});

describe("the second write", () => {
  test("reaches the other side in the order of the first ones, one at a time for each key", async () => {
    const { orders, new: candidate, rollout } = open({ stage: "dualwrite" });
    await Promise.all(["1", "2", "3"].map((text) => orders.put(order("a", text))));
    await turns();
    expect(candidate.calls.map(({ text }) => text)).toEqual(["1", "2", "3"]);
    const ids = candidate.calls.map(({ write }) => write.id);
    expect(ids).toEqual(ids.toSorted());
    await rollout.close();
  });

  test("carries the id of the first one, and a fresh copy of the input as it was", async () => {
    const clock = new ManualClock();
    const rollout = createRollout({ link: null, clock, state: [{ route: "r", stage: "dualwrite" }] });
    const seen: unknown[] = [];
    const ids: string[] = [];
    const { put } = rollout.entity("r", {
      key: () => "k",
      writes: {
        put: {
          old(this: Write, input: { list: number[]; at: Date }) {
            ids.push(this.id);
            input.list.push(4);
          },
          new(input) {
            ids.push(this.id);
            seen.push(structuredClone(input));
            input.list.push(5);
            if (seen.length === 1) throw new Error("not yet");
          },
        },
      },
      journal: dir,
    });
    put({ list: [1], at: new Date(5) });
    await clock.advance(1_000);
    expect(seen).toEqual([
      { list: [1], at: new Date(5) },
      { list: [1], at: new Date(5) },
    ]);
    expect(new Set(ids).size).toBe(1);
    await rollout.close();
  });

  test("waits for the deadline of an earlier one of its key that hangs, which is told, and then keeps its place", async () => {
    const { orders, old, new: candidate, clock, errors, backlog, rollout } = open({ stage: "dualwrite" });
    const put = old.put.bind(old);
    let answer = (): void => {};
    old.put = (write, given) =>
      given.text === "1"
        ? new Promise((resolve) => (answer = () => resolve(put(write, given))))
        : put(write, given);
    const first = orders.put(order("a", "1"));
    const second = orders.put(order("a", "2"));
    await clock.advance(9_000);
    expect(old.calls).toEqual([]);
    await clock.advance(2_000);
    expect(await second).toBe("old took 2");
    expect(
      errors.some(({ message }) => message.includes("an earlier write of the same key is still open")),
    ).toBe(true);
    expect([candidate.calls.length, backlog.size, backlog.behind]).toEqual([0, 2, 2]);
    answer();
    await first;
    await turns();
    expect(candidate.calls.map(({ text }) => text)).toEqual(["1", "2"]);
    await rollout.close();
  });

  test("is not made when the first side refuses, and the caller sees why", async () => {
    const { orders, old, new: candidate, backlog, rollout } = open({ stage: "dualwrite" });
    old.fail = () => new Error("no");
    await expect(orders.put(order("a", "1"))).rejects.toThrow("no");
    await turns();
    expect([candidate.calls.length, backlog.size, backlog.converged()]).toEqual([0, 0, true]);
    await rollout.close();
  });

  test("is made on both sides again when the first side's failure leaves it open", async () => {
    const options = { unsure: (error: unknown) => (error as Error).message === "timeout" };
    const { orders, old, new: candidate, clock, backlog, rollout } = open({ stage: "dualwrite", options });
    let times = 0;
    old.fail = () => (++times === 1 ? new Error("timeout") : undefined);
    await expect(orders.put(order("a", "1"))).rejects.toThrow("timeout");
    expect(backlog.list()).toMatchObject([{ key: "a", first: "old", missing: "new", state: "unknown" }]);
    await clock.advance(2_000);
    expect([old.rows.get("a"), candidate.rows.get("a"), backlog.converged()]).toEqual(["1", "1", true]);
    expect(old.calls.map(({ write }) => write.id)[0]).toBe(old.calls.map(({ write }) => write.id)[1]);
    await rollout.close();
  });

  test("is tried again until it gets through, holding back its own key only", async () => {
    const {
      orders,
      new: candidate,
      clock,
      backlog,
      errors,
      rollout,
      lastBacklog,
    } = open({ stage: "dualwrite" });
    candidate.fail = (text) => (text === "bad" ? new Error("down") : undefined);
    await orders.put(order("a", "bad"));
    await orders.put(order("a", "after"));
    await orders.put(order("b", "1"));
    await turns();
    expect([...candidate.rows]).toEqual([["b", "1"]]);
    expect([backlog.size, backlog.behind, lastBacklog(), backlog.converged()]).toEqual([2, 2, 2, false]);
    expect(errors.map(({ code }) => code)).toEqual(["CUTOVER_ROUTE_FAULT"]);
    candidate.fail = undefined;
    await clock.advance(1_000);
    expect(candidate.rows.get("a")).toBe("after");
    expect([backlog.size, lastBacklog(), backlog.converged()]).toEqual([0, 0, true]);
    await rollout.close();
  });

  test("is set aside after the last attempt, listed, and made when somebody says so", async () => {
    const {
      orders,
      new: candidate,
      clock,
      backlog,
      errors,
      rollout,
    } = open({
      stage: "dualwrite",
      options: { attempts: 3 },
    });
    candidate.fail = () => new Error("poison");
    await orders.put(order("a", "1"));
    await clock.advance(60_000);
    expect(candidate.calls.length).toBe(3);
    expect(backlog.list()).toMatchObject([
      { key: "a", attempts: 3, aside: "3 attempts failed, the last one: poison" },
    ]);
    expect(errors.some(({ code }) => code === "CUTOVER_WRITE_ASIDE")).toBe(true);
    expect(orders.get.side("a")).toBe("old");
    candidate.fail = undefined;
    expect(backlog.retry()).toBe(1);
    await turns();
    expect([candidate.rows.get("a"), backlog.converged()]).toEqual(["1", true]);
    await rollout.close();
  });

  test("is ended by discard when somebody has repaired the key by hand", async () => {
    const {
      orders,
      new: candidate,
      clock,
      backlog,
      rollout,
    } = open({ stage: "dualwrite", options: { attempts: 1 } });
    candidate.fail = (text) => (text === "1" ? new Error("poison") : undefined);
    await orders.put(order("a", "1"));
    await orders.put(order("a", "2"));
    await clock.advance(10);
    expect(backlog.discard(backlog.list()[0]?.id ?? "")).toBe(1);
    await clock.advance(10);
    expect([candidate.rows.get("a"), backlog.size]).toEqual(["2", 0]);
    await rollout.close();
  });

  test("waits out an outage of the whole side without using up its attempts", async () => {
    const {
      orders,
      new: candidate,
      clock,
      backlog,
      rollout,
    } = open({
      stage: "dualwrite",
      options: { attempts: 3 },
    });
    candidate.fail = () => new Error("down");
    for (const key of keys(200)) await orders.put(order(key, "1"));
    await clock.advance(3_600_000);
    expect(backlog.list(1_000).filter(({ aside }) => aside !== undefined)).toEqual([]);
    const calls = candidate.calls.length;
    expect(calls).toBeLessThan(700);
    candidate.fail = undefined;
    await clock.advance(60_000);
    expect([candidate.rows.size, backlog.converged()]).toEqual([200, true]);
    await rollout.close();
  });

  test("that hangs is tried again after its deadline", async () => {
    const clock = new ManualClock();
    const rollout = createRollout({
      link: null,
      clock,
      random: () => 0,
      state: [{ route: "r", stage: "dualwrite" }],
    });
    let calls = 0;
    const { put } = rollout.entity("r", {
      key: () => "k",
      writes: {
        put: {
          old: async () => {},
          new: () => (++calls === 1 ? new Promise<void>(() => {}) : Promise.resolve()),
        },
      },
      shadowDeadline: "2s",
      journal: dir,
    });
    await put();
    await clock.advance(5_000);
    expect([calls, rollout.backlog("r").converged()]).toEqual([2, true]);
    await rollout.close();
  });
});

describe("a key whose newest state only one side has", () => {
  test("stays on the old side when the share is raised, until its second write got through", async () => {
    const { orders, set, new: candidate, clock, rollout } = open({ stage: "dualwrite" });
    candidate.fail = () => new Error("down");
    await orders.put(order("a", "1"));
    await turns();
    set("live", 100);
    expect(await orders.get("a")).toBe("old:1");
    expect(await orders.get("b")).toBe("new:-");
    expect(await orders.put(order("a", "2"))).toBe("old took 2");
    set("complete");
    expect(await orders.get("a")).toBe("old:2");
    candidate.fail = undefined;
    await clock.advance(5_000);
    expect(await orders.get("a")).toBe("new:2");
    await rollout.close();
  });

  test.each(["off", "dualwrite", "shadow", "live"] as const)(
    "stays on the new side when a stage is lowered to %s, until its second write got through",
    async (stage) => {
      const { orders, set, old, clock, rollout } = open({ stage: "live", share: 100 });
      old.fail = () => new Error("down");
      await orders.put(order("a", "1"));
      await turns();
      set(stage, 0);
      expect(orders.get.side("a")).toBe("new");
      expect(await orders.get("a")).toBe("new:1");
      expect(await orders.put(order("a", "2"))).toBe("new took 2");
      old.fail = undefined;
      await clock.advance(5_000);
      expect(await orders.get("a")).toBe("old:2");
      await rollout.close();
    },
  );
});

describe("stages that forbid a second write", () => {
  test("make it void: off never writes to the new side again", async () => {
    const { orders, set, new: candidate, clock, errors, backlog, rollout } = open({ stage: "dualwrite" });
    candidate.fail = () => new Error("down");
    await orders.put(order("a", "1"));
    await turns();
    set("off");
    candidate.fail = undefined;
    await clock.advance(60_000);
    expect([candidate.rows.size, backlog.size]).toEqual([0, 0]);
    expect(errors.at(-1)?.message).toMatch(/1 second writes of "orders" given up, stage off forbids them/);
    await rollout.close();
  });

  test("known from before the write decide nothing: a door that has not heard yet leaves it alone", async () => {
    const before = open({ stage: "dualwrite", epoch: 7 });
    before.new.fail = () => new Error("down");
    await before.orders.put(order("a", "1"));
    await turns();
    await before.rollout.close();
    const after = open({ stage: "off", epoch: 3, old: before.old, new: before.new });
    before.new.fail = undefined;
    await after.clock.advance(10_000);
    expect([after.new.rows.size, after.backlog.size]).toEqual([0, 1]);
    after.link.push({ route: "orders", stage: "dualwrite", share: 0, epoch: 7, salt: "s" });
    await after.clock.advance(10_000);
    expect([after.new.rows.get("a"), after.backlog.converged()]).toEqual(["1", true]);
    await after.rollout.close();
  });

  test("are not compared where each process counts its epochs for itself", async () => {
    const clock = new ManualClock();
    const rows: string[] = [];
    let well = false;
    const start = (epoch: number) => {
      const state = [{ route: "r", stage: "dualwrite", epoch }] as const;
      const rollout = createRollout({ link: null, clock, state });
      const { put } = rollout.entity("r", {
        key: (id: string) => id,
        writes: {
          put: {
            old: async (_id: string) => {},
            new: async (id) => {
              if (!well) throw new Error("down");
              rows.push(id);
            },
          },
        },
        journal: dir,
      });
      return { rollout, put };
    };
    const before = start(9);
    await before.put("a");
    await turns();
    await before.rollout.close();
    well = true;
    const after = start(2);
    await clock.advance(5_000);
    expect([rows, after.rollout.backlog("r").converged()]).toEqual([["a"], true]);
    await after.rollout.close();
  });
});

describe("the journal", () => {
  test("is continued by the next process, and is gone when nothing is left in it", async () => {
    const before = open({ stage: "dualwrite" });
    before.new.fail = () => new Error("down");
    for (const text of ["1", "2", "3"]) await before.orders.put(order("a", text));
    await turns();
    await before.rollout.close();
    expect(readdirSync(dir).filter((name) => name.endsWith(".journal")).length).toBe(1);
    before.new.fail = undefined;
    const after = open({ stage: "dualwrite", old: before.old, new: before.new });
    await after.clock.advance(5_000);
    expect(before.new.calls.slice(-3).map(({ text }) => text)).toEqual(["1", "2", "3"]);
    expect(before.new.calls.at(-1)?.write.again).toBe(true);
    await after.rollout.close();
    expect(readdirSync(dir)).toEqual([]);
  });

  test("of a living door is left alone, and seen by the others: the key stays, later writes wait", async () => {
    const one = open({ stage: "dualwrite" });
    const two = open({ stage: "dualwrite", clock: one.clock, old: one.old, new: one.new });
    one.new.fail = (text) => (text === "1" ? new Error("down") : undefined);
    await one.orders.put(order("a", "1"));
    await one.clock.advance(100);
    two.set("live", 100);
    expect(two.orders.get.side("a")).toBe("old");
    expect(await two.orders.put(order("a", "2"))).toBe("old took 2");
    await one.clock.advance(3_000);
    expect([two.backlog.size, one.new.rows.has("a"), two.backlog.converged()]).toEqual([1, false, false]);
    one.new.fail = undefined;
    await one.clock.advance(60_000);
    expect([one.new.rows.get("a"), one.backlog.converged(), two.backlog.converged()]).toEqual([
      "2",
      true,
      true,
    ]);
    await one.rollout.close();
    await two.rollout.close();
  });

  test("is taken over by exactly one of those that are left", async () => {
    const dead = open({ stage: "dualwrite" });
    dead.new.fail = () => new Error("down");
    for (const key of keys(20)) await dead.orders.put(order(key, "1"));
    await turns();
    const { clock, old, new: candidate } = dead;
    const others = [1, 2, 3].map(() => open({ stage: "dualwrite", clock, old, new: candidate }));
    await dead.rollout.close();
    candidate.calls.length = 0;
    candidate.fail = undefined;
    await clock.advance(10_000);
    expect(candidate.calls.length).toBe(20);
    for (const { rollout, backlog } of others) {
      expect(backlog.converged()).toBe(true);
      await rollout.close();
    }
  });

  test("with operations that a process does not have is left to one that has them, and told", async () => {
    const before = open({ stage: "dualwrite" });
    before.new.fail = () => new Error("down");
    await before.orders.put(order("a", "1"));
    await turns();
    await before.rollout.close();
    before.new.fail = undefined;
    const { clock } = before;
    const errors: CutoverError[] = [];
    const state = [{ route: "orders", stage: "dualwrite", epoch: 1, salt: "s" }] as const;
    const other = createRollout({ link: memoryLink(), clock, state, onError: (error) => errors.push(error) });
    other.entity("orders", {
      key: (id: string) => id,
      writes: { remove: { old: async (_id: string) => {}, new: async () => {} } },
      journal: dir,
    });
    await clock.advance(5_000);
    expect(other.backlog("orders")).toMatchObject({ size: 0, behind: 1 });
    expect(other.backlog("orders").converged()).toBe(false);
    expect(errors[0]?.message).toMatch(/wait for a process whose entity "orders" has the operations put/);
    const after = open({ stage: "dualwrite", clock, old: before.old, new: before.new });
    await clock.advance(5_000);
    expect([before.new.rows.get("a"), other.backlog("orders").behind]).toEqual(["1", 0]);
    expect(other.backlog("orders").converged()).toBe(true);
    await after.rollout.close();
    await other.close();
  });

  test("with a torn last line and a damaged one keeps the rest, tells, and is not converged until somebody has looked", async () => {
    const before = open({ stage: "dualwrite" });
    before.new.fail = () => new Error("down");
    for (const key of ["a", "b", "c"]) await before.orders.put(order(key, key));
    await turns();
    await before.rollout.close();
    const path = join(dir, readdirSync(dir).find((name) => name.endsWith(".journal")) ?? "");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, `${text.replace('"text":"b"', '"text":"x"')}0123abcd {"t":"wri`);
    before.new.fail = undefined;
    const after = open({ stage: "dualwrite", old: before.old, new: before.new });
    await after.clock.advance(5_000);
    expect([...after.new.rows.keys()]).toEqual(["a", "c"]);
    expect(after.errors.map(({ code }) => code)).toContain("CUTOVER_JOURNAL_DAMAGED");
    expect([after.backlog.lost, after.backlog.converged()]).toEqual([1, false]);
    after.backlog.clearLost();
    expect(after.backlog.converged()).toBe(true);
    await after.rollout.close();
    expect(readdirSync(dir)).toEqual([expect.stringMatching(/\.journal\.damaged$/)]);
  });

  test("cannot hold a function: such a write is made from memory, and after a crash it is set aside by its key", async () => {
    const candidate = new Side("new");
    const before = open({ stage: "dualwrite", new: candidate });
    candidate.fail = () => new Error("down");
    await before.orders.put({ id: "a", text: "1", later: () => {} } as Order);
    await turns();
    expect(before.backlog.list()).toMatchObject([{ key: "a", state: "taken" }]);
    await before.rollout.close();
    const after = open({ stage: "dualwrite", old: before.old, new: candidate });
    expect(after.backlog.list()).toMatchObject([
      { key: "a", aside: expect.stringMatching(/could not be written/) },
    ]);
    expect(after.backlog.retry()).toBe(0);
    expect(after.backlog.discard(after.backlog.list()[0]?.id ?? "")).toBe(1);
    expect(after.backlog.converged()).toBe(true);
    await after.rollout.close();
  });

  test("without a folder is in memory, which is told, and the writes are made all the same", async () => {
    const { orders, errors, new: candidate, rollout } = open({ stage: "dualwrite", journal: undefined });
    await orders.put(order("a", "1"));
    await turns();
    expect(candidate.rows.get("a")).toBe("1");
    expect(errors.map(({ code }) => code)).toEqual(["CUTOVER_JOURNAL_UNAVAILABLE"]);
    await rollout.close();
  });

  test("that cannot be written hurts no caller", async () => {
    writeFileSync(join(dir, "file"), "");
    const {
      orders,
      errors,
      new: candidate,
      rollout,
    } = open({
      stage: "dualwrite",
      journal: undefined,
      options: { journal: join(dir, "file") },
    });
    expect(await orders.put(order("a", "1"))).toBe("old took 1");
    await turns();
    expect(candidate.rows.get("a")).toBe("1");
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(["CUTOVER_JOURNAL_UNAVAILABLE"]));
    await rollout.close();
  });

  test("lies in the store's folder when none is named", async () => {
    await using rollout = createRollout({ dir, state: [{ route: "r", stage: "dualwrite" }] });
    const seen: string[] = [];
    const { put } = rollout.entity("r", {
      key: (id: string) => id,
      writes: { put: { old: (_id: string) => {}, new: (id) => void seen.push(id) } },
    });
    put("a");
    expect(readdirSync(join(dir, "journal")).filter((name) => name.endsWith(".journal")).length).toBe(1);
    await turns();
    expect(seen).toEqual(["a"]);
  });

  test("is written anew when it has grown long, with all that is still open in it", async () => {
    const { orders, new: candidate, clock, backlog, rollout, old } = open({ stage: "dualwrite" });
    candidate.fail = (text) => (text.startsWith("stays") ? new Error("down") : undefined);
    await orders.put(order("a", "stays 1"));
    await orders.put(order("a", "stays 2"));
    for (let n = 0; n < 60; n++) {
      await orders.put(order(`k${n}`, "x".repeat(100_000)));
      await turns();
    }
    const size = readdirSync(dir)
      .filter((name) => name.endsWith(".journal"))
      .map((name) => readFileSync(join(dir, name)).length);
    expect(size.length).toBe(1);
    expect(size[0]).toBeLessThan(4_500_000);
    await rollout.close();
    candidate.fail = undefined;
    const next = open({ stage: "dualwrite", old, new: candidate, clock });
    expect(backlog.size).toBe(2);
    await clock.advance(5_000);
    expect([candidate.rows.get("a"), candidate.rows.size, next.backlog.converged()]).toEqual([
      "stays 2",
      61,
      true,
    ]);
    await next.rollout.close();
  });

  test("holds what would take too much memory: long inputs are read from it again", async () => {
    const { orders, new: candidate, clock, backlog, rollout } = open({ stage: "dualwrite" });
    candidate.fail = () => new Error("down");
    for (const key of keys(100)) await orders.put(order(key, key.padEnd(200_000, "x")));
    candidate.fail = undefined;
    await clock.advance(60_000);
    expect(backlog.converged()).toBe(true);
    expect([...candidate.rows].every(([key, text]) => text === key.padEnd(200_000, "x"))).toBe(true);
    expect(candidate.rows.size).toBe(100);
    await rollout.close();
  });

  test("that must survive a loss of power is on the disk before the first side is called", async () => {
    const {
      orders,
      old,
      new: candidate,
      rollout,
    } = open({ stage: "dualwrite", options: { survives: "power" } });
    await Promise.all(keys(50).map((key) => orders.put(order(key, "1"))));
    await turns();
    expect([old.rows.size, candidate.rows.size]).toEqual([50, 50]);
    await rollout.close();
  });
});

describe("after its rollout is closed", () => {
  test("an entity still answers, and tells that the second write is not made", async () => {
    const { orders, errors, new: candidate, rollout } = open({ stage: "dualwrite" });
    await rollout.close();
    expect(await orders.put(order("a", "1"))).toBe("old took 1");
    await turns();
    expect([candidate.rows.size, errors.map(({ code }) => code)]).toEqual([0, ["CUTOVER_WRITE_LOST"]]);
  });
});

describe("a declaration that makes no sense is refused, with its place", () => {
  const fn = async (id: string): Promise<string> => id;
  const key = (id: string): string => id;
  const reads = { get: { old: fn, new: fn } };
  test.each<[string, string, unknown]>([
    ["reads and writes", "no operation", { key }],
    ["reads.get.new", "a side that is missing", { key, reads: { get: { old: fn } } }],
    ["reads.get.key", "no key at all", { reads }],
    ["writes.get", "an operation that is both", { key, reads, writes: { get: { old: fn, new: fn } } }],
    [
      "writes.put.idempotent",
      "an option of a route",
      { key, writes: { put: { old: fn, new: fn, idempotent: true } } },
    ],
    [
      "reads.get.effects",
      "what a read decides itself",
      { key, reads: { get: { old: fn, new: fn, effects: "none" } } },
    ],
    ["old", "a side outside an operation", { key, reads, old: fn }],
    ["attempts", "no attempts", { key, reads, attempts: 0 }],
    ["backlogLimit", "a negative limit", { key, reads, backlogLimit: -1 }],
    ["journal", "an empty path", { key, reads, journal: "" }],
    ["survives", "an unknown disaster", { key, reads, survives: "fire" }],
    ["unsure", "no function", { key, reads, unsure: true }],
    ["reads", "a list", { key, reads: [] }],
    ["options", "nothing", null],
  ])("%s: %s", (place, _, options) => {
    const rollout = createRollout({ link: null });
    expect(() => rollout.entity("orders", options as EntityOptions<{}, {}>)).toThrow(
      expect.objectContaining({ code: "CUTOVER_ROUTE_INVALID", place: `entity("orders").${place}` }),
    );
    expect(rollout.states()).toEqual([]);
  });

  test("an option that nobody knows is named", () => {
    const rollout = createRollout({ link: null });
    const options = { key, reads, journl: "x" } as unknown as EntityOptions<{}, {}>;
    expect(() => rollout.entity("orders", options)).toThrow(/journl/);
  });

  test("a name is declared once, as a route or as an entity, and only an entity with writes has a backlog", () => {
    const rollout = createRollout({ link: null });
    rollout.entity("orders", { key, reads });
    expect(() => rollout.route("orders", { old: fn, new: fn, key })).toThrow(
      expect.objectContaining({ code: "CUTOVER_ROUTE_DUPLICATE" }),
    );
    expect(() => rollout.backlog("orders")).toThrow(
      expect.objectContaining({ code: "CUTOVER_ROUTE_UNKNOWN" }),
    );
  });
});

import { describe, expect, test } from "vitest";
import { createRandom } from "../../../bench/gates/random.ts";
import type { Interval } from "../../core/index.ts";
import { firstErrorTest } from "../../gates/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { FailedKeys } from "./failed-keys.ts";
import { FirstErrorList, FirstErrorMemory, periodMs } from "./first-errors.ts";
import { memoryLink } from "./memory-link.ts";
import type { RoutableFunction, RouteOptions } from "./options.ts";
import { createRollout } from "./rollout.ts";

interface Order {
  id: string;
}
const fails = async (_order: Order): Promise<string> => {
  throw new Error("broken");
};
const answers = async (order: Order): Promise<string> => order.id;
const key = (order: Order): string => order.id;

function open<F extends RoutableFunction>(options: RouteOptions<F>, share = 50) {
  const clock = new ManualClock();
  const link = memoryLink();
  const state = [{ route: "r", stage: "live", share, epoch: 1, salt: "s" }] as const;
  const rollout = createRollout({ clock, link, name: "door", state });
  const fn = rollout.route("r", options);
  const last = (): Interval | undefined => {
    rollout.flush();
    return link.intervals.at(-1);
  };
  const totals = (): readonly [number, number] => {
    rollout.flush();
    const sum = (side: "old" | "new"): number =>
      link.intervals.reduce((all, { firstErrors }) => all + (firstErrors?.[side] ?? 0), 0);
    return [sum("old"), sum("new")];
  };
  return { clock, link, rollout, fn, last, totals };
}

const keys = Array.from({ length: 40 }, (_, n) => `k${n}`);

describe("first errors per key", () => {
  test("a key that fails again and again counts once, on the side that the share gave it", async () => {
    const { fn, totals } = open({ old: fails, new: fails, key });
    const onNew = keys.filter((id) => fn.side(id) === "new").length;
    for (let round = 0; round < 3; round++) {
      for (const id of keys) await fn({ id }).catch(() => {});
      expect(totals()).toEqual([40 - onNew, onNew]);
    }
  });

  test("errors thrown at once count like rejections, and expected errors not at all", async () => {
    const throws = (_order: Order): string => {
      throw new Error("at once");
    };
    const quick = open({ old: throws, new: throws, key });
    for (const id of keys) expect(() => quick.fn({ id })).toThrow("at once");
    expect(quick.totals().reduce((sum, count) => sum + count, 0)).toBe(40);
    const excused = open({ old: fails, new: fails, key, expected: () => true });
    for (const id of keys) await excused.fn({ id }).catch(() => {});
    expect(excused.totals()).toEqual([0, 0]);
  });

  test("a call that failed over counts against the new side", async () => {
    const { fn, totals } = open({ old: answers, new: fails, key, idempotent: true });
    const onNew = keys.filter((id) => fn.side(id) === "new").length;
    for (const id of keys) expect(await fn({ id })).toBe(id);
    expect(totals()).toEqual([0, onNew]);
  });

  test("calls that never end count for their keys at the deadline, their late errors do not again", async () => {
    const late: ((error: Error) => void)[] = [];
    const hangs = (_order: Order): Promise<string> => new Promise((_, reject) => late.push(reject));
    for (const idempotent of [false, true]) {
      late.length = 0;
      const { fn, clock, totals } = open({ old: answers, new: hangs, key, deadline: "1s", idempotent });
      const onNew = keys.filter((id) => fn.side(id) === "new");
      const calls = keys.map((id) => fn({ id }).catch(() => "failed"));
      expect(totals()).toEqual([0, 0]);
      await clock.advance(1_500);
      expect(totals()).toEqual([0, onNew.length]);
      for (const reject of late) reject(new Error("late"));
      await Promise.all(calls);
      expect(totals()).toEqual([0, onNew.length]);
    }
  });

  test("a new side that changes its input does not change whose error it was", async () => {
    let n = 0;
    const changes = async (order: Order): Promise<string> => {
      order.id = `changed ${n++}`;
      throw new Error("broken");
    };
    const { fn, totals } = open({ old: answers, new: changes, key }, 99);
    const id = keys.find((each) => fn.side(each) === "new") ?? "";
    for (let i = 0; i < 5; i++) await fn({ id }).catch(() => {});
    expect(totals()).toEqual([0, 1]);
  });

  test.each([0, 100])(
    "at a share of %d %% no key is followed: its side is no draw of lots",
    async (share) => {
      const { fn, last } = open({ old: fails, new: fails, key }, share);
      await fn({ id: "a" }).catch(() => {});
      expect(last()).not.toHaveProperty("firstErrors");
      expect(last()?.old.errors ?? 0).toBe(share === 0 ? 1 : 0);
    },
  );

  test("keys count again when the hour of the clock is over, and not when the clock is set back a little", async () => {
    const { fn, clock, last, link, rollout } = open({ old: fails, new: fails, key });
    const fail = (): Promise<unknown> => fn({ id: "a" }).catch(() => {});
    await fail();
    const hour = last()?.firstErrors?.period ?? 0;
    expect(hour).toBe(Math.floor(clock.now() / periodMs));
    await clock.advance(periodMs);
    rollout.flush();
    await fail();
    expect(last()?.firstErrors).toMatchObject({ period: hour + 1 });
    const found = link.intervals.filter(
      ({ firstErrors }) => (firstErrors?.old ?? 0) + (firstErrors?.new ?? 0) > 0,
    );
    expect(found.map(({ firstErrors }) => firstErrors?.period)).toEqual([hour, hour + 1]);
  });

  test("a clock set back by minutes over the full hour does not count keys twice", () => {
    let now = 10 * periodMs + 1_000;
    const clock = Object.assign(new ManualClock(), { now: () => now });
    const memory = new FirstErrorMemory("s", clock);
    const list = new FirstErrorList();
    const failed = (): number => {
      memory.note("a", list, "new");
      memory.roll();
      return list.take(memory.period).new;
    };
    expect(failed()).toBe(1);
    now -= 5_000;
    expect([failed(), failed(), memory.period]).toEqual([0, 0, 10]);
    now += 2 * periodMs;
    expect([failed(), failed(), memory.period]).toEqual([0, 1, 11]);
  });

  test("more keys than an interval can tell are left for the next, whatever their side", () => {
    const memory = new FirstErrorMemory("s", new ManualClock());
    const list = new FirstErrorList();
    const failAll = (): number => {
      for (let n = 0; n < 1_200; n++) memory.note(`k${n}`, list, n % 10 === 0 ? "new" : "old");
      const { old, new: fresh, keys: told } = list.take(0);
      expect([told?.old.length, told?.new.length]).toEqual([old, fresh]);
      return old + fresh;
    };
    expect([failAll(), failAll(), failAll(), failAll()]).toEqual([500, 500, 200, 0]);
  });
});

describe("the memory of failed keys", () => {
  const random = createRandom(7);
  const hash = (): number =>
    1 + Math.floor(random.next() * 2 ** 21) * 2 ** 32 + Math.floor(random.next() * (2 ** 32 - 1));

  test("holds 100,000 of a million keys, a sample that still hears of new ones and counts none twice", () => {
    const memory = new FailedKeys();
    const given = Array.from({ length: 1_000_000 }, hash);
    const counted = given.filter((each) => memory.add(each));
    expect(memory.size).toBeLessThanOrEqual(100_000);
    expect(memory.size).toBeGreaterThan(40_000);
    expect(memory.sampled).toBe(1 / 16);
    expect(counted.length).toBeGreaterThan(100_000);
    expect(given.filter((each) => memory.add(each)).length).toBe(0);
    const fresh = Array.from({ length: 16_000 }, hash).filter((each) => memory.add(each)).length;
    expect(Math.abs(fresh - 1_000)).toBeLessThan(200);
  });

  test("gives its memory back when a period ends", () => {
    const memory = new FailedKeys(10);
    for (let i = 0; i < 100; i++) memory.add(hash());
    expect(memory.size).toBeLessThanOrEqual(10);
    memory.clear();
    expect([memory.size, memory.sampled, memory.add(5), memory.add(5)]).toEqual([0, 1, true, false]);
  });
});

/**
 * Equal sides, 8 doors, 1,000 keys by Zipf's law that come to any door, 1 % of which always fail; an hour's turn in the
 * middle. Does the test on first errors fail? `once`: keys are counted once for all doors, as stores do.
 */
function falseAlarm(seed: number, once: boolean, most: number): boolean {
  const random = createRandom(seed);
  let now = 0;
  const clock = Object.assign(new ManualClock(), { now: () => now });
  const doors = Array.from({ length: 8 }, () => ({
    memory: new FirstErrorMemory("s", clock, most),
    list: new FirstErrorList(),
  }));
  const onNew = Array.from({ length: 1_000 }, () => random.next() < 0.2);
  const failing = Array.from({ length: 1_000 }, () => random.next() < 0.01);
  const judged = firstErrorTest({ alpha: 0.01, beta: 0.05, clearBelow: 2 });
  let known = new Set<number>();
  for (let look = 0; look < 20; look++) {
    if (look === 10) {
      now += periodMs;
      known = new Set();
      for (const { memory } of doors) memory.roll();
    }
    for (let call = 0; call < 300; call++) {
      const id = Math.floor(1_000 ** random.next()) - 1;
      const door = doors[Math.floor(random.next() * 8)];
      if (failing[id] !== true && random.next() >= 0.05) continue;
      door?.memory.note(String(id), door.list, onNew[id] === true ? "new" : "old");
    }
    for (const { memory, list } of doors) {
      const { keys: told = { old: [], new: [] } } = list.take(memory.period);
      const count = (hashes: readonly number[]): number =>
        hashes.filter((each) => !once || (!known.has(each) && known.add(each))).length;
      const newFirst = count(told.new);
      judged.observe({ share: 0.2, newFirst, allFirst: newFirst + count(told.old), period: memory.period });
    }
    if (judged.kind() === "fail") return true;
  }
  return false;
}

describe("false alarms of several doors with equal sides, at a nominal 1 %", () => {
  const runs = 500;
  const alarms = (once: boolean, most?: number): number =>
    Array.from({ length: runs }, (_, seed) => falseAlarm(seed + 1, once, most ?? 100_000)).filter(Boolean)
      .length / runs;
  const nominal = 0.01 + 2 * Math.sqrt((0.01 * 0.99) / runs);

  test("stay within it where stores count a key once, also when the doors' memory overflows", () => {
    expect(alarms(true)).toBeLessThanOrEqual(nominal);
    expect(alarms(true, 40)).toBeLessThanOrEqual(nominal);
  });

  test("would not if each door's count stood, which is why stores count keys", () => {
    expect(alarms(false)).toBeGreaterThan(nominal);
  });
});

import { describe, expect, test } from "vitest";
import { type CutoverError, hasCode, type Interval, type RouteState, type Stage } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { memoryLink } from "./memory-link.ts";
import type { RoutableFunction, RouteOptions } from "./options.ts";
import { createRollout } from "./rollout.ts";

const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** A route named "r" at a stage, with everything that can be seen of it. */
function open<F extends RoutableFunction>(options: RouteOptions<F>, stage: Stage = "off", share = 0) {
  const clock = new ManualClock();
  const link = memoryLink();
  const errors: CutoverError[] = [];
  const rollout = createRollout({ clock, link, name: "door", onError: (error) => errors.push(error) });
  const fn = rollout.route("r", options);
  let epoch = 0;
  const set = (to: Stage, percent = 0, salt = "s"): void => {
    const state: RouteState = { route: "r", stage: to, share: percent, epoch: ++epoch, salt };
    link.push(state);
  };
  if (stage !== "off") set(stage, share);
  /** All intervals so far, added up. */
  const counts = () => {
    rollout.flush();
    const sum = (read: (interval: Interval) => number): number =>
      link.intervals.reduce((total, interval) => total + read(interval), 0);
    return {
      old: [sum((i) => i.old.calls), sum((i) => i.old.errors)],
      new: [sum((i) => i.new.calls), sum((i) => i.new.errors)],
      shadow: sum((i) => i.shadow.calls),
      shadowErrors: sum((i) => i.shadow.errors),
      timeouts: sum((i) => i.shadow.timeouts),
      skipped: sum((i) => i.shadow.skipped),
      compared: sum((i) => i.compared),
      mismatches: sum((i) => i.mismatches),
      failedOver: sum((i) => i.failedOver),
    };
  };
  return { clock, link, errors, rollout, fn, set, counts };
}

interface Order {
  readonly id: string;
  readonly n?: number;
}
const asOld = async (order: Order): Promise<string> => `old ${order.id}`;
const asNew = async (order: Order): Promise<string> => `new ${order.id}`;
const key = (order: Order): string => order.id;
const sides = { old: asOld, new: asNew, key };
const failing = async (_order: Order): Promise<string> => {
  throw new Error("new is broken");
};

describe("stages", () => {
  test.each([
    ["off", "old a"],
    ["dualwrite", "old a"],
    ["shadow", "old a"],
    ["rampdown", "new a"],
    ["complete", "new a"],
  ] as const)("at %s the caller gets %j", async (stage, answer) => {
    const { fn } = open({ ...sides, effects: "none" }, stage);
    expect(await fn({ id: "a" })).toBe(answer);
  });

  test("at live exactly the keys of the share are answered by the new side, and side() tells which", async () => {
    const { fn, counts } = open(sides, "live", 30);
    let taken = 0;
    for (let i = 0; i < 2_000; i++) {
      const answer = await fn({ id: `k${i}` });
      expect(answer).toBe(`${fn.side(`k${i}`)} k${i}`);
      if (answer.startsWith("new")) taken++;
    }
    expect(Math.abs(taken - 600)).toBeLessThan(5 * Math.sqrt(420));
    expect(counts()).toMatchObject({ old: [2_000 - taken, 0], new: [taken, 0] });
  });

  test("synchronous sides stay synchronous at every stage", async () => {
    const add = {
      old: (n: number) => n + 1,
      new: (n: number) => n + 2,
      key: (n: number) => n,
      effects: "none" as const,
    };
    for (const [stage, share, answer] of [
      ["off", 0, 2],
      ["shadow", 0, 2],
      ["dualwrite", 0, 2],
      ["live", 100, 3],
      ["rampdown", 0, 3],
      ["complete", 0, 3],
    ] as const) {
      const { fn, counts } = open(add, stage, share);
      expect(fn(1)).toBe(answer);
      const side = answer === 2 ? "old" : "new";
      expect(counts()[side]).toEqual([1, 0]);
      await turns();
    }
  });

  test("this and several arguments reach the side that answers", () => {
    const service = {
      base: 10,
      add: open({
        old(this: { base: number }, a: number, b: number) {
          return this.base + a + b;
        },
        new(this: { base: number }, a: number, b: number) {
          return this.base + a + b;
        },
        key: (a: number) => a,
      }).fn,
    };
    expect(service.add(1, 2)).toBe(13);
  });

  test("a change of stage acts on the next call, and a state with a lower or equal epoch on none", async () => {
    const { fn, set, link } = open(sides);
    expect(await fn({ id: "a" })).toBe("old a");
    set("complete");
    expect(await fn({ id: "a" })).toBe("new a");
    link.push({ route: "r", stage: "off", share: 0, epoch: 1, salt: "s" });
    expect(await fn({ id: "a" })).toBe("new a");
    expect(fn.state()).toEqual({ route: "r", stage: "complete", share: 0, epoch: 1, salt: "s" });
  });

  test("an owner with another store is followed although its epochs begin anew", () => {
    const { fn, set, link } = open(sides);
    set("live", 10);
    set("live", 50);
    link.push({ route: "r", stage: "off", share: 0, epoch: 1, salt: "another" });
    expect(fn.state()).toMatchObject({ stage: "off", epoch: 1 });
  });

  test("a malformed state changes nothing and is told to the hook", () => {
    const { fn, link, errors } = open(sides, "live", 10);
    const bad = { route: "r", stage: "turbo", share: 10, epoch: 9, salt: "s" } as unknown as RouteState;
    link.push(bad, { ...bad, stage: "live", share: 101 });
    expect(fn.state()).toMatchObject({ stage: "live", share: 10, epoch: 1 });
    expect(errors.map((error) => error.code)).toContain("CUTOVER_ROUTE_INVALID");
  });

  test("a key function that throws or gives nothing leaves the call with the old side", async () => {
    for (const bad of [
      () => "",
      () => {
        throw new Error("no key");
      },
      () => undefined as unknown as string,
    ]) {
      const { fn } = open({ ...sides, key: bad }, "live", 99.9);
      expect(await fn({ id: "a" })).toBe("old a");
    }
  });
});

describe("declaring a route", () => {
  test("a route with effects and without a shadow function refuses stage shadow", async () => {
    const { fn, set, link, errors } = open(sides, "live", 0);
    expect(link.declarations[0]?.stages).toEqual(["off", "dualwrite", "live", "rampdown", "complete"]);
    set("shadow");
    expect(fn.state().stage).toBe("live");
    expect(errors[0]?.message).toContain("stage shadow");
  });

  test("a shadow function or effects none allows stage shadow", () => {
    expect(open({ ...sides, shadow: asNew }).link.declarations[0]?.stages).toContain("shadow");
    expect(open({ ...sides, effects: "none" }).link.declarations[0]?.stages).toContain("shadow");
  });

  test("a second route of the same name and options that make no sense are refused", () => {
    const { rollout } = open(sides);
    const refusal = (fn: () => unknown): unknown => {
      try {
        return fn();
      } catch (error) {
        return error;
      }
    };
    expect(
      hasCode(
        refusal(() => rollout.route("r", sides)),
        "CUTOVER_ROUTE_DUPLICATE",
      ),
    ).toBe(true);
    for (const bad of [
      { old: undefined as unknown as typeof asOld },
      { shadowConcurrency: 0 },
      { sample: 101 },
      { effects: "some" as "none" },
      { deadline: 0 },
      { tolerance: -1 },
      { tolerance: { absolute: Number.NaN } },
      { tolerance: { relativ: 0.1 } },
      { shadowConcurrency: 1.5 },
      { normalize: 7 as unknown as () => unknown },
      { ignroe: ["at"] } as object,
    ]) {
      const error = refusal(() => rollout.route("x", { ...sides, ...bad }));
      expect(hasCode(error, "CUTOVER_ROUTE_INVALID"), JSON.stringify(bad)).toBe(true);
    }
    expect(
      hasCode(
        refusal(() => rollout.route("a b", sides)),
        "CUTOVER_ROUTE_INVALID",
      ),
    ).toBe(true);
    expect(
      hasCode(
        refusal(() => rollout.route("x", { ...sides, deadline: "soon" })),
        "CUTOVER_DURATION_INVALID",
      ),
    ).toBe(true);
  });
});

describe("counting", () => {
  test("every call and every failure is counted once, on the side that had it", async () => {
    const { fn, counts } = open({
      ...sides,
      old: async (order: Order) => {
        if (order.n === 1) throw new Error("x");
        return "ok";
      },
    });
    for (let i = 0; i < 10; i++) await fn({ id: "a", n: i % 2 }).catch(() => {});
    expect(counts()).toMatchObject({ old: [10, 5], new: [0, 0] });
  });

  test("an expected error is an answer, not a failure", async () => {
    const { fn, counts } = open({
      ...sides,
      old: failing,
      expected: (error) => (error as Error).message.includes("broken"),
    });
    await expect(fn({ id: "a" })).rejects.toThrow("new is broken");
    expect(counts().old).toEqual([1, 0]);
  });

  test("calls that hang are counted as failed after the deadline, and once only when they end late", async () => {
    let end = (): void => {};
    const hanging = (_order: Order): Promise<string> =>
      new Promise((resolve) => {
        end = () => resolve("late");
      });
    const { fn, counts, clock } = open({ ...sides, new: hanging, deadline: "2s" }, "complete");
    const call = fn({ id: "a" });
    await clock.advance(1_900);
    expect(counts().new).toEqual([0, 0]);
    await clock.advance(700);
    expect(counts().new).toEqual([1, 1]);
    end();
    expect(await call).toBe("late");
    expect(counts().new).toEqual([1, 1]);
  });

  test("a call belongs to the epoch it began in, also when it ends later", async () => {
    let end = (): void => {};
    const slow = (_order: Order): Promise<string> =>
      new Promise((resolve) => {
        end = () => resolve("x");
      });
    const { fn, set, rollout, link } = open({ ...sides, old: slow });
    set("live", 10);
    const call = fn({ id: "k1" });
    set("live", 0);
    rollout.flush();
    expect(link.intervals).toEqual([]);
    end();
    await call;
    rollout.flush();
    expect(link.intervals.map((i) => [i.epoch, i.share, i.old.calls])).toEqual([[1, 10, 1]]);
  });

  test("latency is measured for every call at ordinary rates, and sampled when calls come by the thousand", async () => {
    const { fn, rollout, link } = open({
      old: (n: number) => n,
      new: (n: number) => n,
      key: (n: number) => n,
    });
    const timed = (): number =>
      (link.intervals.at(-1)?.old.latency ?? []).reduce((sum, [, count]) => sum + count, 0);
    for (let i = 0; i < 120; i++) fn(i);
    rollout.flush();
    expect(timed()).toBe(120);
    for (let i = 0; i < 100_000; i++) fn(i);
    rollout.flush();
    expect(link.intervals.at(-1)?.old.calls).toBe(100_000);
    expect(timed()).toBeGreaterThan(500);
    expect(timed()).toBeLessThan(10_000);
  });

  test("an idle route reports once a second, so that silence can be told from absence", async () => {
    const { clock, link } = open(sides);
    await clock.advance(5_000);
    expect(link.intervals.length).toBe(5);
    expect(link.intervals.every((interval) => interval.old.calls + interval.new.calls === 0)).toBe(true);
    expect(new Set(link.intervals.map((interval) => interval.id)).size).toBe(5);
  });
});

describe("fail-over", () => {
  test("an idempotent call that fails on the new side is answered by the old side and counts against the new", async () => {
    const { fn, counts } = open({ ...sides, new: failing, idempotent: true }, "live", 100);
    expect(await fn({ id: "a" })).toBe("old a");
    expect(counts()).toMatchObject({ old: [0, 0], new: [1, 1], failedOver: 1 });
  });

  test("a call that is not idempotent fails as it failed, unless nothing was sent", async () => {
    const plain = open({ ...sides, new: failing }, "live", 100);
    await expect(plain.fn({ id: "a" })).rejects.toThrow("new is broken");
    expect(plain.counts()).toMatchObject({ new: [1, 1], failedOver: 0 });
    const unsent = open(
      { ...sides, new: failing, unsent: (error) => (error as Error).message === "new is broken" },
      "live",
      100,
    );
    expect(await unsent.fn({ id: "a" })).toBe("old a");
    expect(unsent.counts()).toMatchObject({ new: [1, 1], failedOver: 1 });
  });

  test("an idempotent call that hangs is answered by the old side at its deadline, and its late answer is dropped", async () => {
    let end = (): void => {};
    const hanging = (_order: Order): Promise<string> =>
      new Promise((resolve) => {
        end = () => resolve("late");
      });
    const { fn, counts, clock } = open(
      { ...sides, new: hanging, idempotent: true, deadline: 500 },
      "live",
      100,
    );
    const call = fn({ id: "a" });
    await clock.advance(501);
    expect(await call).toBe("old a");
    end();
    await turns();
    expect(counts()).toMatchObject({ new: [1, 1], failedOver: 1 });
  });

  test("the old side gets the input as the caller gave it, whatever the new side did to it", async () => {
    const spoil = async (order: { id: string }): Promise<string> => {
      order.id = "spoiled";
      throw new Error("x");
    };
    const old = async (order: { id: string }): Promise<string> => order.id;
    const { fn } = open({ old, new: spoil, key: (order) => order.id, idempotent: true }, "live", 100);
    expect(await fn({ id: "mine" })).toBe("mine");
  });

  test("when both sides fail the caller sees the old side's error", async () => {
    const old = async (_order: Order): Promise<string> => {
      throw new Error("old is broken too");
    };
    const { fn } = open({ ...sides, old, new: failing, idempotent: true }, "live", 100);
    await expect(fn({ id: "a" })).rejects.toThrow("old is broken too");
  });

  test("an expected error of the new side is its answer and is not repeated on the old side", async () => {
    const { fn, counts } = open(
      { ...sides, new: failing, idempotent: true, expected: () => true },
      "live",
      100,
    );
    await expect(fn({ id: "a" })).rejects.toThrow("new is broken");
    expect(counts()).toMatchObject({ new: [1, 0], failedOver: 0 });
  });

  test("at complete nothing fails over: the old side may be gone", async () => {
    const { fn } = open({ ...sides, new: failing, idempotent: true }, "complete");
    await expect(fn({ id: "a" })).rejects.toThrow("new is broken");
  });
});

describe("shadow", () => {
  const reads = { ...sides, effects: "none" as const };

  test("equal answers are compared and found equal, different ones are kept with their paths", async () => {
    const { fn, counts, link } = open(
      {
        old: async (order: Order) => ({ id: order.id, at: 1, state: "queued", token: "a" }),
        new: async (order: Order) => ({
          id: order.id,
          at: 2,
          state: order.n === 1 ? "lost" : "queued",
          token: order.n === 1 ? "b" : "a",
        }),
        key,
        effects: "none",
        ignore: ["at"],
        operation: (order) => (order.n === 1 ? "one" : "two"),
      },
      "shadow",
    );
    await fn({ id: "a", n: 1 });
    await fn({ id: "b", n: 2 });
    await turns();
    expect(counts()).toMatchObject({ old: [2, 0], new: [0, 0], shadow: 2, compared: 2, mismatches: 1 });
    expect(link.intervals.at(-1)?.operations).toEqual({ one: 1, two: 1 });
    expect(link.samples).toHaveLength(1);
    expect(link.samples[0]).toMatchObject({
      route: "r",
      door: "door",
      key: "a",
      operation: "one",
      differences: [
        { path: "state", old: '"queued"', new: '"lost"' },
        { path: "token", old: "[redacted]", new: "[redacted]" },
      ],
    });
  });

  test("the shadow function is called instead of the new one, which never sees the call", async () => {
    let acted = 0;
    const act = async (order: Order): Promise<string> => {
      acted++;
      return asNew(order);
    };
    const { fn, counts } = open({ ...sides, new: act, shadow: asOld }, "shadow");
    await fn({ id: "a" });
    await turns();
    expect(acted).toBe(0);
    expect(counts()).toMatchObject({ compared: 1, mismatches: 0 });
  });

  test("error is compared with error, and error with answer is a mismatch", async () => {
    const fail =
      (text: string) =>
      async (_order: Order): Promise<string> => {
        throw new Error(text);
      };
    const same = open({ ...reads, old: fail("x"), new: fail("x") }, "shadow");
    await same.fn({ id: "a" }).catch(() => {});
    await turns();
    expect(same.counts()).toMatchObject({ compared: 1, mismatches: 0 });
    const other = open({ ...reads, new: fail("x") }, "shadow");
    await other.fn({ id: "a" });
    await turns();
    expect(other.counts()).toMatchObject({ compared: 1, mismatches: 1, shadowErrors: 1 });
  });

  test("no answer in time is a mismatch where the old side answered, and none where it failed", async () => {
    const hanging = (order: Order): Promise<string> =>
      order.n === 1 ? new Promise(() => {}) : Promise.resolve(`old ${order.id}`);
    const one = open({ ...reads, new: hanging, deadline: 100 }, "shadow");
    await one.fn({ id: "a" });
    await one.fn({ id: "b", n: 1 });
    await turns();
    expect(one.counts()).toMatchObject({ compared: 1, mismatches: 0, timeouts: 0 });
    await one.clock.advance(250);
    expect(one.counts()).toMatchObject({ compared: 2, mismatches: 1, timeouts: 1, shadowErrors: 0 });
    expect(JSON.stringify(one.link.samples)).toContain("no answer within 200 ms");
    const both = open({ ...reads, old: failing, new: hanging, deadline: 100 }, "shadow");
    await both.fn({ id: "b", n: 1 }).catch(() => {});
    await turns();
    await both.clock.advance(250);
    expect(both.counts()).toMatchObject({ compared: 0, mismatches: 0, timeouts: 1 });
  });

  test("normalisers and own comparisons decide when given", async () => {
    const upper = open({ ...reads, normalize: (answer: string) => answer.slice(4) }, "shadow");
    await upper.fn({ id: "a" });
    const own = open({ ...reads, compare: () => true }, "shadow");
    await own.fn({ id: "a" });
    const never = open({ ...reads, new: asOld, compare: () => [{ path: "p", old: 1, new: 2 }] }, "shadow");
    await never.fn({ id: "a" });
    await turns();
    expect([upper, own, never].map((route) => route.counts().mismatches)).toEqual([0, 0, 1]);
    expect(never.link.samples[0]?.differences).toEqual([{ path: "p", old: "1", new: "2" }]);
  });

  test("a comparison that throws proves nothing: it is told to the hook and not counted as compared", async () => {
    const { fn, counts, errors } = open(
      {
        ...reads,
        compare: () => {
          throw new Error("bad comparison");
        },
      },
      "shadow",
    );
    await fn({ id: "a" });
    await turns();
    expect(counts()).toMatchObject({ shadow: 1, compared: 0, mismatches: 0 });
    expect(errors.map((error) => error.code)).toEqual(["CUTOVER_ROUTE_FAULT"]);
  });

  test("sample shadows its part of the keys, the same keys every time", async () => {
    const seen: string[] = [];
    const candidate = async (order: Order): Promise<string> => {
      seen.push(order.id);
      return asOld(order);
    };
    const { fn, counts } = open({ ...reads, new: candidate, sample: 20, shadowConcurrency: 100 }, "shadow");
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 1_000; i++) {
        await fn({ id: `k${i}` });
        if (i % 50 === 0) await turns();
      }
      await turns();
    }
    expect(Math.abs(new Set(seen).size - 200)).toBeLessThan(5 * Math.sqrt(160));
    expect(seen.length).toBe(2 * new Set(seen).size);
    expect(counts().skipped).toBe(0);
  });

  test("an input or answer larger than the copy limit is skipped and counted, not compared", async () => {
    const { fn, counts } = open(
      {
        old: async (list: number[]) => list.length,
        new: async (list: number[]) => list.length,
        key: () => "k",
        effects: "none",
      },
      "shadow",
    );
    expect(await fn(Array.from({ length: 5_000 }, () => 1))).toBe(5_000);
    await turns();
    expect(counts()).toMatchObject({ shadow: 0, skipped: 1 });
  });
});

describe("second writes", () => {
  test("at dualwrite the new side gets every write, and its failures stay with the counts", async () => {
    const { fn, counts, errors } = open({ ...sides, new: failing }, "dualwrite");
    expect(await fn({ id: "a" })).toBe("old a");
    await turns();
    expect(counts()).toMatchObject({ old: [1, 0], shadow: 1, shadowErrors: 1 });
    expect(errors[0]?.message).toContain("new is broken");
  });

  test("writes with one key reach the other side in their order, also when an earlier one is slow", async () => {
    const seen: number[] = [];
    const ends: (() => void)[] = [];
    const slow = (order: Order): Promise<string> =>
      new Promise((resolve) => {
        ends.push(() => {
          seen.push(order.n ?? 0);
          resolve("");
        });
      });
    const { fn } = open({ ...sides, new: slow }, "dualwrite");
    for (let n = 1; n <= 3; n++) await fn({ id: "same", n });
    await fn({ id: "other", n: 9 });
    await turns();
    expect(ends).toHaveLength(2);
    ends[1]?.();
    ends[0]?.();
    for (let i = 2; i < 4; i++) {
      await turns();
      ends[i]?.();
    }
    await turns();
    expect(seen).toEqual([9, 1, 2, 3]);
  });

  test("what the first side refused is not written to the other side", async () => {
    const { fn, counts } = open({ ...sides, old: failing }, "dualwrite");
    await fn({ id: "a" }).catch(() => {});
    await turns();
    expect(counts()).toMatchObject({ old: [1, 1], shadow: 0 });
  });

  test("a second write that hangs is given up at its deadline and lets the next one pass", async () => {
    let calls = 0;
    const hanging = (_order: Order): Promise<string> => {
      calls++;
      return new Promise(() => {});
    };
    const { fn, counts, clock } = open({ ...sides, new: hanging, deadline: 100 }, "dualwrite");
    await fn({ id: "a" });
    await fn({ id: "a" });
    await clock.advance(250);
    expect(calls).toBe(2);
    await clock.advance(250);
    expect(counts()).toMatchObject({ shadow: 2, timeouts: 2 });
  });
});

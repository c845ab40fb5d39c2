import { describe, expect, test } from "vitest";
import type { Clock, Interval } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { memoryLink } from "./memory-link.ts";
import { Overhead } from "./overhead.ts";
import { createRollout } from "./rollout.ts";

/** A clock on which work takes time: whoever calls `work` lets milliseconds pass. */
function workingClock(): Clock & { work(ms: number): void; advance(ms: number): Promise<void> } {
  const clock = new ManualClock();
  let worked = 0;
  return {
    now: () => clock.now() + worked,
    monotonic: () => clock.monotonic() + worked,
    after: (ms, fn) => clock.after(ms, fn),
    work: (ms) => void (worked += ms),
    advance: (ms) => clock.advance(ms),
  };
}

describe("the overhead", () => {
  test("may take its part at once, is blocked above it, and is free again when half of it is paid back", async () => {
    const clock = workingClock();
    const overhead = new Overhead(clock, 5);
    overhead.spend(50, clock.monotonic());
    expect(overhead.blocks).toBe(false);
    overhead.spend(1, clock.monotonic());
    expect(overhead.blocks).toBe(true);
    clock.work(500);
    expect(overhead.blocks).toBe(true);
    clock.work(21);
    expect(overhead.blocks).toBe(false);
  });

  test("keeps to its part in the long run, whatever one call costs", () => {
    for (const cost of [0.01, 1, 40, 400]) {
      const clock = workingClock();
      const overhead = new Overhead(clock, 5);
      let spent = 0;
      while (clock.monotonic() < 100_000) {
        clock.work(Math.min(cost, 1));
        if (overhead.blocks) continue;
        clock.work(cost);
        spent += cost;
        overhead.spend(cost, clock.monotonic());
      }
      expect(spent / clock.monotonic()).toBeLessThan(0.056);
    }
  });
});

describe("a route whose shadow costs much", () => {
  function open(costs: { readonly call?: number; readonly compare?: number }, overhead?: number) {
    const clock = workingClock();
    const link = memoryLink();
    const rollout = createRollout({
      clock,
      link,
      state: [{ route: "r", stage: "shadow" }],
      ...(overhead === undefined ? {} : { overhead }),
    });
    const fn = rollout.route("r", {
      old: (n: number) => n,
      new: (n) => {
        clock.work(costs.call ?? 0);
        return n;
      },
      compare: (a, b) => {
        clock.work(costs.compare ?? 0);
        return a === b;
      },
      key: (n) => n,
      effects: "none",
    });
    const traffic = async (calls: number, every: number): Promise<void> => {
      for (let i = 0; i < calls; i++) {
        fn(i);
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
        clock.work(every);
      }
    };
    const sum = (read: (interval: Interval) => number): number => {
      rollout.flush();
      return link.intervals.reduce((total, interval) => total + read(interval), 0);
    };
    return { traffic, sum, clock };
  }

  test.each([{ call: 10 }, { compare: 10 }])(
    "skips calls above 5 % of the process's time: %j",
    async (costs) => {
      const { traffic, sum, clock } = open(costs);
      await traffic(1_000, 10);
      const made = sum((i) => i.shadow.calls);
      expect(made + sum((i) => i.shadow.skipped)).toBe(1_000);
      expect(sum((i) => i.overheadMs ?? 0)).toBe(made * 10);
      expect((made * 10) / clock.monotonic()).toBeLessThan(0.06);
      expect((made * 10) / clock.monotonic()).toBeGreaterThan(0.03);
    },
  );

  test("skips none below its part, and none when it may take all", async () => {
    const cheap = open({ call: 0.1 });
    await cheap.traffic(500, 10);
    expect(cheap.sum((i) => i.shadow.skipped)).toBe(0);
    const allowed = open({ call: 10 }, 100);
    await allowed.traffic(200, 1);
    expect(allowed.sum((i) => i.shadow.skipped)).toBe(0);
  });
});

test("a part that makes no sense is refused", () => {
  for (const overhead of [0, -1, 101, Number.NaN, "5"])
    expect(() => createRollout({ link: null, overhead: overhead as number })).toThrow(/overhead/);
});

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import type { Interval } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { memoryLink } from "./memory-link.ts";
import { Outbox } from "./outbox.ts";
import { createRollout } from "./rollout.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const heap = (): number => {
  collect();
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
};

describe("what a door remembers", () => {
  test("is bounded after a million calls of 100,000 keys, a fifth of which fail", async () => {
    const link = memoryLink();
    const state = [{ route: "r", stage: "live", share: 50 }] as const;
    const clock = new ManualClock();
    const rollout = createRollout({ clock, link, state });
    const side = (n: number): number => {
      if (n % 5 === 0) throw new Error("broken");
      return n;
    };
    const fn = rollout.route("r", { old: side, new: side, key: (n: number) => `customer ${n}` });
    const call = (n: number): void => {
      try {
        fn(n % 100_000);
      } catch {
        // counted, and told to the caller
      }
    };
    const totals = { calls: 0, errors: 0, firstErrors: 0, longest: 0 };
    const take = (): void => {
      rollout.flush();
      for (const interval of link.intervals.splice(0)) {
        totals.calls += interval.old.calls + interval.new.calls;
        totals.errors += interval.old.errors + interval.new.errors;
        totals.firstErrors += (interval.firstErrors?.old ?? 0) + (interval.firstErrors?.new ?? 0);
        totals.longest = Math.max(totals.longest, JSON.stringify(interval).length);
      }
    };
    for (let n = 0; n < 20_000; n++) call(n);
    take();
    const before = heap();
    for (let n = 20_000; n < 1_000_000; n++) {
      call(n);
      if (n % 2_000 === 0) take();
    }
    take();
    expect(heap() - before).toBeLessThan(8_000_000);
    expect(totals).toMatchObject({ calls: 1_000_000, errors: 200_000, firstErrors: 20_000 });
    expect(totals.longest).toBeLessThan(20_000);
    await rollout.close();
  });

  test("is bounded while 100,000 calls are under way, and given back when they are over", async () => {
    const link = memoryLink();
    const state = [{ route: "r", stage: "live", share: 50 }] as const;
    const rollout = createRollout({ clock: new ManualClock(), link, state });
    let held: (() => void)[] = [];
    const waits = (_n: number): Promise<void> => new Promise((resolve) => held.push(resolve));
    const fn = rollout.route("r", { old: waits, new: waits, key: (n) => n });
    const before = heap();
    const calls = Promise.all(Array.from({ length: 100_000 }, (_, n) => fn(n)));
    for (const end of held) end();
    held = [];
    await calls;
    rollout.flush();
    rollout.flush();
    expect(heap() - before).toBeLessThan(8_000_000);
    const counted = link.intervals.reduce((sum, each) => sum + each.old.calls + each.new.calls, 0);
    expect(counted).toBe(100_000);
    await rollout.close();
  });

  test("measures both sides alike: at any traffic the timed calls are spread as the calls are", async () => {
    const link = memoryLink();
    const state = [{ route: "r", stage: "live", share: 20 }] as const;
    const rollout = createRollout({ clock: new ManualClock(), link, state });
    const fn = rollout.route("r", { old: (n: number) => n, new: (n: number) => n, key: (n) => n });
    let timed = 0;
    let timedNew = 0;
    for (let flush = 0; flush < 40; flush++) {
      for (let n = 0; n < 5_000; n++) fn(flush * 5_000 + n);
      rollout.flush();
      for (const { old, new: fresh } of link.intervals.splice(0)) {
        const sum = (counts: Interval["old"]): number =>
          counts.latency.reduce((total, [, count]) => total + count, 0);
        timed += sum(old) + sum(fresh);
        timedNew += sum(fresh);
      }
    }
    expect(timed).toBeLessThan(40 * 1_500);
    expect(Math.abs(timedNew / timed - 0.2)).toBeLessThan(5 * Math.sqrt((0.2 * 0.8) / timed));
    await rollout.close();
  });
});

describe("what waits for an owner", () => {
  const interval = (n: number, hashes: number): Interval => {
    const side = { calls: 0, errors: 0, latency: [] };
    const keys = { old: Array.from({ length: hashes }, (_, i) => 2 ** 52 + n * 1_000 + i), new: [] };
    return {
      id: `i${n}`,
      route: "r",
      door: "d",
      epoch: 1,
      stage: "live",
      share: 50,
      from: n,
      to: n + 1,
      old: side,
      new: side,
      shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
      compared: 0,
      mismatches: 0,
      failedOver: 0,
      firstErrors: { old: hashes, new: 0, period: 1, keys },
      operations: {},
    };
  };

  test("goes out in deliveries of a bounded size, however many keys failed", () => {
    const outbox = new Outbox();
    outbox.add(
      Array.from({ length: 300 }, (_, n) => interval(n, 500)),
      [],
    );
    let delivered = 0;
    while (!outbox.empty) {
      const intervals = outbox.intervals();
      expect(intervals.length).toBeGreaterThan(0);
      expect(JSON.stringify({ intervals }).length).toBeLessThan(500_000);
      delivered += intervals.length;
      outbox.remove(intervals);
    }
    expect(delivered).toBe(300);
  });
});

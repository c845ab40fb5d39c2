import { describe, expect, test } from "vitest";
import { sideOf } from "../rollout/index.ts";
import { type Fault, reaches, readFault } from "./fault.ts";
import { KeySpace } from "./key-space.ts";
import { createRandom } from "./random.ts";
import { rhythmOf } from "./rhythm.ts";
import { partInterval, quantileOf } from "./statistics.ts";
import { readTraffic } from "./traffic.ts";

const refused = (place: string) => expect.objectContaining({ code: "CUTOVER_SIMULATION_INPUT", place });

describe("a fault as it is written", () => {
  test.each<readonly [string, Partial<Fault>]>([
    ["error:x2", { kind: "error", size: { by: "times", amount: 2 }, from: undefined, afterMs: 0 }],
    ["error:5%", { size: { by: "to", amount: 0.05 } }],
    ["error:+0.5%", { size: { by: "more", amount: 0.005 } }],
    ["latency:+50%", { kind: "latency", size: { by: "times", amount: 1.5 } }],
    ["latency:x3@live", { size: { by: "times", amount: 3 }, from: { stage: "live", share: 0 } }],
    ["mismatch:1%@shadow", { kind: "mismatch", from: { stage: "shadow", share: 0 } }],
    ["error:x5@live:50%+30s", { from: { stage: "live", share: 50 }, afterMs: 30_000 }],
    ["crash", { kind: "crash" }],
    [" crash@complete+1m ", { from: { stage: "complete", share: 0 }, afterMs: 60_000 }],
  ])("%s", (text, fault) => {
    expect(readFault(text)).toMatchObject(fault);
  });

  test.each([
    "",
    "explode",
    "error",
    "error:2",
    "error:x1",
    "error:x0.5",
    "error:0%",
    "error:150%",
    "error:-1%",
    "latency:50%",
    "latency:+0%",
    "mismatch:x2",
    "mismatch:+1%",
    "crash:x2",
    "error:x2@",
    "error:x2@dualwrite",
    "error:x2@shadow:5%",
    "error:x2@live:half",
    "error:x2@live+soon",
    "error:x2@live@live",
    "error:x2:x3",
  ])("%j is refused with the option it stands in", (text) => {
    expect(() => readFault(text)).toThrow(refused("--fault"));
  });

  test("begins where it says, and stays while the route goes on", () => {
    const half = readFault("error:x2@live:50%");
    expect(reaches(half, { stage: "live", share: 10 })).toBe(false);
    expect(reaches(half, { stage: "live", share: 50 })).toBe(true);
    expect(reaches(half, { stage: "complete", share: 0 })).toBe(true);
    expect(reaches(readFault("crash"), { stage: "shadow", share: 0 })).toBe(true);
    expect(reaches(readFault("crash"), { stage: "off", share: 0 })).toBe(false);
    expect(reaches(readFault("crash"), { stage: "live", share: 0 })).toBe(false);
    expect(reaches(readFault("latency:x2"), { stage: "shadow", share: 0 })).toBe(false);
  });
});

describe("traffic as it is written", () => {
  test("is usual where nothing is said", () => {
    expect(readTraffic({})).toMatchObject({
      rate: 200,
      baseError: 0.01,
      keys: 10_000,
      skew: 0,
      rhythm: "flat",
    });
  });

  test("takes rates by second, minute and hour", () => {
    expect(readTraffic({ rate: "90/min" }).rate).toBe(1.5);
    expect(readTraffic({ rate: "36 / h" }).rate).toBeCloseTo(0.01);
    expect(readTraffic({ skew: "zipf:1.1", latency: "exponential:2s", rhythm: "burst" })).toMatchObject({
      skew: 1.1,
      latency: { shape: "exponential", median: 2_000 },
    });
  });

  test.each([
    ["rate", "200"],
    ["rate", "0/s"],
    ["rate", "-5/s"],
    ["rate", "1e9/s"],
    ["rate", "many/s"],
    ["base-error", "0.01"],
    ["base-error", "60%"],
    ["keys", "0"],
    ["keys", "1.5"],
    ["keys", "2000000"],
    ["skew", "zipf"],
    ["skew", "zipf:0"],
    ["skew", "pareto:2"],
    ["latency", "20ms"],
    ["latency", "lognormal:20,0.5x"],
    ["latency", "lognormal:20ms,0"],
    ["latency", "exponential:20ms,0.5"],
    ["rhythm", "weekly"],
  ])("--%s %s is refused there", (name, text) => {
    expect(() => readTraffic({ [name]: text })).toThrow(refused(`--${name}`));
  });
});

describe("what is drawn", () => {
  test("keys of a share are those that a real door sends to the new side", () => {
    const salt = "some salt";
    const keys = new KeySpace({ keys: 2_000, skew: 0, salt });
    const state = { route: "r", stage: "live" as const, epoch: 1, salt };
    for (const share of [0, 0.5, 5, 33.3, 100]) {
      const real = Array.from({ length: 2_000 }, (_, i) => sideOf({ ...state, share }, `key-${i}`));
      expect(keys.countOf(share)).toBe(real.filter((side) => side === "new").length);
    }
  });

  test("heavy keys make their part of the calls", () => {
    const keys = new KeySpace({ keys: 1_000, skew: 1.1, salt: "s" });
    const random = createRandom(7);
    const drawn = new Map<number, number>();
    for (let i = 0; i < 50_000; i++) {
      const key = keys.draw(random, 0, 1_000);
      drawn.set(key, (drawn.get(key) ?? 0) + 1);
    }
    const heaviest = Math.max(...drawn.values()) / 50_000;
    const total = Array.from({ length: 1_000 }, (_, i) => (i + 1) ** -1.1).reduce((a, b) => a + b);
    expect(heaviest).toBeCloseTo(1 / total, 1);
    for (let i = 0; i < 500; i++) expect(keys.draw(random, 10, 12)).toBeOneOf([10, 11]);
  });

  test("counts have the mean and spread of their laws", () => {
    const random = createRandom(3);
    const moments = (draw: () => number): { mean: number; variance: number } => {
      const all = Array.from({ length: 20_000 }, draw);
      const mean = all.reduce((a, b) => a + b) / all.length;
      return { mean, variance: all.reduce((sum, x) => sum + (x - mean) ** 2, 0) / all.length };
    };
    for (const mean of [0.5, 40, 2_000]) {
      const found = moments(() => random.poisson(mean));
      expect(found.mean / mean).toBeCloseTo(1, 1);
      expect(found.variance / mean).toBeCloseTo(1, 1);
    }
    const binomial = moments(() => random.binomial(200, 0.9));
    expect(binomial.mean).toBeCloseTo(180, 0);
    expect(binomial.variance / 18).toBeCloseTo(1, 1);
    expect(random.binomial(10, 1)).toBe(10);
    expect(random.binomial(10, 0)).toBe(0);
  });

  test.each(["flat", "day", "burst"] as const)("a %s rhythm has the declared rate on the mean", (rhythm) => {
    const random = createRandom(11);
    let sum = 0;
    for (let run = 0; run < 20; run++) {
      const of = rhythmOf(rhythm, random);
      for (let at = 0; at < 86_400_000; at += 60_000) sum += of(at, at + 60_000);
    }
    expect(sum / 20 / 1_440).toBeCloseTo(1, 1);
  });
});

test("a part seen in none of 200 runs may still be 1.9 %", () => {
  const { low, high } = partInterval(0, 200);
  expect(low).toBe(0);
  expect(high).toBeCloseTo(0.0188, 3);
  expect(partInterval(200, 200)).toMatchObject({ high: 1 });
  expect(partInterval(2, 200).low).toBeGreaterThan(0);
});

test("a quantile counts runs that never came as infinite", () => {
  expect(quantileOf([1, 2, Number.POSITIVE_INFINITY], 0.5)).toBe(2);
  expect(quantileOf([], 0.5)).toBeUndefined();
});

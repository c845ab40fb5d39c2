import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type RouteState, shareBuckets, shareLimit } from "../../core/index.ts";
import { bucketer, sideOf, sideSalt } from "./bucket.ts";

const live = (share: number): RouteState => ({ route: "r", stage: "live", share, epoch: 1, salt: "s1" });
const share = fc.double({ min: 0, max: 100, noNaN: true });

describe("bucketing", () => {
  test("raising the share never moves a key back to the old side", () => {
    fc.assert(
      fc.property(fc.string(), share, share, (key, a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        if (sideOf(live(low), key) === "new") expect(sideOf(live(high), key)).toBe("new");
      }),
      { numRuns: 2_000 },
    );
  });

  test("a share of 0 takes no key and a share of 100 takes every key", () => {
    fc.assert(
      fc.property(fc.string(), (key) => {
        expect(sideOf(live(0), key)).toBe("old");
        expect(sideOf(live(100), key)).toBe("new");
      }),
    );
  });

  test("a bucket is a whole number from 0 to 999,999", () => {
    const bucket = bucketer("salt");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (key) => {
        expect(Number.isInteger(bucket(key)) && bucket(key) >= 0 && bucket(key) < shareBuckets).toBe(true);
      }),
    );
  });

  // 5 standard deviations: a healthy hash misses this once in 1.7 million trials.
  test.each([
    ["sequential numbers", (i: number) => String(i)],
    ["sequential order ids", (i: number) => `order-${String(i).padStart(8, "0")}`],
    ["random ids", (i: number) => crypto.randomUUID() + i],
  ])("%s get the share within its statistical bounds", (_, id) => {
    const keys = Array.from({ length: 100_000 }, (_unused, i) => id(i));
    const bucket = bucketer("work-orders");
    for (const percent of [0.1, 1, 10, 33.3333, 50, 90]) {
      const taken = keys.filter((key) => bucket(key) < shareLimit(percent)).length;
      const expected = keys.length * (percent / 100);
      expect(Math.abs(taken - expected)).toBeLessThan(5 * Math.sqrt(expected * (1 - percent / 100)));
    }
  });

  test("the draw of samples and the draws of other routes are independent of the share's", () => {
    const draws = ["s1", sideSalt("s1", "sample"), "s2"].map(bucketer);
    const keys = Array.from({ length: 100_000 }, (_, i) => `k${i}`);
    for (const [a, b] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const) {
      const both = keys.filter((key) => (draws[a]?.(key) ?? 0) < 500_000 && (draws[b]?.(key) ?? 0) < 500_000);
      // A quarter of the keys is in both halves: 25,000 with a standard deviation of 137.
      expect(Math.abs(both.length - 25_000)).toBeLessThan(700);
    }
  });

  test("stages other than live know only one side", () => {
    for (const [stage, side] of [
      ["off", "old"],
      ["dualwrite", "old"],
      ["shadow", "old"],
      ["rampdown", "new"],
      ["complete", "new"],
    ] as const) {
      expect(sideOf({ ...live(50), stage }, "any")).toBe(side);
    }
  });
});

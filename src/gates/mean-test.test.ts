import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRandom } from "../../bench/gates/random.ts";
import { type MeanObservation, meanSequence, meanTest } from "./index.ts";
import { sequenceRadius } from "./mean-sequence.ts";
import { addMoments, momentsOf, noMoments, varianceOf } from "./moments.ts";
import { lnNormal } from "./normal.ts";

const of = (values: readonly number[]): MeanObservation => ({
  count: values.length,
  sum: values.reduce((sum, value) => sum + value, 0),
  sumOfSquares: values.reduce((sum, value) => sum + value * value, 0),
});
const repeat = (times: number, values: readonly number[]): readonly number[] =>
  Array.from({ length: times }, () => values).flat();
const options = { alpha: 0.01, beta: 0.05, by: 0.5, better: "higher" } as const;
const judged = (old: readonly number[], fresh: readonly number[], more: object = {}) => {
  const judge = meanTest({ ...options, ...more });
  judge.observe({ old: of(old), new: of(fresh) });
  return judge.verdict();
};

describe("sums of stretches", () => {
  test("the normal distribution agrees with tables, far out too", () => {
    expect(Math.exp(lnNormal(0))).toBeCloseTo(0.5, 12);
    expect(Math.exp(lnNormal(1.959963984540054))).toBeCloseTo(0.975, 10);
    expect(Math.exp(lnNormal(-3)) / 0.0013498980316300946).toBeCloseTo(1, 8);
    expect(lnNormal(-10)).toBeCloseTo(-53.23128515051247, 8);
    expect(lnNormal(9)).toBe(0);
    expect(lnNormal(-5.0001)).toBeCloseTo(lnNormal(-4.9999), 2);
  });

  test("stretches merged in any order give the moments of all values", () => {
    const value = fc.double({ min: -1e3, max: 1e3, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.array(value, { maxLength: 6 }), { maxLength: 6 }), (lists) => {
        const merge = (some: readonly (readonly number[])[]) =>
          some.reduce((sum, list) => addMoments(sum, momentsOf("o", of(list))), noMoments);
        const all = merge([lists.flat()]);
        for (const merged of [merge(lists), merge(lists.toReversed())]) {
          expect(merged.count).toBe(all.count);
          expect(merged.mean).toBeCloseTo(all.mean, 6);
          expect(merged.squares).toBeCloseTo(all.squares, 3);
        }
      }),
    );
  });

  test("what rounding leaves of large equal values is no spread", () => {
    expect(varianceOf(momentsOf("o", of(repeat(100, [1e9, 1e9 + 1]))))).toBeUndefined();
    expect(varianceOf(momentsOf("o", of(repeat(100, [0.1]))))).toBeUndefined();
    expect(varianceOf(momentsOf("o", of(repeat(100, [0, 1]))))).toBeCloseTo(0.25, 2);
    expect(varianceOf(momentsOf("o", of([1])))).toBeUndefined();
  });

  test.each([
    ["half a value", { count: 0.5, sum: 1, sumOfSquares: 1 }],
    ["a sum that is not a number", { count: 1, sum: Number.NaN, sumOfSquares: 1 }],
    ["endless squares", { count: 1, sum: 1, sumOfSquares: 1 / 0 }],
    ["squares that are too small for the sum", { count: 2, sum: 10, sumOfSquares: 49 }],
    ["a sum of no values", { count: 0, sum: 1, sumOfSquares: 0 }],
    ["squares of no values", { count: 0, sum: 0, sumOfSquares: 1 }],
  ])("%s: refused, and nothing is changed", (_name, observation) => {
    const judge = meanTest(options);
    expect(() => judge.observe({ old: of([1, 2]), new: observation })).toThrow(/expected new\./);
    expect(judge.verdict().old.count).toBe(0);
    expect(() => meanSequence({ alpha: 0.05 }).observe(observation)).toThrow(/expected observation\./);
  });
});

describe("confidence sequence of a mean", () => {
  test("eq. 9 by hand: 1,000 values, ρ = 0.1, alpha 5 %", () => {
    const byHand = Math.sqrt(((2 * 11) / (1e6 * 0.01)) * Math.log(Math.sqrt(11) / 0.05));
    expect(sequenceRadius(1000, 0.1, 0.05)).toBeCloseTo(byHand, 12);
  });

  test("is infinite until there are enough values and they vary", () => {
    const sequence = meanSequence({ alpha: 0.05, minSample: 10 });
    expect(sequence.mean()).toEqual({ count: 0, low: -Infinity, high: Infinity });
    sequence.observe(of(repeat(20, [3])));
    expect(sequence.mean()).toEqual({ count: 20, estimate: 3, low: -Infinity, high: Infinity });
    sequence.observe(of([1, 5, 2, 4]));
    const { estimate, low, high } = sequence.mean();
    expect(estimate).toBeCloseTo(3, 12);
    expect((low + high) / 2).toBeCloseTo(3, 9);
  });

  test("is narrowest, among tunings, where it is tuned for", () => {
    const width = (tunedFor: number): number => {
      const sequence = meanSequence({ alpha: 0.05, tunedFor });
      sequence.observe(of(repeat(500, [0, 1])));
      const { low, high } = sequence.mean();
      return high - low;
    };
    for (const other of [100, 300, 3000, 10_000]) expect(width(1000)).toBeLessThan(width(other));
  });

  test("400 sequences of skewed values, looked at 40 times each, miss the mean no more often than promised", () => {
    const random = createRandom(5);
    let missed = 0;
    for (let run = 0; run < 400; run++) {
      const sequence = meanSequence({ alpha: 0.05 });
      let miss = false;
      for (let look = 0; look < 40; look++) {
        sequence.observe(of(Array.from({ length: 50 }, () => -Math.log(1 - random.next()))));
        const { low, high } = sequence.mean();
        miss ||= low > 1 || high < 1;
      }
      if (miss) missed++;
    }
    expect(missed / 400).toBeLessThanOrEqual(0.05 + 2 * Math.sqrt((0.05 * 0.95) / 400));
  });
});

describe("new mean against old", () => {
  test("equal means hold with a wait, and clear about then", () => {
    const verdict = judged(repeat(60, [0, 4]), repeat(60, [0, 4]));
    expect(verdict).toMatchObject({ kind: "hold", old: { count: 120, mean: 2 } });
    expect(verdict.reason).toMatch(/^new − old 0 \(.* to .*\), limit −0.5: e .* of 20$/);
    const times = Math.ceil(60 * (1 + (verdict.waitFraction as number))) + 1;
    expect(judged(repeat(times, [0, 4]), repeat(times, [0, 4])).kind).toBe("pass");
  });

  test("a mean that is worse by more than the limit fails, in the direction that is bad", () => {
    const [low, high] = [repeat(400, [0, 2]), repeat(400, [1, 4])];
    const verdict = judged(high, low);
    expect(verdict.kind).toBe("fail");
    expect(verdict.reason).toMatch(/\(e .* ≥ 100\)$/);
    expect(verdict.p).toBeLessThanOrEqual(0.01);
    expect(verdict.difference.high).toBeLessThan(-0.5);
    expect(verdict.waitFraction).toBeUndefined();
    expect(judged(low, high).kind).toBe("pass");
    expect(judged(low, high, { better: "lower" }).kind).toBe("fail");
    expect(judged(high, low, { better: "lower" }).kind).toBe("pass");
    expect(judged(high.slice(0, 110), low.slice(0, 110), { better: "lower", by: 0.1 }).reason).toMatch(
      /limit \+0.1/,
    );
  });

  test("never passes for lack of data", () => {
    const nothing = meanTest(options);
    nothing.observe({});
    expect(nothing.verdict()).toMatchObject({
      kind: "hold",
      reason: "0 and 0 values of old and new, needs 100 of each",
    });
    expect(nothing.verdict().difference.estimate).toBeUndefined();
    const silent = meanTest(options);
    silent.observe({ old: of(repeat(1000, [1, 2])) });
    expect(silent.verdict()).toMatchObject({ kind: "hold", e: 1, ePass: 1, p: 1, pPass: 1 });
    expect(judged(repeat(500, [1]), repeat(500, [1]))).toMatchObject({ kind: "hold" });
    expect(judged(repeat(500, [1]), repeat(500, [1])).reason).toMatch(/do not vary/);
  });

  test("a side that has gone constant is credited with the other's variance", () => {
    expect(judged(repeat(300, [1, 3]), repeat(600, [0])).kind).toBe("fail");
    expect(judged(repeat(600, [1]), repeat(300, [1, 3])).kind).toBe("pass");
  });

  test("300 sides exactly at the limit, looked at 60 times each, are judged no more often than promised", () => {
    const random = createRandom(9);
    const values = (mean: number, count: number) =>
      of(Array.from({ length: count }, () => -mean * Math.log(1 - random.next())));
    let [fails, passes] = [0, 0];
    for (let run = 0; run < 300; run++) {
      const judge = meanTest({ ...options, by: 0.2 });
      let [failed, passed] = [false, false];
      for (let look = 0; look < 60; look++) {
        judge.observe({ old: values(1, 40), new: values(0.8, 20) });
        const { kind } = judge.verdict();
        failed ||= kind === "fail";
        passed ||= kind === "pass";
      }
      if (failed) fails++;
      if (passed) passes++;
    }
    expect(fails / 300).toBeLessThanOrEqual(0.01 + 2 * Math.sqrt((0.01 * 0.99) / 300));
    expect(passes / 300).toBeLessThanOrEqual(0.05 + 2 * Math.sqrt((0.05 * 0.95) / 300));
  });
});

import { describe, expect, test } from "vitest";
import { intervalOf } from "../../bench/gates/intervals.ts";
import { createRandom } from "../../bench/gates/random.ts";
import { changeMixture, notStarted, sinceTurn, startMass } from "./change-points.ts";
import { createJudge, pooledTest, rateTest, ratioTest } from "./index.ts";

const errors = { alpha: 0.01, beta: 0.05 };
const worse = { kind: "worse-than-old", by: 2, ...errors } as const;

describe("sides that turn bad after long health", () => {
  test("the weights of all starts add up to 1", () => {
    let sum = 0;
    for (let i = 0; i < 1000; i++) sum += startMass(i);
    expect(sum + notStarted(999)).toBeCloseTo(1, 12);
    expect(notStarted(-1)).toBe(1);
  });

  test("evidence is the mixture over alternatives and starts, as by hand", () => {
    const gains = [Math.log(2), Math.log(0.5)];
    const mixture = changeMixture(Float64Array.of(Math.log(0.25), Math.log(0.75)));
    expect(mixture.ln()).toBeCloseTo(0, 12);
    mixture.observe(Float64Array.from(gains));
    mixture.observe();
    mixture.observe(Float64Array.from(gains));
    const first = 0.25 * 4 + 0.75 * 0.25;
    const later = 0.25 * 2 + 0.75 * 0.5;
    const begun = startMass(1) + startMass(2);
    expect(Math.exp(mixture.ln())).toBeCloseTo(0.8 * first + 0.2 * (begun * later + 1 - begun), 12);
    // What the evidence speaks for: the first alternative, by its part of the whole.
    const ofFirst = 0.25 * (0.8 * 4 + 0.2 * begun * 2);
    const ofSecond = 0.75 * (0.8 * 0.25 + 0.2 * begun * 0.5);
    expect(mixture.mean(Float64Array.of(1, 0))).toBeCloseTo(ofFirst / (ofFirst + ofSecond), 12);
  });

  test("counts are those since things turned worse, and none while they have not", () => {
    const turn = sinceTurn();
    turn.observe(-1, [5]);
    expect(turn.sums()).toBeUndefined();
    turn.observe(2, [3]);
    turn.observe(-1, [4]);
    expect(turn.sums()).toEqual([7]);
    turn.observe(-1, [1]);
    expect(turn.sums()).toBeUndefined();
  });

  test("ten good minutes at half the traffic delay the verdict on a failing side by less than a second", () => {
    const judge = createJudge(worse, { of: "errors" });
    const random = createRandom(1);
    const quarter = (i: number, rate: number) =>
      intervalOf(i, {
        old: { calls: 25, errors: random.binomial(25, 0.01) },
        new: { calls: 25, errors: random.binomial(25, rate) },
      });
    for (let i = 0; i < 2400; i++) judge.add([quarter(i, 0.01)]);
    expect(judge.verdict().kind).toBe("pass");
    let quarters = 0;
    while (judge.verdict().kind !== "fail") judge.add([quarter(2400 + quarters++, 1)]);
    expect(quarters).toBeLessThan(4);
    expect(judge.verdict().reason).toMatch(/^errors (∞|\d{2,})× old/);
  });

  test("the rate since the turn is told, not that of the whole run", () => {
    const test = rateTest({ ...errors, limit: 0.02 });
    for (let i = 0; i < 1000; i++) test.observe({ count: i % 2, total: 50 });
    for (let i = 0; i < 3; i++) test.observe({ count: 10, total: 50 });
    expect(test.verdict().kind).toBe("fail");
    expect(test.verdict().rate.estimate).toBeLessThan(0.02);
    expect(test.verdict().recent).toBeCloseTo(0.2, 1);
    expect(test.verdict().reason).toMatch(/^(19|20) %, limit 2 %/);
  });

  test("against memory as well, with bounded bookkeeping however long the run", () => {
    const test = pooledTest({ ...errors, by: 2 });
    test.observe({ old: { count: 200, total: 20_000 } });
    for (let i = 0; i < 2000; i++) test.observe({ new: { count: i % 2, total: 50 } });
    expect(test.verdict().kind).toBe("pass");
    for (let i = 0; i < 8; i++) test.observe({ new: { count: 25, total: 50 } });
    expect(test.verdict().kind).toBe("fail");
    expect(test.verdict().recent).toBeGreaterThan(20);
  });

  test("a limit above 5× is held against the ratio since the turn", () => {
    const test = ratioTest({ ...errors, clearBelow: 8, failAbove: 8 });
    test.observe({ share: 0.5, newErrors: 80, allErrors: 100 });
    expect(test.verdict()).toMatchObject({ kind: "hold", tooHigh: false });
    expect(test.verdict().recent).toBeCloseTo(4, 9);
    for (let i = 0; i < 40; i++) test.observe({ share: 0.5, newErrors: 0, allErrors: 4 });
    expect(test.verdict().recent).toBeUndefined();
    expect(test.verdict().tooHigh).toBe(false);
    for (let i = 0; i < 9; i++) test.observe({ share: 0.5, newErrors: 95, allErrors: 100 });
    expect(test.verdict().kind).toBe("fail");
  });
});

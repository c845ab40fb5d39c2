import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRandom } from "../../bench/gates/random.ts";
import { intervalOf } from "../../bench/gates/intervals.ts";
import type { Interval } from "../core/index.ts";
import { createJudge, firstErrorTest, judgeIntervals } from "./index.ts";

const options = { alpha: 0.01, beta: 0.05, clearBelow: 2 };
const worse = { kind: "worse-than-old", by: 2, alpha: 0.01, beta: 0.05 } as const;

/** 1,000 keys, ten of which always fail; a key's traffic falls with its rank. Counts of one run by the second. */
function sticky(seed: number, share: number, seconds: number): readonly Interval[] {
  const random = createRandom(seed);
  const onNew = Array.from({ length: 1000 }, () => random.next() < share);
  const failing = Array.from({ length: 1000 }, () => random.next() < 0.01);
  const failed = new Set<number>();
  return Array.from({ length: seconds }, (_, second) => {
    const counts = { old: { calls: 0, errors: 0, latency: [] }, new: { calls: 0, errors: 0, latency: [] } };
    const firstErrors = { old: 0, new: 0 };
    for (let call = 0; call < 100; call++) {
      const key = Math.floor(1000 ** random.next()) - 1;
      const side = onNew[key] === true ? "new" : "old";
      counts[side].calls++;
      if (failing[key] !== true && random.next() >= 0.002) continue;
      counts[side].errors++;
      if (!failed.has(key)) firstErrors[side]++;
      failed.add(key);
    }
    return { ...intervalOf(second, counts), share: share * 100, firstErrors };
  });
}

const withoutKeys = (interval: Interval): Interval => {
  const { firstErrors, ...bare } = interval;
  expect(firstErrors).toBeDefined();
  return bare;
};

describe("first errors per key against the assigned share", () => {
  test("the mean of e over all outcomes is 1 while both sides treat keys alike", () => {
    // Of two first errors at a share of 0.3, each is new with probability 0.3, independently.
    const outcomes = [0.49, 0.42, 0.09].map((probability, newFirst) => {
      const judged = firstErrorTest(options);
      judged.observe({ share: 0.3, newFirst, allFirst: 2 });
      // A tenth of the weight is kept for later periods.
      return probability * (judged.verdict().e / 0.9);
    });
    expect(outcomes.reduce((sum, part) => sum + part, 0)).toBeCloseTo(1, 10);
  });

  test("many keys failing on the new side fail it, and the verdict carries its evidence", () => {
    const judged = firstErrorTest(options);
    judged.observe({ share: 0.1, newFirst: 12, allFirst: 14, ms: 1000 });
    const verdict = judged.verdict();
    expect(judged.kind()).toBe("fail");
    expect(verdict).toMatchObject({ kind: "fail", allowed: { alpha: 0.01, beta: 0.05 } });
    expect(verdict.p).toBeCloseTo(1 / verdict.e, 12);
    expect(verdict.p).toBeLessThan(0.01);
    expect(verdict.reason).toMatch(/^first errors per key .*× old/);
  });

  test("equal sides hold with a wait, then clear", () => {
    const judged = firstErrorTest(options);
    judged.observe({ share: 0.5, newFirst: 10, allFirst: 20, ms: 10_000 });
    expect(judged.verdict()).toMatchObject({ kind: "hold" });
    expect(judged.verdict().waitFraction).toBeGreaterThan(0);
    expect(judged.verdict().needs).toMatch(/at this traffic/);
    judged.observe({ share: 0.5, newFirst: 40, allFirst: 80, ms: 10_000 });
    expect(judged.verdict().kind).toBe("pass");
  });

  test("the first period seen has the whole weight of a first period, whatever its number", () => {
    const at = (period: number): number => {
      const judged = firstErrorTest(options);
      judged.observe({ share: 0.5, newFirst: 9, allFirst: 10, period });
      return judged.verdict().e;
    };
    expect(at(494_000)).toBe(at(0));
  });

  test("a new period starts anew, keeps what was shown, and can still fail", () => {
    const judged = firstErrorTest(options);
    judged.observe({ share: 0.5, newFirst: 50, allFirst: 100 });
    expect(judged.kind()).toBe("pass");
    judged.observe({ share: 0.5, newFirst: 0, allFirst: 0, period: 1 });
    expect(judged.verdict()).toMatchObject({ kind: "pass", errors: { new: 0, all: 0 } });
    expect(judged.verdict().reason).toMatch(/of an earlier period decided/);
    expect(judged.kind()).toBe("pass");
    judged.observe({ share: 0.5, newFirst: 11, allFirst: 12, period: 1 });
    expect(judged.kind()).toBe("hold");
    judged.observe({ share: 0.5, newFirst: 40, allFirst: 40, period: 1 });
    expect(judged.kind()).toBe("fail");
    judged.observe({ share: 0.5, newFirst: 0, allFirst: 0, period: 2 });
    expect(judged.verdict()).toMatchObject({ kind: "fail" });
  });

  test("evidence for a ratio that is not above failAbove is not taken into the next period", () => {
    const judged = firstErrorTest({ ...options, failAbove: 2 });
    judged.observe({ share: 0.5, newFirst: 600, allFirst: 1000 });
    expect(judged.kind()).not.toBe("fail");
    judged.observe({ share: 0.5, newFirst: 0, allFirst: 0, period: 1 });
    expect(judged.kind()).not.toBe("fail");
  });

  test("counts of an earlier period are passed over, and a refused one changes nothing", () => {
    const judged = firstErrorTest(options);
    judged.observe({ share: 0.5, newFirst: 1, allFirst: 2, period: 3 });
    const before = judged.verdict();
    judged.observe({ share: 0.5, newFirst: 9, allFirst: 9, period: 2 });
    expect(() => judged.observe({ share: 0.5, newFirst: 3, allFirst: 2, period: 4 })).toThrow(/newErrors/);
    expect(judged.verdict()).toEqual(before);
  });

  test("400 runs of equal sides with keys that always fail are wronged no more often than promised", () => {
    let wronged = 0;
    for (let seed = 1; seed <= 400; seed++) {
      const judged = firstErrorTest(options);
      let failed = false;
      for (const { firstErrors, share } of sticky(seed, 0.2, 30)) {
        const { old, new: fresh } = firstErrors as { old: number; new: number };
        judged.observe({ share: share / 100, newFirst: fresh, allFirst: old + fresh });
        failed ||= judged.kind() === "fail";
      }
      if (failed) wronged++;
    }
    expect(wronged / 400).toBeLessThanOrEqual(0.01 + 2 * Math.sqrt((0.01 * 0.99) / 400));
  });

  test("stretches may be merged or split without changing the ratio", () => {
    const firsts = fc.tuple(fc.nat(5), fc.nat(5));
    fc.assert(
      fc.property(fc.array(firsts, { minLength: 1, maxLength: 8 }), (list) => {
        const apart = firstErrorTest(options);
        const together = firstErrorTest(options);
        for (const [x, y] of list) apart.observe({ share: 0.25, newFirst: x, allFirst: x + y });
        const [x, y] = list.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
        together.observe({ share: 0.25, newFirst: x, allFirst: x + y });
        expect(apart.verdict().ratio.low).toBeCloseTo(together.verdict().ratio.low, 9);
        expect(apart.verdict().errors).toEqual(together.verdict().errors);
      }),
    );
  });
});

describe("the judge with first errors", () => {
  const second = (
    i: number,
    old: number,
    fresh: number,
    firsts?: readonly [number, number],
    more: Partial<Interval> = {},
  ): Interval => ({
    ...intervalOf(i, { old: { calls: 100, errors: old }, new: { calls: 100, errors: fresh } }),
    ...(firsts === undefined ? {} : { firstErrors: { old: firsts[0], new: firsts[1] } }),
    ...more,
  });
  const judged = (intervals: readonly Interval[]) => judgeIntervals(worse, { of: "errors" }, intervals);

  test("a few users who always fail do not fail the new side, do not clear it either, and are named", () => {
    // 40 errors a second on the new side, all of three users; other keys fail alike on both sides.
    const intervals = Array.from({ length: 40 }, (_, i) => second(i, 1, 41, i === 0 ? [1, 3] : [1, 1]));
    const verdict = judged(intervals);
    expect(verdict.kind).toBe("hold");
    expect(verdict.reason).toMatch(
      /^errors per call alone would fail it \(e .*\), but few keys have them: ratio/,
    );
    expect(verdict.waitMs).toBeUndefined();
    expect(judged(intervals.map(withoutKeys)).kind).toBe("fail");
  });

  test("many users failing on the new side fail it, by first errors", () => {
    const verdict = judged([second(0, 1, 20, [1, 20])]);
    expect(verdict.kind).toBe("fail");
    expect(verdict.reason).toMatch(/^errors .*× old \(e .*\), first errors per key$/);
    expect(verdict.figures).toMatchObject({ firstErrors: { weight: 0.9, newFirst: 20, allFirst: 21 } });
  });

  test("equal first errors clear the new side", () => {
    const verdict = judged(Array.from({ length: 30 }, (_, i) => second(i, 3, 3, [2, 2])));
    expect(verdict.kind).toBe("pass");
    expect(verdict.reason).toMatch(/first errors per key$/);
    expect(verdict.figures.p).toBeGreaterThan(0.01);
    expect(verdict.figures.pPass).toBeLessThanOrEqual(0.05);
  });

  test("where a handful of keys makes all the errors, calls may decide", () => {
    // Five tenants: first errors can never show more than a few, so a broken side would be held for ever.
    const intervals = Array.from({ length: 8 }, (_, i) => second(i, 1, 90, i === 0 ? [1, 2] : [0, 0]));
    expect(judged(intervals.slice(0, 2)).kind).toBe("hold");
    const verdict = judged(intervals);
    expect(verdict.kind).toBe("fail");
    expect(verdict.reason).not.toMatch(/first errors/);
  });

  test("first errors count only between 0 and 100 % of a live route", () => {
    const counted = (more: Partial<Interval>) =>
      judged([second(0, 0, 0, [0, 0]), second(1, 1, 20, [1, 20], more)]).figures.firstErrors;
    expect(counted({ share: 50 })).toMatchObject({ allFirst: 21 });
    for (const more of [{ stage: "rampdown" }, { share: 0 }, { share: 100 }] as const) {
      expect(counted(more)).toMatchObject({ allFirst: 0 });
    }
  });

  test("whether keys are followed is settled by the first stretch with calls of the new side", () => {
    expect(judged([second(0, 0, 0), second(1, 1, 20, [1, 20])]).figures.firstErrors).toBeUndefined();
    const later = judged([second(0, 0, 0, [0, 0]), second(1, 1, 1)]);
    expect(later.figures.firstErrors).toMatchObject({ allFirst: 0 });
  });

  test("at 100 % the memory of the old side decides, with most of the error rates", () => {
    const alone = (i: number, errors: number): Interval => ({
      ...intervalOf(i, { new: { calls: 200, errors } }),
      share: 100,
      firstErrors: { old: 0, new: 0, period: 1 },
    });
    const earlier = Array.from({ length: 100 }, (_, i) => intervalOf(i, { old: { calls: 200, errors: 2 } }));
    const judge = createJudge(worse, { of: "errors" });
    judge.remember(earlier);
    judge.add([alone(100, 40), alone(101, 40)]);
    expect(judge.verdict()).toMatchObject({
      kind: "fail",
      figures: { firstErrors: { weight: expect.closeTo(0.1) } },
    });
    expect(judge.verdict().reason).toMatch(/against the old side's earlier calls$/);
  });

  test("a period of the doors reaches the test", () => {
    const judge = createJudge(worse, { of: "errors" });
    judge.add([second(0, 1, 1, undefined, { firstErrors: { old: 1, new: 1, period: 4 } })]);
    judge.add([second(1, 9, 9, undefined, { firstErrors: { old: 9, new: 9, period: 3 } })]);
    expect(judge.verdict().figures.firstErrors).toMatchObject({ allFirst: 2 });
  });

  test("without firsts, users who always fail wrong equal sides far more often than promised", () => {
    const wronged = (keyed: boolean): number => {
      let fails = 0;
      for (let seed = 1; seed <= 100; seed++) {
        const judge = createJudge(worse, { of: "errors" });
        let failed = false;
        for (const interval of sticky(seed, 0.2, 20)) {
          judge.add([keyed ? interval : withoutKeys(interval)]);
          failed ||= judge.verdict().kind === "fail";
        }
        if (failed) fails++;
      }
      return fails;
    };
    expect(wronged(false)).toBeGreaterThan(5);
    expect(wronged(true)).toBeLessThanOrEqual(3);
  });
});

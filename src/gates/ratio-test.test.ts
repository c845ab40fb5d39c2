import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRandom } from "../../bench/gates/random.ts";
import { type RatioObservation, ratioTest } from "./index.ts";
import { alarmFrom, alarmWeights, logRatios } from "./ratio-grid.ts";

const options = { alpha: 0.01, clearBelow: 2, beta: 0.05 };

const judged = (observations: readonly RatioObservation[], more: object = {}) => {
  const test = ratioTest({ ...options, ...more });
  for (const observation of observations) test.observe(observation);
  return test.verdict();
};

const repeat = <T>(times: number, value: T): T[] => Array.from({ length: times }, () => value);

/** Probability of k successes of n, by multiplication. */
const binomial = (n: number, k: number, p: number): number => {
  let value = (1 - p) ** (n - k) * p ** k;
  for (let i = 1; i <= k; i++) value *= (n - k + i) / i;
  return value;
};

/** Mean of a figure of the verdict over every possible outcome of one stretch. */
const mean = (
  oldCalls: number,
  newCalls: number,
  oldRate: number,
  newRate: number,
  of: "e" | "ePass",
): number => {
  let sum = 0;
  for (let y = 0; y <= oldCalls; y++) {
    for (let x = 0; x <= newCalls; x++) {
      const share = newCalls / (oldCalls + newCalls);
      const verdict = judged([{ share, newErrors: x, allErrors: x + y }]);
      sum += binomial(oldCalls, y, oldRate) * binomial(newCalls, x, newRate) * verdict[of];
    }
  }
  return sum;
};

describe("error rates of new against old", () => {
  test("the alarm's ratios run from 1.1 to 10 and their weights add up to 1", () => {
    expect(Math.exp(logRatios[alarmFrom] as number)).toBeCloseTo(1.1, 1);
    expect(Math.exp(logRatios[alarmFrom + alarmWeights.length - 1] as number)).toBeCloseTo(10, 1);
    expect(alarmWeights.reduce((sum, weight) => sum + Math.exp(weight), 0)).toBeCloseTo(1, 12);
  });

  test("one error of the new side at half the traffic weighs 2r/(1+r) for each ratio r, a fifth waiting for later", () => {
    const byHand = alarmWeights.reduce((sum, weight, j) => {
      const r = Math.exp(logRatios[alarmFrom + j] as number);
      return sum + (Math.exp(weight) * 2 * r) / (1 + r);
    }, 0);
    expect(judged([{ share: 0.5, newErrors: 1, allErrors: 1 }]).e).toBeCloseTo(0.8 * byHand + 0.2, 12);
  });

  test("five of ten errors at half the traffic clear 2× by nine tenths of 1.5¹⁰/2⁵ and little more", () => {
    const { ePass } = judged([{ share: 0.5, newErrors: 5, allErrors: 10 }]);
    expect(ePass).toBeGreaterThan((0.9 * 1.5 ** 10) / 2 ** 5);
    expect(ePass).toBeLessThan((0.9 * 1.5 ** 10) / 2 ** 5 + 0.2);
  });

  test("after hundreds of different shares the figures are those of the formula still", () => {
    const test = ratioTest(options);
    let byHand = 0;
    const r = Math.exp(logRatios[alarmFrom] as number);
    for (let i = 1; i <= 600; i++) {
      const share = i / 1000;
      test.observe({ share, newErrors: 1, allErrors: 2 });
      byHand += Math.log(r) - 2 * Math.log1p((r - 1) * share);
    }
    const { e, ePass, p } = test.evidence();
    expect(test.verdict()).toMatchObject({ e, ePass, p });
    expect(Math.log(e)).toBeGreaterThan(byHand + Math.log(0.8) + (alarmWeights[0] as number) - 1e-9);
  });

  test("a side that fails everything fails, and the reason says how bad it is", () => {
    const verdict = judged(repeat(3, { share: 0.5, newErrors: 40, allErrors: 42 }));
    expect(verdict.kind).toBe("fail");
    expect(verdict.ratio.estimate).toBeCloseTo(20, 1);
    expect(verdict.reason).toMatch(/^20× old \(e .* ≥ 100\)$/);
    expect(verdict.waitFraction).toBeUndefined();
  });

  test("an old side without errors needs no special case", () => {
    const verdict = judged([{ share: 0.05, newErrors: 6, allErrors: 6 }]);
    expect(verdict.kind).toBe("fail");
    expect(verdict.ratio).toMatchObject({ estimate: Infinity, high: Infinity });
    expect(verdict.reason).toMatch(/^∞× old/);
  });

  test("equal sides clear in the end and hold before, with a wait that comes true", () => {
    const second = { share: 0.5, newErrors: 1, allErrors: 2, ms: 1000 };
    const early = judged(repeat(20, second));
    expect(early.kind).toBe("hold");
    expect(early.needs).toMatch(/^about \d\.\d s at this traffic$/);
    const wait = Math.ceil(20 * (early.waitFraction as number));
    expect(judged(repeat(20 + wait - 1, second)).kind).toBe("hold");
    expect(judged(repeat(20 + wait, second)).kind).toBe("pass");
  });

  test("a wait is told in traffic as soon as one stretch has no length", () => {
    const verdict = judged([
      { share: 0.5, newErrors: 5, allErrors: 10, ms: 1000 },
      { share: 0.5, newErrors: 5, allErrors: 10 },
      { share: 0.5, newErrors: 0, allErrors: 0, ms: 1000 },
    ]);
    expect(verdict.needs).toMatch(/times the traffic seen so far$/);
  });

  test("a side that leans towards worse is told the wait until it fails", () => {
    const verdict = judged([{ share: 0.5, newErrors: 9, allErrors: 10 }]);
    expect(verdict.kind).toBe("hold");
    expect(verdict.waitFraction).toBeLessThan(2);
  });

  test("without errors it holds: nothing was compared, and nobody knows how long it takes", () => {
    const verdict = judged([{ share: 0.5, newErrors: 0, allErrors: 0, ms: 1000 }]);
    expect(verdict).toMatchObject({ kind: "hold", ratio: { low: 0, high: Infinity } });
    expect(verdict.e).toBeCloseTo(1, 12);
    expect(verdict.ePass).toBeCloseTo(1, 12);
    expect(verdict.ratio.estimate).toBeUndefined();
    expect(verdict.waitFraction).toBeUndefined();
    expect(verdict.needs).toBeUndefined();
  });

  test("a stretch where one side has all the traffic tells nothing", () => {
    const verdict = judged([
      { share: 1, newErrors: 50, allErrors: 50 },
      { share: 0, newErrors: 0, allErrors: 9 },
    ]);
    expect(verdict).toMatchObject({ kind: "hold", errors: { new: 0, all: 0 } });
    expect(verdict.e).toBeCloseTo(1, 12);
  });

  test("a new side that never fails has a ratio of 0 and clears", () => {
    const verdict = judged([{ share: 0.5, newErrors: 0, allErrors: 12 }]);
    expect(verdict).toMatchObject({ kind: "pass", ratio: { estimate: 0, low: 0 } });
    expect(verdict.ratio.high).toBeLessThan(2);
  });

  test("failAbove lets a slightly worse side hold that would fail without it", () => {
    const slightlyWorse = repeat(60, { share: 0.5, newErrors: 13, allErrors: 23 });
    expect(judged(slightlyWorse).kind).toBe("fail");
    const spared = judged(slightlyWorse, { failAbove: 2 });
    expect(spared.kind).toBe("pass");
    expect(spared.e).toBeGreaterThan(100);
    expect(judged(slightlyWorse, { failAbove: 2, clearBelow: 1.2 }).kind).toBe("hold");
  });

  test("a true ratio of 1.5 clears below 2, which a test of 1 against 2 alone never would", () => {
    expect(judged(repeat(300, { share: 0.5, newErrors: 3, allErrors: 5 }), { failAbove: 2 }).kind).toBe(
      "pass",
    );
  });

  test("a limit of 1 or less is cleared by a side that is better", () => {
    const better = { share: 0.5, newErrors: 1, allErrors: 5 };
    expect(judged(repeat(12, better), { clearBelow: 1 }).kind).toBe("pass");
    expect(judged(repeat(12, { ...better, newErrors: 3 }), { clearBelow: 1 }).kind).toBe("hold");
    expect(judged(repeat(12, better), { clearBelow: 0.001 }).kind).toBe("hold");
  });

  test("the estimate of several shares is the most likely ratio", () => {
    const stretches = [
      { share: 0.1, newErrors: 30, allErrors: 130 },
      { share: 0.5, newErrors: 90, allErrors: 120 },
    ];
    const slope = (r: number): number =>
      stretches.reduce(
        (sum, { share, newErrors, allErrors }) =>
          sum + newErrors / r - (allErrors * share) / (1 + (r - 1) * share),
        0,
      );
    const { ratio } = judged(stretches);
    const estimate = ratio.estimate as number;
    expect(slope(estimate * 0.999)).toBeGreaterThan(0);
    expect(slope(estimate * 1.001)).toBeLessThan(0);
    expect(ratio.low).toBeLessThan(estimate);
    expect(ratio.high).toBeGreaterThan(estimate);
  });

  test("estimates beyond the grid stay at its ends", () => {
    expect(judged([{ share: 0.001, newErrors: 9_999, allErrors: 10_000 }]).ratio.estimate).toBeGreaterThan(
      900,
    );
    expect(judged([{ share: 0.999, newErrors: 1, allErrors: 10_000 }]).ratio.estimate).toBeLessThan(0.011);
  });

  test("order and grouping of stretches with one share do not matter for clearing", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { minLength: 1, maxLength: 8 }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        (counts, share) => {
          const single = counts.map(([x, y]) => ({ share, newErrors: x, allErrors: x + y }));
          const newErrors = counts.reduce((sum, [x]) => sum + x, 0);
          const allErrors = counts.reduce((sum, [x, y]) => sum + x + y, 0);
          const together = judged([{ share, newErrors, allErrors }]);
          for (const apart of [judged(single), judged(single.toReversed())]) {
            expect(Math.log(apart.ePass)).toBeCloseTo(Math.log(together.ePass), 6);
          }
        },
      ),
    );
  });

  test("one more error of the new side never speaks for it, one of the old side never against it", () => {
    fc.assert(
      fc.property(fc.nat(50), fc.nat(50), fc.double({ min: 0.01, max: 0.99, noNaN: true }), (x, y, share) => {
        const base = judged([{ share, newErrors: x, allErrors: x + y }]);
        const newer = judged([{ share, newErrors: x + 1, allErrors: x + y + 1 }]);
        const older = judged([{ share, newErrors: x, allErrors: x + y + 1 }]);
        expect(newer.e).toBeGreaterThanOrEqual(base.e);
        expect(newer.ePass).toBeLessThanOrEqual(base.ePass * (1 + 1e-9));
        expect(older.e).toBeLessThanOrEqual(base.e);
        expect(older.ePass).toBeGreaterThanOrEqual(base.ePass * (1 - 1e-9));
      }),
      { numRuns: 60 },
    );
  });
});

describe("what makes looking at any time safe", () => {
  test.each([
    [0.05, 0.05],
    [0.5, 0.5],
    [0.99, 0.99],
    [0.3, 0.1],
  ])(
    "the mean evidence against a healthy side (old %s, new %s) is at most 1, over all outcomes",
    (old, fresh) => {
      expect(mean(12, 5, old, fresh, "e")).toBeLessThanOrEqual(1 + 1e-12);
    },
  );

  test.each([
    [0.05, 0.1],
    [0.2, 0.4],
    [0.1, 0.9],
    [0.5, 1],
  ])("the mean evidence for a side that is twice as bad (old %s, new %s) is at most 1", (old, fresh) => {
    expect(mean(12, 5, old, fresh, "ePass")).toBeLessThanOrEqual(1 + 1e-12);
  });

  test("400 healthy sides, looked at 120 times each, fail in at most 1 % and two standard errors", () => {
    const random = createRandom(20);
    let failed = 0;
    let covered = 0;
    for (let run = 0; run < 400; run++) {
      const test = ratioTest(options);
      let kind = "hold";
      for (let second = 0; second < 120 && kind !== "fail"; second++) {
        const newCalls = random.binomial(200, 0.3);
        const newErrors = random.binomial(newCalls, 0.02);
        const allErrors = newErrors + random.binomial(200 - newCalls, 0.02);
        test.observe({ share: newCalls / 200, newErrors, allErrors });
        kind = test.kind();
      }
      if (kind === "fail") failed++;
      const { low, high } = test.verdict().ratio;
      if (low <= 1 && high >= 1) covered++;
    }
    expect(failed / 400).toBeLessThanOrEqual(0.01 + 2 * Math.sqrt((0.01 * 0.99) / 400));
    expect(covered / 400).toBeGreaterThanOrEqual(0.95 - 2 * Math.sqrt((0.05 * 0.95) / 400));
  });
});

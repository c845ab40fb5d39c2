import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRandom } from "../../bench/gates/random.ts";
import { type Counts, pooledTest } from "./index.ts";
import { logJeffreys, logLikelihood } from "./logarithm.ts";

const options = { by: 2, alpha: 0.01, beta: 0.05 };

const judged = (old: Counts, fresh: Counts, by = 2) => {
  const test = pooledTest({ ...options, by });
  test.observe({ old });
  test.observe({ new: fresh });
  return test.verdict();
};

describe("a new side with all the traffic, against the memory of the old one", () => {
  test("fails when it is clearly more than `by` times as bad", () => {
    expect(judged({ count: 18, total: 2000 }, { count: 40, total: 200 }).kind).toBe("fail");
  });

  test("passes when it is clearly less than `by` times as bad", () => {
    const verdict = judged({ count: 400, total: 40_000 }, { count: 60, total: 6000 });
    expect(verdict.kind).toBe("pass");
    expect(verdict.old.estimate).toBe(0.01);
    expect(verdict.new.estimate).toBe(0.01);
  });

  test("holds in between, with a wait that comes true", () => {
    const old = { count: 400, total: 40_000 };
    const verdict = judged(old, { count: 20, total: 2000 });
    expect(verdict.kind).toBe("hold");
    const times = 1 + (verdict.waitFraction as number);
    expect(judged(old, { count: Math.round(20.4 * times), total: Math.round(2040 * times) }).kind).toBe(
      "pass",
    );
    expect(judged(old, { count: Math.round(18 * times), total: Math.round(1800 * times) }).kind).toBe("hold");
  });

  test("knows nothing while one side has no calls", () => {
    for (const verdict of [
      judged({ count: 0, total: 0 }, { count: 9, total: 10 }),
      judged({ count: 5, total: 100 }, { count: 0, total: 0 }),
    ]) {
      expect(verdict).toMatchObject({ kind: "hold", e: 1, ePass: 1 });
    }
    expect(judged({ count: 5, total: 100 }, { count: 0, total: 0 }).waitFraction).toBeUndefined();
  });

  test("an old side that never failed makes failures of the new one count, not its silence", () => {
    expect(judged({ count: 0, total: 5000 }, { count: 12, total: 200 }).kind).toBe("fail");
    expect(judged({ count: 0, total: 5000 }, { count: 0, total: 5000 }).kind).toBe("hold");
  });

  test("the likelihood under the claim is the greatest there is", () => {
    fc.assert(
      fc.property(
        fc.nat(30),
        fc.integer({ min: 1, max: 300 }),
        fc.nat(30),
        fc.integer({ min: 1, max: 300 }),
        fc.constantFrom(1, 1.5, 2, 10),
        (x0, good0, x1, good1, by) => {
          const old = { count: x0, total: x0 + good0 };
          const fresh = { count: x1, total: x1 + good1 };
          const { e, ePass } = judged(old, fresh, by);
          let [notAbove, notBelow] = [-Infinity, -Infinity];
          for (let i = 0; i <= 400; i++) {
            for (let j = 0; j <= 400; j++) {
              // Square spacing: most candidates where rates are small.
              const [p0, p1] = [(i / 400) ** 2, (j / 400) ** 2];
              const value = logLikelihood(x0, old.total, p0) + logLikelihood(x1, fresh.total, p1);
              if (p1 <= by * p0) notAbove = Math.max(notAbove, value);
              if (p1 >= by * p0) notBelow = Math.max(notBelow, value);
            }
          }
          const mixed = logJeffreys(x0, old.total) + logJeffreys(x1, fresh.total);
          expect(Math.log((e - 0.2) / 0.8)).toBeLessThanOrEqual(mixed - notAbove + 1e-9);
          expect(Math.log(ePass)).toBeLessThanOrEqual(mixed - notBelow + 1e-9);
          expect(Math.log((e - 0.2) / 0.8)).toBeGreaterThan(mixed - notAbove - 0.5);
          expect(Math.log(ePass)).toBeGreaterThan(mixed - notBelow - 0.5);
        },
      ),
      { numRuns: 15 },
    );
  });

  test("600 sides exactly twice as bad, looked at 60 times each, are judged no more often than promised", () => {
    const random = createRandom(3);
    const ends = { pass: 0, fail: 0, hold: 0 };
    for (let run = 0; run < 600; run++) {
      const test = pooledTest(options);
      test.observe({ old: { count: random.binomial(3000, 0.02), total: 3000 } });
      let kind: keyof typeof ends = "hold";
      for (let look = 0; look < 60 && kind === "hold"; look++) {
        test.observe({ new: { count: random.binomial(100, 0.04), total: 100 } });
        const { e, ePass } = test.verdict();
        kind = e >= 100 ? "fail" : ePass >= 20 ? "pass" : "hold";
      }
      ends[kind]++;
    }
    expect(ends.fail / 600).toBeLessThanOrEqual(0.01);
    expect(ends.pass / 600).toBeLessThanOrEqual(0.05);
  });
});

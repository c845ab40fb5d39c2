import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRandom } from "../../bench/gates/random.ts";
import { rateTest } from "./index.ts";
import { logLikelihood } from "./logarithm.ts";
import { lnRateAbove, lnRateBelow, rateInterval } from "./rate-values.ts";

const options = { limit: 0.01, alpha: 0.01, beta: 0.05 };

const judged = (count: number, total: number, limit = 0.01) => {
  const test = rateTest({ ...options, limit });
  test.observe({ count, total });
  return test.verdict();
};

/** Mean of an e-value over every outcome of n calls at rate p. */
const mean = (lnE: typeof lnRateAbove, n: number, p: number, limit: number): number => {
  let sum = 0;
  let ways = 1;
  for (let k = 0; k <= n; k++) {
    sum += ways * Math.exp(logLikelihood(k, n, p) + lnE(k, n, limit));
    ways *= (n - k) / (k + 1);
  }
  return sum;
};

describe("a rate against a limit", () => {
  test("a side that never fails passes 1 % at 5 % after 327 calls, near ln(20)/0.01 = 300", () => {
    expect(judged(0, 326).kind).toBe("hold");
    expect(judged(0, 327).kind).toBe("pass");
    expect(judged(0, 327).reason).toBe("0 % (0–2), below 1 % (e 20 ≥ 20)");
  });

  test("one failing call weighs as the odds say", () => {
    const odds = [1.25, 1.5, 2, 3, 5, 10, 30, 100];
    const weights = [0.1, 0.2, 0.25, 0.15, 0.12, 0.08, 0.06, 0.04];
    const byHand = odds.reduce((sum, m, j) => {
      const scaled = m / 99;
      return sum + ((weights[j] as number) * scaled) / (1 + scaled) / 0.01;
    }, 0);
    // A fifth of the evidence waits for sides that turn bad later.
    expect(judged(1, 1).e).toBeCloseTo(0.8 * byHand + 0.2, 10);
  });

  test("a bad side fails with the figures that decided", () => {
    const verdict = judged(20, 400);
    expect(verdict).toMatchObject({ kind: "fail", count: 20, total: 400, needed: { pass: 20 } });
    expect(verdict.reason).toMatch(/^5 %, limit 1 % \(e .* ≥ 100\)$/);
  });

  test("on little traffic it holds and says how much more it takes, truly", () => {
    const verdict = judged(0, 100);
    expect(verdict.kind).toBe("hold");
    expect(verdict.reason).toMatch(/^0 % \(0–5\.7\), clears below 1 %: e 2\.4 of 20$/);
    expect(100 * (1 + (verdict.waitFraction as number))).toBeCloseTo(327, -1);
  });

  test("without calls it holds, and nobody knows how long", () => {
    const verdict = rateTest(options).verdict();
    expect(verdict).toMatchObject({
      kind: "hold",
      rate: { low: 0, high: 1 },
      reason: "no calls yet, limit 1 %",
    });
    expect(verdict.waitFraction).toBeUndefined();
  });

  test("a side exactly at the limit cannot be waited for", () => {
    expect(judged(100, 10_000).kind).toBe("hold");
    expect(judged(100, 10_000).waitFraction).toBeUndefined();
  });

  test("counts far beyond what exp() can hold stay figures", () => {
    expect(judged(900_000, 1_000_000)).toMatchObject({ kind: "fail", e: 1e300, ePass: 0 });
    expect(judged(0, 100_000_000).ePass).toBe(1e300);
  });

  test("limits near 0 and near 1 work alike", () => {
    expect(judged(0, 4_000_000, 0.000_001).kind).toBe("pass");
    expect(judged(100, 100, 0.9).kind).toBe("fail");
    expect(judged(80, 100, 0.99).kind).toBe("pass");
  });

  test("many small observations say what one large one says", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(30), fc.nat(500)), { minLength: 1, maxLength: 10 }), (parts) => {
        const apart = rateTest(options);
        for (const [count, good] of parts) apart.observe({ count, total: count + good });
        const count = parts.reduce((sum, [bad]) => sum + bad, 0);
        const total = parts.reduce((sum, [bad, good]) => sum + bad + good, 0);
        const { ePass, rate } = apart.verdict();
        expect({ ePass, rate }).toEqual({
          ePass: judged(count, total).ePass,
          rate: judged(count, total).rate,
        });
      }),
    );
  });

  test("one more failure speaks against, one more good call for", () => {
    fc.assert(
      fc.property(
        fc.nat(100),
        fc.nat(10_000),
        fc.double({ min: 0.001, max: 0.9, noNaN: true }),
        (x, good, p) => {
          const n = x + good;
          expect(lnRateAbove(x + 1, n + 1, p)).toBeGreaterThan(lnRateAbove(x, n, p));
          expect(lnRateBelow(x + 1, n + 1, p)).toBeLessThan(lnRateBelow(x, n, p));
          expect(lnRateBelow(x, n + 1, p)).toBeGreaterThan(lnRateBelow(x, n, p));
          expect(lnRateAbove(x, n + 1, p)).toBeLessThan(lnRateAbove(x, n, p));
        },
      ),
    );
  });
});

describe("what makes looking at any time safe", () => {
  test.each([
    [0.01, 0.01],
    [0.004, 0.01],
    [0, 0.01],
    [0.5, 0.5],
  ])("at a rate of %s the mean evidence for above %s is at most 1", (p, limit) => {
    expect(mean(lnRateAbove, 60, p, limit)).toBeLessThanOrEqual(1 + 1e-9);
  });

  test.each([
    [0.01, 0.01],
    [0.05, 0.01],
    [1, 0.01],
    [0.5, 0.5],
  ])("at a rate of %s the mean evidence for below %s is at most 1", (p, limit) => {
    expect(mean(lnRateBelow, 60, p, limit)).toBeLessThanOrEqual(1 + 1e-9);
  });

  test("500 sides at the limit, looked at 150 times each, neither pass nor fail more often than promised", () => {
    const random = createRandom(8);
    const ends = { pass: 0, fail: 0, hold: 0 };
    for (let run = 0; run < 500; run++) {
      let [count, total] = [0, 0];
      let kind: keyof typeof ends = "hold";
      for (let look = 0; look < 150 && kind === "hold"; look++) {
        count += random.binomial(50, 0.02);
        total += 50;
        if (lnRateAbove(count, total, 0.02) >= Math.log(100)) kind = "fail";
        else if (lnRateBelow(count, total, 0.02) >= Math.log(20)) kind = "pass";
      }
      ends[kind]++;
    }
    expect(ends.fail / 500).toBeLessThanOrEqual(0.01 + 2 * Math.sqrt((0.01 * 0.99) / 500));
    expect(ends.pass / 500).toBeLessThanOrEqual(0.05 + 2 * Math.sqrt((0.05 * 0.95) / 500));
  });
});

describe("the interval of a rate", () => {
  test("is everything without calls, and touches 0 or 1 only when nothing or everything failed", () => {
    expect(rateInterval(0, 0, 0.05)).toEqual({ low: 0, high: 1 });
    expect(rateInterval(0, 100, 0.05)).toMatchObject({ estimate: 0, low: 0 });
    expect(rateInterval(100, 100, 0.05)).toMatchObject({ estimate: 1, high: 1 });
    const { low, high } = rateInterval(10, 100, 0.05);
    expect(low).toBeGreaterThan(0.02);
    expect(low).toBeLessThan(0.1);
    expect(high).toBeGreaterThan(0.1);
    expect(high).toBeLessThan(0.25);
  });

  test("narrows as calls come in", () => {
    const width = (n: number): number => {
      const { low, high } = rateInterval(n / 10, n, 0.05);
      return high - low;
    };
    expect(width(1000)).toBeLessThan(width(100));
  });
});

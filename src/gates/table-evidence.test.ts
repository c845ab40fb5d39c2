import { describe, expect, test } from "vitest";
import { tableEvidence } from "./table-evidence.ts";

/** Probability of k successes of n. */
const binomial = (n: number, k: number, p: number): number => {
  let value = (1 - p) ** (n - k) * p ** k;
  for (let i = 1; i <= k; i++) value *= (n - k + i) / i;
  return value;
};

/** Mean of e over all outcomes of two stretches of 8 old and 4 new calls. */
const mean = (oldPart: number, newPart: number, expected: number): number => {
  let sum = 0;
  for (let x = 0; x <= 8; x++) {
    for (let y = 0; y <= 4; y++) {
      const evidence = tableEvidence();
      evidence.observe({ old: { slow: x, calls: 8 }, new: { slow: y, calls: 4 } }, expected);
      sum += binomial(8, x, oldPart) * binomial(4, y, newPart) * Math.exp(evidence.ln());
    }
  }
  return sum;
};

describe("slow and fast calls as a 2×2 table", () => {
  test("the mean of e is at most 1 while the new side is not slower, however wrong the expectation", () => {
    for (const part of [0.01, 0.3, 0.5, 0.9]) {
      for (const expected of [0.01, 0.5, 0.99]) {
        expect(mean(part, part, expected)).toBeLessThanOrEqual(1 + 1e-12);
        expect(mean(part, part / 2, expected)).toBeLessThanOrEqual(1 + 1e-12);
      }
    }
  });

  test("it is above 1 when the new side is slower", () => {
    expect(mean(0.3, 0.9, 0.3)).toBeGreaterThan(1.5);
  });

  test("a stretch in which one side is silent tells nothing", () => {
    const evidence = tableEvidence();
    evidence.observe({ old: { slow: 0, calls: 0 }, new: { slow: 9, calls: 9 } }, 0.1);
    evidence.observe({ old: { slow: 9, calls: 9 }, new: { slow: 0, calls: 0 } }, 0.1);
    expect(evidence.ln()).toBeCloseTo(0, 12);
  });
});

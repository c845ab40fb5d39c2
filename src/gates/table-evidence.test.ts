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
      evidence.observe({ old: [8 - x, x], new: [4 - y, y] }, [1 - expected, expected]);
      sum += binomial(8, x, oldPart) * binomial(4, y, newPart) * Math.exp(evidence.ln());
    }
  }
  return sum;
};

/** All ways in which so many calls fall into three classes, and their probabilities. */
function* outcomes(
  calls: number,
  parts: readonly number[],
): Generator<{ readonly counts: readonly number[]; readonly probability: number }> {
  const [fast = 0, middle = 0] = parts;
  for (let x = 0; x <= calls; x++) {
    for (let y = 0; y <= calls - x; y++) {
      const probability = binomial(calls, x, fast) * binomial(calls - x, y, middle / (1 - fast));
      yield { counts: [x, y, calls - x - y], probability };
    }
  }
}

/** Mean of e over all outcomes of two stretches of 5 old and 3 new calls in three classes. */
const meanOfThree = (
  old: readonly number[],
  fresh: readonly number[],
  expected: readonly number[],
): number => {
  let sum = 0;
  for (const left of outcomes(5, old)) {
    for (const right of outcomes(3, fresh)) {
      const evidence = tableEvidence();
      evidence.observe({ old: left.counts, new: right.counts }, expected);
      sum += left.probability * right.probability * Math.exp(evidence.ln());
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
    evidence.observe({ old: [0, 0], new: [0, 9] }, [0.9, 0.1]);
    evidence.observe({ old: [0, 9], new: [0, 0] }, [0.9, 0.1]);
    expect(evidence.ln()).toBeCloseTo(0, 12);
  });
});

describe("calls in several classes of slowness", () => {
  const even = [1 / 3, 1 / 3, 1 / 3];
  const steep = [0.05, 0.15, 0.8];
  const flat = [0.9, 0.08, 0.02];

  test("the mean of e is at most 1 for equal sides, however wrong the expectation", () => {
    for (const parts of [even, steep, flat])
      for (const expected of [even, steep, flat])
        expect(meanOfThree(parts, parts, expected)).toBeLessThanOrEqual(1 + 1e-12);
  });

  test("it is less where the new side is faster anywhere and slower nowhere", () => {
    for (const expected of [even, steep, flat]) {
      for (const [old, fresh] of [
        [even, [0.5, 0.2, 0.3]],
        [steep, even],
        [even, flat],
      ] as const)
        expect(meanOfThree(old, fresh, expected)).toBeLessThan(meanOfThree(old, old, expected));
    }
  });

  test("it is above 1 when the new side is slower as a whole, and one class says what no classes say: nothing", () => {
    expect(meanOfThree(even, [0.1, 0.3, 0.6], even)).toBeGreaterThan(1.2);
    const evidence = tableEvidence();
    evidence.observe({ old: [40], new: [40] }, [1]);
    expect(evidence.ln()).toBeCloseTo(0, 12);
  });
});

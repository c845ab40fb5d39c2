import { describe, expect, test } from "vitest";
import { fromLog, logAdd, logJeffreys, logLikelihood, logMean, logSum } from "./logarithm.ts";

describe("sums and likelihoods in log space", () => {
  test("a sum neither overflows nor underflows", () => {
    expect(logSum([1000, 1000])).toBeCloseTo(1000 + Math.LN2, 12);
    expect(logSum([-5000, -5000, -5000])).toBeCloseTo(-5000 + Math.log(3), 12);
    expect(logSum([])).toBe(-Infinity);
    expect(logSum([-Infinity, -Infinity])).toBe(-Infinity);
  });

  test("two terms add up like many, in either order, also when there is nothing to add", () => {
    expect(logAdd(2, 5)).toBeCloseTo(logSum([2, 5]), 12);
    expect(logAdd(5, 2)).toBe(logAdd(2, 5));
    expect(logAdd(-Infinity, 3)).toBe(3);
    expect(logAdd(-Infinity, -Infinity)).toBe(-Infinity);
  });

  test("a mean of e-values is weighted", () => {
    expect(Math.exp(logMean(0.25, Math.log(4), Math.log(8)))).toBeCloseTo(7, 12);
  });

  test("a figure stays one that JSON can carry", () => {
    expect(fromLog(1e6)).toBe(1e300);
    expect(fromLog(0)).toBe(1);
  });

  test("no failure is certain at a rate of 0 and every failure at a rate of 1", () => {
    expect(logLikelihood(0, 10, 0)).toBe(0);
    expect(logLikelihood(10, 10, 1)).toBe(0);
    expect(logLikelihood(1, 10, 0)).toBe(-Infinity);
    expect(logLikelihood(3, 10, 0.2)).toBeCloseTo(3 * Math.log(0.2) + 7 * Math.log(0.8), 12);
  });

  test("the Jeffreys mixture has its known values", () => {
    expect(Math.exp(logJeffreys(0, 0))).toBeCloseTo(1, 12);
    expect(Math.exp(logJeffreys(1, 1))).toBeCloseTo(1 / 2, 12);
    expect(Math.exp(logJeffreys(1, 2))).toBeCloseTo(1 / 8, 12);
    expect(Math.exp(logJeffreys(2, 2))).toBeCloseTo(3 / 8, 12);
    // 100 failures of 100: C(200,100)/4^100 = 0.0563484790…
    expect(Math.exp(logJeffreys(100, 100))).toBeCloseTo(0.05634847900925642, 12);
  });
});

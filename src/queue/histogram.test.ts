import fc from "fast-check";
import { expect, test } from "vitest";
import { Histogram } from "./histogram.ts";

test("quantiles are within one bucket of the exact ones", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.01, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 300 }),
      (values) => {
        const histogram = new Histogram();
        for (const value of values) histogram.add(value);
        const sorted = [...values].sort((a, b) => a - b);
        const exact = (q: number): number => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
        const { p50, p99, max, count } = histogram.summary();
        expect(count).toBe(values.length);
        expect(max).toBe(sorted.at(-1));
        expect(p50 / exact(0.5)).toBeGreaterThan(1 / 1.09);
        expect(p50 / exact(0.5)).toBeLessThan(1.09);
        expect(p99 / exact(0.99)).toBeGreaterThan(1 / 1.09);
        expect(p99 / exact(0.99)).toBeLessThan(1.09);
      },
    ),
  );
});

test("an empty histogram is all zeros, and a clock that went back counts as zero", () => {
  expect(new Histogram().summary()).toEqual({ count: 0, mean: 0, p50: 0, p99: 0, max: 0 });
  const histogram = new Histogram();
  histogram.add(-5);
  expect(histogram.summary()).toMatchObject({ count: 1, max: 0, p50: 0 });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffDelay, defaultBackoff } from "./index.ts";

test("the queue's defaults wait 5, 10, 20 … seconds, never more than 300", () => {
  const delays = [1, 2, 3, 7, 50].map((attempt) => backoffDelay(defaultBackoff, attempt, () => 1));
  expect(delays).toEqual([5_000, 10_000, 20_000, 300_000, 300_000]);
});

test("a tenth of the delay is random", () => {
  expect(backoffDelay(defaultBackoff, 1, () => 0)).toBe(4_500);
});

test("who asks for no delay gets none, also where the growth overflows", () => {
  const policy = { base: 0, factor: 1_000, cap: 1_000, floor: 0, jitter: 0 };
  expect([1, 2, 150, 1_000].map((attempt) => backoffDelay(policy, attempt, () => 0))).toEqual([0, 0, 0, 0]);
});

test("no delay leaves the range from floor to cap", () => {
  fc.assert(
    fc.property(
      fc.record({
        base: fc.integer({ min: 0, max: 10_000 }),
        factor: fc.double({ min: 1, max: 1_000, noNaN: true }),
        jitter: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      fc.integer({ min: 1, max: 1_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (policy, attempt, random) => {
        const delay = backoffDelay({ ...policy, cap: 60_000, floor: 10 }, attempt, () => random);
        expect(delay).toBeGreaterThanOrEqual(10);
        expect(delay).toBeLessThanOrEqual(60_000);
      },
    ),
  );
});

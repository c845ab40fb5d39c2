import fc from "fast-check";
import { expect, test } from "vitest";
import { turnAfter, weightOf } from "./turns.ts";

/** How many of the first `many` turns each of two tenants with a backlog gets, one of each weight. */
function parts(a: number, b: number, many: number): readonly [number, number] {
  let [turnA, turnB] = [turnAfter(0, 0, a), turnAfter(0, 0, b)];
  const got: [number, number] = [0, 0];
  for (let n = 0; n < many; n++) {
    if (turnA <= turnB) {
      got[0]++;
      turnA = turnAfter(turnA, turnA, a);
    } else {
      got[1]++;
      turnB = turnAfter(turnB, turnB, b);
    }
  }
  return got;
}

test.each([
  [1_000, 700],
  [700, 300],
  [401, 399],
  [70, 30],
  [7, 3],
  [1, 0.001],
])("weights of %d to %d are held", (a, b) => {
  const [first, second] = parts(a, b, 10_000);
  expect(Math.abs(first - (10_000 * a) / (a + b))).toBeLessThan(2);
  expect(first + second).toBe(10_000);
});

test("whatever a store holds already, the next turn comes later, within one step", () => {
  const turns = fc.integer({ min: 0, max: 1e12 });
  const weights = fc.double({ min: 0.001, max: 1_000, noNaN: true });
  fc.assert(
    fc.property(turns, turns, weights, (lane, front, weight) => {
      const last = Math.max(lane, front);
      const next = turnAfter(lane, front, weight);
      expect(Number.isSafeInteger(next)).toBe(true);
      expect(next).toBeGreaterThan(last);
      expect(next - last).toBeLessThanOrEqual(Math.round(1_000 / weight) + 1);
    }),
  );
});

test("who has no weight, or one that cannot be used, has one", () => {
  expect([weightOf({}, "a"), weightOf({ a: 0 }, "a"), weightOf({ a: 3 }, "a")]).toEqual([1, 1, 3]);
  expect(weightOf({}, "constructor")).toBe(1);
  expect(turnAfter(5, 0, 1e9)).toBe(6);
});

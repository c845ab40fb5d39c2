import { describe, expect, test } from "vitest";
import type { LatencyCounts } from "../core/index.ts";
import { bucketsOf, countClasses, partsOf } from "./latency-classes.ts";

const counts: LatencyCounts = [
  [3, 5],
  [7, 80],
  [9, 15],
];

describe("classes of latency", () => {
  test("a border is the bucket that holds its quantile, named once where several fall into it", () => {
    expect(bucketsOf(counts, [0.05, 0.1, 0.5, 0.9, 0.99])).toEqual([3, 7, 9]);
    expect(bucketsOf(counts, [0.5])).toEqual([7]);
  });

  test("every call is in one class, its border's bucket still in the faster one, in whatever order they come", () => {
    expect(countClasses([...counts, [2, 1]], [3, 7], 0)).toEqual([6, 80, 15]);
    expect(countClasses([], [3, 7], 0)).toEqual([0, 0, 0]);
  });

  test("calls that may be so many buckets slower are counted as if they were not", () => {
    expect(countClasses(counts, [3, 7], 2)).toEqual([5, 95, 0]);
  });

  test("no class is impossible", () => {
    expect(partsOf([0, 9])).toEqual([0.05, 0.95]);
  });
});

import { describe, expect, test } from "vitest";
import { type StaticLimitOptions, staticLimit } from "./index.ts";

const options: StaticLimitOptions = { limit: 0.05, direction: "above", minSample: 20, n: 2, m: 3 };

const judged = (values: readonly (readonly [number, number])[], more: Partial<StaticLimitOptions> = {}) => {
  const test = staticLimit({ ...options, ...more });
  for (const [value, sample] of values) test.observe({ value, sample });
  return test.verdict();
};

describe("a plain limit", () => {
  test("holds while intervals are too few or too thin", () => {
    expect(judged([])).toEqual({
      kind: "hold",
      over: 0,
      judged: 0,
      reason: "no interval yet with at least 20 calls",
    });
    expect(
      judged([
        [1, 19],
        [1, 19],
        [1, 19],
      ]),
    ).toMatchObject({ kind: "hold", judged: 0 });
    expect(
      judged([
        [0.01, 20],
        [0.01, 20],
      ]).reason,
    ).toBe("0 of 2 intervals above 0.05, needs 3 with at least 20 calls");
  });

  test("fails at n of m, even before m were seen", () => {
    expect(
      judged([
        [0.06, 20],
        [0.07, 20],
      ]),
    ).toMatchObject({
      kind: "fail",
      over: 2,
      value: 0.07,
      reason: "2 of 2 intervals above 0.05 (fails at 2 of 3)",
    });
    expect(
      judged([
        [0.06, 20],
        [0.01, 20],
        [0.06, 20],
      ]).kind,
    ).toBe("fail");
  });

  test("one bad interval is forgiven, and an old one is forgotten", () => {
    expect(
      judged([
        [0.06, 20],
        [0.01, 20],
        [0.01, 20],
      ]).kind,
    ).toBe("pass");
    expect(
      judged([
        [0.06, 20],
        [0.01, 20],
        [0.01, 20],
        [0.06, 20],
      ]).kind,
    ).toBe("pass");
  });

  test("the limit itself is allowed", () => {
    expect(
      judged([
        [0.05, 20],
        [0.05, 20],
        [0.05, 20],
      ]).kind,
    ).toBe("pass");
  });

  test("below means that less is bad", () => {
    const throughput = { direction: "below", limit: 100 } as const;
    expect(
      judged(
        [
          [90, 20],
          [80, 20],
        ],
        throughput,
      ).kind,
    ).toBe("fail");
    expect(
      judged(
        [
          [100, 20],
          [120, 20],
          [99, 20],
        ],
        throughput,
      ).kind,
    ).toBe("pass");
  });
});

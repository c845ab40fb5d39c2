import { describe, expect, test } from "vitest";
import { estimateFigures, figure, needsText, percent, ratioReason } from "./verdict.ts";
import { projectWait, soonest } from "./wait.ts";

describe("figures for people", () => {
  test.each([
    [0, "0"],
    [0.0123, "0.012"],
    [0.9, "0.9"],
    [1.44, "1.4"],
    [12.4, "12"],
    [2_100_000, "2.1e6"],
    [Infinity, "∞"],
  ])("%s reads %s", (value, text) => {
    expect(figure(value)).toBe(text);
  });

  test("rates are percentages", () => {
    expect(percent(0.009)).toBe("0.9 %");
  });

  test("what is infinite or unknown is left out of records", () => {
    expect(estimateFigures({ low: 0.5, high: Infinity })).toEqual({ low: 0.5 });
  });

  test("a ratio says what decided", () => {
    const of = { e: 2.1e6, ePass: 12, fail: 100, pass: 20 };
    const seen = { estimate: 0.9, low: 0.6, high: 1.4 };
    expect(ratioReason("hold", seen, 2, of)).toBe("ratio 0.9 (0.6–1.4), clears below 2×: e 12 of 20");
    expect(ratioReason("pass", seen, 2, { ...of, ePass: 21 })).toBe(
      "ratio 0.9 (0.6–1.4), below 2× (e 21 ≥ 20)",
    );
    expect(ratioReason("fail", { estimate: 31, low: 9, high: 99 }, 2, of)).toBe("31× old (e 2.1e6 ≥ 100)");
    expect(ratioReason("hold", { low: 0, high: Infinity }, 2, of)).toBe(
      "nothing to compare yet, clears below 2×",
    );
  });

  test("a wait is told in time when time is known, else in traffic", () => {
    expect(needsText(2, 40_000)).toBe("about 01:20 at this traffic");
    expect(needsText(4, undefined)).toBe("about 4 times the traffic seen so far");
  });
});

describe("how long a verdict will still take", () => {
  test("evidence that grows steadily needs the missing part", () => {
    expect(projectWait((times) => times, 3)).toBeCloseTo(2, 2);
  });

  test("evidence that suffices needs nothing more", () => {
    expect(projectWait((times) => 5 * times, 3)).toBe(0);
  });

  test("evidence that does not grow cannot be waited for", () => {
    expect(projectWait(() => 1, 3)).toBeUndefined();
    expect(projectWait((times) => -times, 3)).toBeUndefined();
  });

  test("the soonest of several waits counts", () => {
    expect(soonest(3, undefined, 2)).toBe(2);
    expect(soonest(undefined)).toBeUndefined();
  });
});

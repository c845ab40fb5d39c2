import { describe, expect, test } from "vitest";
import { formatDuration, hasCode, parseDuration } from "./index.ts";

describe("a duration", () => {
  test.each([
    [0, 0],
    [250, 250],
    ["250ms", 250],
    ["1.5s", 1_500],
    ["10m", 600_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["1h 30m", 5_400_000],
    [" 5 s ", 5_000],
  ])("is read from %j as %i ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    ["ten minutes"],
    ["10"],
    [""],
    ["-5s"],
    [-1],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [1e300],
    [`${"9".repeat(400)}d`],
    ["5 weeks"],
    [null],
    [10n],
    [Object.create(null)],
  ])("is refused by name when it reads %s, and never becomes 0", (text) => {
    const read = (): number => parseDuration(text as never);
    expect(read).toThrow(/expected a duration/);
    try {
      read();
    } catch (error) {
      expect(hasCode(error, "CUTOVER_DURATION_INVALID")).toBe(true);
    }
  });

  test.each([
    [0, "0 ms"],
    [850.4, "850 ms"],
    [1_400, "1.4 s"],
    [9_949, "9.9 s"],
    [38_000, "38 s"],
    [161_000, "02:41"],
    [3_900_000, "1 h 05 min"],
    [273_600_000, "3 d 4 h"],
  ])("of %i ms is written %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

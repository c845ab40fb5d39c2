import { describe, expect, test } from "vitest";
import { change, count, latency, percent, perSecond, plural, sharePercent, timestamp } from "./figures.ts";

describe("figures for people", () => {
  test("whole numbers have their thousands separated", () => {
    expect([0, 999, 1_000, 31_902, 1_234_567].map(count)).toEqual([
      "0",
      "999",
      "1,000",
      "31,902",
      "1,234,567",
    ]);
  });

  test("rates keep as many digits as say something, and an unknown rate is not 0", () => {
    expect([0, 0.00012, 0.009, 0.12, 1].map(percent)).toEqual(["0 %", "0.012 %", "0.9 %", "12 %", "100 %"]);
    expect(percent(null)).toBe("–");
    expect(percent(Number.NaN)).toBe("–");
    expect(sharePercent(0.5)).toBe("0.5 %");
  });

  test("latencies change their unit at a second", () => {
    expect([0.42, 31.4, 999.4, 1_200, 12_000].map(latency)).toEqual([
      "0.42 ms",
      "31 ms",
      "999 ms",
      "1.2 s",
      "12 s",
    ]);
    expect(latency(null)).toBe("–");
  });

  test("calls a second are whole once there are ten", () => {
    expect([203.4, 9.96, 0.4].map(perSecond)).toEqual(["203/s", "10/s", "0.4/s"]);
  });

  test("a change is said against what was before, and not at all without it", () => {
    expect(change(188, 204)).toBe("+9 %");
    expect(change(9, 6)).toBe("−33 %");
    expect(change(5, 5)).toBe("±0 %");
    expect([change(0, 5), change(null, 5), change(5, null)]).toEqual(["", "", ""]);
  });

  test("one is not many", () => {
    expect([plural(1, "step"), plural(14, "step"), plural(2, "entry", "entries")]).toEqual([
      "1 step",
      "14 steps",
      "2 entries",
    ]);
  });

  test("times in records are in UTC and say so", () => {
    expect(timestamp(Date.UTC(2026, 0, 1, 12))).toBe("2026-01-01 12:00:00 UTC");
  });
});

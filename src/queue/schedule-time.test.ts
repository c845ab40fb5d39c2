import { describe, expect, test } from "vitest";
import { type ScheduleTimes, scheduleTimes, storedTimes } from "./schedule-time.ts";

const at = (iso: string): number => Date.parse(iso);
const iso = (ms: number): string => new Date(ms).toISOString().replace(".000Z", "Z");

/** The first `n` times of a schedule that begins at `from`. */
function firstOf(times: ScheduleTimes, from: string, n: number): readonly string[] {
  const found = [times.first(at(from))];
  while (found.length < n) found.push(times.after(found.at(-1) ?? 0) ?? 0);
  return found.map(iso);
}

describe("the times of a schedule", () => {
  test("by cron are in its time zone, UTC unless another is named", () => {
    expect(firstOf(scheduleTimes({ cron: "0 3 * * MON-FRI" }), "2026-01-02T12:00:00Z", 2)).toEqual([
      "2026-01-05T03:00:00Z",
      "2026-01-06T03:00:00Z",
    ]);
    const tokyo = scheduleTimes({ cron: "0 3 * * *", timezone: "Asia/Tokyo" });
    expect(firstOf(tokyo, "2026-01-02T12:00:00Z", 1)).toEqual(["2026-01-02T18:00:00Z"]);
  });

  test("may be seconds apart, or named", () => {
    expect(firstOf(scheduleTimes({ cron: "*/20 * * * * *" }), "2026-01-01T00:00:50Z", 2)).toEqual([
      "2026-01-01T00:01:00Z",
      "2026-01-01T00:01:20Z",
    ]);
    expect(firstOf(scheduleTimes({ cron: "@daily" }), "2026-01-01T00:00:00Z", 1)).toEqual([
      "2026-01-02T00:00:00Z",
    ]);
  });

  test("where clocks go forward, a fixed time that is skipped comes after the gap, once", () => {
    const berlin = scheduleTimes({ cron: "30 2 * * *", timezone: "Europe/Berlin" });
    expect(firstOf(berlin, "2026-03-28T00:00:00Z", 3)).toEqual([
      "2026-03-28T01:30:00Z", // 02:30
      "2026-03-29T01:00:00Z", // 02:00–03:00 does not exist: 03:00
      "2026-03-30T00:30:00Z",
    ]);
  });

  test("where clocks go back, a fixed time comes once and an interval goes on hour by hour", () => {
    const fixed = scheduleTimes({ cron: "30 2 * * *", timezone: "Europe/Berlin" });
    expect(firstOf(fixed, "2026-10-25T00:00:00Z", 2)).toEqual([
      "2026-10-25T00:30:00Z",
      "2026-10-26T01:30:00Z",
    ]);
    const hourly = scheduleTimes({ cron: "30 * * * *", timezone: "Europe/Berlin" });
    expect(firstOf(hourly, "2026-10-25T00:00:00Z", 3)).toEqual([
      "2026-10-25T00:30:00Z",
      "2026-10-25T01:30:00Z",
      "2026-10-25T02:30:00Z",
    ]);
  });

  test("in lists and ranges are fixed as well: each comes once a day, whatever the clocks do", () => {
    const list = scheduleTimes({ cron: "15,45 2 * * *", timezone: "Europe/Berlin" });
    expect(firstOf(list, "2026-10-24T01:00:00Z", 3)).toEqual([
      "2026-10-25T00:15:00Z", // 02:15 of summer time; that of winter time is an hour later
      "2026-10-25T00:45:00Z",
      "2026-10-26T01:15:00Z",
    ]);
    // Neither 02:15 nor 02:45 exists: both would come at 03:00, which is one time.
    expect(firstOf(list, "2026-03-28T02:00:00Z", 2)).toEqual([
      "2026-03-29T01:00:00Z",
      "2026-03-30T00:15:00Z",
    ]);
    const hours = scheduleTimes({ cron: "0 1-3 * * *", timezone: "Europe/Berlin" });
    expect(firstOf(hours, "2026-10-24T12:00:00Z", 4)).toEqual([
      "2026-10-24T23:00:00Z",
      "2026-10-25T00:00:00Z",
      "2026-10-25T02:00:00Z",
      "2026-10-26T00:00:00Z",
    ]);
  });

  test("that were missed come down to the newest", () => {
    const daily = scheduleTimes({ cron: "0 3 * * *" });
    const due = at("2026-01-02T03:00:00Z");
    expect(iso(daily.newest(due, at("2026-01-09T02:59:59.999Z")))).toBe("2026-01-08T03:00:00Z");
    expect(iso(daily.newest(due, at("2026-01-09T03:00:00Z")))).toBe("2026-01-09T03:00:00Z");
    expect(iso(daily.newest(due, at("2026-01-09T03:00:00.001Z")))).toBe("2026-01-09T03:00:00Z");
    expect(daily.newest(due, due)).toBe(due);
    const often = scheduleTimes({ every: "10m" });
    expect(often.newest(1_000, 1_000 + 6_000_000 + 5)).toBe(1_000 + 6_000_000);
    expect(often.newest(1_000, 1_000)).toBe(1_000);
  });

  test("`every` keep their beat whatever time of the day it is", () => {
    const times = scheduleTimes({ every: "90m" });
    expect(times.first(5)).toBe(5_400_005);
    expect(times.after(5_400_005)).toBe(10_800_005);
  });

  test("are read back from the record as they were given", () => {
    const given = [
      { cron: "0 3 * * *", timezone: "Europe/Berlin" },
      { cron: "@hourly" },
      { every: "1h 30m" },
      { every: 90_000 },
    ];
    for (const when of given) {
      const times = scheduleTimes(when);
      const record = { when: times.text, timezone: times.timezone };
      const back = storedTimes({ ...record, name: "n", queue: "q", order: {}, nextAt: 0 });
      expect({ ...back, text: times.text }).toMatchObject({ text: times.text, timezone: times.timezone });
      expect(back.first(at("2026-03-28T00:00:00Z"))).toBe(times.first(at("2026-03-28T00:00:00Z")));
    }
  });
});

test.each([
  ["cron", { cron: "61 * * * *" }],
  ["cron", { cron: "every day" }],
  ["cron", { cron: "" }],
  ["cron", { cron: "0 3 * * * * 2030" }],
  ["cron", { cron: "? 3 * * *" }],
  ["cron", { cron: "2026-11-22T23:38:00" }],
  ["cron", { cron: " 2026-11-22T23:38:00Z " }],
  ["cron", { cron: "2026-11-22 23:38" }],
  ["cron", { cron: undefined }],
  ["cron", { cron: "0 0 30 2 *" }],
  ["timezone", { cron: "0 3 * * *", timezone: "Nowhere/City" }],
  ["timezone", { cron: "0 3 * * *", timezone: "" }],
  ["timezone", { cron: "0 3 * * *", timezone: 2 }],
  ["every", { every: "often" }],
  ["every", { every: "10ms" }],
  ["every", { every: Number.NaN }],
  ["when", { every: "10m", cron: "0 3 * * *" }],
  ["when", { cron: "0 3 * * *", zone: "UTC" }],
  ["when", "0 3 * * *"],
  ["when", null],
  ["cron", {}],
])("a schedule is refused naming %s: %j", (field, when) => {
  expect(() => scheduleTimes(when as never).first(0)).toThrow(
    expect.objectContaining({ code: "CUTOVER_QUEUE_INVALID", place: field }),
  );
});

test("for a date in place of a pattern the refusal names what does a thing once", () => {
  expect(() => scheduleTimes({ cron: "2026-11-22T23:38:00" })).toThrow(
    expect.objectContaining({ remedy: expect.stringContaining("runAt") as string }),
  );
});

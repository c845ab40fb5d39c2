import { describe, expect, test } from "vitest";
import type { CutoverError, Interval } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { sideOf } from "./bucket.ts";
import { keyText, longestKey } from "./key-text.ts";
import { memoryLink } from "./memory-link.ts";
import { createRollout } from "./rollout.ts";

function open(share: number, clock: ManualClock = new ManualClock()) {
  const link = memoryLink();
  const errors: CutoverError[] = [];
  const state = [{ route: "r", stage: "live", share, epoch: 1, salt: "s" }] as const;
  const rollout = createRollout({ clock, link, state, onError: (error) => errors.push(error) });
  const fn = rollout.route("r", {
    old: (_key: unknown) => "old",
    new: () => "new",
    key: (key) => key as string,
  });
  return { fn, errors, rollout, link, state: fn.state() };
}

const megabyte = "k".repeat(1_000_000);
const noKeys: readonly (readonly [string, unknown])[] = [
  ["a symbol", Symbol("k")],
  ["an object", { id: 1 }],
  ["null", null],
  ["undefined", undefined],
  ["a boolean", true],
  ["NaN", Number.NaN],
  ["infinity", Number.POSITIVE_INFINITY],
  ["a megabyte of text", megabyte],
  ["an endless bigint", 10n ** 5_000n],
];

describe("what is no key", () => {
  test.each(noKeys)("%s belongs to the old side at every share below 100, and is told", (_, key) => {
    for (const share of [0.0001, 50, 99.9999]) {
      const { fn, errors, state } = open(share);
      expect(fn(key)).toBe("old");
      expect(fn.side(key as string)).toBe("old");
      expect(sideOf(state, key as string)).toBe("old");
      expect(errors[0]).toMatchObject({ code: "CUTOVER_ROUTE_FAULT", details: { function: "key" } });
      expect(errors[0]?.message.length).toBeLessThan(300);
    }
  });

  test("an empty key belongs to the old side without a word: it is how a call says that it has none", () => {
    const { fn, errors } = open(99.9999);
    expect([fn(""), fn.side(""), errors.length]).toEqual(["old", "old", 0]);
  });

  test("at a share of 100 % nobody asks for the key, at 0 % neither", () => {
    for (const [, key] of [...noKeys, ["an empty text", ""] as const]) {
      expect([open(100).fn(key), open(0).fn(key)]).toEqual(["new", "old"]);
      expect([open(100).fn.side(key as string), open(0).fn.side(key as string)]).toEqual(["new", "old"]);
      expect(sideOf(open(100).state, key as string)).toBe("new");
    }
    expect(open(100).errors).toEqual([]);
  });

  test("a megabyte is refused at once: a thousand such calls take less time than hashing them", () => {
    const { fn } = open(50);
    const start = performance.now();
    for (let i = 0; i < 1_000; i++) fn(megabyte);
    expect(performance.now() - start).toBeLessThan(500);
  });
});

describe("what is a key", () => {
  const keys: readonly (readonly [unknown, string])[] = [
    ["a", "a"],
    ["k".repeat(longestKey), "k".repeat(longestKey)],
    [0, "0"],
    [-0, "0"],
    [1.5, "1.5"],
    [123_456_789_012_345_678_901n, "123456789012345678901"],
    ["😀", "😀"],
  ];

  test("is hashed as its text: text, numbers and bigints, up to 10,000 characters", () => {
    for (const [key, text] of keys) {
      expect(keyText(key)).toBe(text);
      const { fn, state } = open(50);
      expect(fn(key)).toBe(sideOf(state, text));
    }
  });
});

describe("a clock that goes back", () => {
  test("ends no interval before it began, and loses no call", async () => {
    let now = Date.UTC(2026, 0, 1, 12);
    const clock = Object.assign(new ManualClock(), { now: () => now });
    const { fn, rollout, link } = open(50, clock);
    const steps = [1_000, -7_200_000, 1_000, -86_400_000, 500];
    for (const step of steps) {
      fn("a");
      now += step;
      rollout.flush();
    }
    expect(link.intervals.every(({ from, to }) => from <= to)).toBe(true);
    const calls = link.intervals.reduce(
      (sum: number, each: Interval) => sum + each.old.calls + each.new.calls,
      0,
    );
    expect(calls).toBe(steps.length);
    expect(link.intervals.every(({ firstErrors }) => (firstErrors?.period ?? 0) > 0)).toBe(true);
    await rollout.close();
  });

  test("after it was an hour ahead, an idle route still reports each second, at the time it is", async () => {
    let ahead = 0;
    const manual = new ManualClock();
    const clock = Object.assign(new ManualClock(), {
      now: () => manual.now() + ahead,
      monotonic: () => manual.monotonic(),
      after: manual.after.bind(manual),
    });
    const { fn, rollout, link } = open(50, clock);
    fn("a");
    ahead = 3_600_000;
    await manual.advance(2_000);
    ahead = 0;
    const { length } = link.intervals;
    await manual.advance(5_000);
    const since = link.intervals.slice(length);
    expect(since.length).toBeGreaterThanOrEqual(5);
    expect(since.every(({ from, to }) => from <= to && to <= manual.now())).toBe(true);
    expect(since.at(-1)?.to).toBeGreaterThan(manual.now() - 1_500);
    await rollout.close();
  });
});

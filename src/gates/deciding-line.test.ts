import { describe, expect, test } from "vitest";
import { intervalOf } from "../../bench/gates/intervals.ts";
import type { Interval } from "../core/index.ts";
import { judgeIntervals } from "./index.ts";

const worse = { kind: "worse-than-old", by: 2, alpha: 0.01, beta: 0.05 } as const;
type Calls = readonly [calls: number, errors: number];
const seconds = (count: number, old: Calls, fresh: Calls, more: Partial<Interval> = {}): Interval[] =>
  Array.from({ length: count }, (_, i) => ({
    ...intervalOf(i, {
      old: { calls: old[0], errors: old[1] },
      new: { calls: fresh[0], errors: fresh[1] },
    }),
    ...more,
  }));
const judged = (intervals: readonly Interval[], earlier: readonly Interval[] = []) => {
  const { kind, figures } = judgeIntervals(worse, { of: "errors" }, intervals, { earlier });
  return [kind, figures["decidedBy"]];
};
const before = seconds(100, [200, 4], [0, 0], { share: 0 });

describe("a verdict on errors says which evidence decided", () => {
  test("keys, where doors follow them", () => {
    const broken = seconds(9, [100, 1], [100, 30], { firstErrors: { old: 1, new: 30 } });
    expect(judged(broken)).toEqual(["fail", "first errors"]);
    const healthy = seconds(60, [100, 4], [100, 4], { firstErrors: { old: 4, new: 4 } });
    expect(judged(healthy)).toEqual(["pass", "first errors"]);
  });

  test("calls side by side, where they do not", () => {
    expect(judged(seconds(9, [100, 1], [100, 30]))).toEqual(["fail", "calls"]);
    expect(judged(seconds(60, [100, 4], [100, 4]))).toEqual(["pass", "calls"]);
  });

  test("the old side's earlier calls, where the new side has all the traffic", () => {
    const all = { share: 100 };
    expect(judged(seconds(30, [0, 0], [200, 60], all), before)).toEqual(["fail", "memory"]);
    expect(judged(seconds(60, [0, 0], [200, 4], all), before)).toEqual(["pass", "memory"]);
    const followed = { ...all, firstErrors: { old: 0, new: 0 } };
    expect(judged(seconds(200, [0, 0], [200, 3], followed), before)).toEqual(["pass", "memory"]);
  });

  test("the absolute limit, where nothing fails; and none while it holds", () => {
    expect(judged(seconds(20, [100, 0], [100, 0]))).toEqual(["pass", "floor"]);
    expect(judged(seconds(1, [100, 1], [100, 1]))).toEqual(["hold", undefined]);
  });
});

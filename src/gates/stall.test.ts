import { describe, expect, test } from "vitest";
import type { Interval, LatencyCounts } from "../core/index.ts";
import { createJudge, type Judge } from "./judge.ts";
import { latencyBucket } from "./latency.ts";

const rule = { kind: "worse-than-old", by: 2, alpha: 0.01, beta: 0.05 } as const;

/** Evenly 10 to 40 ms, one call in a hundred 50 ms. */
function usual(calls: number, times = 1): LatencyCounts {
  const counts = new Map<number, number>();
  for (let call = 0; call < calls; call++) {
    const ms = (call % 100 === 99 ? 50 : 10 + (call % 31)) * times;
    counts.set(latencyBucket(ms), (counts.get(latencyBucket(ms)) ?? 0) + 1);
  }
  return [...counts].toSorted(([a], [b]) => a - b);
}

const side = (latency: LatencyCounts): Interval["old"] => ({
  calls: latency.reduce((sum, [, count]) => sum + count, 0),
  errors: 0,
  latency,
});

let at = 0;
function interval(old: LatencyCounts, fresh: LatencyCounts): Interval {
  at += 250;
  return {
    id: String(at),
    route: "r",
    door: "d",
    epoch: 1,
    stage: "live",
    share: 100,
    from: at - 250,
    to: at,
    old: side(old),
    new: side(fresh),
    shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
    compared: 0,
    mismatches: 0,
    failedOver: 0,
    operations: {},
  };
}

/** A judge that remembers 4,000 calls of the old side and sees 25 calls a second of the new one alone. */
function alone(): Judge {
  const judge = createJudge(rule, { of: "latency", quantile: 0.99 });
  for (let i = 0; i < 40; i++) judge.remember([interval(usual(100), [])]);
  return judge;
}

/** Seconds until the judge says fail, `limit` when it does not. */
function secondsToFail(judge: Judge, latency: LatencyCounts, limit: number): number {
  for (let quarter = 1; quarter <= limit * 4; quarter++) {
    judge.add([interval([], latency)]);
    if (judge.verdict().kind === "fail") return quarter / 4;
  }
  return limit;
}

describe("at a share of 100 %, where nothing stands beside the new side", () => {
  test("a machine that stands still for three seconds does not fail a healthy side", () => {
    const judge = alone();
    secondsToFail(judge, usual(6), 20);
    for (let quarter = 0; quarter < 12; quarter++) judge.add([interval([], usual(6, 30))]);
    expect(judge.verdict().kind).not.toBe("fail");
  });

  test("a side that stays slow fails all the same, within half a minute", () => {
    const judge = alone();
    const seconds = secondsToFail(judge, usual(6, 30), 60);
    expect(seconds).toBeGreaterThan(3);
    expect(seconds).toBeLessThan(30);
  });
});

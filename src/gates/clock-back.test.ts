import { describe, expect, test } from "vitest";
import { intervalOf } from "../../bench/gates/intervals.ts";
import type { Interval } from "../core/index.ts";
import { createJudge, latencyBucket } from "./index.ts";

const limit = {
  kind: "limit",
  limit: 0.05,
  direction: "above",
  minSample: 10,
  n: 2,
  m: 3,
  intervalMs: 1000,
} as const;
const errors = { alpha: 0.01, beta: 0.05 };
const second = (i: number, failed: number): Interval =>
  intervalOf(i, { new: { calls: 100, errors: failed } });

describe("a clock that goes back", () => {
  test("does not leave an old verdict of a plain limit standing", () => {
    const judge = createJudge(limit, { of: "errors" });
    for (let i = 0; i < 6; i++) judge.add([second(10_000 + i, 0)]);
    expect(judge.verdict().kind).toBe("pass");
    for (let i = 0; i < 22; i++) judge.add([second(i, 50)]);
    expect(judge.verdict().kind).toBe("fail");
  });

  test("a few late reports between ones in time change nothing", () => {
    const judge = createJudge(limit, { of: "errors" });
    for (let i = 0; i < 40; i++) judge.add([second(10_000 + i, 0), second(i, 50)]);
    expect(judge.verdict().kind).toBe("pass");
  });

  test("does not stop a new side that has all the traffic from being judged by its latency", () => {
    const latency = (ms: number, calls: number) => ({
      calls,
      latency: [[latencyBucket(ms), calls]] as const,
    });
    const judge = createJudge({ kind: "worse-than-old", by: 2, ...errors }, { of: "latency", quantile: 0.9 });
    judge.remember(Array.from({ length: 20 }, (_, i) => intervalOf(i, { old: latency(10, 100) })));
    const slow = (i: number): Interval => ({
      ...intervalOf(0, { new: latency(50, 25) }),
      from: 1e9 * (i < 3 ? 2 : 1) + i * 250,
      to: 1e9 * (i < 3 ? 2 : 1) + i * 250 + 250,
    });
    for (let i = 0; i < 60; i++) judge.add([slow(i)]);
    expect(judge.verdict().kind).toBe("fail");
  });

  test("inside one stretch gives a wait of no negative length", () => {
    const judge = createJudge({ kind: "below", limit: 0.01, ...errors }, { of: "errors" });
    judge.add([{ ...second(5, 0), from: 9000, to: 8000 }]);
    expect(judge.verdict()).toMatchObject({ kind: "hold", waitMs: 0 });
  });
});

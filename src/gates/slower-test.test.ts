import { describe, expect, test } from "vitest";
import { latencies } from "../../bench/gates/intervals.ts";
import { createRandom } from "../../bench/gates/random.ts";
import type { LatencyCounts } from "../core/index.ts";
import { bucketBound, latencyTest, slowerTest } from "./index.ts";

const errors = { alpha: 0.01, beta: 0.05 };
const options = { ...errors, quantile: 0.9, by: 2 };
/** Ten fast calls to one slow one. */
const mixed = (calls: number, fast: number, slow: number): LatencyCounts => [
  [fast, calls],
  [slow, calls / 10],
];

describe("a quantile of the new side against the old side's earlier calls", () => {
  test("holds without calls of either side and says which is missing", () => {
    const test = slowerTest(options);
    expect(test.verdict()).toMatchObject({
      kind: "hold",
      thresholds: {},
      reason: "no calls of the old side to compare with yet",
    });
    test.observe({ old: mixed(100, 80, 90) });
    expect(test.verdict().reason).toBe("old 4.7 ms, no calls of the new side yet");
  });

  test("counts against bounds of the old quantile that close in as calls come", () => {
    const test = slowerTest(options);
    test.observe({ old: [[80, 1]] });
    expect(test.verdict().thresholds).toEqual({});
    test.observe({ old: mixed(1000, 80, 90) });
    // 9.1 % of the calls are in bucket 90: p90 is bucket 80 in truth, 90 at most.
    expect(test.verdict().thresholds.fail).toBeCloseTo(bucketBound(99), 6);
    expect(test.verdict().thresholds.pass).toBeCloseTo(bucketBound(79 + 9), 6);
  });

  test("an equal side passes, one that is slower than allowed fails, with both quantiles", () => {
    const equal = slowerTest(options);
    const slow = slowerTest(options);
    for (const test of [equal, slow]) test.observe({ old: mixed(2000, 80, 81) });
    equal.observe({ new: mixed(300, 80, 81) });
    slow.observe({ new: mixed(300, 80, 120) });
    slow.observe({ new: [[120, 300]] });
    expect(equal.verdict()).toMatchObject({ kind: "pass", old: bucketBound(80), new: bucketBound(80) });
    expect(equal.verdict().reason).toMatch(
      /^old 4\.7 ms, new 4\.7 ms: 0 % of calls over 2× old \(allowed 10 %\), e .* ≥ 40$/,
    );
    expect(slow.verdict().kind).toBe("fail");
    expect(slow.verdict().reason).toMatch(/^old 4\.7 ms, new 103 ms: 52 % of calls over 2× old .* ≥ 200$/);
  });

  test("holds on few calls and says how many more it takes", () => {
    const test = slowerTest(options);
    test.observe({ old: mixed(2000, 80, 81) });
    test.observe({ new: mixed(20, 80, 81) });
    expect(test.verdict().reason).toMatch(/clears below 2× old: e .* of 40$/);
    expect(test.verdict().waitFraction).toBeGreaterThan(0.2);
    expect(test.verdict().waitFraction).toBeLessThan(2);
  });

  test("a threshold beyond the last bucket is shown as the last bucket", () => {
    const test = slowerTest({ ...options, by: 1000 });
    test.observe({ old: [[215, 500]] });
    expect(test.verdict().thresholds.fail).toBeCloseTo(bucketBound(219), 6);
  });

  test("50 sides at the limit, the threshold re-estimated at each of 40 looks, never pass it or fail it", () => {
    const random = createRandom(2);
    let judged = 0;
    for (let run = 0; run < 50; run++) {
      const test = slowerTest({ ...options, by: 1 });
      let kind = "hold";
      for (let look = 0; look < 40 && kind === "hold"; look++) {
        test.observe({ old: latencies(random, 50, 10), new: latencies(random, 50, 10) });
        kind = test.verdict().kind;
      }
      if (kind !== "hold") judged++;
    }
    expect(judged / 50).toBeLessThanOrEqual(0.06);
  });
});

describe("slow calls of both sides counted side by side", () => {
  test("holds until the old side's quantiles are known", () => {
    const test = latencyTest(errors);
    test.observe({ old: mixed(50, 80, 90), new: [[120, 50]] });
    expect(test.verdict()).toMatchObject({ kind: "hold", ePass: expect.closeTo(1, 9) });
    expect(test.verdict().waitFraction).toBeUndefined();
  });

  test("a side that is slower in the middle fails", () => {
    const test = latencyTest(errors);
    for (let i = 0; i < 4; i++) test.observe({ old: mixed(100, 80, 90), new: mixed(100, 85, 90) });
    expect(test.verdict()).toMatchObject({ kind: "fail", needed: { fail: 100 } });
    expect(test.kind()).toBe("fail");
    expect(test.verdict().reason).toMatch(/^slow calls at p\d+: .*; all together: e .* ≥ 100$/);
  });

  test("an equal side clears when every threshold has cleared, after the wait that was told", () => {
    const random = createRandom(4);
    const test = latencyTest({ ...errors, quantiles: [0.5, 0.75] });
    let told: number | undefined;
    let looks = 0;
    while (test.verdict().kind === "hold" && looks < 60) {
      test.observe({ old: latencies(random, 20, 10), new: latencies(random, 20, 10) });
      looks++;
      expect(test.kind()).toBe(test.verdict().kind);
      if (looks === 6) told = test.verdict().waitFraction;
    }
    expect(test.verdict().kind).toBe("pass");
    expect(test.verdict().thresholds.map(({ quantile }) => quantile)).toEqual([0.5, 0.75]);
    expect(told).toBeGreaterThan(0);
  });

  test("by allows that factor before a call counts as slow", () => {
    const test = latencyTest({ ...errors, by: 2, quantiles: [0.5], clearBelow: 1 });
    for (let i = 0; i < 3; i++) test.observe({ old: [[80, 100]], new: [[84, 100]] });
    expect(test.verdict().kind).toBe("pass");
  });

  test("a small shift of all calls is seen in all of them before any threshold shows it, and that is said", () => {
    const random = createRandom(3);
    const test = latencyTest(errors);
    const named = latencyTest({ ...errors, quantiles: [0.5, 0.75, 0.9, 0.95, 0.99] });
    for (let look = 0; look < 200 && test.kind() !== "fail"; look++) {
      const stretch = { old: latencies(random, 100, 10), new: latencies(random, 20, 11.5) };
      for (const each of [test, named]) each.observe(stretch);
    }
    expect(test.kind()).toBe("fail");
    expect(named.kind()).toBe("hold");
    expect(test.verdict().whole).toBeGreaterThan(100);
    expect(test.verdict().reason).toMatch(/^calls are slower as a whole; slow calls at p/);
    expect(named.verdict()).not.toHaveProperty("whole");
  });

  test("a side twice as slow does not fail where twice is allowed, as a whole neither", () => {
    const random = createRandom(5);
    const test = latencyTest({ ...errors, by: 2 });
    for (let look = 0; look < 40; look++)
      test.observe({ old: latencies(random, 100, 10), new: latencies(random, 50, 20) });
    expect(test.verdict().whole).toBeLessThan(10);
    expect(test.kind()).not.toBe("fail");
  });

  test("a new side without calls only adds to what is known of the old one", () => {
    const test = latencyTest(errors);
    test.observe({ old: [[80, 100]], new: [] });
    test.observe({ old: [[80, 100]], new: [] });
    expect(test.verdict()).toMatchObject({ kind: "hold", e: expect.closeTo(1, 9) });
  });

  test("50 equal sides, looked at 40 times each, fail in at most 1 % and two standard errors", () => {
    const random = createRandom(6);
    let failed = 0;
    for (let run = 0; run < 50; run++) {
      const test = latencyTest(errors);
      for (let look = 0; look < 40; look++) {
        test.observe({ old: latencies(random, 50, 10), new: latencies(random, 20, 10) });
        if (test.verdict().kind === "fail") {
          failed++;
          break;
        }
      }
    }
    expect(failed / 50).toBeLessThanOrEqual(0.01 + 2 * Math.sqrt((0.01 * 0.99) / 50));
  });
});

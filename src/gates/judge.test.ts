import { describe, expect, test } from "vitest";
import { intervalOf, latencies } from "../../bench/gates/intervals.ts";
import { createRandom } from "../../bench/gates/random.ts";
import type { Interval } from "../core/index.ts";
import { createJudge, judgeIntervals, type LimitRule } from "./index.ts";

const errors = { alpha: 0.01, beta: 0.05 };
const worse = { kind: "worse-than-old", by: 2, ...errors } as const;
const below = { kind: "below", limit: 0.01, ...errors } as const;
const limit: LimitRule = {
  kind: "limit",
  limit: 0.05,
  direction: "above",
  minSample: 50,
  n: 2,
  m: 3,
  intervalMs: 2000,
};

type Calls = readonly [calls: number, errors: number];
const seconds = (count: number, old: Calls, fresh: Calls, first = 0): Interval[] =>
  Array.from({ length: count }, (_, i) =>
    intervalOf(first + i, {
      old: { calls: old[0], errors: old[1] },
      new: { calls: fresh[0], errors: fresh[1] },
    }),
  );

describe("errors against the old side", () => {
  const judged = (intervals: readonly Interval[], earlier: readonly Interval[] = []) =>
    judgeIntervals(worse, { of: "errors" }, intervals, { earlier });

  test("a broken side fails within a second, and the reason reads like a sentence", () => {
    const verdict = judged(seconds(1, [100, 1], [100, 30]));
    expect(verdict.kind).toBe("fail");
    expect(verdict.reason).toMatch(/^errors 30× old \(e .* ≥ 100\)$/);
    expect(verdict.waitMs).toBeUndefined();
    expect(JSON.parse(JSON.stringify(verdict.figures))).toEqual(verdict.figures);
  });

  test("an equal side holds, says how long, and clears about then", () => {
    const early = judged(seconds(15, [100, 1], [100, 1]));
    expect(early.kind).toBe("hold");
    expect(early.reason).toMatch(/^ratio 1 \(.*\), clears below 2×: e .* of 20$/);
    const wait = Math.ceil((early.waitMs as number) / 1000);
    expect(wait).toBeGreaterThan(3);
    expect(judged(seconds(15 + wait + 1, [100, 1], [100, 1])).kind).toBe("pass");
  });

  test("the wait counts from the time given, when one is given", () => {
    const intervals = seconds(15, [100, 1], [100, 1]);
    const byIntervals = judgeIntervals(worse, { of: "errors" }, intervals).waitMs as number;
    const given = judgeIntervals(worse, { of: "errors" }, intervals, { spanMs: 30_000 }).waitMs as number;
    expect(given / byIntervals).toBeCloseTo(2, 2);
  });

  test("nothing measured is a hold without a wait", () => {
    for (const intervals of [[], seconds(3, [0, 0], [0, 0])]) {
      const verdict = judged(intervals);
      expect(verdict).toMatchObject({ kind: "hold", reason: "nothing to compare yet, clears below 2×" });
      expect(verdict.waitMs).toBeUndefined();
    }
  });

  test("calls of the old side alone never clear the new one", () => {
    expect(judged(seconds(500, [1000, 0], [0, 0])).kind).toBe("hold");
    expect(judged(seconds(500, [1000, 9], [0, 0])).kind).toBe("hold");
  });

  test("a side without failures clears by the floor when the old side has none either", () => {
    expect(judged(seconds(3, [100, 0], [100, 0])).kind).toBe("hold");
    expect(judged(seconds(3, [100, 0], [100, 0])).waitMs).toBeLessThan(500);
    const verdict = judged(seconds(4, [100, 0], [100, 0]));
    expect(verdict.kind).toBe("pass");
    expect(verdict.reason).toBe("errors 0 % (at most 1.6), shown below 1 %");
  });

  test("the floor never clears a side that looks worse, however low its rate", () => {
    // 0.15 % of the calls fail: far below 1 %, and the old side had no failure at all.
    const verdict = judged(seconds(10, [400, 0], [400, 1]).slice(0, 7));
    expect(verdict.figures).toMatchObject({ floor: { total: 2800 } });
    expect(verdict.kind).toBe("hold");
    expect(judged(seconds(12, [400, 0], [400, 1])).kind).toBe("fail");
  });

  test("a floor of one's own is kept to", () => {
    const intervals = seconds(4, [100, 0], [100, 0]);
    expect(judgeIntervals(worse, { of: "errors" }, intervals, { floor: 0.001 }).kind).toBe("hold");
  });

  test("a side 1.5 times as bad is not failed by a limit of 2, even when it is certainly worse", () => {
    const verdict = judged(seconds(400, [200, 6], [200, 9]));
    expect(verdict.figures.e).toBeGreaterThan(100);
    expect(verdict.kind).toBe("pass");
  });

  describe("at a share of 100 %", () => {
    const before = seconds(100, [200, 2], [0, 0]);

    test("without any memory it holds, or clears by the floor", () => {
      expect(judged(seconds(5, [0, 0], [200, 20])).kind).toBe("hold");
      expect(judged(seconds(5, [0, 0], [200, 0])).kind).toBe("pass");
    });

    test("a side that turned bad fails against the memory of the old one", () => {
      const verdict = judged(seconds(2, [0, 0], [200, 24], 100), before);
      expect(verdict.kind).toBe("fail");
      expect(verdict.reason).toMatch(/^errors 12× old \(e .*\), against the old side's earlier calls$/);
    });

    test("an equal side clears against the memory, above the floor too", () => {
      const memory = seconds(200, [200, 6], [0, 0]);
      const verdict = judged(seconds(15, [0, 0], [200, 6], 200), memory);
      expect(verdict.kind).toBe("pass");
      expect(verdict.reason).toMatch(
        /^ratio 1 \(.*\), below 2× \(e .*\), against the old side's earlier calls$/,
      );
      expect(judged(seconds(2, [0, 0], [200, 6], 200), memory)).toMatchObject({ kind: "hold" });
    });

    test("an old side that never failed shows a new one that does", () => {
      const verdict = judged(seconds(1, [0, 0], [200, 12], 100), seconds(50, [200, 0], [0, 0]));
      expect(verdict.kind).toBe("fail");
      expect(verdict.reason).toMatch(/^errors ∞× old/);
    });

    test("stretches at a lower share before it are memory as well", () => {
      const judge = createJudge(worse, { of: "errors" });
      judge.add(seconds(30, [100, 1], [100, 1]));
      judge.add(seconds(3, [0, 0], [200, 60], 30));
      expect(judge.verdict().kind).toBe("fail");
    });

    test("a few calls that the old side still answers do not hide a failing side", () => {
      expect(judged(seconds(3, [2, 0], [198, 40], 100), before).kind).toBe("fail");
    });

    test("no failure on either side leaves the ratio unknown, and the floor decides", () => {
      const verdict = judged(seconds(1, [0, 0], [100, 0], 50), seconds(50, [200, 0], [0, 0]));
      expect(verdict).toMatchObject({ kind: "hold", reason: "nothing to compare yet, clears below 2×" });
    });
  });

  test("bits added one by one say what all at once say, also after thousands of intervals", () => {
    const random = createRandom(12);
    const intervals = Array.from({ length: 4000 }, (_, i) =>
      intervalOf(i, {
        old: { calls: 40, errors: random.binomial(40, 0.01) },
        new: { calls: 10, errors: random.binomial(10, 0.01) },
      }),
    );
    const judge = createJudge(worse, { of: "errors" });
    for (let i = 0; i < intervals.length; i += 7) judge.add(intervals.slice(i, i + 7));
    expect(judge.verdict()).toEqual(judged(intervals));
    expect(judge.verdict().kind).toBe("pass");
  });

  test("200 healthy crossings from 10 to 50 to 100 %, looked at each second, fail in at most 1 % and two standard errors", () => {
    const random = createRandom(33);
    let failed = 0;
    for (let run = 0; run < 200; run++) {
      const judge = createJudge(worse, { of: "errors" });
      for (let second = 0; second < 90; second++) {
        const newCalls = second < 60 ? random.binomial(100, second < 30 ? 0.1 : 0.5) : 100;
        const side = (calls: number) => ({ calls, errors: random.binomial(calls, 0.02) });
        judge.add([intervalOf(second, { old: side(100 - newCalls), new: side(newCalls) })]);
        if (judge.verdict().kind === "fail") {
          failed++;
          break;
        }
      }
    }
    expect(failed / 200).toBeLessThanOrEqual(0.01 + 2 * Math.sqrt((0.01 * 0.99) / 200));
  });
});

describe("latency against the old side", () => {
  const measure = { of: "latency", quantile: 0.99 } as const;
  const random = createRandom(7);
  const timed = (count: number, old: number, fresh: number, factor: number, first = 0): Interval[] =>
    Array.from({ length: count }, (_, i) =>
      intervalOf(first + i, {
        old: { calls: old, latency: latencies(random, old, 10) },
        new: { calls: fresh, latency: latencies(random, fresh, 10 * factor) },
      }),
    );

  test("a side three times as slow fails, an equal one clears", () => {
    const slow = judgeIntervals(worse, measure, timed(12, 100, 100, 3));
    expect(slow.kind).toBe("fail");
    expect(slow.reason).toMatch(/^p99 old \d+ ms, new \d+ ms: above 2× old \(e .* ≥ 100\)$/);
    const equal = judgeIntervals(worse, measure, timed(20, 100, 100, 1));
    expect(equal.kind).toBe("pass");
    expect(equal.reason).toMatch(/^p99 old \d+ ms, new \d+ ms: below 2× old \(e .* ≥ 20\)$/);
  });

  test("few calls hold, with a wait", () => {
    const verdict = judgeIntervals(worse, measure, timed(3, 100, 100, 1));
    expect(verdict.kind).toBe("hold");
    expect(verdict.reason).toMatch(/clears below 2× old: e .* of 20$/);
    expect(verdict.waitMs).toBeGreaterThan(0);
  });

  test("without calls it holds without a wait", () => {
    const verdict = judgeIntervals(worse, measure, []);
    expect(verdict.reason).toBe("p99 old no calls yet, new no calls yet, clears below 2× old: e 1 of 20");
    expect(verdict.waitMs).toBeUndefined();
  });

  test("at a share of 100 % it is judged against the old side's earlier calls", () => {
    const earlier = timed(30, 100, 0, 1);
    expect(judgeIntervals(worse, measure, timed(10, 0, 200, 1, 30), { earlier }).kind).toBe("pass");
    expect(judgeIntervals(worse, measure, timed(10, 0, 200, 6, 30), { earlier }).kind).toBe("fail");
    expect(judgeIntervals(worse, measure, timed(10, 0, 200, 6, 30)).kind).toBe("hold");
  });
});

describe("the new side below a limit", () => {
  test("errors per call pass, fail or hold", () => {
    const judged = (intervals: readonly Interval[]) => judgeIntervals(below, { of: "errors" }, intervals);
    expect(judged(seconds(4, [0, 0], [100, 0]))).toMatchObject({
      kind: "pass",
      reason: "errors 0 % (0–1.6), below 1 % (e 40 ≥ 20)",
      figures: { count: 0, total: 400, limit: 0.01 },
    });
    expect(judged(seconds(4, [0, 0], [100, 9])).kind).toBe("fail");
    expect(judged(seconds(2, [0, 0], [100, 0])).waitMs).toBeCloseTo(1270, -2);
    expect(judged([])).toMatchObject({ kind: "hold", reason: "errors no calls yet, limit 1 %" });
  });

  test("mismatches count per comparison, and memory of the old side is of no use", () => {
    const compared = Array.from({ length: 40 }, (_, i) => intervalOf(i, { compared: 100, mismatches: 0 }));
    const judge = createJudge({ ...below, limit: 0.001 }, { of: "mismatches" });
    judge.remember(compared);
    expect(judge.verdict()).toMatchObject({ kind: "hold", figures: { total: 0 } });
    judge.add(compared);
    expect(judge.verdict().reason).toMatch(/^mismatches 0 % .*, below 0\.1 %/);
    judge.add([intervalOf(40, { compared: 100, mismatches: 60 })]);
    expect(judge.verdict().kind).toBe("fail");
  });

  test("a latency limit is met when the quantile is shown to lie below it", () => {
    const measure = { of: "latency", quantile: 0.99 } as const;
    const rule = { ...below, limit: 250 };
    const side = (bucket: number) => [intervalOf(1, { new: { calls: 400, latency: [[bucket, 400]] } })];
    expect(judgeIntervals(rule, measure, side(100))).toMatchObject({
      kind: "pass",
      reason: "calls over 250 ms 0 % (0–1.6), below 1 % (e 40 ≥ 20)",
    });
    expect(judgeIntervals(rule, measure, side(140)).kind).toBe("fail");
  });
});

describe("a plain limit on windows of time", () => {
  const judged = (intervals: readonly Interval[], more: Partial<LimitRule> = {}) =>
    judgeIntervals({ ...limit, ...more }, { of: "errors" }, intervals);

  test("seconds are gathered into windows, and an open window does not count", () => {
    expect(judged(seconds(7, [0, 0], [30, 0])).kind).toBe("pass");
    const open = judged(seconds(5, [0, 0], [30, 0]));
    expect(open).toMatchObject({ kind: "hold", figures: { judged: 2 }, waitMs: 2000 });
    expect(open.reason).toBe("errors 0 of 2 intervals above 0.05, needs 3 with at least 50 calls");
  });

  test("n of the last m windows over the limit fail", () => {
    expect(judged(seconds(4, [0, 0], [30, 2])).kind).toBe("fail");
    expect(judged([...seconds(2, [0, 0], [30, 9]), ...seconds(4, [0, 0], [30, 0], 2)]).kind).toBe("pass");
  });

  test("windows with too few calls are passed over, and without any the wait is unknown", () => {
    const verdict = judged(seconds(20, [0, 0], [20, 20]));
    expect(verdict).toMatchObject({ kind: "hold", figures: { judged: 0 } });
    expect(verdict.waitMs).toBeUndefined();
    expect(judged(seconds(20, [0, 0], [0, 0]), { minSample: 0 }).kind).toBe("hold");
  });

  test("several doors count together, late ones too, but not those 16 windows late", () => {
    const judge = createJudge(limit, { of: "errors" });
    judge.add(seconds(6, [0, 0], [15, 0]));
    expect(judge.verdict()).toMatchObject({ kind: "hold", figures: { judged: 0 } });
    judge.add(seconds(6, [0, 0], [15, 0]));
    expect(judge.verdict().kind).toBe("pass");
    judge.add(seconds(1, [0, 0], [100, 0], 60));
    judge.add(seconds(4, [0, 0], [1000, 1000]));
    expect(judge.verdict().kind).toBe("pass");
  });

  test("a long run is judged by its latest windows and forgets the rest", () => {
    const judge = createJudge(limit, { of: "errors" });
    judge.add(seconds(300, [0, 0], [30, 30]));
    expect(judge.verdict().kind).toBe("fail");
    judge.add(seconds(8, [0, 0], [30, 0], 300));
    expect(judge.verdict().kind).toBe("pass");
    // Nothing but thin windows from here on: the last full ones still stand.
    judge.add(seconds(300, [0, 0], [1, 1], 308));
    expect(judge.verdict()).toMatchObject({ kind: "pass", figures: { judged: 3 } });
  });

  test("quantiles of latency are those of a whole window", () => {
    const slow = (i: number, bucket: number) =>
      intervalOf(i, { new: { calls: 60, latency: [[bucket, 60]] } });
    const rule = { ...limit, limit: 40 };
    const measure = { of: "latency", quantile: 0.95 } as const;
    expect(
      judgeIntervals(
        rule,
        measure,
        [0, 2, 4, 6].map((i) => slow(i, 100)),
      ),
    ).toMatchObject({
      kind: "pass",
      reason: "p95 in ms 0 of 3 intervals above 40 (fails at 2 of 3)",
    });
    expect(
      judgeIntervals(
        rule,
        measure,
        [0, 2, 4, 6].map((i) => slow(i, 130)),
      ).kind,
    ).toBe("fail");
  });

  test("mismatches have windows as well", () => {
    const compared = [0, 2, 4, 6].map((i) => intervalOf(i, { compared: 100, mismatches: 50 }));
    expect(judgeIntervals(limit, { of: "mismatches" }, compared).kind).toBe("fail");
  });

  test("readings of memory and values are averaged over a window, one is enough", () => {
    const memory = createJudge({ ...limit, limit: 0.9 }, { of: "memory" });
    memory.add(seconds(3, [1, 0], [1, 0]));
    expect(memory.verdict()).toMatchObject({ kind: "hold", figures: { judged: 0 } });
    memory.addReadings([0, 500, 2000, 4000].map((at) => ({ at, value: at === 500 ? 1 : 0.95 })));
    expect(memory.verdict()).toMatchObject({ kind: "fail", figures: { value: 0.95 } });
    const depth = createJudge({ ...limit, limit: 10 }, { of: "value", name: "depth" });
    depth.addReadings([0, 1000, 2000, 4000, 6000].map((at) => ({ at, value: at === 0 ? 25 : 5 })));
    expect(depth.verdict().reason).toBe("depth 1 of 3 intervals above 10 (fails at 2 of 3)");
    expect(() => depth.addReadings([{ at: 7000, value: Number.NaN }])).toThrow(/finite number/);
  });
});

describe("whose intervals count", () => {
  test("only those of the named route, or all without one", () => {
    const other = seconds(4, [0, 0], [100, 50]).map((interval) => ({ ...interval, route: "other" }));
    const both = [...seconds(4, [0, 0], [100, 0]), ...other];
    expect(judgeIntervals(below, { of: "errors", route: "queue.submit" }, both).kind).toBe("pass");
    expect(judgeIntervals(below, { of: "errors" }, both).kind).toBe("fail");
  });
});

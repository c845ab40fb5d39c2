import { describe, expect, test } from "vitest";
import { createRandom } from "../../bench/gates/random.ts";
import { createJudge, type MeanObservation, meanLimit, meanTest, type MeanWorseRule } from "./index.ts";

const errors = { alpha: 0.01, beta: 0.05 };
const worse: MeanWorseRule = {
  kind: "mean-worse-than-old",
  by: 0.05,
  relative: true,
  better: "higher",
  minSample: 100,
  ...errors,
};
const measure = { of: "mean", name: "order value" } as const;

const of = (values: readonly number[]): MeanObservation => ({
  count: values.length,
  sum: values.reduce((sum, value) => sum + value, 0),
  sumOfSquares: values.reduce((sum, value) => sum + value * value, 0),
});
/** `count` values around `mean` with a deviation of `spread`. */
const around = (
  random: ReturnType<typeof createRandom>,
  count: number,
  mean: number,
  spread: number,
): number[] =>
  Array.from(
    { length: count },
    () => mean + spread * Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next()),
  );

describe("business means against the old side", () => {
  const judged = (old: number, fresh: number, rule: MeanWorseRule = worse, seconds = 60) => {
    const random = createRandom(7);
    const judge = createJudge(rule, measure);
    for (let i = 0; i < seconds; i++)
      judge.addMeans([
        {
          from: i * 1000,
          to: (i + 1) * 1000,
          old: of(around(random, 50, old, 10)),
          new: of(around(random, 50, fresh, 10)),
        },
      ]);
    return judge.verdict();
  };

  test("an equal mean passes at five percent of the old one, and says the difference in percent", () => {
    const verdict = judged(100, 100);
    expect(verdict.kind).toBe("pass");
    expect(verdict.reason).toMatch(/^new − old .* % \(.* % to .* %\), limit −5 %: e .* of 20$/);
    expect(verdict.figures).toMatchObject({ by: 0.05, relative: true, old: { count: 3_000 } });
  });

  test("a mean ten percent lower fails, and one ten percent higher passes", () => {
    expect(judged(100, 90).kind).toBe("fail");
    expect(judged(100, 110).kind).toBe("pass");
  });

  test("where lower is better, ten percent more fails and ten percent less passes", () => {
    const lower = { ...worse, better: "lower" } as const;
    expect(judged(100, 110, lower).kind).toBe("fail");
    expect(judged(100, 90, lower).kind).toBe("pass");
  });

  test("holds while only one side has values, with no values at all, and when the source says nothing", () => {
    const judge = createJudge(worse, measure);
    expect(judge.verdict()).toMatchObject({
      kind: "hold",
      reason: "0 and 0 values of old and new, needs 100 of each",
    });
    judge.addMeans([{ from: 0, to: 1, old: of(around(createRandom(1), 500, 100, 10)) }]);
    judge.addMeans([{ from: 1, to: 2 }]);
    expect(judge.verdict()).toMatchObject({ kind: "hold", figures: { e: 1, ePass: 1 } });
  });

  test("holds where the old mean is not above 0, since a part of it means nothing", () => {
    expect(judged(-100, -100)).toMatchObject({ kind: "hold" });
    expect(judged(-100, -100).reason).toContain("says nothing unless it is above 0");
  });

  test("says how long it will hold, counted from the stretches it was told of", () => {
    const early = judged(100, 96.5, worse, 6);
    expect(early.kind).toBe("hold");
    expect(early.waitMs).toBeGreaterThan(0);
    expect(judged(100, 96.5, worse, 6 + Math.ceil((early.waitMs as number) / 1000) * 4).kind).toBe("pass");
  });

  test("200 sides exactly five percent lower, looked at 40 times each, fail no more often than promised", () => {
    const random = createRandom(11);
    let [failed, passed] = [0, 0];
    for (let run = 0; run < 200; run++) {
      const judge = meanTest({ ...errors, by: 0.05, relative: true, better: "higher" });
      const seen = new Set<string>();
      for (let look = 0; look < 40; look++) {
        judge.observe({ old: of(around(random, 50, 100, 20)), new: of(around(random, 50, 95, 20)) });
        seen.add(judge.verdict().kind);
      }
      if (seen.has("fail")) failed++;
      if (seen.has("pass")) passed++;
    }
    // α = 1 %, β = 5 %, plus two standard errors of 200 runs.
    expect(failed / 200).toBeLessThanOrEqual(0.01 + 2 * Math.sqrt((0.01 * 0.99) / 200));
    expect(passed / 200).toBeLessThanOrEqual(0.05 + 2 * Math.sqrt((0.05 * 0.95) / 200));
  });

  test("refuses what no evidence could meet", () => {
    expect(() => meanTest({ ...errors, by: 1, relative: true, better: "higher" })).toThrow(/by/);
    expect(() => meanTest({ ...errors, by: 1, relative: 1 as never, better: "higher" })).toThrow(/relative/);
    const judge = createJudge(worse, measure);
    expect(() => judge.addMeans([{ from: 2, to: 1 }])).toThrow(/at least from/);
    expect(() => judge.addMeans([{ from: Number.NaN, to: 1 }])).toThrow(/from/);
    expect(() => judge.addMeans([{ from: 0, to: 1, new: { count: -1, sum: 0, sumOfSquares: 0 } }])).toThrow(
      /count/,
    );
    expect(() => judge.addReadings([{ at: 1, value: 2 }])).toThrow(/found readings/);
    expect(() => createJudge({ kind: "covered", atLeast: 1 }, measure)).toThrow(
      /mean-worse-than-old or mean-limit/,
    );
    const other = createJudge({ kind: "below", limit: 0.1, ...errors }, { of: "errors" });
    expect(() => other.addMeans([])).toThrow(/not judged from sums/);
    expect(() => other.expect({ operations: [], cohorts: [], never: {} })).toThrow(/declare/);
  });
});

describe("a business mean against a limit", () => {
  const judged = (mean: number, bad: "above" | "below", count = 2_000) => {
    const judge = createJudge({ kind: "mean-limit", limit: 50, bad, minSample: 100, ...errors }, measure);
    const values = around(createRandom(3), count, mean, 10);
    judge.addMeans([{ from: 0, to: 10_000, old: of(values.map((value) => value * 9)), new: of(values) }]);
    return judge.verdict();
  };

  test("passes on the good side, fails on the bad one, and looks at the new side alone", () => {
    expect(judged(48, "above").kind).toBe("pass");
    expect(judged(52, "above").kind).toBe("fail");
    expect(judged(52, "below").kind).toBe("pass");
    expect(judged(48, "below").reason).toMatch(
      /^mean 47\.\d+ \(47\.\d+ to 48\.\d+\), bad below 50: e .* of 100$/,
    );
  });

  test("holds with a wait near the limit, without one exactly on it or with too few values", () => {
    const near = judged(49, "above", 200);
    expect(near).toMatchObject({ kind: "hold" });
    expect(near.waitMs).toBeGreaterThan(0);
    expect(judged(48, "above", 20)).toMatchObject({ kind: "hold", reason: "20 values, needs 100" });
    const judge = createJudge(
      { kind: "mean-limit", limit: 50, bad: "above", minSample: 2, ...errors },
      measure,
    );
    judge.addMeans([{ from: 0, to: 1, old: of([1]) }]);
    expect(judge.verdict()).toMatchObject({ kind: "hold", reason: "0 values, needs 2" });
    judge.addMeans([{ from: 0, to: 1, new: of([3, 3, 3]) }]);
    expect(judge.verdict().reason).toContain("do not vary");
  });

  test("300 means exactly at the limit, looked at 40 times each, are judged no more often than promised", () => {
    const random = createRandom(5);
    let [failed, passed] = [0, 0];
    for (let run = 0; run < 300; run++) {
      const test = meanLimit({ ...errors, limit: 10, bad: "above" });
      const seen = new Set<string>();
      for (let look = 0; look < 40; look++) {
        test.observe(of(around(random, 25, 10, 4)));
        seen.add(test.verdict().kind);
      }
      if (seen.has("fail")) failed++;
      if (seen.has("pass")) passed++;
    }
    expect(failed / 300).toBeLessThanOrEqual(0.01 + 2 * Math.sqrt((0.01 * 0.99) / 300));
    expect(passed / 300).toBeLessThanOrEqual(0.05 + 2 * Math.sqrt((0.05 * 0.95) / 300));
  });
});

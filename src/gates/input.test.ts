import { isCutoverError } from "../core/index.ts";
import { describe, expect, test } from "vitest";
import {
  addLatency,
  createJudge,
  firstErrorTest,
  judgeIntervals,
  latencyBucket,
  latencyTest,
  pooledTest,
  quantile,
  rateTest,
  ratioTest,
  slowerTest,
  slowerThan,
  staticLimit,
} from "./index.ts";
import { intervalOf } from "../../bench/gates/intervals.ts";

const errors = { alpha: 0.01, beta: 0.05 };
const ratio = () => ratioTest({ ...errors, clearBelow: 2 });
const rate = () => rateTest({ ...errors, limit: 0.01 });
const limit = { limit: 1, direction: "above", minSample: 1, n: 1, m: 1 } as const;
const below = { kind: "below", limit: 0.01, ...errors } as const;
const worse = { kind: "worse-than-old", by: 2, ...errors } as const;

const refused: readonly (readonly [string, () => unknown, string])[] = [
  ["alpha of 0", () => ratioTest({ alpha: 0, beta: 0.05, clearBelow: 2 }), "alpha"],
  ["alpha of 1", () => rateTest({ alpha: 1, beta: 0.05, limit: 0.1 }), "alpha"],
  ["beta that is not a number", () => pooledTest({ by: 2, alpha: 0.1, beta: Number.NaN }), "beta"],
  ["clearBelow of 0", () => ratioTest({ ...errors, clearBelow: 0 }), "clearBelow"],
  ["an infinite failAbove", () => ratioTest({ ...errors, clearBelow: 2, failAbove: 1 / 0 }), "failAbove"],
  ["a rate limit of 0", () => rateTest({ ...errors, limit: 0 }), "limit"],
  ["a share above 1", () => ratio().observe({ share: 1.1, newErrors: 0, allErrors: 0 }), "share"],
  [
    "a share that is not a number",
    () => ratio().observe({ share: Number.NaN, newErrors: 0, allErrors: 0 }),
    "share",
  ],
  ["negative errors", () => ratio().observe({ share: 0.5, newErrors: -1, allErrors: 0 }), "newErrors"],
  ["half an error", () => ratio().observe({ share: 0.5, newErrors: 0, allErrors: 0.5 }), "allErrors"],
  [
    "more new errors than errors",
    () => ratio().observe({ share: 0.5, newErrors: 2, allErrors: 1 }),
    "newErrors",
  ],
  [
    "new errors without new calls",
    () => ratio().observe({ share: 0, newErrors: 1, allErrors: 1 }),
    "newErrors",
  ],
  [
    "old errors without old calls",
    () => ratio().observe({ share: 1, newErrors: 1, allErrors: 2 }),
    "allErrors",
  ],
  ["an endless stretch", () => ratio().observe({ share: 0.5, newErrors: 0, allErrors: 0, ms: 1 / 0 }), "ms"],
  ["more failures than calls", () => rate().observe({ count: 2, total: 1 }), "count"],
  [
    "old failures above old calls",
    () => pooledTest({ ...errors, by: 2 }).observe({ old: { count: 2, total: 1 } }),
    "old.count",
  ],
  ["a negative latency", () => latencyBucket(-1), "latency in ms"],
  ["a latency that is not a number", () => latencyBucket(Number.NaN), "latency in ms"],
  ["a quantile of 1", () => quantile([[1, 1]], 1), "quantile"],
  [
    "a bucket that does not exist",
    () => slowerTest({ ...errors, quantile: 0.9, by: 2 }).observe({ old: [[220, 1]] }),
    "old latency: bucket",
  ],
  [
    "half a call",
    () => latencyTest(errors).observe({ old: [], new: [[3, 0.5]] }),
    "new latency: count of bucket 3",
  ],
  ["no thresholds at all", () => latencyTest({ ...errors, quantiles: [] }), "number of quantiles"],
  ["n above m", () => staticLimit({ ...limit, n: 2 }), "n"],
  ["n of 0", () => staticLimit({ ...limit, n: 0 }), "n"],
  [
    "a value that is not a number",
    () => staticLimit(limit).observe({ value: Number.NaN, sample: 1 }),
    "value",
  ],
  [
    "a window of 0 ms",
    () => createJudge({ kind: "limit", ...limit, intervalMs: 0 }, { of: "errors" }),
    "intervalMs",
  ],
  [
    "a latency limit of 0 ms",
    () => createJudge({ ...below, limit: 0 }, { of: "latency", quantile: 0.9 }),
    "limit",
  ],
  [
    "an interval with more errors than calls",
    () => createJudge(below, { of: "errors" }).add([intervalOf(1, { new: { calls: 1, errors: 2 } })]),
    "interval d:1: new.errors",
  ],
  ["a span before its start", () => createJudge(below, { of: "errors" }).verdict(-1), "spanMs"],
  ["a span that is not a number", () => createJudge(below, { of: "errors" }).verdict(Number.NaN), "spanMs"],
];

/** Plain JavaScript can call a door in any way; the types are lifted for that. */
const any = <T>(value: unknown): T => value as T;
const odd: readonly unknown[] = [undefined, null, 7, "text", [], () => {}, Symbol("s")];

const codeOf = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    return isCutoverError(error) ? [error.code, error.place, error.remedy !== ""] : error;
  }
  return "nothing thrown";
};

describe("bad input is refused at the door", () => {
  test.each(refused)("%s", (_title, act, place) => {
    expect(codeOf(act)).toEqual(["CUTOVER_GATE_INPUT", place, true]);
  });

  const doors: readonly (readonly [string, (value: unknown) => unknown])[] = [
    ["ratioTest", (value) => ratioTest(any(value))],
    ["rateTest", (value) => rateTest(any(value))],
    ["pooledTest", (value) => pooledTest(any(value))],
    ["slowerTest", (value) => slowerTest(any(value))],
    ["latencyTest", (value) => latencyTest(any(value))],
    ["staticLimit", (value) => staticLimit(any(value))],
    ["firstErrorTest", (value) => firstErrorTest(any(value))],
    ["createJudge: the rule", (value) => createJudge(any(value), { of: "errors" })],
    ["createJudge: the measure", (value) => createJudge(below, any(value))],
    ["createJudge: nothing", () => createJudge(...any<Parameters<typeof createJudge>>([]))],
    ["createJudge: options", (value) => createJudge(below, { of: "errors" }, any(value ?? null))],
    ["add: an interval", (value) => createJudge(below, { of: "errors" }).add([any(value)])],
    [
      "add: a side",
      (value) => createJudge(below, { of: "errors" }).add([{ ...intervalOf(1), old: any(value) }]),
    ],
    [
      "add: a latency",
      (value) => {
        const latency = Array.isArray(value) ? {} : value;
        createJudge(below, { of: "errors" }).add([intervalOf(1, { old: { latency: any(latency) } })]);
      },
    ],
    [
      "add: first errors",
      (value) =>
        createJudge(below, { of: "errors" }).add([{ ...intervalOf(1), firstErrors: any(value ?? null) }]),
    ],
    [
      "judgeIntervals",
      (value) => judgeIntervals(below, { of: "errors" }, any(Array.isArray(value) ? {} : value)),
    ],
    [
      "addReadings",
      (value) =>
        createJudge({ kind: "limit", ...limit, intervalMs: 1 }, { of: "memory" }).addReadings([any(value)]),
    ],
    ["ratioTest: an observation", (value) => ratio().observe(any(value))],
    ["rateTest: an observation", (value) => rate().observe(any(value))],
    ["pooledTest: an observation", (value) => pooledTest({ ...errors, by: 2 }).observe(any(value))],
    [
      "slowerTest: an observation",
      (value) => slowerTest({ ...errors, quantile: 0.9, by: 2 }).observe(any(value)),
    ],
    ["latencyTest: an observation", (value) => latencyTest(errors).observe(any(value))],
    ["staticLimit: an observation", (value) => staticLimit(limit).observe(any(value))],
    [
      "firstErrorTest: an observation",
      (value) => firstErrorTest({ ...errors, clearBelow: 2 }).observe(any(value)),
    ],
    ["quantile", (value) => quantile(any(Array.isArray(value) ? {} : value), 0.5)],
    ["addLatency", (value) => addLatency(any(Array.isArray(value) ? {} : value), [])],
    ["slowerThan", (value) => slowerThan(any(Array.isArray(value) ? {} : value), 1)],
  ];

  test.each(doors)(
    "%s: what is no object at all is refused with a code, never a bare TypeError",
    (_name, door) => {
      for (const value of odd) expect(codeOf(() => door(value))).toHaveProperty("0", "CUTOVER_GATE_INPUT");
    },
  );

  test("numbers written as text, and words nobody knows, are refused", () => {
    const place = (act: () => unknown): unknown => (codeOf(act) as unknown[])[1];
    expect(place(() => ratioTest({ ...errors, clearBelow: 2, alpha: any("0.01") }))).toBe("alpha");
    expect(place(() => ratioTest({ ...errors, clearBelow: any(Object.create(null)) }))).toBe("clearBelow");
    expect(place(() => ratioTest({ ...errors, clearBelow: any(() => 2) }))).toBe("clearBelow");
    expect(place(() => ratio().observe({ share: any("0.5"), newErrors: 0, allErrors: 0 }))).toBe("share");
    expect(place(() => staticLimit({ ...limit, direction: any("sideways") }))).toBe("direction");
    expect(place(() => createJudge(any({ ...below, kind: "hope" }), { of: "errors" }))).toBe("rule.kind");
    expect(place(() => createJudge(below, any({ of: "luck" })))).toBe("measure.of");
    expect(place(() => createJudge(below, { of: "latency", quantile: any(undefined) }))).toBe("quantile");
    expect(place(() => slowerTest({ quantile: 0.9, by: 2, alpha: 2, beta: 0.05 }))).toBe("alpha");
  });

  test("first errors that cannot be are refused with the interval's name", () => {
    const add = (old: number, fresh: number, period?: number) =>
      codeOf(() =>
        createJudge(worse, { of: "errors" }).add([
          {
            ...intervalOf(1, { old: { calls: 9, errors: 3 }, new: { calls: 9, errors: 3 } }),
            firstErrors: { old, new: fresh, ...(period === undefined ? {} : { period }) },
          },
        ]),
      );
    const refusedAt = (name: string) => ["CUTOVER_GATE_INPUT", `interval d:1: firstErrors.${name}`, true];
    expect(add(4, 0)).toEqual(refusedAt("old"));
    expect(add(0, 4)).toEqual(refusedAt("new"));
    expect(add(0, Number.NaN)).toEqual(refusedAt("new"));
    expect(add(0, 0, -1)).toEqual(refusedAt("period"));
    expect(add(1, 1)).toBe("nothing thrown");
  });

  test("an observation that is refused changes nothing", () => {
    const judged = ratio();
    judged.observe({ share: 0.5, newErrors: 1, allErrors: 2, ms: 1000 });
    const before = judged.verdict();
    codeOf(() => judged.observe({ share: 0.5, newErrors: 3, allErrors: 2, ms: 1000 }));
    codeOf(() => judged.observe({ share: 0.5, newErrors: 1, allErrors: 2, ms: Number.NaN }));
    expect(judged.verdict()).toEqual(before);
  });

  test("rules that cannot judge a measure say which one can", () => {
    expect(() => createJudge(below, { of: "memory" })).toThrow(
      /memory to be judged by the rule limit, found "below"/,
    );
    expect(() => createJudge(worse, { of: "value", name: "depth" })).toThrow(
      /value to be judged by the rule limit/,
    );
    expect(() => createJudge(worse, { of: "mismatches" })).toThrow(/they have no old side/);
    expect(() => createJudge(below, { of: "errors" }).addReadings([{ at: 0, value: 1 }])).toThrow(
      /judged from intervals/,
    );
  });
});

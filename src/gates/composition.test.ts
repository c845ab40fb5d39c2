import { describe, expect, test } from "vitest";
import { intervalOf } from "../../bench/gates/intervals.ts";
import { createRandom } from "../../bench/gates/random.ts";
import {
  type Allowed,
  allOf,
  anyOf,
  createJudge,
  type Part,
  type PartVerdict,
  rateTest,
  ratioTest,
  slowerTest,
  staticLimit,
} from "./index.ts";

const errors = { alpha: 0.01, beta: 0.05 };

/** A part with the evidence it is told, judging itself at its own share as tests do. */
const saying =
  (e: number, ePass: number, more: Partial<PartVerdict> = {}) =>
  ({ alpha, beta }: Allowed): Part => ({
    verdict: () => ({
      kind: e >= 1 / alpha ? "fail" : ePass >= 1 / beta ? "pass" : "hold",
      e,
      ePass,
      reason: `e ${e}`,
      ...more,
    }),
  });

describe("all of several", () => {
  test("alpha is shared out, beta is not", () => {
    const gate = allOf({ ...errors, weights: { b: 3 } }, { a: saying(1, 1), b: saying(1, 1) });
    expect(gate.verdict().parts).toMatchObject({
      a: { weight: 0.25, allowed: { alpha: 0.0025, beta: 0.05 } },
      b: { weight: 0.75, allowed: { alpha: 0.0075, beta: 0.05 } },
    });
  });

  test("one part that fails at its share fails all, and is named", () => {
    const gate = allOf(errors, { errors: saying(200, 0), latency: saying(1, 100) });
    expect(gate.verdict()).toMatchObject({ kind: "fail", e: 100, p: 0.01, reason: "errors: e 200" });
    expect(allOf(errors, { errors: saying(199, 0), latency: saying(1, 100) }).verdict().kind).toBe("hold");
  });

  test("passes when all have passed, and says which are missing until then", () => {
    expect(allOf(errors, { a: saying(1, 20), b: saying(1, 30) }).verdict()).toMatchObject({
      kind: "pass",
      ePass: 20,
      pPass: 0.05,
      reason: "a: e 1; b: e 1",
    });
    const waiting = allOf(errors, { a: saying(1, 20), b: saying(1, 3, { waitFraction: 2 }) }).verdict();
    expect(waiting).toMatchObject({ kind: "hold", reason: "b: e 1", waitFraction: 2 });
    expect(waiting.needs).toBe("about 2 times the traffic seen so far");
  });

  test("waits for the slowest part; unknowable when that of one is", () => {
    const gate = (second: Partial<PartVerdict>) =>
      allOf(errors, { a: saying(1, 1, { waitFraction: 2 }), b: saying(1, 1, second) });
    expect(gate({ waitFraction: 5 }).verdict(1000)).toMatchObject({
      waitFraction: 5,
      waitMs: 5000,
      needs: "about 5.0 s at this traffic",
    });
    expect(gate({ waitMs: 9000 }).verdict(1000).waitMs).toBe(9000);
    expect(gate({ waitMs: 9000 }).verdict(1000).waitFraction).toBeUndefined();
    expect(gate({}).verdict(1000).waitMs).toBeUndefined();
  });

  test("a mean counts several weak signs together, and is never later than each alone", () => {
    const parts = { a: saying(120, 0), b: saying(90, 0) };
    expect(allOf(errors, parts).verdict().kind).toBe("hold");
    const joined = allOf({ ...errors, join: "mean" }, parts).verdict();
    expect(joined).toMatchObject({ kind: "fail", e: 105, reason: "all together e 105: a: e 120; b: e 90" });
    expect(
      allOf({ ...errors, join: "mean" }, { a: saying(200, 0), b: saying(0, 0) }).verdict(),
    ).toMatchObject({
      kind: "fail",
      reason: "a: e 200",
    });
  });

  test("a product multiplies independent evidence; healthy parts outweigh one bad one", () => {
    const product = { ...errors, join: "product" } as const;
    expect(allOf(product, { a: saying(20, 0), b: saying(5, 0) }).verdict()).toMatchObject({
      kind: "fail",
      e: 100,
    });
    const disagree = allOf(product, { a: saying(1000, 0), b: saying(0.001, 30) }).verdict();
    expect(disagree).toMatchObject({ kind: "hold", reason: "the parts disagree: a: e 1000; b: e 0.001" });
    expect(disagree.waitFraction).toBeUndefined();
    expect(allOf(product, { a: saying(1e300, 0), b: saying(1e300, 0) }).verdict().e).toBe(1e300);
    expect(allOf(product, { a: saying(1, 20), b: saying(1, 20) }).verdict().kind).toBe("pass");
  });

  test("evidence for a difference too small to fail does not count", () => {
    const gate = allOf(errors, {
      a: () => ({ verdict: () => ({ kind: "hold", reason: "", e: 1e9, tooHigh: false }) }),
    });
    expect(gate.verdict()).toMatchObject({ kind: "hold", e: 0 });
  });

  test("limits without e-values and judges take part by their verdict", () => {
    const limit = { limit: 1, direction: "above", minSample: 1, n: 1, m: 1 } as const;
    const gate = allOf(errors, {
      depth: () => staticLimit(limit),
      errors: (share) => createJudge({ kind: "below", limit: 0.01, ...share }, { of: "errors" }),
    });
    expect(gate.verdict()).toMatchObject({ kind: "hold", e: 0.5, ePass: 0 });
    gate.parts.errors.add([intervalOf(1, { new: { calls: 1000, errors: 0 } })]);
    expect(gate.verdict().kind).toBe("hold");
    gate.parts.depth.observe({ value: 0, sample: 1 });
    expect(gate.verdict().kind).toBe("pass");
    gate.parts.depth.observe({ value: 2, sample: 1 });
    expect(gate.verdict()).toMatchObject({ kind: "fail", e: 100 });
    expect(gate.verdict().reason).toMatch(/^depth: 1 of 1 intervals above 1/);
  });

  test("never passes for lack of data", () => {
    const parts = { a: (share: Allowed) => ratioTest({ ...share, clearBelow: 2 }), b: saying(1, 1e9) };
    expect(allOf(errors, parts).verdict()).toMatchObject({ kind: "hold" });
  });
});

describe("any of several", () => {
  test("beta is shared out, alpha is not; one that passes suffices", () => {
    const gate = anyOf(errors, { a: saying(1, 40), b: saying(150, 0) });
    expect(gate.verdict()).toMatchObject({ kind: "pass", ePass: 20, e: 1, reason: "a: e 1" });
    expect(gate.verdict().parts.b).toMatchObject({ kind: "fail", allowed: { alpha: 0.01, beta: 0.025 } });
    expect(anyOf(errors, { a: saying(1, 39), b: saying(150, 0) }).verdict().kind).toBe("hold");
  });

  test("fails when all have failed", () => {
    expect(anyOf(errors, { a: saying(100, 0), b: saying(150, 0) }).verdict()).toMatchObject({
      kind: "fail",
      e: 100,
    });
  });

  test("waits for the fastest part that is known", () => {
    const gate = anyOf(errors, { a: saying(1, 1, { waitFraction: 7 }), b: saying(1, 1) });
    expect(gate.verdict().waitFraction).toBe(7);
    expect(anyOf(errors, { b: saying(1, 1) }).verdict().waitFraction).toBeUndefined();
  });

  test("nests: the share of the whole falls to the inner one, and its parts are within reach", () => {
    const gate = allOf(errors, {
      latency: saying(1, 50),
      errors: (share) =>
        anyOf(share, {
          ratio: (inner) => ratioTest({ ...inner, clearBelow: 2 }),
          floor: (inner) => rateTest({ ...inner, limit: 0.01 }),
        }),
    });
    expect(gate.verdict().kind).toBe("hold");
    gate.parts.errors.parts.floor.observe({ count: 0, total: 500 });
    expect(gate.verdict()).toMatchObject({
      kind: "pass",
      parts: { errors: { allowed: { alpha: 0.005, beta: 0.05 } } },
    });
    const { parts } = gate.parts.errors.verdict();
    expect(parts.floor).toMatchObject({ kind: "pass", allowed: { alpha: 0.005, beta: 0.025 } });
  });
});

describe("error rates of compositions", () => {
  test.each(["each", "mean"] as const)(
    "three metrics of 1,000 healthy sides joined by %s fail in at most 1 % and two standard errors",
    (join) => {
      const random = createRandom(17);
      let wronged = 0;
      for (let run = 0; run < 1000; run++) {
        const rate = (share: Allowed) => rateTest({ ...share, limit: 0.05 });
        const gate = allOf({ ...errors, join }, { a: rate, b: rate, c: rate });
        let failed = false;
        for (let look = 0; look < 20; look++) {
          const shared = random.binomial(200, 0.05);
          // Two metrics are the same calls counted twice: as dependent as can be.
          for (const test of [gate.parts.a, gate.parts.b]) test.observe({ count: shared, total: 200 });
          gate.parts.c.observe({ count: random.binomial(200, 0.05), total: 200 });
          failed ||= gate.verdict().kind === "fail";
        }
        if (failed) wronged++;
      }
      expect(wronged / 1000).toBeLessThanOrEqual(0.01 + 2 * Math.sqrt((0.01 * 0.99) / 1000));
    },
  );
});

describe("bad compositions are refused", () => {
  const any = <T>(value: unknown): T => value as T;
  test.each([
    ["no options", () => allOf(any(undefined), {}), "options of allOf"],
    ["no parts", () => anyOf(errors, {}), "parts of anyOf"],
    [
      "parts that are no object",
      () => allOf(errors, any<Record<string, () => Part>>(undefined)),
      "parts of allOf",
    ],
    ["a part that is no function", () => allOf(errors, { a: any(7) }), "parts.a"],
    [
      "a function that returns nothing",
      () => allOf(errors, { a: any(() => undefined) }),
      "what parts.a returns",
    ],
    ["what has no verdict", () => allOf(errors, { a: any(() => ({})) }), "parts.a.verdict"],
    ["a join nobody knows", () => allOf({ ...errors, join: any("sum") }, { a: saying(1, 1) }), "join"],
    ["a weight of 0", () => allOf({ ...errors, weights: { a: 0 } }, { a: saying(1, 1) }), "weights.a"],
    ["a weight of no part", () => allOf({ ...errors, weights: { b: 1 } }, { a: saying(1, 1) }), "weights.b"],
    [
      "weights that are no object",
      () => allOf({ ...errors, weights: any(3) }, { a: saying(1, 1) }),
      "weights",
    ],
    ["a span before its start", () => allOf(errors, { a: saying(1, 1) }).verdict(-1), "spanMs"],
    [
      "the mean of what has no e-value",
      () =>
        allOf(
          { ...errors, join: "mean" },
          { a: () => staticLimit({ limit: 1, direction: "above", minSample: 1, n: 1, m: 1 }) },
        ),
      "parts.a",
    ],
    [
      "the mean of what has evidence for one way only",
      () =>
        anyOf(
          { ...errors, join: "mean" },
          { a: () => ({ verdict: () => ({ kind: "hold", reason: "", e: 1 }) }) },
        ),
      "parts.a",
    ],
    [
      "the product of what spends alpha twice",
      () =>
        allOf(
          { ...errors, join: "product" },
          { a: (share) => slowerTest({ ...share, quantile: 0.9, by: 2 }) },
        ),
      "parts.a",
    ],
  ])("%s", (_name, act, place) => {
    expect(act).toThrow(expect.objectContaining({ code: "CUTOVER_GATE_INPUT", place }));
  });
});

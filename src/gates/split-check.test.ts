import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRandom } from "../../bench/gates/random.ts";
import { splitCheck } from "./index.ts";

const errors = { alpha: 0.01, beta: 0.05 };
const even = { ...errors, shares: { old: 0.5, new: 0.5 } };
const judged = (old: number, fresh: number, within = 0.05) => {
  const check = splitCheck({ ...even, within });
  check.observe({ old, new: fresh });
  return check.verdict();
};

describe("is the traffic split as assigned?", () => {
  test("the mean of e over all outcomes is 1 while it is", () => {
    const shares = { a: 0.2, b: 0.3, c: 0.5 };
    let mean = 0;
    for (let a = 0; a <= 3; a++) {
      for (let b = 0; a + b <= 3; b++) {
        const c = 3 - a - b;
        const ways = 6 / ([1, 1, 2, 6][a]! * [1, 1, 2, 6][b]! * [1, 1, 2, 6][c]!);
        const check = splitCheck({ ...errors, shares });
        check.observe({ a, b, c });
        mean += ways * 0.2 ** a * 0.3 ** b * 0.5 ** c * check.verdict().e;
      }
    }
    expect(mean).toBeCloseTo(1, 9);
  });

  test("a split that is off fails and says how it is", () => {
    const verdict = judged(5600, 4400);
    expect(verdict.kind).toBe("fail");
    expect(verdict.reason).toMatch(/^old 56 % of 50 %, new 44 % of 50 % \(e .* of 100\)$/);
    expect(verdict.arms.old).toMatchObject({ assigned: 0.5, count: 5600, estimate: 0.56 });
    expect((verdict.arms.new as { high: number }).high).toBeLessThan(0.5);
    expect(verdict.p).toBeLessThan(0.01);
  });

  test("a split that is right holds with a wait, then passes", () => {
    const early = judged(500, 500);
    expect(early.kind).toBe("hold");
    const more = Math.ceil(500 * (1 + (early.waitFraction as number))) + 1;
    expect(judged(more, more)).toMatchObject({ kind: "pass" });
    expect(judged(more, more).waitFraction).toBeUndefined();
  });

  test("outside `within` it does not pass, at no end", () => {
    expect(judged(5600, 4400).ePass).toBeLessThanOrEqual(1);
    expect(judged(4400, 5600).ePass).toBeLessThanOrEqual(1);
  });

  test("nothing counted is a hold", () => {
    const verdict = splitCheck(even).verdict();
    expect(verdict).toMatchObject({ kind: "hold", e: 1, ePass: 1, total: 0 });
    expect(verdict.reason).toBe("nothing counted yet: old ? of 50 %, new ? of 50 % (e 1 of 20)");
    expect(verdict.waitFraction).toBeUndefined();
  });

  test("anything in an arm with share 0 fails at once; nothing in it passes in time", () => {
    const shares = { old: 1, new: 0 };
    const check = splitCheck({ ...errors, shares });
    check.observe({ old: 40 });
    expect(check.verdict().kind).toBe("hold");
    check.observe({ old: 4000 });
    expect(check.verdict().kind).toBe("pass");
    check.observe({ new: 1 });
    expect(check.verdict()).toMatchObject({ kind: "fail", e: 1e300 });
  });

  test("shares may change; what was shown before still counts", () => {
    const check = splitCheck({ ...errors, shares: { old: 0.9, new: 0.1 } });
    check.observe({ old: 700, new: 300 });
    expect(check.verdict().kind).toBe("fail");
    check.observe({ old: 5, new: 5 }, { old: 0.5, new: 0.5 });
    expect(check.verdict()).toMatchObject({ kind: "fail", total: 10, arms: { new: { assigned: 0.5 } } });
    const steady = splitCheck({ ...errors, shares: { old: 0.9, new: 0.1 } });
    steady.observe({ old: 9, new: 1 }, { new: 0.1, old: 0.9 });
    expect(steady.verdict().total).toBe(10);
  });

  test("stretches may be merged or split", () => {
    const counts = fc.record({ a: fc.nat(50), b: fc.nat(50), c: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(counts, { minLength: 1, maxLength: 6 }), (list) => {
        const shares = { a: 0.2, b: 0.3, c: 0.5 };
        const [apart, together] = [splitCheck({ ...errors, shares }), splitCheck({ ...errors, shares })];
        const sum = { a: 0, b: 0, c: 0 };
        for (const stretch of list) {
          apart.observe(stretch);
          for (const arm of ["a", "b", "c"] as const) sum[arm] += stretch[arm];
        }
        together.observe(sum);
        expect(apart.verdict()).toEqual(together.verdict());
      }),
    );
  });

  test("1,000 right splits over five arms, looked at 50 times, are doubted no more often than promised", () => {
    const random = createRandom(3);
    const shares = { a: 0.5, b: 0.2, c: 0.15, d: 0.1, e: 0.05 };
    let doubted = 0;
    for (let run = 0; run < 1000; run++) {
      const check = splitCheck({ ...errors, shares });
      let failed = false;
      for (let look = 0; look < 50; look++) {
        let [left, part] = [40, 1];
        const counts: Record<string, number> = {};
        for (const [arm, share] of Object.entries(shares)) {
          const count = random.binomial(left, Math.min(1, share / part));
          counts[arm] = count;
          left -= count;
          part -= share;
        }
        check.observe(counts);
        failed ||= check.verdict().e >= 100;
      }
      if (failed) doubted++;
    }
    expect(doubted / 1000).toBeLessThanOrEqual(0.01 + 2 * Math.sqrt((0.01 * 0.99) / 1000));
  });

  test.each([
    ["one arm", () => splitCheck({ ...errors, shares: { a: 1 } }), "shares"],
    ["shares that do not add up", () => splitCheck({ ...errors, shares: { a: 0.5, b: 0.4 } }), "shares"],
    ["a negative share", () => splitCheck({ ...errors, shares: { a: 1.5, b: -0.5 } }), "shares.a"],
    ["within of 0", () => splitCheck({ ...even, within: 0 }), "within"],
    ["within of a half", () => splitCheck({ ...even, within: 0.5 }), "within"],
    ["an arm nobody knows", () => splitCheck(even).observe({ other: 1 }), "counts.other"],
    ["half a call", () => splitCheck(even).observe({ old: 0.5 }), "counts.old"],
    ["shares of other arms", () => splitCheck(even).observe({}, { old: 0.5, other: 0.5 }), "shares"],
    ["shares of more arms", () => splitCheck(even).observe({}, { old: 0.5, new: 0.4, other: 0.1 }), "shares"],
  ])("%s: refused", (_name, act, place) => {
    expect(act).toThrow(expect.objectContaining({ code: "CUTOVER_GATE_INPUT", place }));
  });
});

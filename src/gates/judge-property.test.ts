import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { intervalOf } from "../../bench/gates/intervals.ts";
import { isCutoverError, type Interval } from "../core/index.ts";
import {
  allOf,
  createJudge,
  firstErrorTest,
  type MeasureInput,
  rateTest,
  ratioTest,
  type RuleInput,
} from "./index.ts";

const errors = { alpha: 0.01, beta: 0.05 };
const rules: readonly RuleInput[] = [
  { kind: "worse-than-old", by: 2, ...errors },
  { kind: "below", limit: 0.1, ...errors },
  { kind: "limit", limit: 0.1, direction: "above", minSample: 5, n: 1, m: 2, intervalMs: 500 },
];
const measures: readonly MeasureInput[] = [{ of: "errors" }, { of: "latency", quantile: 0.9 }];

const count = fc.nat(300);
const odd = fc.constantFrom<number>(NaN, -1, 0.5, Infinity, -Infinity, Number.MAX_SAFE_INTEGER, 2 ** 60, 0);
const anyNumber = fc.oneof({ weight: 9, arbitrary: count }, { weight: 1, arbitrary: odd });
const latency = fc.array(fc.tuple(fc.oneof(fc.nat(219), odd), anyNumber), { maxLength: 3 });
const side = fc.record({ calls: anyNumber, errors: fc.oneof(fc.nat(3), odd), latency });
const anyInterval: fc.Arbitrary<Interval> = fc
  .record({
    i: fc.nat(50),
    old: side,
    new: side,
    share: fc.constantFrom(0, 5, 50, 100, NaN),
    firstErrors: fc.option(fc.record({ old: fc.nat(3), new: fc.nat(3), period: fc.nat(2) }), {
      nil: undefined,
    }),
    back: fc.boolean(),
  })
  .map(({ i, old, new: fresh, share, firstErrors, back }) => ({
    ...intervalOf(i, { old, new: fresh }),
    share,
    ...(firstErrors === undefined ? {} : { firstErrors }),
    ...(back ? { from: 1e6, to: 0 } : {}),
  }));

const forEachJudge = (act: (judge: ReturnType<typeof createJudge>) => void): void => {
  for (const rule of rules) for (const measure of measures) act(createJudge(rule, measure));
};

describe("whatever doors send", () => {
  test("an interval is judged or refused with a code, and a verdict can always be told and recorded", () => {
    fc.assert(
      fc.property(fc.array(anyInterval, { maxLength: 12 }), (intervals) => {
        forEachJudge((judge) => {
          for (const interval of intervals) {
            const before = JSON.stringify(judge.verdict(0));
            try {
              judge.add([interval]);
            } catch (thrown) {
              expect(isCutoverError(thrown) && thrown.code).toBe("CUTOVER_GATE_INPUT");
              expect(JSON.stringify(judge.verdict(0))).toBe(before);
            }
          }
          const { kind, reason, figures, waitMs } = judge.verdict();
          expect(["pass", "fail", "hold"]).toContain(kind);
          expect(reason).not.toMatch(/NaN|undefined/);
          expect(JSON.stringify(figures)).not.toContain("null");
          if (waitMs !== undefined) expect(waitMs).toBeGreaterThanOrEqual(0);
        });
      }),
      { numRuns: 60 },
    );
  });

  test("counts whose sum would be no whole number any more are refused, and change nothing", () => {
    const latency = [
      [0, Number.MAX_SAFE_INTEGER],
      [0, 1],
    ] as const;
    const huge = [
      intervalOf(0, { new: { calls: 1, errors: 0, latency } }),
      intervalOf(0, { old: { calls: 2 ** 50, errors: 0, latency: [] } }),
      { ...intervalOf(0, {}), share: 101 },
    ];
    forEachJudge((judge) => {
      const before = JSON.stringify(judge.verdict(0));
      for (const interval of huge) expect(() => judge.add([interval])).toThrow(/^expected interval /);
      expect(JSON.stringify(judge.verdict(0))).toBe(before);
    });
  });

  test("without calls of the new side no verdict is ever pass or fail", () => {
    const oldOnly = fc.record({
      calls: fc.nat(500),
      failed: fc.nat(500),
      i: fc.nat(99),
      bucket: fc.nat(219),
    });
    fc.assert(
      fc.property(fc.array(oldOnly, { maxLength: 30 }), (list) => {
        forEachJudge((judge) => {
          judge.add(
            list.map(({ calls, failed, i, bucket }) =>
              intervalOf(i, { old: { calls, errors: Math.min(calls, failed), latency: [[bucket, calls]] } }),
            ),
          );
          expect(judge.verdict().kind).toBe("hold");
        });
      }),
      { numRuns: 40 },
    );
  });

  test("fail, pass and p-values agree, in a composition as in its parts", () => {
    const stretch = fc.record({ share: fc.constantFrom(0.05, 0.5), x: fc.nat(6), y: fc.nat(6) });
    fc.assert(
      fc.property(fc.array(stretch, { maxLength: 20 }), (list) => {
        const gate = allOf(errors, {
          calls: (allowed) => ratioTest({ ...allowed, clearBelow: 2 }),
          keys: (allowed) => firstErrorTest({ ...allowed, clearBelow: 2 }),
          rate: (allowed) => rateTest({ ...allowed, limit: 0.01 }),
        });
        for (const { share, x, y } of list) {
          gate.parts.calls.observe({ share, newErrors: x, allErrors: x + y });
          gate.parts.keys.observe({ share, newFirst: x, allFirst: x + y });
          gate.parts.rate.observe({ count: x, total: 400 });
        }
        const whole = gate.verdict();
        const verdicts = [gate.parts.calls, gate.parts.keys, gate.parts.rate].map((part) => part.verdict());
        for (const { kind, p, pPass, e, allowed } of [...verdicts, whole]) {
          expect(p).toBeCloseTo(Math.min(1, 1 / e), 9);
          if (kind === "fail") expect(p).toBeLessThanOrEqual(allowed.alpha * (1 + 1e-9));
          if (kind === "pass") expect(pPass).toBeLessThanOrEqual(allowed.beta * (1 + 1e-9));
        }
        const kinds = verdicts.map(({ kind }) => kind);
        const expected = kinds.includes("fail")
          ? "fail"
          : kinds.every((kind) => kind === "pass")
            ? "pass"
            : "hold";
        expect(whole.kind).toBe(expected);
      }),
      { numRuns: 100 },
    );
  });
});

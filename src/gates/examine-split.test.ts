import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { intervalOf } from "../../bench/gates/intervals.ts";
import { createRandom } from "../../bench/gates/random.ts";
import type { Interval } from "../core/index.ts";
import { type AssignedRule, createJudge } from "./index.ts";

const rule: AssignedRule = { kind: "as-assigned", within: 0.1, alpha: 0.01, beta: 0.05 };
const calls = (i: number, old: number, fresh: number, more: Partial<Interval> = {}): Interval => ({
  ...intervalOf(i, { old: { calls: old }, new: { calls: fresh } }),
  ...more,
});
const judged = (intervals: readonly Interval[]) => {
  const judge = createJudge(rule, { of: "split" });
  judge.add(intervals);
  return judge.verdict();
};
const many = (seconds: number, old: number, fresh: number, more: Partial<Interval> = {}): Interval[] =>
  Array.from({ length: seconds }, (_, i) => calls(i, old, fresh, more));

describe("is traffic split as assigned?", () => {
  test("passes once the measured share is shown to be within a tenth of the smaller side", () => {
    const verdict = judged(many(150, 100, 100));
    expect(verdict.kind).toBe("pass");
    expect(verdict.reason).toMatch(/^queue.submit 50 % of 30000 calls, assigned 50 ± 5 %: e .* of 20$/);
    expect(verdict.figures).toMatchObject({
      within: 0.1,
      shares: [{ assigned: 50, calls: { old: 15_000 } }],
    });
  });

  test("fails when the new side gets far less than was assigned, within seconds", () => {
    const verdict = judged(many(5, 180, 20));
    expect(verdict.kind).toBe("fail");
    expect(verdict.reason).toMatch(
      /^split off: queue.submit 10 % of 1000 calls, assigned 50 ± 5 % \(e .* ≥ 100\)$/,
    );
  });

  test("a share a little off, as heavy users make it, does not fail however many calls there are", () => {
    expect(judged(many(2_000, 495, 505)).kind).not.toBe("fail");
  });

  test("a share of one percent that gets nothing at all fails", () => {
    expect(judged(many(60, 200, 0, { share: 1 })).kind).toBe("fail");
  });

  test("at 0 and 100 % a stray call does not fail, a wrong side that gets everything does", () => {
    expect(judged([calls(0, 1, 999, { share: 100 })]).kind).toBe("pass");
    expect(judged(many(3, 200, 0, { share: 100 })).kind).toBe("fail");
    expect(judged(many(3, 200, 0, { share: 0 })).kind).toBe("pass");
  });

  test("holds without calls, and where no share is assigned", () => {
    const nothing = { kind: "hold", reason: "no calls at stage live yet" };
    expect(judged([])).toMatchObject(nothing);
    expect(judged(many(9, 0, 0))).toMatchObject(nothing);
    expect(judged(many(9, 100, 0, { stage: "shadow", share: 0 }))).toMatchObject(nothing);
    expect(judged(many(9, 100, 0, { stage: "shadow", share: 0 })).waitMs).toBeUndefined();
  });

  test("says how long it will hold, and passes about then", () => {
    const early = judged(many(4, 100, 100));
    expect(early.kind).toBe("hold");
    const wait = Math.ceil((early.waitMs as number) / 1000);
    expect(wait).toBeGreaterThan(2);
    expect(judged(many(4 + wait + 1, 100, 100)).kind).toBe("pass");
    const never = judged(many(30, 110, 90));
    expect(never.kind).toBe("hold");
    expect(never.waitMs).toBeUndefined();
  });

  test("what an earlier share showed stays: a split that was off fails, and a new share must be shown anew", () => {
    const kept = many(150, 100, 100);
    const next = calls(151, 2, 8, { share: 80, epoch: 2 });
    expect(judged([...kept, next])).toMatchObject({ kind: "hold" });
    const late = calls(152, 100, 100);
    expect(judged([...kept, next, late]).reason).toContain("assigned 80");
    expect(judged([...many(5, 180, 20), ...many(9, 20, 80, { share: 80, epoch: 2 })]).kind).toBe("fail");
  });

  test("a measure that names no route looks at each, and one that is off fails", () => {
    const other = many(5, 180, 20, { route: "mail.send" });
    expect(judged([...many(150, 100, 100), ...other])).toMatchObject({ kind: "fail" });
    expect(judged([...many(150, 100, 100), ...other]).reason).toContain("mail.send 10 %");
  });

  test("200 healthy splits at any share, looked at each second, fail no more often than promised", () => {
    const random = createRandom(23);
    let failed = 0;
    for (let run = 0; run < 200; run++) {
      const share = [1, 5, 10, 50][run % 4] as number;
      const judge = createJudge(rule, { of: "split" });
      for (let second = 0; second < 40; second++) {
        let fresh = 0;
        for (let call = 0; call < 50; call++) if (random.next() < share / 100) fresh++;
        judge.add([calls(second, 50 - fresh, fresh, { share })]);
        if (judge.verdict().kind !== "fail") continue;
        failed++;
        break;
      }
    }
    expect(failed / 200).toBeLessThanOrEqual(0.01 + 2 * Math.sqrt((0.01 * 0.99) / 200));
  });

  test("whatever is counted, it never passes without calls and its figures are JSON", () => {
    const count = fc.nat({ max: 400 });
    const second = fc.record({ old: count, fresh: count, share: fc.constantFrom(0, 0.5, 10, 99.5, 100) });
    fc.assert(
      fc.property(fc.array(second, { maxLength: 12 }), (seconds) => {
        const verdict = judged(seconds.map(({ old, fresh, share }, i) => calls(i, old, fresh, { share })));
        const total = seconds.reduce((sum, { old, fresh }) => sum + old + fresh, 0);
        if (total === 0) expect(verdict.kind).toBe("hold");
        expect(JSON.parse(JSON.stringify(verdict.figures))).toEqual(verdict.figures);
      }),
    );
  });

  test("a split that heavy keys explain does not fail, one that they do not explain does", () => {
    const seconds = (keyLoad: (made: number) => Interval["keyLoad"]): Interval[] =>
      many(60, 130, 70).map((interval, i) => {
        const load = keyLoad((i + 1) * 200);
        return load === undefined ? interval : { ...interval, keyLoad: load };
      });
    expect(judged(seconds(() => undefined)).kind).toBe("fail");
    expect(judged(seconds((made) => ({ norm: Math.ceil(Math.sqrt(made)), heaviest: 1 }))).kind).toBe("fail");
    const heavy = judged(
      seconds((made) => ({ norm: Math.ceil(0.2 * made), heaviest: Math.ceil(0.1 * made) })),
    );
    expect(heavy.kind).toBe("hold");
  });

  test("refuses a load of keys that cannot be", () => {
    for (const norm of [-1, Number.NaN])
      expect(() => judged([calls(0, 1, 1, { keyLoad: { norm, heaviest: 1 } })])).toThrow(/keyLoad.norm/);
  });

  test("refuses a tolerance that says nothing, and a share that cannot be", () => {
    for (const within of [0, 1, Number.NaN])
      expect(() => createJudge({ ...rule, within }, { of: "split" })).toThrow(/within/);
    expect(() => judged([calls(0, 1, 1, { share: 120 })])).toThrow(/share/);
  });
});

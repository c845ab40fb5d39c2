import { describe, expect, test } from "vitest";
import { intervalOf } from "../../bench/gates/intervals.ts";
import type { Interval } from "../core/index.ts";
import { createJudge, type Declared, type Judge, type MeasureInput } from "./index.ts";

const declared: Declared = { operations: ["submit", "cancel"], cohorts: [], never: {} };
const judgeOf = (atLeast: number, expected?: Declared, lists: object = {}): Judge => {
  const measure = { of: "coverage", route: "queue.submit", ...lists } as MeasureInput;
  const judge = createJudge({ kind: "covered", atLeast }, measure);
  if (expected !== undefined) judge.expect(expected);
  return judge;
};
const compared = (
  i: number,
  operations: Readonly<Record<string, number>>,
  cohorts?: Readonly<Record<string, number>>,
): Interval => ({
  ...intervalOf(i, { compared: Object.values(operations).reduce((sum, count) => sum + count, 0) }),
  stage: "shadow",
  operations,
  ...(cohorts === undefined ? {} : { cohorts }),
});

describe("coverage of a route", () => {
  test("passes once every declared operation was compared often enough", () => {
    const judge = judgeOf(20, declared);
    judge.add([compared(0, { submit: 500, cancel: 20 })]);
    expect(judge.verdict()).toMatchObject({
      kind: "pass",
      reason: "2 of 2 operations compared at least 20 times",
      figures: { untested: [], operations: { submit: 500, cancel: 20 }, compared: 520 },
    });
  });

  test("holds and lists the untested, with the time left at today's traffic", () => {
    const judge = judgeOf(20, declared);
    judge.add([compared(0, { submit: 9 }), compared(1, { submit: 9, cancel: 5 })]);
    const verdict = judge.verdict();
    expect(verdict).toMatchObject({ kind: "hold", figures: { untested: ["submit", "cancel"] } });
    expect(verdict.reason).toBe(
      "0 of 2 operations compared at least 20 times; untested: submit (18 of 20), cancel (5 of 20)",
    );
    expect(verdict.waitMs).toBe(6_000);
  });

  test("knows no time left for an operation that nobody has called", () => {
    const judge = judgeOf(1, declared);
    judge.add([compared(0, { submit: 9 })]);
    expect(judge.verdict()).toMatchObject({ kind: "hold" });
    expect(judge.verdict().waitMs).toBeUndefined();
  });

  test("asks for cohorts too, and counts them of all operations", () => {
    const judge = judgeOf(10, { ...declared, cohorts: ["gold", "new"] });
    judge.add([compared(0, { submit: 50, cancel: 50 }, { gold: 97, new: 3 })]);
    expect(judge.verdict().reason).toContain(
      "1 of 2 cohorts compared at least 10 times; untested: cohort new (3 of 10)",
    );
    judge.add([compared(1, { submit: 8 }, { new: 8 })]);
    expect(judge.verdict().kind).toBe("pass");
  });

  test("does not ask for operations that are never shadowed, and says which those are", () => {
    const judge = judgeOf(5, {
      ...declared,
      operations: ["submit", "charge"],
      never: { charge: "non-idempotent" },
    });
    judge.add([compared(0, { submit: 5 })]);
    expect(judge.verdict()).toMatchObject({
      kind: "pass",
      reason: "1 of 1 operation compared at least 5 times; never shadowed: charge (non-idempotent)",
      figures: { never: { charge: "non-idempotent" } },
    });
  });

  test("holds, saying why, where an operation is demanded by name that is never shadowed", () => {
    const judge = judgeOf(
      5,
      { ...declared, never: { charge: "personal" } },
      { operations: ["charge", "submit"] },
    );
    judge.add([compared(0, { submit: 4 })]);
    expect(judge.verdict().reason).toContain("never shadowed, yet demanded: charge");
    expect(judge.verdict().waitMs).toBeUndefined();
  });

  test("never passes where all operations are never shadowed", () => {
    const judge = judgeOf(5, { operations: [], cohorts: [], never: { charge: "personal" } });
    judge.add([compared(0, {})]);
    expect(judge.verdict()).toMatchObject({ kind: "hold" });
    expect(judge.verdict().reason).toContain("no operation may be shadowed");
  });

  test("holds while no application has declared the route, whatever was compared", () => {
    const judge = judgeOf(5);
    judge.add([compared(0, { submit: 500 })]);
    expect(judge.verdict()).toMatchObject({ kind: "hold" });
    expect(judge.verdict().reason).toContain("no application has declared queue.submit yet");
  });

  test("counts the whole route where no operation has a name", () => {
    const judge = judgeOf(5, { operations: [], cohorts: [], never: {} });
    judge.add([{ ...compared(0, {}), compared: 3 }]);
    expect(judge.verdict()).toMatchObject({ kind: "hold", reason: "3 compared of 5", waitMs: 667 });
    judge.add([{ ...compared(1, {}), compared: 3 }]);
    expect(judge.verdict().kind).toBe("pass");
  });

  test("takes the lists a gate names in place of what is declared", () => {
    const judge = judgeOf(5, undefined, { operations: ["submit"], cohorts: ["gold"] });
    judge.add([compared(0, { submit: 5, cancel: 1 }, { gold: 5 })]);
    expect(judge.verdict().kind).toBe("pass");
    const none = judgeOf(5, { ...declared, cohorts: ["gold"] }, { cohorts: [] });
    none.add([compared(0, { submit: 5, cancel: 5 })]);
    expect(none.verdict().kind).toBe("pass");
  });

  test("shows the first of very many untested names", () => {
    const operations = Array.from({ length: 40 }, (_, i) => `op-${i}`);
    expect(judgeOf(1, { ...declared, operations }).verdict().reason).toMatch(/op-11 \(0 of 1\) and 28 more$/);
  });

  test("asks of cohorts alone that the route was compared too", () => {
    const judge = judgeOf(2, { operations: [], cohorts: ["gold", "blue"], never: {} });
    judge.add([{ ...compared(0, {}, { gold: 1 }), compared: 1 }]);
    expect(judge.verdict().reason).toContain(
      "untested: cohort gold (1 of 2), cohort blue (0 of 2), all calls (1 of 2)",
    );
  });

  test("refuses counts that cannot be, and a least number that asks for nothing", () => {
    expect(() => judgeOf(0)).toThrow(/atLeast/);
    expect(() => judgeOf(1).add([compared(0, { submit: 2, cancel: -1 })])).toThrow(/operations.cancel/);
    expect(() => judgeOf(1).add([compared(0, {}, { gold: Number.NaN })])).toThrow(/cohorts.gold/);
    expect(() => judgeOf(1, { ...declared, never: 3 as never })).toThrow(/never/);
  });
});

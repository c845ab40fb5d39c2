import { describe, expect, test } from "vitest";
import { silentLog } from "../core/index.ts";
import { allOf, anyOf, coverage, type MeasuredGate, memory, p99, rate, when } from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import { type MeasuredJudge, measuredJudge } from "./measured-judge.ts";

const judgeOf = (rig: Rig, gate: MeasuredGate): MeasuredJudge =>
  measuredJudge(
    {
      runId: "r1",
      store: rig.store,
      clock: rig.clock,
      log: silentLog,
      readMemory: () => 0.95,
      touched: new Set(),
      declared: async () => await Promise.resolve(undefined),
    },
    gate,
    rig.clock.now(),
  );
const { signal } = new AbortController();

const errors = rate.error("orders").below(0.05);
const mismatches = rate.mismatch("orders").below(0.05);

async function seconds(rig: Rig, count: number, newErrors: number, differing: number): Promise<void> {
  for (let second = 0; second < count; second++) {
    await rig.clock.advance(1_000);
    await rig.measure("orders", {
      old: [100, 0],
      new: [100, newErrors],
      compared: 100,
      mismatches: differing,
    });
  }
}

describe("several gates as one", () => {
  test("all of them pass together, with the share of alpha that each was given in the record", async () => {
    await using rig = await openRig();
    const judge = judgeOf(rig, allOf([errors, mismatches], { alpha: 0.03, beta: 0.05, weights: [2, 1] }));
    expect((await judge.look(signal)).verdict).toMatchObject({ kind: "hold" });
    await seconds(rig, 10, 0, 0);
    const { verdict, evidence } = await judge.look(signal);
    expect(verdict).toMatchObject({ kind: "pass" });
    expect(verdict.reason).toMatch(/^errors of orders below 5 %: .*; mismatches of orders below 5 %: /);
    const parts = verdict.figures?.["parts"] as readonly { allowed: { alpha: number; beta: number } }[];
    expect(parts.map(({ allowed }) => [allowed.alpha.toFixed(3), allowed.beta])).toEqual([
      ["0.020", 0.05],
      ["0.010", 0.05],
    ]);
    expect(evidence).toMatchObject({
      parts: { "errors of orders below 5 %": { intervals: 10, rule: { beta: 0.05 } } },
    });
    expect(JSON.parse(JSON.stringify(evidence))).toEqual(evidence);
  });

  test("fail when one fails, and say which", async () => {
    await using rig = await openRig();
    const judge = judgeOf(rig, allOf([errors, mismatches]));
    await seconds(rig, 5, 0, 60);
    const { verdict } = await judge.look(signal);
    expect(verdict.kind).toBe("fail");
    expect(verdict.reason).toMatch(/^mismatches of orders below 5 %: /);
  });

  test("hold with the longest wait of those that hold, and name only them", async () => {
    await using rig = await openRig();
    const judge = judgeOf(rig, allOf([errors, coverage("orders", { atLeast: 40, operations: ["submit"] })]));
    await seconds(rig, 10, 0, 0);
    const { verdict } = await judge.look(signal);
    expect(verdict.kind).toBe("hold");
    expect(verdict.reason).toContain("untested: submit (0 of 40)");
    expect(verdict.reason).not.toContain("errors of orders");
    expect(verdict.waitMs).toBeUndefined();
  });

  test("any of them passes when one does, though another one fails", async () => {
    await using rig = await openRig();
    const judge = judgeOf(rig, anyOf([mismatches, errors]));
    await seconds(rig, 10, 0, 60);
    expect((await judge.look(signal)).verdict.kind).toBe("pass");
  });

  test("a trigger on all of them fires only when all are bad", async () => {
    await using rig = await openRig();
    const { condition } = when(allOf([errors, mismatches])).then("pause");
    if (condition.type !== "composed") throw new Error("expected a composition");
    const judge = judgeOf(rig, condition);
    await seconds(rig, 10, 0, 60);
    expect((await judge.look(signal)).verdict.kind).not.toBe("fail");
    await seconds(rig, 10, 60, 60);
    expect((await judge.look(signal)).verdict.kind).toBe("fail");
  });

  test("compositions nest, and plain limits take part without an error rate", async () => {
    await using rig = await openRig();
    const full = memory().below(0.9, { n: 1, of: 2, interval: "1s" });
    const slow = p99("orders").worseThan("old", { by: 2 });
    const judge = judgeOf(rig, allOf([anyOf([slow, errors]), full]));
    for (let look = 0; look < 12; look++) {
      await seconds(rig, 1, 0, 0);
      await judge.look(signal);
    }
    const { verdict } = await judge.look(signal);
    expect(verdict).toMatchObject({ kind: "fail" });
    expect(verdict.reason).toMatch(/^memory below 90 %: /);
  });
});

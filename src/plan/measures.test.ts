import { describe, expect, test } from "vitest";
import { gateToJson } from "./gate-spec.ts";
import { memory, p50, p95, p99, rate, value } from "./measures.ts";
import { gateProblems } from "./read-gates.ts";
import { when } from "./when.ts";

describe("gates and conditions in words", () => {
  test("a rate below a limit is tested at alpha 0.01 and beta 0.05 unless told otherwise", () => {
    expect(gateToJson(rate.error("queue.submit").below(0.01))).toEqual({
      type: "metric",
      name: "errors of queue.submit below 1 %",
      measure: { of: "errors", route: "queue.submit" },
      rule: { kind: "below", limit: 0.01, alpha: 0.01, beta: 0.05 },
    });
    expect(rate.mismatch().below(0.001, { alpha: 0.05, beta: 0.1 })).toMatchObject({
      name: "mismatches below 0.1 %",
      measure: { of: "mismatches" },
      rule: { alpha: 0.05, beta: 0.1 },
    });
  });

  test("latency is compared with the old side at its own quantile", () => {
    expect([p50(), p95("a"), p99()].map((measure) => measure.worseThan("old", { by: 2 }))).toMatchObject([
      { name: "p50 below 2× old", measure: { of: "latency", quantile: 0.5 } },
      { name: "p95 of a below 2× old", measure: { of: "latency", quantile: 0.95, route: "a" } },
      { name: "p99 below 2× old", rule: { kind: "worse-than-old", by: 2, alpha: 0.01, beta: 0.05 } },
    ]);
  });

  test("a plain limit asks for three of five intervals of a second", () => {
    expect(memory().above(0.9).rule).toEqual({
      kind: "limit",
      limit: 0.9,
      direction: "above",
      minSample: 1,
      n: 3,
      m: 5,
      intervalMs: 1_000,
    });
    const strict = value("depth", () => 1).above(5, { minSample: 10, n: 2, of: 3, interval: "1m" });
    expect(strict.rule).toMatchObject({ minSample: 10, n: 2, m: 3, intervalMs: 60_000 });
  });

  test("more errors, mismatches, latency or memory are bad whichever word is used", () => {
    expect(memory().below(0.9)).toEqual(memory().above(0.9));
    expect(rate.error().below(0.01)).toEqual(rate.error().above(0.01));
    expect(when(rate.error().above(0.01)).then("pause").condition).toHaveProperty(
      "rule",
      rate.error().below(0.01).rule,
    );
  });

  test("a value's words say what must be true in a gate, and what is bad in a trigger", () => {
    const left = value("left", () => 1);
    expect(left.below(5)).toMatchObject({ name: "left not above 5", rule: { direction: "above", limit: 5 } });
    expect(when(left.below(5)).then("alert")).toMatchObject({
      name: "left < 5",
      condition: { rule: { direction: "below", limit: 5 } },
    });
    expect(left.above(5)).toMatchObject({ name: "left not below 5", rule: { direction: "below" } });
    expect(when(left.above(5)).then("alert").condition).toMatchObject({ rule: { direction: "above" } });
  });

  test("a trigger takes a name and phases of its own, and a gate made elsewhere", () => {
    const plain = { ...rate.error().below(0.01), alarm: undefined };
    const { alarm: _, ...gate } = plain;
    expect(when(gate).then("rollback", { name: "too many errors", phases: ["rollout"] })).toEqual({
      name: "too many errors",
      condition: gate,
      action: "rollback",
      phases: ["rollout"],
    });
  });

  test("rooms can ask what is wrong with a gate of their own", () => {
    expect(gateProblems(rate.error().below(0.01), "ramp")).toEqual([]);
    expect(gateProblems(rate.error().below(1), "ramp")).toMatchObject([
      { code: "CUTOVER_GATE_INPUT", place: "ramp" },
    ]);
  });
});

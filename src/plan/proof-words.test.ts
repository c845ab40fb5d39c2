import { describe, expect, test } from "vitest";
import {
  allOf,
  anyOf,
  backlog,
  compile,
  coverage,
  defineMigration,
  dryRun,
  gate,
  type GateSpec,
  gateToJson,
  mean,
  memory,
  metricGates,
  p99,
  phase,
  rate,
  split,
  step,
  type Trigger,
  value,
  when,
} from "./index.ts";
import { gateProblems } from "./read-gates.ts";

const nothing = () => ({});
const orderValue = mean("order value", nothing);
const migration = (exit: readonly GateSpec[], triggers: readonly Trigger[] = []) =>
  defineMigration({
    name: "orders",
    phases: [phase("move", { steps: [step("look", { run: () => null })], exit })],
    triggers,
  });
const messages = (made: unknown): readonly string[] =>
  gateProblems(made as GateSpec, "here").map(({ message }) => message);

describe("business means in words", () => {
  test("a mean may be worse by a part of the old one, higher values being better", () => {
    const condition = orderValue.worseThan("old", { by: 0.05 });
    expect(gateToJson(condition)).toEqual({
      type: "metric",
      name: "mean order value at most 5 % below old",
      measure: { of: "mean", name: "order value", everyMs: 10_000 },
      rule: {
        kind: "mean-worse-than-old",
        by: 0.05,
        relative: true,
        better: "higher",
        minSample: 100,
        alpha: 0.01,
        beta: 0.05,
      },
    });
    expect(when(condition).then("rollback").name).toBe("mean order value more than 5 % below old");
  });

  test("or by a number in its own unit, lower values being better", () => {
    const wait = mean("wait", nothing, { every: "1m" });
    const condition = wait.worseThan("old", { byValue: 3, better: "lower", minSample: 500, alpha: 0.05 });
    expect(condition).toMatchObject({
      name: "mean wait at most 3 above old",
      measure: { everyMs: 60_000 },
      rule: { by: 3, relative: false, better: "lower", minSample: 500, alpha: 0.05 },
    });
  });

  test("against a limit the words say what must be true in a gate, and what is bad in a trigger", () => {
    expect(orderValue.above(40)).toMatchObject({ name: "mean order value above 40", rule: { bad: "below" } });
    expect(when(orderValue.below(40)).then("pause")).toMatchObject({
      name: "mean order value < 40",
      condition: { rule: { kind: "mean-limit", limit: 40, bad: "below" } },
    });
    expect(when(orderValue.above(40)).then("pause").condition).toMatchObject({ rule: { bad: "above" } });
  });

  test("is refused with the option's name when no evidence could meet it", () => {
    const refused = [
      [orderValue.worseThan("old", {}), /`by` between 0 and 1, .* or `byValue`.* found NaN/],
      [orderValue.worseThan("old", { by: 5 }), /`by` between 0 and 1/],
      [orderValue.worseThan("old", { by: 0.1, byValue: 3 }), /`byValue` above 0, and not both/],
      [orderValue.worseThan("old", { by: -1, better: "lower" }), /`by` above 0/],
      [
        orderValue.worseThan("old", { by: 0.1, better: "more" as "higher" }),
        /"higher" or "lower", found "more"/,
      ],
      [orderValue.worseThan("old", { by: 0.1, minSample: 1 }), /`minSample` to be a whole number from 2/],
      [orderValue.worseThan("old", { by: 0.1, alpha: 1 }), /alpha between 0 and 1, found 1/],
      [orderValue.below(Number.NaN), /a finite limit, found NaN/],
      [orderValue.below(1, { beta: 0 }), /beta between 0 and 1/],
      [orderValue.below(1, { minSamples: 5 } as object), /knows no `minSamples`: did you mean "minSample"\?/],
      [mean("", nothing).below(1), /a name of what is measured, found an empty text/],
      [value(7 as never, () => 1).below(1), /a name of what is measured, found 7/],
      [mean("x", 3 as never).below(1), /`read` to be a function, found 3/],
      [mean("x", nothing, { every: "often" as never }).below(1), /`every` to be a duration above 0/],
      [mean("x", nothing, { evry: "1m" } as object).below(1), /knows no `evry`: did you mean "every"\?/],
    ] as const;
    for (const [made, message] of refused) expect(messages(made)).toEqual([expect.stringMatching(message)]);
  });
});

describe("proofs about a route in words", () => {
  test("the split as assigned, as gate and as trigger", () => {
    expect(gateToJson(split("queue.submit").asAssigned())).toEqual({
      type: "metric",
      name: "split of queue.submit as assigned",
      measure: { of: "split", route: "queue.submit" },
      rule: { kind: "as-assigned", within: 0.2, alpha: 0.01, beta: 0.05 },
    });
    expect(when(split().off({ within: 0.05 })).then("pause")).toMatchObject({
      name: "split off",
      condition: { measure: { of: "split" }, rule: { within: 0.05 } },
    });
  });

  test("coverage of what is declared, or of lists of one's own", () => {
    expect(gateToJson(coverage("queue.submit", { atLeast: 20 }))).toEqual({
      type: "metric",
      name: "coverage of queue.submit, 20 of each",
      measure: { of: "coverage", route: "queue.submit" },
      rule: { kind: "covered", atLeast: 20 },
    });
    const listed = coverage("queue.submit", { atLeast: 1, operations: ["submit"], cohorts: [] });
    expect(listed.measure).toEqual({
      of: "coverage",
      route: "queue.submit",
      operations: ["submit"],
      cohorts: [],
    });
  });

  test("a backlog holds a gate and sets off a trigger", () => {
    expect(backlog("queue.submit").below(10)).toMatchObject({
      name: "backlog of queue.submit below 10",
      rule: { kind: "backlog", limit: 10, over: "hold", forMs: 5_000 },
    });
    expect(when(backlog("queue.submit").above(10, { for: "1m" })).then("hold")).toMatchObject({
      name: "backlog of queue.submit ≥ 10",
      condition: { rule: { over: "fail", forMs: 60_000 } },
    });
  });

  test("is refused with the option's name when no evidence could meet it", () => {
    const refused = [
      [split("").asAssigned(), /a route's name, found an empty text/],
      [split(3 as never).asAssigned(), /a route's name, found 3/],
      [split("r").off({ within: 1 }), /`within` between 0 and 1/],
      [split("r").off({ tolerance: 0.1 } as object), /knows no `tolerance`/],
      [coverage("r", { atLeast: 0 }), /`atLeast` to be a whole number from 1/],
      [coverage("", { atLeast: 1 }), /a route's name/],
      [coverage(undefined as never, { atLeast: 1 }), /a route's name, found undefined/],
      [
        coverage("r", { atLeast: 1, operations: "all" as never }),
        /`operations` to be a list of names, found "all"/,
      ],
      [coverage("r", { atLeast: 1, operations: ["a", ""] }), /`operations` to hold names, found ""/],
      [coverage("r", { atLeast: 1, cohorts: ["a", "a"] }), /each of `cohorts` once, found "a" twice/],
      [
        coverage("r", { atLeast: 1, operation: ["a"] } as never),
        /knows no `operation`: did you mean "operations"\?/,
      ],
      [backlog("r").below(0), /the limit to be a whole number from 1/],
      [backlog("r").below(2, { for: "soon" as never }), /`for` to be a duration/],
    ] as const;
    for (const [made, message] of refused) expect(messages(made)).toEqual([expect.stringMatching(message)]);
  });

  test("a measure without what must be true of it is refused with the words it has", () => {
    expect(gateProblems(split("r") as never, "here")).toMatchObject([
      { code: "CUTOVER_PLAN_INVALID", remedy: "say what must be true of it: .asAssigned(…) or .off(…)" },
    ]);
  });

  test("unknown options of the older measures are refused too", () => {
    expect(messages(rate.error().below(0.01, { alfa: 0.1 } as object))).toEqual([
      expect.stringMatching(/knows no `alfa`: remove it; known: alpha, beta$/),
    ]);
    expect(messages(rate.error().worseThan("old", { by: 2, bta: 0.1 } as never))).toHaveLength(1);
    expect(messages(memory().above(0.9, { minSamples: 2 } as object))).toHaveLength(1);
    expect(messages(memory().above(0.9, { minSample: 2, n: 1, of: 2, interval: "2s" }))).toEqual([]);
  });

  test("a rule that cannot judge its measure is refused before a run would find it", () => {
    const wrong = { ...rate.error().below(0.01), measure: { of: "backlog", route: "r" } };
    expect(messages(wrong)).toEqual([
      'gate "errors below 1 %": expected the rule backlog for backlog, found "below"',
    ]);
    const slow = { ...rate.error().below(0.01), measure: { of: "latency", quantile: 0.9 } } as const;
    expect(messages({ ...slow, rule: { ...slow.rule, limit: 250 } })).toEqual([]);
    expect(messages({ ...slow, rule: { ...slow.rule, limit: 0 } })).toHaveLength(1);
  });
});

describe("compositions in words", () => {
  const errors = rate.error("r").worseThan("old", { by: 2 });
  const slow = p99("r").worseThan("old", { by: 2 });

  test("say all or any of several gates in one line, with one alpha and beta for all", () => {
    const both = allOf([errors, slow], { alpha: 0.02, weights: [3, 1] });
    expect(both).toMatchObject({
      type: "composed",
      name: "errors of r below 2× old and p99 of r below 2× old",
      join: "all",
      alpha: 0.02,
      beta: 0.05,
      weights: [3, 1],
    });
    expect(anyOf([both, memory().below(0.9)]).name).toBe(
      "(errors of r below 2× old and p99 of r below 2× old) or memory below 90 %",
    );
    expect(allOf([errors], { name: "healthy" })).toMatchObject({
      name: "healthy",
      alarm: { name: "healthy" },
    });
  });

  test("in a trigger all means that all is bad, any that any is", () => {
    expect(when(allOf([errors, slow])).then("rollback")).toMatchObject({
      name: "errors of r > 2× old and p99 of r > 2× old",
      condition: { join: "any", parts: [{ name: "errors of r > 2× old" }, {}] },
    });
    expect(when(anyOf([errors, backlog("r").above(5)])).then("pause")).toMatchObject({
      name: "errors of r > 2× old or backlog of r ≥ 5",
      condition: { join: "all", parts: [{}, { rule: { over: "fail" } }] },
    });
  });

  test("hold no reading as a bad sign in the gate that is judged, and give all their measures", () => {
    const nested = anyOf([allOf([errors, slow]), coverage("r", { atLeast: 3 })]);
    expect(JSON.stringify(gateToJson(nested))).not.toContain("alarm");
    expect(metricGates(nested).map(({ measure }) => measure.of)).toEqual(["errors", "latency", "coverage"]);
    expect(
      metricGates(gate("own", { collect: nothing, judge: () => ({ kind: "pass", reason: "" }) })),
    ).toEqual([]);
  });

  test("are refused with every problem when they make no sense", () => {
    const own = gate("own", { collect: nothing, judge: () => ({ kind: "pass", reason: "" }) });
    const refused = [
      [allOf([]), /a list of gates, found an empty one/],
      [allOf(errors as never), /^$/],
      [anyOf([errors, errors]), /each gate once, found "errors of r below 2× old" twice/],
      [anyOf([errors, own as never]), /expected measures, found a gate of one's own/],
      [
        anyOf([rate.error().below(0.01, { alpha: 0.05 })]),
        /to take its share of alpha and beta, found its own/,
      ],
      [allOf([allOf([errors], { beta: 0.2 })]), /to take its share/],
      [allOf([errors, slow], { weights: [1] }), /one weight for each of 2 gates, found a list of 1/],
      [allOf([errors], { weights: [0] }), /weights above 0, found 0/],
      [allOf([errors], { alpha: 2 }), /alpha between 0 and 1/],
      [allOf([errors], { join: "mean" } as object), /knows no `join`/],
      [allOf([rate.error().below(7)]), /a rate to be tested against between 0 and 1/],
      [allOf([undefined as never]), /expected a gate, found undefined/],
      [{ ...allOf([errors]), join: "some" }, /expected allOf or anyOf, found "some"/],
      [{ ...allOf([errors]), parts: 3 }, /a list of gates, found 3/],
    ] as const;
    for (const [made, message] of refused) {
      if (message.source === "^$") expect(messages(made)).toEqual([]);
      else expect(messages(made)).toEqual([expect.stringMatching(message)]);
    }
  });
});

describe("a definition with these proofs", () => {
  const all = (): readonly GateSpec[] => [
    orderValue.worseThan("old", { by: 0.05 }),
    split("r").asAssigned(),
    coverage("r", { atLeast: 20 }),
    backlog("r").below(10),
    anyOf([rate.mismatch("r").below(0.001), rate.error("r").below(0.01)]),
  ];

  test("is listed by the dry run in words", async () => {
    const report = await dryRun(migration(all(), [when(split("r").off()).then("pause")]));
    expect(report.phases[0]?.exit).toEqual([
      "mean order value at most 5 % below old",
      "split of r as assigned",
      "coverage of r, 20 of each",
      "backlog of r below 10",
      "mismatches of r below 0.1 % or errors of r below 1 %",
    ]);
    expect(report.triggers.map(({ name }) => name)).toEqual(["split of r off"]);
  });

  test("has another hash when a limit, a source or the weights change, and the same when nothing does", () => {
    const hash = (exit: readonly GateSpec[]): string => compile(migration(exit)).hash;
    expect(hash(all())).toBe(hash(all()));
    const inside = (read: () => object): readonly GateSpec[] => [anyOf([mean("x", read).below(3)])];
    expect(hash(inside(() => ({ old: [1] })))).not.toBe(hash(inside(() => ({ old: [2] }))));
    const weighted = (weights: readonly number[]) => [
      allOf([rate.error().below(0.1), rate.mismatch().below(0.1)], { weights }),
    ];
    expect(hash(weighted([1, 2]))).not.toBe(hash(weighted([2, 1])));
    expect(hash([split("r").asAssigned()])).not.toBe(hash([split("r").asAssigned({ within: 0.03 })]));
  });

  test("refuses a trigger on a gate that never fails: it would stand guard over nothing", () => {
    const guarded = (trigger: Trigger) => () => migration([], [trigger]);
    expect(guarded(when(coverage("r", { atLeast: 1 })).then("pause"))).toThrow(
      'expected a gate that can fail, found "coverage of r, 1 of each"',
    );
    const { alarm: _, ...holds } = backlog("r").below(3);
    expect(guarded(when(holds).then("pause"))).toThrow(/can fail/);
    const some = [coverage("r", { atLeast: 1 }), rate.error("r").below(0.1)];
    expect(guarded(when(allOf(some)).then("pause"))).toThrow(/can fail/);
    expect(guarded(when(anyOf(some)).then("pause"))).not.toThrow();
  });
});

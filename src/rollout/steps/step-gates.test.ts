import { describe, expect, test } from "vitest";
import type { GateSpec, Step } from "../../plan/index.ts";
import { allOf, coverage, defineMigration, mean, p99, phase, rate, split } from "../../plan/index.ts";
import { openRig, type Rig } from "../../testing/engine-rig.ts";
import { quiet } from "./quiet.ts";
import { ramp } from "./ramp.ts";
import { setStage } from "./set-stage.ts";
import { shadow } from "./shadow.ts";
// A run loads it with the first gate that needs it, and a manual clock would run on meanwhile.
import "../../engine/measured-judge.ts";

const withStep = (step: Step) =>
  defineMigration({ name: "moved", phases: [phase("move", { steps: [step] })] });

async function traffic(rig: Rig, seconds: number, newErrors: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await rig.clock.advance(1_000);
    await rig.measure("orders", { old: [100, 0], new: [100, newErrors] });
  }
}

describe("a ramp with several gates as one", () => {
  const gate = allOf([
    rate.error("orders").worseThan("old", { by: 2 }),
    split("orders").asAssigned({ within: 0.04 }),
  ]);

  test("rises once all of them are shown, and says while it waits which are not", async () => {
    await using rig = await openRig();
    const handle = await rig.start(withStep(ramp("orders", [50], { gate })));
    await traffic(rig, 10, 0);
    expect(handle.live().verdicts[0]).toMatchObject({ kind: "hold", waitMs: expect.any(Number) as number });
    expect(handle.live().verdicts[0]?.reason).toMatch(/^split of orders as assigned: orders 50 % of /);
    await traffic(rig, 60, 0);
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  });

  test("goes back when one of them fails", async () => {
    await using rig = await openRig();
    const handle = await rig.start(withStep(ramp("orders", [50], { gate })));
    await traffic(rig, 5, 40);
    const outcome = await rig.end(handle);
    expect(outcome.state).toBe("ROLLED_BACK");
    expect(outcome.reason).toContain("errors of orders below 2× old");
  });
});

describe("a gate of a step", () => {
  test.each<readonly [string, Step, RegExp]>([
    [
      "alpha of a ramp",
      ramp("r", [50], { gate: rate.error().below(0.1, { alpha: 7 }) }),
      /alpha between 0 and 1/,
    ],
    ["an empty composition", ramp("r", [50], { gate: [allOf([])] }), /a list of gates/],
    [
      "a thing that is no gate",
      ramp("r", [50], { gate: 7 as unknown as GateSpec }),
      /expected a gate, found 7/,
    ],
    ["a mean without by", shadow("r", { until: mean("x", () => ({})).worseThan("old", {}) }), /`by`/],
    ["a factor of a shadow", shadow("r", { until: p99().worseThan("old", { by: 1 }) }), /`by` above 1/],
  ])("is refused with its place before anything runs: %s", (_, step, message) => {
    expect(() => withStep(step)).toThrow(message);
  });

  test("that never fails is fine: a shadow may wait for coverage", () => {
    const until = coverage("orders", { atLeast: 20 });
    expect(() => withStep(shadow("orders", { until }))).not.toThrow();
  });
});

describe("options of a step", () => {
  test.each<readonly [string, Step, RegExp]>([
    ["a gate of a shadow", shadow("r", { gate: rate.mismatch().below(0.1) } as object), /no "gate"/],
    ["a misspelt hold of a ramp", ramp("r", [50], { holds: "1m" } as object), /no "holds"/],
    ["patience of a ramp", ramp("r", [50], { patience: "1m" } as object), /no "patience"/],
    ["a gate of quiet", quiet("r", { for: "1s", gate: 1 } as never), /no "gate"/],
    ["atLeast of a stage", setStage("r", "shadow", { atLeast: 1 } as object), /no "atLeast"/],
    ["null", ramp("r", [50], null as never), /the options to be an object/],
    ["a number", shadow("r", 7 as never), /the options to be an object/],
    ["a route no application could declare", shadow("a b"), /the name of a route: 1 to 200 letters/],
    ["operations that are no names", shadow("r", { operations: [1] as never }), /"operations"/],
    ["an estimate that is no duration", ramp("r", [5], { estimate: "soon" }), /"estimate" to be a duration/],
    ["coverage without options", shadow("r", { until: coverage("r", undefined as never) }), /`atLeast`/],
    [
      "worse than what is not old",
      ramp("r", [5], { gate: p99("r").worseThan("new" as "old", { by: 2 }) }),
      /worseThan\("new"\)/,
    ],
    [
      "worse without by",
      ramp("r", [5], { gate: rate.error("r").worseThan("old", undefined as never) }),
      /`by`/,
    ],
  ])("that it does not know are refused: %s", (_, step, message) => {
    expect(() => withStep(step)).toThrow(message);
  });

  test("of single shares stand in the plan with their share", () => {
    const planned = (step: Step): string => {
      const plan = step.kind.plan?.(step.input) as { readonly summary: string } | undefined;
      return plan?.summary ?? "";
    };
    expect(planned(ramp("r", [{ share: 20, hold: "2s" }, 50, 100]))).toMatch(/, at least 2.0 s at 20 %$/);
    expect(planned(ramp("r", [20, 50], { hold: "2s" }))).toMatch(/, at least 2.0 s$/);
  });

  test("that it knows are accepted, those of every step too", () => {
    const placed = { name: "n", estimate: "1m" } as const;
    expect(() => withStep(shadow("r", { ...placed, for: "1s", until: 0.1, atLeast: 1 }))).not.toThrow();
    expect(() => withStep(ramp("r", [50], { ...placed, hold: "1s", checkShare: false }))).not.toThrow();
    expect(() => withStep(quiet("r", { ...placed, for: "1s" }))).not.toThrow();
    expect(() => withStep(setStage("r", "live", { ...placed, share: 5 }))).not.toThrow();
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PhaseState, RunState } from "../store/index.ts";
import { decide, type PhaseSituation } from "./policy.ts";
import { legalEvents, phaseTable, runTable } from "./state-tables.ts";

const phase = (state: PhaseState, more: Partial<PhaseSituation> = {}): PhaseSituation => ({
  name: "p",
  state,
  forwardOnly: false,
  stepsLeft: 0,
  completesLeft: 0,
  approved: false,
  hasGates: false,
  ...more,
});

const next = (run: RunState, ...phases: readonly PhaseSituation[]) =>
  decide({ run, phases, emergenciesLeft: 0 });

describe("the policy", () => {
  test("takes the first phase that is not sealed", () => {
    expect(next("RUNNING", phase("SEALED", { name: "a" }), phase("PENDING", { name: "b" }))).toEqual({
      do: "check",
      phase: "b",
    });
  });

  test("completes a sealed phase before the next one begins", () => {
    const sealed = phase("SEALED", { name: "a", completesLeft: 2 });
    expect(next("RUNNING", sealed, phase("PENDING", { name: "b" }))).toEqual({ do: "complete", phase: "a" });
  });

  test("runs steps while there are some and goes on to the gates when there are none", () => {
    expect(next("RUNNING", phase("RUNNING", { stepsLeft: 1 }))).toEqual({ do: "run-steps", phase: "p" });
    expect(next("RUNNING", phase("RUNNING"))).toEqual({ do: "gate", phase: "p" });
  });

  test("starts nothing while the run holds, but lets checks, gates and completions end their own hold", () => {
    expect(next("HOLDING", phase("RUNNING", { stepsLeft: 1 })).do).toBe("wait");
    expect(next("HOLDING", phase("PENDING")).do).toBe("wait");
    expect(next("HOLDING", phase("CHECKING")).do).toBe("check");
    expect(next("HOLDING", phase("GATING")).do).toBe("judge");
    expect(next("HOLDING", phase("SEALED", { completesLeft: 1 })).do).toBe("complete");
  });

  test("begins a forward-only phase only once it is approved", () => {
    const waiting = phase("AWAITING_APPROVAL", { forwardOnly: true });
    expect(next("RUNNING", waiting).do).toBe("wait");
    expect(next("RUNNING", { ...waiting, approved: true }).do).toBe("begin");
    expect(next("HOLDING", { ...waiting, approved: true }).do).toBe("wait");
  });

  test("keeps judging gates while people are asked", () => {
    expect(next("RUNNING", phase("AWAITING_APPROVAL", { hasGates: true })).do).toBe("judge");
    expect(next("RUNNING", phase("AWAITING_APPROVAL")).do).toBe("wait");
  });

  test("does nothing but wait while the run is paused", () => {
    for (const state of Object.keys(phaseTable) as PhaseState[])
      expect(next("PAUSED", phase(state, { stepsLeft: 3, approved: true })).do).toBe("wait");
  });

  test("runs the emergency steps of a stuck rollback, then ends", () => {
    expect(decide({ run: "ROLLBACK_STUCK", phases: [], emergenciesLeft: 1 })).toEqual({ do: "emergency" });
    expect(decide({ run: "ROLLBACK_STUCK", phases: [], emergenciesLeft: 0 })).toEqual({ do: "end" });
  });

  test("never asks for what the tables forbid, whatever it sees", () => {
    const situation = fc.record({
      run: fc.constantFrom(...(Object.keys(runTable) as RunState[])),
      emergenciesLeft: fc.nat({ max: 2 }),
      phases: fc.array(
        fc.record({
          name: fc.constantFrom("a", "b", "c"),
          state: fc.constantFrom(...(Object.keys(phaseTable) as PhaseState[])),
          forwardOnly: fc.boolean(),
          stepsLeft: fc.nat({ max: 2 }),
          completesLeft: fc.nat({ max: 2 }),
          approved: fc.boolean(),
          hasGates: fc.boolean(),
        }),
        { maxLength: 4 },
      ),
    });
    fc.assert(
      fc.property(situation, (seen) => {
        const action = decide(seen);
        if (!("phase" in action)) return;
        const { state } = seen.phases.find((each) => each.state !== "SEALED" || each.completesLeft > 0) ?? {};
        if (state === undefined) throw new Error("an action without a phase in hand");
        const needs = { begin: "begin", gate: "gate", restart: "restart" } as const;
        const event = action.do in needs ? needs[action.do as keyof typeof needs] : undefined;
        if (event !== undefined) expect(legalEvents(phaseTable, state)).toContain(event);
      }),
    );
  });
});

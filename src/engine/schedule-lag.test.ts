import { describe, expect, test } from "vitest";
import { compile, defineMigration, phase, step } from "../plan/index.ts";
import type { StepMemory } from "./run-memory.ts";
import { scheduleLag } from "./schedule-lag.ts";

const dayMs = 86_400_000;
const at = (day: string): number => Date.parse(day);

function lag(
  now: string,
  done: readonly string[],
  schedule: { readonly start?: string; readonly end?: string } | undefined,
  efforts: Readonly<Record<string, string>> = {},
): { readonly done: number; readonly days: number } {
  const units = ["a", "b", "c", "d"].map((name) => {
    const effort = efforts[name] as `${number}d` | undefined;
    return effort === undefined ? name : { name, effort };
  });
  const steps = () => [step("copy", { run: () => {} })];
  const more = schedule === undefined ? {} : { schedule };
  const compiled = compile(
    defineMigration({ name: "m", units, phases: [phase("move", { steps })], ...more }),
  );
  const state = (id: string): StepMemory => ({
    state: done.includes(id.split("@")[1] ?? "") ? "DONE" : "PENDING",
    attempt: 1,
    checkpoint: undefined,
    error: undefined,
  });
  const found = scheduleLag(compiled, { createdAt: at("2026-01-11"), step: state }, at(now));
  return { done: found.done, days: found.behindMs / dayMs };
}

describe("how far a run is behind its schedule", () => {
  const schedule = { start: "2026-01-01", end: "2026-01-20" };
  test.each([
    ["half done at half time is on the line", "2026-01-11", ["a", "b"], 0],
    ["a quarter done at half time is five days behind", "2026-01-11", ["a"], 5],
    ["three quarters done at half time is five days ahead", "2026-01-11", ["a", "b", "c"], -5],
    ["half done ten days after the end is twenty behind", "2026-01-31", ["a", "b"], 20],
    ["all done is never behind", "2026-03-01", ["a", "b", "c", "d"], 0],
  ])("%s", (_, now, done, days) => {
    expect(lag(now, done, schedule).days).toBeCloseTo(days, 6);
  });

  test("weighs units by their effort where all have one", () => {
    const efforts = { a: "6d", b: "2d", c: "1d", d: "1d" };
    expect(lag("2026-01-11", ["a"], schedule, efforts)).toMatchObject({ done: 0.6 });
    expect(lag("2026-01-11", ["a"], schedule, { a: "6d" })).toMatchObject({ done: 0.25 });
  });

  test("counts from the run's own start where the schedule has none, and nothing without an end", () => {
    expect(lag("2026-01-16", [], { end: "2026-01-30" }).days).toBeCloseTo(5, 6);
    expect(lag("2026-01-16", [], undefined).days).toBe(0);
  });
});

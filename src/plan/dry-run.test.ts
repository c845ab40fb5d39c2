import { describe, expect, test } from "vitest";
import { CutoverError } from "../core/index.ts";
import { command } from "./command.ts";
import { defineMigration } from "./define-migration.ts";
import type { Phase } from "./definition.ts";
import { dryRun } from "./dry-run.ts";
import { memory, rate } from "./measures.ts";
import { check, phase } from "./phase.ts";
import type { PlanReport } from "./plan-report.ts";
import { step } from "./task.ts";
import { when } from "./when.ts";

/** A step's functions that must never be called while planning. */
const untouched = (): never => {
  throw new Error("a plan touched something");
};
const ready = check("backup restores", untouched);

const planOf = (...phases: Phase[]): Promise<PlanReport> =>
  dryRun(defineMigration({ name: "queue", phases }));

describe("a dry run", () => {
  test("tells everything a run would do and calls nothing but the steps' plans", async () => {
    const report = await dryRun(
      defineMigration({
        name: "work-order-queue",
        title: "Work orders",
        units: [
          { name: "orders", effort: "2h" },
          { name: "files", effort: "1h" },
        ],
        phases: [
          phase("prepare", { entry: [ready] }),
          phase("move", {
            wayBack: [ready],
            steps: [
              step("backfill", {
                run: untouched,
                rollback: untouched,
                plan: () => ({ summary: "22 work orders", touches: ["new queue"] }),
                estimate: "5s",
              }),
              step("verify", { run: untouched, summary: "counts and digests" }),
            ],
            exit: [rate.error().below(0.01)],
          }),
          phase("retire", {
            forwardOnly: true,
            approval: { by: 1 },
            steps: [step("drop", { run: untouched, irreversible: true, estimate: "1s" })],
          }),
        ],
        triggers: [
          when(rate.error().worseThan("old", { by: 2 })).then("rollback"),
          when(memory().above(0.9)).then("throttle", { phases: ["move"] }),
        ],
        contingencies: [
          { name: "stuck", on: "rollback-stuck", steps: [command("call", { run: ["page", "on-call"] })] },
        ],
      }),
    );
    expect(report).toMatchObject({
      migration: "work-order-queue",
      stepCount: 3,
      effortMs: 10_800_000,
      estimate: { ms: 6_000, unknown: 1, path: ["prepare", "move", "retire"] },
      irreversible: [{ phase: "retire", steps: ["retire/drop"] }],
      approvals: [{ phase: "retire", by: 1, from: [] }],
      triggers: [
        { name: "errors > 2× old", action: "rollback", phases: null },
        { name: "memory > 90 %", action: "throttle", phases: ["move"] },
      ],
      wayBack: {
        provenBefore: ["move"],
        notProvenBefore: ["prepare"],
        endsWith: "retire",
        nothingToUndo: ["move/verify"],
      },
      contingencies: [{ name: "stuck", on: "rollback-stuck", steps: ["run page on-call"] }],
      problems: [],
    });
    expect(report.phases[0]).toMatchObject({ name: "prepare", entry: ["backup restores"], steps: [] });
    expect(report.phases[1]?.exit).toEqual(["errors below 1 %"]);
    expect(report.phases[1]?.steps[0]).toMatchObject({
      summary: "22 work orders",
      estimateMs: 5_000,
      touches: ["new queue"],
      undo: "rollback",
      critical: true,
    });
    expect(JSON.parse(JSON.stringify(report))).toMatchObject({ hash: report.hash });
  });

  test("adds estimates along the longest chain, not over everything", async () => {
    const timed = (name: string, estimate: string, after: string[]): ReturnType<typeof step> =>
      step(name, { run: untouched, estimate, after });
    const report = await planOf(
      phase("move", {
        steps: [timed("a", "5s", []), timed("b", "1s", []), timed("c", "2s", ["a"]), timed("d", "3s", ["b"])],
      }),
      phase("side", { after: [], steps: [timed("x", "4s", [])] }),
      phase("last", { after: ["move", "side"], steps: [timed("y", "1s", [])] }),
    );
    expect(report.phases.map(({ estimate }) => estimate.ms)).toEqual([7_000, 4_000, 1_000]);
    expect(report.phases[0]?.estimate.path).toEqual(["move/a", "move/c"]);
    expect(report.phases[0]?.steps.filter((found) => found.critical).map((found) => found.name)).toEqual([
      "a",
      "c",
    ]);
    expect(report.estimate).toEqual({ ms: 8_000, unknown: 0, path: ["move", "last"] });
  });

  test("keeps the whole report when one step cannot be planned, and says which and why", async () => {
    const missing = new CutoverError("CUTOVER_DATA_MISSING", {
      message: "expected a folder at data/old, found none",
    });
    const report = await planOf(
      phase("move", {
        steps: [
          step("backfill", { run: untouched, plan: () => Promise.reject(missing) }),
          step("verify", {
            run: untouched,
            plan: () => {
              throw new Error("boom");
            },
          }),
        ],
      }),
    );
    expect(report.stepCount).toBe(2);
    expect(report.problems).toMatchObject([
      { step: "move/backfill", code: "CUTOVER_DATA_MISSING", remedy: missing.remedy },
      { step: "move/verify", code: "CUTOVER_PLAN_INVALID", message: "boom" },
    ]);
  });

  test("treats an estimate that is no time as unknown", async () => {
    const report = await planOf(
      phase("move", {
        steps: [step("copy", { run: untouched, plan: () => ({ summary: "copy", estimateMs: Number.NaN }) })],
      }),
    );
    expect(report.estimate).toMatchObject({ ms: 0, unknown: 1 });
  });

  test("shows a way back through the whole run where no phase is forward-only", async () => {
    const report = await planOf(
      phase("move", { steps: [step("copy", { run: untouched, rollback: untouched })] }),
    );
    expect(report.wayBack).toEqual({
      provenBefore: [],
      notProvenBefore: ["move"],
      endsWith: undefined,
      nothingToUndo: [],
    });
    expect(report.irreversible).toEqual([]);
  });
});

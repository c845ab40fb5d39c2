import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { compile, dryRun, type Step, step } from "../index.ts";

const orders = new Map([["a", "queued"]]);
const moved = new Map<string, string>();

// What the sample imports from the doors of other rooms, as plain steps.
const shadow = (route: string, options: { for: string }): Step =>
  step("shadow", { run: () => {}, input: { route, ...options } });
const backfill = (): Step =>
  step("backfill", {
    run: () => orders.forEach((state, id) => moved.set(id, state)),
    rollback: () => moved.clear(),
  });
const verify = (): Step => step("verify", { run: () => orders.size === moved.size });
const ramp = (route: string, shares: number[], options: { hold: string }): Step =>
  step("ramp", { run: () => {}, rollback: () => {}, input: { route, shares, ...options } });
const retireOldPath = (): Step => step("drop", { run: () => orders.clear(), irreversible: true });

// <sample>
import { defineMigration, p99, phase, rate, when } from "../index.ts";

const migration = defineMigration({
  name: "work-order-queue",
  units: ["work-orders"],
  phases: [
    phase("shadow", {
      steps: [shadow("queue.submit", { for: "10m" })],
      exit: [rate.mismatch("queue.submit").below(0.001)],
    }),
    phase("move", { steps: [backfill(), verify()] }),
    phase("rollout", { steps: [ramp("queue.submit", [10, 50, 100], { hold: "10m" })] }),
    phase("retire", { forwardOnly: true, approval: { by: 1 }, steps: [retireOldPath()] }),
  ],
  triggers: [
    when(rate.error().worseThan("old", { by: 2 })).then("rollback"),
    when(p99().worseThan("old", { by: 2 })).then("pause"),
  ],
});
// </sample>

describe("a migration as the README shows it", () => {
  test("takes at most 25 lines, imports and formatting included", async () => {
    const source = await readFile(new URL(import.meta.url), "utf8");
    const sample = /\/\/ <sample>\n([^]*?)\/\/ <\/sample>/.exec(source)?.[1] ?? "";
    expect(sample).toContain("defineMigration");
    expect(
      sample
        .trim()
        .split("\n")
        .filter((line) => line.trim() !== "").length,
    ).toBeLessThanOrEqual(25);
  });

  test("compiles in the order it is written and plans without touching anything", async () => {
    expect(compile(migration).steps.map(({ id }) => id)).toEqual([
      "shadow/shadow",
      "move/backfill",
      "move/verify",
      "rollout/ramp",
      "retire/drop",
    ]);
    const report = await dryRun(migration);
    expect(report.wayBack.endsWith).toBe("retire");
    expect([orders.size, moved.size]).toEqual([1, 0]);
  });
});

import { describe, expect, test } from "vitest";
import { loadText } from "../../test/plans/load-text.ts";
import { dryRun, type PlanReport } from "../plan/index.ts";
import { readDocument } from "./read-document.ts";
import { writeDefinition } from "./write-definition.ts";

const written = (plan: string): string => writeDefinition(readDocument(plan, { file: "PLAN.md" }));
const planOf = async (plan: string): Promise<PlanReport> => await dryRun(loadText(written(plan)).default);

describe("a plan kept as a sheet", () => {
  const sheet = [
    "| Phase | Task | Team | Planned | Done? | Acceptance | Rollback |",
    "|---|---|---|---|---|---|---|",
    "| 1 Prepare | Create buckets | Infra | 2d | yes | policy tested | delete buckets |",
    "| 1 Prepare | Sync keys | Security | 1d | no | 100 % of keys readable | revoke keys |",
    "| 2 Switch | Point apps to the bucket | Apps | 4h | no | error rate < 0.1 % | point apps back |",
    "| **Total** | | | 3.5d | | | |",
    "",
  ].join("\n");

  test("has each line as a step of its phase, and no phase for the sum", async () => {
    const { phases } = await planOf(sheet);
    expect(phases.map(({ title, steps }) => [title, steps.map(({ name }) => name)])).toEqual([
      ["1 Prepare", ["create-buckets", "sync-keys"]],
      ["2 Switch", ["point-apps-to-the-bucket"]],
    ]);
  });

  test("asks for what each line accepts, and goes back through its lines from the last", () => {
    const text = written(sheet);
    expect(text).toContain('unproven("policy tested"');
    expect(text).toContain("rate.error().below(0.001)");
    expect(text).toContain("way back: revoke keys; delete buckets");
    expect(text).toContain("Infra · 2d");
    expect(text).toContain('Said to be done ("yes").');
    expect(text).toContain('Said to be open ("no").');
  });
});

describe("a table of tasks", () => {
  test("names the task alone as what is claimed, its other cells beside it", () => {
    const text = written(
      "# Upgrade\n\n## Tasks\n\n| # | Task | Owner | Duration | Status | Depends on |\n|---|---|---|---|---|---|\n| 1 | Take a backup | Ana | 2 h | Done | |\n| 2 | Switch over | Ben | 1 day | Not started | 1 |\n",
    );
    expect(text).toContain('unproven("Take a backup"');
    expect(text).toContain("// 1 · Ana · 2 h.");
    expect(text).toContain('Said to be done ("Done").');
  });
});

describe("a table of what to go on and what to stop for", () => {
  test("has goals and limits, each with its measure, and the action of the row for the limit", () => {
    const { criteria, triggers, thresholds } = readDocument(
      "# Upgrade\n\n## Go / no-go\n\n| Metric | Go | No-go | Action |\n|---|---|---|---|\n| Replication lag | < 5 s | > 30 s | Postpone |\n| Row difference | 0 | > 0 | Abort |\n| p95 time | <= 120 ms | > 200 ms | Roll back |\n",
      { file: "PLAN.md" },
    );
    expect(criteria.map(({ text }) => text)).toEqual([
      "Replication lag < 5 s",
      "Row difference = 0",
      "p95 time <= 120 ms",
    ]);
    expect(triggers.map(({ text, does }) => [text, does])).toEqual([
      ["Replication lag > 30 s", "pause"],
      ["Row difference > 0", "rollback"],
      ["p95 time > 200 ms", "rollback"],
    ]);
    expect(
      thresholds
        .filter(({ quantile }) => quantile === 0.95)
        .map(({ numberText, unit, sense }) => [numberText, unit, sense]),
    ).toEqual([
      ["120", "ms", "goal"],
      ["200", "ms", "limit"],
    ]);
  });
});

describe("a plan of nothing but checklists", () => {
  const lists =
    "# 🚀 Move\n\n## 🧹 Clean up\n- ✅ Freeze plugins\n\n## 📦 Content\n- ⬜ Import articles\n- 🚧 Map categories\n\n## 🌍 Go live\n- 🔲 Switch DNS\n\n## 🔙 Undo\n- 🔲 Switch DNS back\n";

  test("has its lists as phases in order, open and begun points alike as steps", async () => {
    const { phases } = await planOf(lists);
    expect(phases.map(({ name, steps }) => [name, steps.map((step) => step.name)])).toEqual([
      ["clean-up", ["freeze-plugins"]],
      ["content", ["import-articles", "map-categories"]],
      ["go-live", ["switch-dns"]],
    ]);
    expect(written(lists)).toContain('Ticked "✅" in the plan');
  });

  test("has the list of the way back as a procedure, not as something to show before the end", () => {
    expect(written(lists)).toMatch(/contingencies: \[\s*\/\/ PLAN\.md:13 Undo[\s\S]*switch-dns-back/);
  });
});

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parseSync } from "oxc-parser";
import { check as formatted, type Options } from "prettier";
import { describe, expect, test } from "vitest";
import { arbitraryInventory } from "../../test/plans/arbitrary-inventory.ts";
import { loadText } from "../../test/plans/load-text.ts";
import { dryRun, type PlanReport } from "../plan/index.ts";
import { claimsIn } from "./bind-claims.ts";
import { scan } from "./bind-scan.ts";
import { readDocument } from "./read-document.ts";
import { writeDefinition } from "./write-definition.ts";

const style: Options = { parser: "typescript", printWidth: 110 };

const written = (plan: string): string => writeDefinition(readDocument(plan, { file: "docs/PLAN.md" }));
const planOf = async (plan: string): Promise<PlanReport> => await dryRun(loadText(written(plan)).default);

describe("a definition written from a plan", () => {
  test("has the plan's checklists as claims without proof, each with its line", async () => {
    const plan = await planOf(
      "# Move\n\n## Phase 1: Copy\n\n**Steps**:\n\n1. Deploy the copier\n\n**Verification**:\n- [x] All unit tests pass\n- [ ] Docs are reviewed\n",
    );
    expect(plan.phases.map(({ name, title }) => [name, title])).toEqual([["copy", "Copy"]]);
    expect(plan.unproven.map(({ role, name, from, by }) => [role, name, from, by])).toEqual([
      ["step", "copy/deploy-the-copier", "PLAN.md:7", ["command", "metric", "data", "approval"]],
      ["exit", "All unit tests pass", "PLAN.md:10", ["command"]],
      ["exit", "Docs are reviewed", "PLAN.md:11", ["approval"]],
    ]);
    expect(written("# Move\n\n## Phase 1: Copy\n\n- [x] All tests pass\n")).toContain(
      '// Ticked "[x]" in the plan; a tick proves nothing.',
    );
  });

  test("measures what the tool can measure, and alters no number", () => {
    const text = written(
      "# Move\n\n## Phase 1: Copy\n\n1. Copy it\n\n## Monitoring\n\n| Metric | Threshold | Action if Exceeded |\n|---|---|---|\n| Error rate | > 0.07% | Pause rollout |\n| p95 latency | > 1.5x baseline | Rollback |\n| Memory usage | > 85% | Reduce concurrency |\n| Queue depth growth | > 10/min | Check scheduler |\n",
    );
    expect(text).toContain('when(rate.error().above(0.0007)).then("pause"');
    expect(text).toContain('when(p95().worseThan("old", { by: 1.5 })).then("rollback"');
    expect(text).toContain('when(memory().above(0.85)).then("throttle"');
    expect(text).toMatch(/when\(\s*unproven\("Queue depth growth · > 10\/min · Check scheduler"/);
    const { triggers } = loadText(text).default;
    expect(triggers).toHaveLength(4);
  });

  test("has what is to be shown before a deletion stand before it", () => {
    const steps = (plan: string): unknown =>
      loadText(written(plan)).default.phases.map(({ name, entry, steps: all, exit }) => [
        name,
        entry.map((check) => check.name),
        all.map((step) => step.name),
        exit.map((gate) => gate.name),
      ]);
    expect(
      steps(
        "# Move\n\n## Phase 1: Clean\n\n- [ ] Backup restores\n- [ ] All tests pass\n\n```bash\nrm -rf old\n```\n",
      ),
    ).toEqual([
      ["clean", [], ["backup-restores", "all-tests-pass"], []],
      ["clean-final", [], ["rm-old"], []],
    ]);
    expect(
      steps(
        "# Move\n\n## Phase 1: Clean\n\n**Checklist:**\n\n- [ ] Backup restores\n\n**Steps:**\n\n1. Delete the old tree: `rm -rf old`\n\n**Verification:**\n\n- [ ] Nothing refers to it\n",
      ),
    ).toEqual([
      ["clean", [], [], ["Backup restores"]],
      ["clean-final", [], ["rm-old"], ["Nothing refers to it"]],
    ]);
    expect(
      steps(
        "# Move\n\n## Phase 1: Swap\n\n- [ ] Backup restores\n\n```bash\nsystemctl stop old\n```\n\n- [ ] Nobody complains\n",
      ),
    ).toEqual([["swap", [], ["backup-restores", "systemctl-stop-old", "nobody-complains"], []]]);
    expect(
      steps(
        "# Move\n\n## Phase 1: Clean\n\nSuccess criteria:\n\n- Error rate below 1%\n\nThen:\n\n```bash\nrm -rf cache\n```\n\n**Checklist:**\n\n- [ ] Backup restores\n\n```bash\nrm -rf old\n```\n\n**Verification:**\n\n- [ ] Old is gone\n",
      ),
    ).toEqual([
      ["clean", [], [], ["errors below 1 %", "Backup restores"]],
      ["clean-final", [], ["rm-cache", "rm-old"], ["Old is gone"]],
    ]);
    expect(
      steps(
        "# Move\n\n## Checklist\n\n- [ ] Backup restores\n\n## Export\n\n```bash\npg_dump legacy > dump\n```\n\n## Acceptance\n\n- [ ] Support is calm\n\n## Phase 1: Copy\n\n1. Copy\n\n## Phase 2: Drop\n\n```bash\ndropdb legacy\n```\n\n## Phase 3: Watch\n\n- [ ] Nobody complains\n",
      ),
    ).toEqual([
      ["copy", [], ["copy"], []],
      ["drop", [], [], ["Backup restores", "pg_dump legacy > dump"]],
      ["drop-final", [], ["dropdb-legacy"], []],
      ["watch", [], ["nobody-complains"], ["Support is calm"]],
    ]);
    expect(
      steps(
        "# Move\n\n## Phase 1: Retire\n\n**Rollback:** none, this cannot be undone\n\n**Checklist:**\n\n- [ ] Backup restores\n\n**Steps:**\n\n1. Drop the old database\n",
      ),
    ).toEqual([
      ["retire", [], [], ["Backup restores"]],
      ["retire-final", [], ["drop-the-old-database"], []],
    ]);
  });

  test("takes a deletion that stands inside a sentence for one, and what a list says around it for steps", () => {
    const steps = (plan: string): unknown =>
      loadText(written(plan)).default.phases.map(({ steps: all, forwardOnly }) => [
        forwardOnly,
        all.map((step) => step.name),
      ]);
    const before = [false, ["check-that-the-backup-restores"]];
    expect(
      steps("# Move\n\n1. Check that the backup restores\n2. Run `kubectl delete ns old`\n3. Tell support\n"),
    ).toEqual([before, [true, ["kubectl-delete-ns-old", "tell-support"]]]);
    expect(
      steps(
        "# Move\n\n- Check that the backup restores\n- Clean:\n\n  ```bash\n  rm -rf old\n  ```\n\n## Hosts\n\n- a\n",
      ),
    ).toEqual([before, [true, ["rm-old"]]]);
    for (const [command, name] of [
      ["dropdb legacy", "dropdb-legacy"],
      ["DROP TABLE legacy", "drop-table-legacy"],
    ] as const)
      expect(
        steps(
          `# Move\n\n## Phase 1: Drop\n\n1. Check that the backup restores\n2. Then \`${command}\`\n3. Tell support\n`,
        ),
      ).toEqual([before, [true, [name, "tell-support"]]]);
    expect(
      steps(
        "# Move\n\n## Phase 1: Drop\n\n- [ ] Check that the backup restores\n- [ ] Run `rm -rf old`\n- [ ] Tell support\n",
      ),
    ).toEqual([before, [true, ["run-rm-rf-old", "tell-support"]]]);
  });

  test("makes every command a step that a person reads first, and what deletes one that a person approves", async () => {
    const plan =
      "# Move\n\n## Phase 1: Swap\n\n### Step 1: Move\n\n```bash\nmkdir -p new/{a,b}\nmv src/ old/\n```\n\n### Step 2: Clean\n\n```bash\nrm -rf old/\n```\n\n**Verification**:\n- [ ] Old tree unused\n\n## Rollback Plan\n\n```bash\ngit checkout before\n```\n";
    const text = written(plan);
    const { phases } = loadText(text).default;
    expect(phases.map(({ name, forwardOnly, approval }) => [name, forwardOnly, approval])).toEqual([
      ["swap", false, undefined],
      ["swap-final", true, { by: 1 }],
    ]);
    expect(phases[0]?.steps.map(({ input }) => input)).toEqual([
      { run: ["bash", "-c", "mkdir -p new/{a,b}"], rollback: ["git", "checkout", "before"], review: true },
      { run: ["mv", "src/", "old/"], review: true },
    ]);
    expect(phases[1]?.steps.map(({ input }) => input)).toEqual([
      { run: ["rm", "-rf", "old/"], irreversible: true, review: true },
    ]);
    // What is to be shown is shown before anything is gone for good.
    expect(phases[0]?.exit.map(({ name }) => name)).toEqual(["Old tree unused"]);
    expect((await planOf(plan)).irreversible).toEqual([
      { phase: "swap-final", steps: ["swap-final/rm-old"] },
    ]);
  });

  test("does not run the way back of a phase on the way forward", () => {
    const { phases } = loadText(
      written(
        "# Move\n\n## Phase 1: Deploy\n\n```bash\nkubectl apply -f new.yaml\n```\n\n### Rollback\n\n```bash\nkubectl rollout undo deploy/app\n```\n",
      ),
    ).default;
    expect(phases[0]?.steps.map(({ input }) => input)).toEqual([
      {
        run: ["kubectl", "apply", "-f", "new.yaml"],
        rollback: ["kubectl", "rollout", "undo", "deploy/app"],
        review: true,
      },
    ]);
  });

  test("has tables as maps, and lists by name what lacks a side", () => {
    const loaded = loadText(
      written(
        "# Move\n\n## Phase 1: A\n\n1. Do\n\n## Status Mapping\n\n| Old Status | New State |\n|---|---|\n| `queued` | `PENDING` |\n| (none) | `CANCELLED` |\n| `odd` | (none) |\n",
      ),
    );
    expect(loaded["statusMapping"]).toEqual({ queued: "PENDING" });
    expect(loaded["statusMappingNoOld"]).toEqual(["CANCELLED"]);
    expect(loaded["statusMappingNoNew"]).toEqual(["odd"]);
  });

  test("names phases and steps whose words hold no Latin letter, and keeps the words", () => {
    const text = written(
      "# 仓库迁移\n\n## 阶段 1: 准备\n\n- [ ] 备份已完成\n\n## 阶段 2: 切换\n\n- [ ] 数据一致\n",
    );
    const { phases } = loadText(text).default;
    const claims = claimsIn(text, scan(text)).map((claim) => claim.text);
    expect(phases.map(({ name, title }) => [name, title])).toEqual([
      ["phase-1", "准备"],
      ["phase-2", "切换"],
    ]);
    expect(claims).toEqual(["备份已完成", "数据一致"]);
  });

  test("of a plan without phases has the headings that hold work", () => {
    const { phases } = loadText(
      written(
        "# Runbook\n\n## Backup\n\n```bash\npg_dump app > app.sql\n```\n\n## Switch\n\n```bash\n./switch.sh\n```\n",
      ),
    ).default;
    expect(phases.map(({ name, steps }) => [name, steps.length])).toEqual([
      ["backup", 1],
      ["switch", 1],
    ]);
  });

  test("of prose alone holds at the whole of it", async () => {
    const { unproven } = await planOf("# Our great migration\n\nWe shall see.\n");
    expect(unproven.map(({ name }) => name)).toEqual(["migration/migration"]);
  });

  test("is refused a document without a name", () => {
    expect(() => writeDefinition(readDocument("# A\n"), { document: " " })).toThrow(
      "expected a name for the document",
    );
  });

  test.each([
    ["rollout: [0.00001, 50, 100]"],
    ["rollout: [10, 10.00001, 100]"],
    ["rollout: [0.00001, 0.00002]"],
  ])("has shares that no ramp can take as a claim: %s", (literal) => {
    const plan = `# A\n\n## Phase 1: Rollout\n\n\`\`\`yaml\n${literal}\n\`\`\`\n`;
    expect(readDocument(plan).ramps).toHaveLength(1);
    const text = written(plan);
    expect(text).not.toMatch(/\bramp\(/);
    expect(loadText(text).default.type).toBe("migration");
  });

  test("parses, loads and is whole whatever was read", () => {
    fc.assert(
      fc.property(arbitraryInventory, (inventory) => {
        const text = writeDefinition(inventory);
        expect(parseSync("crossing.ts", text).errors).toEqual([]);
        expect(loadText(text).default.type).toBe("migration");
      }),
      { numRuns: 300 },
    );
  });

  test("is written the same from the same inventory", () => {
    fc.assert(
      fc.property(arbitraryInventory, (inventory) => {
        expect(writeDefinition(inventory)).toBe(writeDefinition(structuredClone(inventory)));
      }),
      { numRuns: 30 },
    );
  });
});

const fixtures = join(import.meta.dirname, "fixtures");

test.each(readdirSync(fixtures))("%s becomes a definition that is whole and formatted", async (name) => {
  const text = writeDefinition(readDocument(readFileSync(join(fixtures, name)), { file: name }));
  expect((await dryRun(loadText(text).default)).problems).toEqual([]);
  expect(await formatted(text, style)).toBe(true);
});

const seeds = join(import.meta.dirname, "../../../shared/seeds");

describe.skipIf(!existsSync(seeds))("the five plans (skipped where their folder is absent)", () => {
  const plans = existsSync(seeds) ? readdirSync(seeds).filter((name) => name.endsWith(".txt")) : [];
  const textOf = (start: string): string => {
    const name = plans.find((each) => each.startsWith(start)) ?? "";
    return writeDefinition(readDocument(readFileSync(join(seeds, name)), { file: "PLAN.md" }));
  };

  test.each(plans)("%s becomes a definition that is whole and formatted", async (name) => {
    const text = textOf(name);
    const plan = await dryRun(loadText(text).default);
    expect(plan.problems).toEqual([]);
    expect(plan.unproven.length).toBeGreaterThan(10);
    expect(await formatted(text, style)).toBe(true);
  });

  test("keep their phases, units, ramps, limits and maps", () => {
    const four = loadText(textOf("004"));
    expect(four.default.phases.map(({ name }) => name)).toEqual([
      "parallel-implementation",
      "feature-flag-integration",
      "gradual-rollout",
      "legacy-removal",
    ]);
    expect(textOf("004")).toContain('ramp("work-orders", [10, 50, 100])');
    expect(Object.keys(four["workOrderStatusMapping"] as object)).toHaveLength(5);
    expect(four["workOrderStatusMappingNoOld"]).toEqual(["WAITING_RETRY", "CANCELLED"]);
    const one = loadText(textOf("001")).default;
    expect(one.waves.map(({ name }) => name)).toEqual(["p0", "p1", "p2", "p3", "p4"]);
    expect(one.phases.at(-1)?.forwardOnly).toBe(true);
    const two = loadText(textOf("002")).default;
    expect(two.units).toHaveLength(6);
    expect(two.units.find(({ name }) => name === "worker-rbee-startup")?.after).toEqual([
      "worker-rbee-error",
    ]);
    expect(loadText(textOf("003")).default.schedule).toEqual({ start: "2025-12-01", end: "2026-03-09" });
    const zero = loadText(textOf("000")).default;
    expect(zero.units).toHaveLength(8);
    expect(
      zero.phases.at(-1)?.steps.every(({ input }) => JSON.stringify(input).includes('"irreversible":true')),
    ).toBe(true);
  });
});

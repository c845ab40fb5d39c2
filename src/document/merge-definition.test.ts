import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryInventory } from "../../test/plans/arbitrary-inventory.ts";
import { loadText } from "../../test/plans/load-text.ts";
import { bindClaim } from "./bind-definition.ts";
import { isImported, type Merged, mergeDefinition } from "./merge-definition.ts";
import { readDocument } from "./read-document.ts";
import { writeDefinition } from "./write-definition.ts";

const plan = `# Move

## Phase 1: Copy

1. Deploy the copier
2. Start it

**Verification**:
- [ ] All unit tests pass
- [ ] No row is lost

## Phase 2: Switch

1. Switch over

**Verification**:
- [ ] Users notice nothing

## Monitoring

| Metric | Threshold | Action if Exceeded |
|---|---|---|
| Error rate | > 1% | Pause rollout |
`;

const write = (text: string): string => writeDefinition(readDocument(text, { file: "PLAN.md" }));
const merge = (existing: string, text: string, prune = false): Merged =>
  mergeDefinition(existing, write(text), { prune, file: "crossing.ts" });
const bound = (text: string, claim: string): string =>
  bindClaim(text, claim, { sort: "command", run: ["npm", "test"] }, "crossing.ts").text;
const told = ({ changes }: Merged): readonly string[] =>
  changes.map(
    ({ kind, outcome, claim, before }) =>
      `${kind} ${outcome} ${before === undefined ? "" : `${before} → `}${claim}`,
  );

describe("a plan imported again", () => {
  test("changes nothing when nothing changed, and only lines when words moved", () => {
    const first = write(plan);
    expect(merge(first, plan)).toEqual({ text: first, changes: [] });
    const later = merge(first, plan.replace("# Move\n", "# Move\n\nSome words before it all.\n"));
    expect(later.changes).toEqual([]);
    expect(later.text).toContain('unproven("All unit tests pass", { from: "PLAN.md:11", by: ["command"] })');
    expect(later.text.replaceAll(/PLAN\.md:\d+|[0-9a-f]{64}|Written so.*|\/\/ Read, and.*\n/g, "")).toBe(
      first.replaceAll(/PLAN\.md:\d+|[0-9a-f]{64}|Written so.*|\/\/ Read, and.*\n/g, ""),
    );
  });

  test("brings what came and takes what went, and keeps what was bound with its new line", () => {
    const existing = bound(write(plan), "All unit tests pass");
    const merged = merge(
      existing,
      plan.replace("2. Start it\n", "").replace("- [ ] No row", "- [ ] Load test holds\n- [ ] No row"),
    );
    expect(told(merged)).toEqual(["removed done Start it", "added done Load test holds"]);
    const { phases } = loadText(merged.text).default;
    expect(phases[0]?.exit.map(({ name }) => name)).toEqual([
      "All unit tests pass",
      "Load test holds",
      "No row is lost",
    ]);
    expect(merged.text).toContain(
      'commandGate("All unit tests pass", { run: ["npm", "test"], from: "PLAN.md:8" })',
    );
  });

  test("follows a limit that nobody touched, and keeps one that a person changed", () => {
    const first = write(plan);
    const stricter = plan.replace("> 1%", "> 2%");
    const followed = merge(first, stricter);
    expect(told(followed)).toEqual([
      "changed done Error rate · > 1% · Pause rollout → Error rate · > 2% · Pause rollout",
    ]);
    expect(followed.text).toContain("rate.error().above(0.02)");
    expect(followed.text).not.toContain("rate.error().above(0.01)");
    const own = first.replace("rate.error().above(0.01)", "rate.error().above(0.005)");
    const kept = merge(own, stricter);
    expect(told(kept)).toEqual([
      "removed kept Error rate · > 1% · Pause rollout",
      "added done Error rate · > 2% · Pause rollout",
    ]);
    expect(kept.text).toContain("rate.error().above(0.005)");
  });

  test("never loses a binding in silence: gone from the plan, it is told and kept until it is pruned", () => {
    const existing = bound(write(plan), "No row is lost");
    const without = plan.replace("- [ ] No row is lost\n", "");
    const kept = merge(existing, without);
    expect(told(kept)).toEqual(["removed kept No row is lost"]);
    expect(kept.text).toContain('commandGate("No row is lost"');
    expect(told(merge(kept.text, without))).toEqual(["removed kept No row is lost"]);
    const pruned = merge(kept.text, without, true);
    expect(told(pruned)).toEqual(["removed done No row is lost"]);
    expect(pruned.text).not.toContain("No row is lost");
    expect(loadText(pruned.text).default.phases).toHaveLength(2);
  });

  test("does not ask again for what people approve with its phase", () => {
    const existing = bindClaim(
      write(plan),
      "No row is lost",
      { sort: "approval", by: 2 },
      "crossing.ts",
    ).text;
    const moved = plan.replace("# Move\n", "# Move\n\nWords.\n");
    expect(told(merge(existing, moved))).toEqual([]);
    expect(loadText(merge(existing, moved).text).default.phases[0]?.approval).toEqual({ by: 2 });
  });

  test("keeps a phase with a binding in it, and takes one that nobody touched", () => {
    const without = plan.replace(/## Phase 2[\s\S]*?(?=## Monitoring)/, "");
    expect(loadText(merge(write(plan), without).text).default.phases.map(({ name }) => name)).toEqual([
      "copy",
    ]);
    const kept = merge(bound(write(plan), "Users notice nothing"), without);
    expect(told(kept)[0]).toBe("removed kept switch");
    expect(loadText(kept.text).default.phases.map(({ name }) => name)).toEqual(["copy", "switch"]);
  });

  test("keeps what a person wrote: helpers, steps, comments, order", () => {
    const first = write(plan);
    const own = first
      .replace("const migration:", "const wait = () => {};\n\n// By hand, on purpose.\nconst migration:")
      .replace(/(\n\s+)(step\(\s*"start-it")/, '$1// mine\n        step("warm-up", { run: wait }),$1$2');
    const merged = merge(
      own,
      plan.replace("## Phase 2", "## Phase 2: Watch\n\n- [ ] Calm for a day\n\n## Phase 3"),
    );
    expect(merged.text).toContain("// By hand, on purpose.");
    expect(merged.text).toContain("// mine\n");
    const { phases } = loadText(merged.text).default;
    expect(phases.map(({ name }) => name)).toEqual(["copy", "watch", "switch"]);
    expect(phases[0]?.steps.map(({ name }) => name)).toEqual(["deploy-the-copier", "warm-up", "start-it"]);
  });

  test("adds lists, tables and registers that were not there", () => {
    const bare = "# Move\n\n## Phase 1: Copy\n\n1. Deploy the copier\n";
    const more = `${bare}\n**Verification**:\n- [ ] All tests pass\n\n## Status Mapping\n\n| Old | New |\n|---|---|\n| a | b |\n\n## Risks\n\n| Risk | Probability | Impact | Mitigation |\n|---|---|---|---|\n| Loss | Low | High | Backup |\n`;
    const merged = merge(write(bare), more);
    const loaded = loadText(merged.text);
    expect(loaded["statusMapping"]).toEqual({ a: "b" });
    expect(loaded.default.risks).toHaveLength(1);
    expect(loaded.default.phases[0]?.exit.map(({ name }) => name)).toEqual(["All tests pass"]);
    expect(merge(merged.text, more).changes).toEqual([]);
  });

  test("is known by its first line, and refused where there is no migration in it", () => {
    expect(isImported(write(plan))).toBe(true);
    expect(isImported("export default 1;\n")).toBe(false);
    expect(() => merge("const a = 1;\n", plan)).toThrow("expected defineMigration");
  });

  test("with nothing changed changes nothing, whatever the plan", () => {
    fc.assert(
      fc.property(arbitraryInventory, (inventory) => {
        const text = writeDefinition(inventory);
        const merged = mergeDefinition(text, text, { file: "crossing.ts" });
        expect(merged.changes).toEqual([]);
        expect(merged.text).toBe(text);
      }),
      { numRuns: 100 },
    );
  });

  test("turns one plan into any other where nobody touched the file, and is then at rest", () => {
    fc.assert(
      fc.property(arbitraryInventory, arbitraryInventory, (before, after) => {
        const wanted = writeDefinition(after);
        const merged = mergeDefinition(writeDefinition(before), wanted, { file: "crossing.ts" });
        expect(merged.changes.every(({ outcome }) => outcome === "done")).toBe(true);
        expect(loadText(merged.text).default.type).toBe("migration");
        expect(mergeDefinition(merged.text, wanted, { file: "crossing.ts" }).text).toBe(merged.text);
      }),
      { numRuns: 60 },
    );
  });
});

const seeds = join(import.meta.dirname, "../../../shared/seeds");

describe.skipIf(!existsSync(seeds))("the five plans (skipped where their folder is absent)", () => {
  const plans = existsSync(seeds) ? readdirSync(seeds).filter((name) => name.endsWith(".txt")) : [];
  test.each(plans)("%s, moved by a line, changes nothing but lines", (name) => {
    const text = readFileSync(join(seeds, name), "utf8");
    const merged = merge(write(text), text.replace("\n", "\n\n"));
    expect(told(merged)).toEqual([]);
    expect(merged.text.replace(/hash: "[0-9a-f]+"/, "")).toBe(
      write(text.replace("\n", "\n\n")).replace(/hash: "[0-9a-f]+"/, ""),
    );
  });
});

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  lintDocument,
  type LintFacts,
  type LintFinding,
  lintRules,
  readDocument,
  scanFolder,
  toSarif,
} from "../index.ts";

const look = (source: string, facts: LintFacts = {}): readonly LintFinding[] =>
  lintDocument(readDocument(source, { file: "PLAN.md" }), { source, today: "2030-01-01", ...facts });

/** `error rule 12: found`, of one rule where one is named. */
const told = (source: string, rule?: string, facts: LintFacts = {}): readonly string[] =>
  look(source, facts)
    .filter((finding) => rule === undefined || finding.rule === rule)
    .map((finding) => `${finding.severity} ${finding.rule} ${finding.place.line}: ${finding.found}`);

/** A plan with nothing wrong but what a test adds. */
const plan = (...parts: readonly string[]): string =>
  [
    "# Move",
    "## Phase 1: Copy",
    "- [ ] 0 rows differ",
    "**Exit criteria:**",
    "- [ ] Zero rows lost",
    ...parts,
    "## Rollback plan",
    "1. Route to the old side",
    "",
  ].join("\n\n");

describe("a plan with nothing wrong", () => {
  test("gives no finding at all, also with a clock and with data that fits", () => {
    const source = readFileSync(join(import.meta.dirname, "fixtures/clean.md"), "utf8");
    const first = { file: "orders.json", line: 3 };
    const values = ["open", "held", "closed"].map((value) => ({ value, count: 2, first }));
    expect(look(source, { values: [{ field: "status", from: "data", values }] })).toEqual([]);
  });

  test("is the same when it is read a second time: findings have one order", () => {
    const source = plan("## Phase 2: Switch", "1. Delete the old store", "2. Verify the copy");
    expect(JSON.stringify(look(source))).toBe(JSON.stringify(look(source)));
  });
});

describe("claims", () => {
  test("what is ticked shows something or is told", () => {
    const found = told(
      plan(
        "- [x] Backup taken",
        "- [x] Backup restored, see https://ci.example.org/1",
        "- [x] Merged in 4f2a91c",
        "- [x] Compared ([digest](reports/digest.json))",
        "- [x] Load tested\n  - result in `load-test.json`",
        "- [ ] Not begun",
      ),
      "ticked-without-evidence",
    );
    expect(found).toEqual(["error ticked-without-evidence 11: [x] and no more"]);
  });

  test("a heading that says done is a claim too, and the name of a team shows nothing", () => {
    const found = told(
      plan("## Phase 2: Switch ✅ COMPLETE", "## Phase 3: Cleanup - DONE BY TEAM-12!"),
      "ticked-without-evidence",
    );
    expect(found).toEqual([
      expect.stringContaining('"✅ COMPLETE"'),
      expect.stringContaining("DONE BY TEAM-12!"),
    ]);
  });
});

describe("figures", () => {
  const limits = (...rows: readonly string[]): string =>
    plan("## Limits", ["| Metric | Threshold | Action |", "|---|---|---|", ...rows].join("\n"));

  test("one limit with two numbers is told with both places", () => {
    const source = limits(
      "| Error rate | > 1% | Pause |",
      "| Throughput | < 5 | Pause |",
      "| error rate | > 2% | Pause |",
    );
    const [finding] = look(source).filter(({ rule }) => rule === "threshold-conflict");
    expect(finding).toMatchObject({ severity: "error", found: "> 2%" });
    expect(finding?.expected).toContain("> 1%");
    expect(finding?.also[0]?.line).toBe((finding?.place.line ?? 0) - 2);
  });

  test("other consequences, other sides and other things are no contradiction", () => {
    const source = limits(
      "| Error rate | > 1% | Pause |",
      "| Error rate | > 5% | Roll back |",
      "| Checkout error rate | > 3% | Pause |",
      "| p99 latency | > 200 ms | Pause |",
      "| p95 latency | > 100 ms | Pause |",
      "| p99 latency | > 0.2 s | Pause |",
    );
    expect(told(source, "threshold-conflict")).toEqual([]);
  });

  test("a sum that does not add up is told in its own unit, one that does is not", () => {
    expect(
      told(plan("**Total:** 22 days (4.5 weeks) + 1 week buffer = **5 weeks**"), "sum-mismatch"),
    ).toEqual(["error sum-mismatch 11: 5.5 weeks"]);
    expect(told(plan("**Total:** 20 days (4 weeks) + 1 week buffer = **5 weeks**"), "sum-mismatch")).toEqual(
      [],
    );
    expect(told(plan("**Total:** 9 days + 3 days = **11 days**"), "sum-mismatch")).toHaveLength(1);
  });

  test("efforts of the units are added and held against the stated total", () => {
    const order = (total: string): string =>
      plan(
        "## Migration order",
        "1. **alpha** (1 day)\n2. **beta** (2 days)\n3. **gamma** (4 days)",
        `**Total:** ${total}`,
      );
    expect(told(order("7 days"), "sum-mismatch")).toEqual([]);
    expect(look(order("8 days")).find(({ rule }) => rule === "sum-mismatch")?.expected).toContain("7 days");
  });

  test("a phase with two lengths, and weeks that do not fill it, are told", () => {
    const weeks = (length: string): string =>
      plan(
        "## Phase 2: Engine",
        `### Timeline: ${length}`,
        "1. Week 1:\n   - Deploy\n\n2. Week 2:\n   - Measure",
      );
    expect(told(weeks("2 weeks"), "duration-conflict")).toEqual([]);
    expect(told(weeks("3 weeks"), "duration-conflict")).toHaveLength(1);
  });

  test("what the text counts and what the plan lists are one number", () => {
    expect(
      told(plan("## Phase 2: Switch", "## Summary", "The move has four phases."), "count-mismatch"),
    ).toEqual(["error count-mismatch 15: 2: Copy, Switch"]);
    expect(
      told(plan("## Notes", "Run the following three checks:", "- one\n- two"), "count-mismatch"),
    ).toEqual(["error count-mismatch 13: 2"]);
    expect(
      told(plan("## Notes", "Die folgenden zwei Prüfungen:", "- eins\n- zwei"), "count-mismatch"),
    ).toEqual([]);
  });

  test("parts of a split add up to a hundred", () => {
    const split = (last: number): string =>
      plan("## Traffic split by region", `- EU: 50%\n- US: 30%\n- Asia: ${last}%`);
    expect(told(split(20), "sum-mismatch")).toEqual([]);
    expect(told(split(15), "sum-mismatch")).toEqual([expect.stringContaining("= 95 %")]);
  });
});

describe("tables of values", () => {
  const source = plan(
    "## Order Status Mapping",
    [
      "| Old Status | New State |",
      "|---|---|",
      "| `queued` | `PENDING` |",
      "| `running` | `RUNNING` |",
      "| `done` | `FINISHED` |",
    ].join("\n"),
  );
  const values = (field: string, from: "data" | "code", ...names: readonly string[]): LintFacts => ({
    values: [
      {
        field,
        from,
        values: names.map((value, at) => ({ value, count: at + 1, first: { file: "a.json", line: at + 1 } })),
      },
    ],
  });

  test("a value of the data without a row is told with how often and where it stands first", () => {
    const [finding] = look(source, values("status", "data", "queued", "running", "done", "lost")).filter(
      ({ rule }) => rule === "status-not-covered",
    );
    expect(finding).toMatchObject({
      severity: "error",
      found: "no row for lost (4×)",
      also: [{ file: "a.json", line: 4, what: "lost, first of 4" }],
    });
  });

  test("a row for a value that the data never holds is told, with the right case where only that differs", () => {
    const found = look(source, values("status", "data", "queued", "running", "Done")).filter(
      ({ rule }) => rule === "status-not-found",
    );
    expect(found).toMatchObject([
      { severity: "warning", found: '"done"', remedy: "write it as the data does: Done" },
    ]);
  });

  test("an enumeration of the new side that no row leads to is told as a warning", () => {
    const found = told(
      source,
      "status-not-covered",
      values("enum State", "code", "PENDING", "RUNNING", "FINISHED", "LOST"),
    );
    expect(found).toEqual(["warning status-not-covered 15: no row for LOST"]);
  });

  test("a field of another thing that shares a word or one value is left alone", () => {
    expect(told(source, "status-not-covered", values("http.status", "data", "ok", "moved"))).toEqual([]);
    expect(
      told(source, "status-not-covered", values("engine", "data", "running", "stalled", "cold", "hot")),
    ).toEqual([]);
  });
});

describe("the way back and what has none", () => {
  test("a plan that says nowhere how to go back is told once, at its head", () => {
    expect(told("# Move\n\n## Phase 1: Copy\n\n1. Copy all\n", "no-way-back")).toEqual([
      "error no-way-back 1: none for 1 phases and 1 steps",
    ]);
  });

  test("a command that deletes needs somebody's approval in its phase; what a build makes again does not", () => {
    const phase = (...more: readonly string[]): string =>
      plan(
        "## Phase 2: Cleanup",
        ...more,
        "```sh\nrm -rf old_store/\n```",
        "**Exit criteria:**\n\n- [ ] 0 reads",
      );
    expect(told(phase(), "irreversible-without-approval")).toEqual([
      expect.stringContaining('"rm -rf old_store/": deletes files'),
    ]);
    expect(told(phase("Sign-off by two owners before it begins."), "irreversible-without-approval")).toEqual(
      [],
    );
    expect(told(plan("```sh\nrm -rf ./dist node_modules\n```"), "irreversible-without-approval")).toEqual([]);
  });

  test("a step that takes the old side away is told in other languages too", () => {
    for (const step of [
      "Altes System abschalten",
      "Supprimer l'ancien service",
      "Eliminar la base antigua",
      "Удалить старую базу",
      "删除旧系统",
      "旧システムを廃止",
    ])
      expect(
        told(plan("## Phase 2: Ende", `1. ${step}`), "irreversible-without-approval"),
        step,
      ).toHaveLength(1);
  });

  test("a phase without criteria for its end is told, one with them is not", () => {
    expect(told(plan("## Phase 2: Switch", "1. Switch"), "phase-without-exit")).toEqual([
      "warning phase-without-exit 11: none",
    ]);
  });

  test("takes a sentence that asks for a figure for the end of a phase, and no other sentence with one", () => {
    const phase = (words: string): readonly string[] =>
      told(plan("## Phase 2: Switch", words), "phase-without-exit");
    expect(phase("The consumer lag must stay under 10,000 messages.")).toEqual([]);
    expect(phase("Done when no more than 5 duplicates were seen.")).toEqual([]);
    expect(phase("The old host has more than 5 disks.")).toHaveLength(1);
  });
});

describe("order", () => {
  test("units that wait for each other are told once, with the whole circle", () => {
    const found = told(
      plan(
        "## Migration order",
        "1. **alpha** (depends on gamma)\n2. **beta** (depends on alpha)\n3. **gamma** (depends on beta)",
      ),
      "dependency-cycle",
    );
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/alpha|beta|gamma/);
  });

  test("a dependency that the plan does not hold is told", () => {
    const found = told(
      plan("## Migration order", "1. **alpha** (no dependencies)\n2. **beta** (depends on alpha + driver)"),
      "unknown-dependency",
    );
    expect(found).toEqual([expect.stringContaining('"driver"')]);
  });

  test("a deletion before the first verification is told, one behind it is not", () => {
    const order = (...lines: readonly string[]): string =>
      plan("## Phase 2: Swap", `\`\`\`sh\n${lines.join("\n")}\n\`\`\``);
    expect(told(order("rm -rf old_src/", "make test"), "delete-before-verify")).toEqual([
      'error delete-before-verify 14: "rm -rf old_src/" first',
    ]);
    expect(told(order("make test", "rm -rf old_src/", "make test"), "delete-before-verify")).toEqual([]);
  });

  test("a claim that can only be shown once something is deleted is told, where nothing is shown before", () => {
    const clean = (...parts: readonly string[]): readonly string[] =>
      told(plan("## Phase 2: Clean", ...parts), "delete-before-verify");
    const [list, gone, back] = [
      "**Verification:**",
      "```sh\nrm -rf old_src/\n```",
      "- [ ] Backup restores",
    ] as const;
    const late = ['warning delete-before-verify 14: "rm -rf old_src/" first'];
    expect(clean(gone, list, back)).toEqual(late);
    expect(clean(gone, back)).toEqual(late);
    expect(clean(gone, "**Success criteria:**", "- Nobody reads the old tree")).toEqual(late);
    expect(clean(back, gone, list, "- [ ] Nobody complains")).toEqual([]);
    expect(clean("**Prerequisites:**", "- [ ] Traffic is off", "**Work:**", gone, list, back)).toEqual([]);
    // A definition asks for these before the deletion: other work or another deletion comes first.
    expect(clean("```sh\ncp -r old_src new_src\n```", gone, list, back)).toEqual([]);
    expect(clean("```sh\nrm -rf old_docs/\n```", list, back, gone)).toEqual([]);
    expect(clean(gone)).toEqual([]);
  });

  test("a gap and a number that stands twice among the headings of steps are told", () => {
    const steps = (...numbers: readonly number[]): string =>
      plan(
        "## Phase 2: Swap",
        ...numbers.map((number) => `### Step ${number}: part ${"abcdef"[number] ?? ""}`),
      );
    expect(told(steps(1, 2, 3), "heading-conflict")).toEqual([]);
    expect(told(steps(1, 2, 4), "heading-conflict")).toEqual([expect.stringMatching(/^warning .*: 4$/)]);
    expect(told(steps(1, 2, 2), "heading-conflict")).toEqual([expect.stringMatching(/^error .*already$/)]);
  });
});

describe("commands", () => {
  test("a script that is nowhere is told once, with the folders that were searched", () => {
    const source = plan("```sh\n./scripts/compare.sh a b\n./scripts/compare.sh c d\n./scripts/there.sh\n```");
    const scripts = { missing: ["scripts/compare.sh"], searched: ["/repo"] };
    const found = look(source, { scripts }).filter(({ rule }) => rule === "script-missing");
    expect(found).toMatchObject([{ expected: "scripts/compare.sh in /repo", also: [{ line: 13 }] }]);
  });

  test("a placeholder in a command is told", () => {
    expect(told(plan("```sh\ngit revert <commit>\n```"), "blank-left")).toEqual([
      "warning blank-left 12: <commit>",
    ]);
  });
});

describe("dates", () => {
  const chart = (...rows: readonly string[]): string =>
    plan("## Phase 2: Switch", ["```mermaid", "gantt", "dateFormat YYYY-MM-DD", ...rows, "```"].join("\n"));

  test("a timetable that is over is told once, a single date by itself", () => {
    const past = chart(
      "section Phase 1",
      "Copy :2029-03-01, 3d",
      "section Phase 2",
      "Switch :2029-03-04, 3d",
    );
    expect(told(past, "date-past")).toEqual([
      expect.stringContaining("all 2 are over, the last one since 2029-03-07"),
    ]);
    const half = chart(
      "section Phase 1",
      "Copy :2029-12-01, 3d",
      "section Phase 2",
      "Switch :2030-03-04, 3d",
    );
    expect(told(half, "date-past")).toHaveLength(1);
  });

  test("phases that overlap are a warning, phases that run backwards an error", () => {
    const over = chart(
      "section Phase 1",
      "Copy :2031-03-01, 5d",
      "section Phase 2",
      "Switch :2031-03-04, 3d",
    );
    expect(told(over, "date-order")).toEqual([expect.stringMatching(/^warning .*2031-03-04$/)]);
    const back = chart(
      "section Phase 1",
      "Copy :2031-03-01, 5d",
      "section Phase 2",
      "Switch :2031-02-04, 3d",
    );
    expect(told(back, "date-order")).toEqual([expect.stringMatching(/^error .*before that one begins$/)]);
    const fine = chart(
      "section Phase 1",
      "Copy :2031-03-01, 3d",
      "section Phase 2",
      "Switch :2031-03-04, 3d",
    );
    expect(told(fine, "date-order")).toEqual([]);
  });
});

describe("words and names", () => {
  test("criteria that nobody can measure are told in many languages, those with a number or a command are not", () => {
    const criteria = (item: string): string => plan("## Success criteria", `- ${item}`);
    for (const item of [
      "Performance is acceptable",
      "Leistung deutlich besser",
      "Performances améliorées",
      "Mejor rendimiento",
      "Prestazioni migliorate",
      "Производительность приемлемая",
      "性能明显改善",
      "性能が向上する",
    ])
      expect(told(criteria(item), "unmeasurable"), item).toHaveLength(1);
    for (const item of [
      "Performance acceptable (<5% regression)",
      "All tests pass",
      "`npm run bench` shows better figures",
      "No critical issues",
    ])
      expect(told(criteria(item), "unmeasurable"), item).toEqual([]);
  });

  test("a phase that a table calls otherwise is told, a shorter form of its name is not", () => {
    const table = (name: string): string =>
      plan(
        "## Phase 2: Legacy Removal",
        "## Timeline",
        `| Phase | Duration |\n|---|---|\n| Phase 2: ${name} | 2 days |`,
      );
    expect(told(table("Cleanup"), "name-conflict")).toEqual(['warning name-conflict 17: "Cleanup"']);
    expect(told(table("Removal"), "name-conflict")).toEqual([]);
  });

  test("two numbers of one phase with different titles, and blocks that cannot be read, are told", () => {
    expect(told(plan("## Phase 2: Switch", "## Phase 2: Retire"), "heading-conflict")).toHaveLength(1);
    expect(told(plan("```yaml\na: [1, 2\nb: 3\n```"), "broken-block")).toHaveLength(1);
  });
});

test("SARIF names the rule, the level and the line of every finding", () => {
  const findings = look(plan("- [x] Backup taken", "```sh\ngit revert <commit>\n```"));
  const [run] = toSarif(findings, "1.2.3")["runs"] as {
    readonly results: readonly { readonly ruleId: string; readonly level: string }[];
  }[];
  expect(run?.results.map(({ ruleId, level }) => `${level} ${ruleId}`)).toEqual(
    findings.map(({ rule, severity }) => `${severity} ${rule}`),
  );
  expect(findings.length).toBeGreaterThan(1);
  expect(Object.keys(lintRules).length).toBeGreaterThan(15);
});

const orders = join(import.meta.dirname, "../../../../shared/data/work-orders");
const seeds = join(import.meta.dirname, "../../../../shared/seeds");
describe.skipIf(!existsSync(seeds))(
  "the five plans the project began with (they lie beside the repository)",
  () => {
    const files = existsSync(seeds) ? readdirSync(seeds).toSorted() : [];
    const of = (at: number): readonly string[] => {
      const source = readFileSync(join(seeds, files[at] ?? ""), "utf8");
      return look(source, { today: "2026-11-21" }).map(({ rule, place }) => `${rule} ${place.line}`);
    };

    test("have the faults that a careful reader finds, and few others", () => {
      expect(of(0)).toContain("irreversible-without-approval 107");
      expect(of(0)).toContain("unknown-dependency 35");
      expect(of(1)).toEqual(
        expect.arrayContaining([
          "count-mismatch 44",
          "count-mismatch 50",
          "irreversible-without-approval 62",
        ]),
      );
      expect(of(2)).toEqual(
        expect.arrayContaining([
          "ticked-without-evidence 9",
          "ticked-without-evidence 19",
          "sum-mismatch 26",
          "blank-left 480",
          "unmeasurable 464",
        ]),
      );
      expect(of(3)).toEqual(expect.arrayContaining(["date-past 14", "no-way-back 166"]));
      expect(of(4)).toEqual(["unmeasurable 180", "irreversible-without-approval 193", "name-conflict 330"]);
      expect(files.map((_, at) => of(at).length).reduce((sum, count) => sum + count, 0)).toBeLessThan(45);
    });

    test.skipIf(!existsSync(orders))(
      "name the states of real work orders that the table of statuses leaves out",
      async () => {
        const { values, unread } = await scanFolder(orders);
        expect(unread).toHaveLength(2);
        const source = readFileSync(join(seeds, files[4] ?? ""), "utf8");
        const found = look(source, { values }).filter(({ rule }) => rule.startsWith("status"));
        expect(found.map((finding) => `${finding.rule} ${finding.place.line}: ${finding.found}`)).toEqual([
          "status-not-covered 218: no row for succeeded (18×), canceled (5×), waiting_for_children (3×), integrating (1×)",
          'status-not-found 219: "building"',
          'status-not-found 221: "completed"',
        ]);
      },
    );
  },
);

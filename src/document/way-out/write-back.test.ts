import { describe, expect, test } from "vitest";
import type { PlanItem } from "../../core/index.ts";
import { readDocument, type RecordedRun, writeBack, type WrittenBack } from "../index.ts";

const at = Date.UTC(2030, 0, 5, 12);

const item = (from: number | null, state: PlanItem["state"], more: Partial<PlanItem> = {}): PlanItem => ({
  role: "exit",
  phase: "copy",
  name: `item ${from ?? ""}`,
  title: "",
  from: from === null ? null : `PLAN.md:${from}`,
  state,
  note: "",
  startedAt: at - 3_600_000,
  endedAt: state === "proven" || state === "done" ? at : null,
  events: [7],
  ...more,
});

const write = (source: string, items: readonly PlanItem[], more: Partial<RecordedRun> = {}): WrittenBack =>
  writeBack(source, readDocument(source, { file: "PLAN.md" }), {
    id: "r1",
    migration: "queue",
    state: "holding",
    hash: "ab".repeat(32),
    at,
    items,
    proofs: [{ seq: 7, at, what: 'verdict of "x": pass', evidence: null }],
    overrides: [],
    ...more,
  });

const lineWith = (written: WrittenBack, words: string): string =>
  written.text.split("\n").find((line) => line.includes(words)) ?? "";

describe("a plan written back from the record", () => {
  test("ticks what evidence shows, links its events, and unticks what nothing shows", () => {
    const source =
      "# P\n\n## Phase 1: Copy\n\n- [ ] Rows equal\n- [x] Backup taken\n- [x] Digest compared\n- [ ] Open\n";
    const written = write(source, [item(5, "proven"), item(7, "failed", { note: "3 rows differ" })]);
    expect(lineWith(written, "Rows equal")).toBe(
      "- [x] Rows equal — proven 2030-01-05 12:00 UTC ([event 7](#event-7))",
    );
    expect(lineWith(written, "Backup")).toBe(
      '- [ ] Backup taken — open: nothing in the record shows it, the plan said "\\[x\\]"',
    );
    expect(lineWith(written, "Digest")).toContain(
      '- [ ] Digest compared — failed: 3 rows differ, the plan said "\\[x\\]"',
    );
    expect(lineWith(written, "Open")).toBe("- [ ] Open");
    expect(written).toMatchObject({ lines: 2, shown: 1, refuted: 2, elsewhere: 0 });
  });

  test("a check never borrows the state of the phase it stands in", () => {
    const source = "# P\n\n## Phase 1: Copy ✅ DONE\n\n- [x] Backup taken\n\n**Status:** ✅ Complete\n";
    const written = write(source, [item(3, "done", { role: "phase", name: "copy" })]);
    expect(lineWith(written, "Backup")).toContain("- [ ] Backup taken — open");
    expect(lineWith(written, "## Phase 1")).toBe(
      "## Phase 1: Copy — done 2030-01-05 12:00 UTC ([event 7](#event-7))",
    );
    expect(lineWith(written, "**Status:**")).toBe(
      "**Status:** done 2030-01-05 12:00 UTC ([event 7](#event-7))",
    );
  });

  test("a claim that the record does not bear out is taken out of headings, items and status lines", () => {
    const source =
      "# P\n\n### CRATE 1: alpha ✅ DONE\n\n**Status:** ✅ Complete (TEAM-1)\n\n### CRATE 2: beta\n\n1. ✅ **gamma** (0 days) - DONE BY TEAM-130!\n";
    const { text } = write(source, []);
    expect(text).toContain(
      '### CRATE 1: alpha — open: nothing in the record shows it, the plan said "✅ DONE"\n',
    );
    expect(text).toContain(
      '**Status:** open: nothing in the record shows it, the plan said "✅ Complete (TEAM-1)"',
    );
    expect(text).not.toMatch(/^1\. ✅/m);
  });

  test("a status column holds the true state, and a column of actual dates the days it really took", () => {
    const source =
      "# P\n\n## Phase 1: Copy\n\n## Timeline\n\n| Phase | Planned | Actual | Status |\n|---|---|---|---|\n| Phase 1: Copy | 2030-01-01 | | Done |\n";
    const written = write(source, [item(3, "running", { role: "phase", name: "copy" })]);
    expect(lineWith(written, "| Phase 1")).toBe(
      '| Phase 1: Copy | 2030-01-01 | 2030-01-05 11:00 UTC | in progress since 2030-01-05 11:00 UTC, the plan said "Done" ([event 7](#event-7)) |',
    );
  });

  test("a chart keeps what was planned and shows below it what really was", () => {
    const source =
      "# P\n\n## Phase 1: Copy\n\n```mermaid\ngantt\n  dateFormat YYYY-MM-DD\n  section Phase 1\n  Copy all :done, a1, 2030-01-01, 2d\n  section Phase 2\n  Switch :crit, 2030-01-03, 2d\n```\n";
    const written = write(source, [
      item(3, "done", { role: "phase", name: "copy", startedAt: at - 2 * 86_400_000 }),
    ]);
    expect(written.text).toContain(
      "  Copy all :done, a1, 2030-01-01, 2d\n  Copy all (actual) :done, 2030-01-03, 3d\n",
    );
    expect(written.text).toContain("  Switch :2030-01-03, 2d\n");
  });

  test("code stays as it is: what stands in blocks is told at the end, with its line", () => {
    const source = "# P\n\n## Phase 1: Copy\n\n```sh\ncp a b\n```\n";
    const written = write(source, [item(6, "done", { role: "step", name: "copy/cp" })]);
    expect(written.text).toContain("```sh\ncp a b\n```\n");
    expect(written.text).toContain("- line 6, cp a b — done 2030-01-05 12:00 UTC");
  });

  test("everything else stays letter for letter, with its line ends and its front matter first", () => {
    const source =
      "---\r\ntitle: x\r\n---\r\n\r\n# P  \r\n\r\n<b>html</b>\r\n\r\n- [ ] a\r\n\r\n> quoted\r\n";
    const { text } = write(source, []);
    expect(text.startsWith("---\r\ntitle: x\r\n---\r\n> **Generated from the record")).toBe(true);
    const without = text.split("\r\n");
    for (const line of source.split("\r\n")) expect(without).toContain(line);
    expect(text.replaceAll("\r\n", "")).not.toContain("\n");
  });

  test("fifty units of one line are one state with a count", () => {
    const source = "# P\n\n## Phase 1: Copy\n\n1. Copy each system\n";
    const steps = [item(5, "done"), item(5, "done"), item(5, "open")].map((each, n) => ({
      ...each,
      role: "step",
      name: `copy/copy@u${n}`,
    }));
    expect(lineWith(write(source, steps), "Copy each")).toContain(
      "— in progress since 2030-01-05 11:00 UTC, 2 of 3",
    );
  });

  test("an item without a line is found by its words, where they stand once; of two nobody is meant", () => {
    const source =
      "# P\n\n## Phase 1: Copy\n\n- [ ] Rows equal\n\n## Phase 2: Switch\n\n- [ ] Tests pass\n- [ ] Tests pass\n";
    const written = write(source, [
      item(null, "proven", { name: "Rows equal" }),
      item(null, "proven", { name: "Tests pass", phase: "switch" }),
    ]);
    expect(lineWith(written, "Rows equal")).toContain("- [x] Rows equal — proven");
    expect(written.text.match(/^- \[ \] Tests pass$/gm)).toHaveLength(2);
    expect(written.elsewhere).toBe(1);
    expect(written.text).toContain("- exit Tests pass — proven");
  });

  test("names from a record that look like markup stay words", () => {
    const source = "# P\n\n## Phase 1: Copy\n\n- [ ] Rows equal\n";
    const note = "<script>x</script> | [a](javascript:b) `c`\n# no heading";
    const { text } = write(source, [item(5, "failed", { note })]);
    expect(text).not.toContain("<script>");
    expect(text).not.toMatch(/^# no heading/m);
    expect(text).toContain("\\|");
  });

  test("a text that was changed since it was imported is refused, with both digests", () => {
    const source = "# P\n\n## Phase 1: Copy\n\n- [ ] Rows equal\n";
    const inventory = readDocument(source, { file: "PLAN.md" });
    const run: RecordedRun = {
      id: "r",
      migration: "m",
      state: "s",
      hash: "",
      at,
      items: [],
      proofs: [],
      overrides: [],
    };
    const imported = "0".repeat(64);
    expect(() => writeBack(source, inventory, run, { imported })).toThrow(
      expect.objectContaining({
        code: "CUTOVER_DOCUMENT_DRIFT",
        details: { expected: imported, found: inventory.hash },
      }) as Error,
    );
    expect(writeBack(source, inventory, run, { imported: inventory.hash }).text).toContain(
      "as it was imported",
    );
  });

  test("what people moved on their word is told in the first lines and listed", () => {
    const overrides = [{ at, what: "step copy/a settled as done", by: "ada", reason: "by hand" }];
    const { text } = write("# P\n\n1. a\n", [], { overrides });
    expect(text).toContain("1 move rests on a person's word alone");
    expect(text).toContain("- 2030-01-05 12:00 UTC, ada: step copy/a settled as done — by hand");
  });
});

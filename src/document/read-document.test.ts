import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CutoverError, type ErrorCode } from "../core/index.ts";
import { type Inventory, readDocument, readDocumentFile } from "./index.ts";

const read = (name: string): Inventory =>
  readDocument(readFileSync(join(import.meta.dirname, "fixtures", name)), { file: name });

const limits = ({ thresholds }: Inventory): readonly unknown[] =>
  thresholds.map(({ about, comparison, number, unit, sense }) => [about, comparison, number, unit, sense]);

function refusal(run: () => unknown): { readonly code: ErrorCode; readonly place: string | undefined } {
  try {
    run();
  } catch (error) {
    if (error instanceof CutoverError) return { code: error.code, place: error.place };
    throw error;
  }
  throw new CutoverError("CUTOVER_INTERNAL", { message: "it was not refused" });
}

describe("a plan in another language", () => {
  test("German: stages, dates, shares, limits and the side that has no old state", () => {
    const plan = read("lager.md");
    expect(plan.phases.map(({ title, claim }) => [title, claim])).toEqual([
      ["Vorbereitung (3 Tage)", undefined],
      ["Schattenbetrieb", undefined],
      ["Umschalten", undefined],
    ]);
    expect(plan.calendar.map(({ start, end }) => [start, end])).toEqual([
      ["2026-03-02", "2026-03-05"],
      ["2026-03-05", "2026-03-19"],
      ["2026-03-19", "2026-04-11"],
    ]);
    expect(plan.ramps.map(({ stages }) => stages.map(({ percent }) => percent))).toEqual([[5, 25, 100]]);
    expect(limits(plan)).toEqual([
      ["mismatch", "<", 0.1, "%", "goal"],
      ["latency", "<=", 250, "ms", "goal"],
      ["error-rate", ">", 2, "%", "limit"],
      ["error-rate", ">", 3, "Ausfälle", "limit"],
    ]);
    expect(plan.triggers).toHaveLength(3);
    expect(plan.mappings.map((each) => [each.old, each.new])).toEqual([
      ["offen", "OPEN"],
      ["gebucht", "BOOKED"],
      [null, "CANCELLED"],
    ]);
    expect(plan.risks.map(({ probability, impact }) => [probability, impact])).toEqual([
      ["low", "high"],
      ["medium", "medium"],
    ]);
    expect(plan.commands.map(({ shell }) => shell)).toEqual(["pg_dump lager > lager.sql"]);
    expect(plan.checks.map(({ ticked, guards }) => [ticked, guards])).toEqual([
      [true, "entry"],
      [false, "entry"],
      [false, "entry"],
    ]);
    expect(plan.unplaced).toEqual([]);
  });

  test("French: stages, a ramp that is held for days, modules that depend on each other", () => {
    const plan = read("entrepot.md");
    expect(plan.phases.map(({ title }) => title)).toEqual(["préparation", "bascule progressive"]);
    expect(plan.ramps[0]?.stages.map(({ percent, hold }) => [percent, hold !== undefined])).toEqual([
      [10, true],
      [50, true],
      [100, false],
    ]);
    expect(plan.units.map(({ name, after }) => [name, after])).toEqual([
      ["commun", []],
      ["stock", ["unit:commun"]],
      ["facturation", ["unit:commun", "unit:stock"]],
    ]);
    expect(limits(plan)).toContainEqual(["loss", "=", 0, "", "goal"]);
    expect(plan.triggers).toHaveLength(2);
  });

  test.each([
    [
      "sklad.md",
      2,
      [
        ["error-rate", "<=", 0.1, "%", "goal"],
        ["error-rate", ">", 1, "%", "limit"],
        ["latency", ">", 500, "мс", "limit"],
      ],
    ],
    [
      "cangku.md",
      2,
      [
        ["error-rate", "<", 0.1, "%", "goal"],
        ["latency", "<=", 300, "毫秒", "goal"],
        ["error-rate", ">", 1, "%", "limit"],
        ["latency", ">", 500, "ms", "limit"],
      ],
    ],
    [
      "soko.md",
      2,
      [
        ["mismatch", "<", 0.1, "%", "goal"],
        ["other", "<=", 250, "ミリ秒", "goal"],
        ["error-rate", ">", 1, "%", "limit"],
        ["latency", ">", 500, "ms", "limit"],
      ],
    ],
    [
      "almacen.txt",
      2,
      [
        ["error-rate", "<", 0.5, "%", "goal"],
        ["latency", "<", 200, "ms", "goal"],
      ],
    ],
  ])("%s: phases, and every limit with its direction", (name, phases, expected) => {
    const plan = read(name);
    expect(plan.phases).toHaveLength(phases);
    expect(plan.phases.every(({ durations }) => durations.length > 0)).toBe(true);
    expect(limits(plan).map((limit) => (limit as readonly unknown[]).slice(1))).toEqual(
      expected.map((limit) => limit.slice(1)),
    );
    expect(plan.unplaced).toEqual([]);
  });
});

describe("a plan of another layout", () => {
  test("weeks are phases where nothing else is", () => {
    const plan = read("weeks.md");
    expect(plan.phases.map(({ number, title }) => [number, title])).toEqual([
      ["1", "Foundations"],
      ["2-3", "Backfill"],
      ["4", "Cut over"],
    ]);
    expect(plan.phases[2]?.wayBack).toEqual({
      text: "flip the flag back within 5 minutes",
      forwardOnly: false,
    });
    const sql = plan.commands.filter(({ language }) => language === "sql");
    expect(sql.map(({ dangers }) => dangers.some(({ irreversible }) => irreversible))).toEqual([true, true]);
    expect(plan.commands.map(({ scripts }) => scripts).flat()).toEqual(["./scripts/switch.sh"]);
    expect(plan.unplaced.map(({ text, reason }) => [text, reason])).toEqual([
      ["switched", "output of a command"],
      ['"ok"', "output of a command"],
    ]);
    expect(plan.roles.map(({ name, duty }) => [name, duty])).toEqual([
      ["Mara", "Lead"],
      ["Jonas", "On call"],
    ]);
  });

  test("phases as JSON, enums of four languages, and a block of YAML that is broken", () => {
    const plan = read("config-plan.md");
    expect(plan.phases.map(({ title, wayBack }) => [title, wayBack?.forwardOnly])).toEqual([
      ["Dual index", undefined],
      ["Shadow reads", undefined],
      ["Switch", true],
    ]);
    expect(plan.ramps.map(({ stages }) => stages.map(({ percent }) => percent))).toEqual([
      [1, 5, 25, 100],
      [1, 5, 25],
    ]);
    const enums = plan.literals
      .filter(({ shape }) => shape === "enum")
      .map(({ name, value }) => [name, Object.keys(value as object)]);
    expect(enums).toEqual([
      ["NewState", ["Pending", "Running", "Done"]],
      ["OldState", ["Queued", "Busy", "Done"]],
      ["Mode", ["Off", "Shadow"]],
      ["", ["StateQueued", "StateBusy"]],
      ["Level", ["LOW", "HIGH"]],
    ]);
    expect(plan.mappings).toHaveLength(3);
    expect(plan.defects.map(({ message, place }) => [message.slice(0, 5), place.line])).toEqual([
      ["yaml:", 60],
    ]);
    expect(plan.unplaced.some(({ reason }) => reason.includes("this block is not yaml"))).toBe(true);
  });

  test("AsciiDoc: titles, lists, listings and tables with a cell on each line", () => {
    const plan = read("mail.adoc");
    expect(plan.format).toBe("asciidoc");
    expect(plan.phases.map(({ title }) => title)).toEqual(["Parallel operation", "Switch"]);
    expect(plan.checks.map(({ ticked }) => ticked)).toEqual([true, false]);
    expect(plan.mappings.map((each) => [each.old, each.new])).toEqual([
      ["deferred", "RETRY"],
      ["bounced", "FAILED"],
    ]);
    expect(plan.commands.map(({ shell, cwd }) => [shell, cwd])).toEqual([
      ["cd /etc/postfix", "."],
      ["mv main.cf main.cf.old", "/etc/postfix"],
    ]);
    expect(plan.triggers).toHaveLength(2);
    expect(plan.unplaced).toEqual([]);
  });

  test("phases of a table are the chapters of the same names; a condition above commands is a trigger", () => {
    const plan = read("topics.md");
    expect(plan.phases.map(({ name, claim, place }) => [name, claim?.state, place.line])).toEqual([
      ["discovery", "done", 9],
      ["dual-publish", "in-progress", 15],
      ["consumer-switch", "open", 23],
    ]);
    expect(plan.checks.map(({ ticked }) => ticked)).toEqual([true, true, false, false, false]);
    expect(plan.ramps[0]?.stages.map(({ percent }) => percent)).toEqual([1, 10, 50, 100]);
    expect(plan.commands.map(({ shell }) => shell)).toEqual([
      "kubectl set env deploy/api PULSAR=false",
      "kubectl rollout restart deploy/api",
    ]);
    expect(plan.triggers.map(({ text }) => text)).toEqual([
      "If p99 > 800ms for 5 minutes, flip pulsar.enabled=false",
    ]);
    expect(plan.calendar.map(({ title, start, end }) => [title, start, end])).toEqual([
      ["Discovery", "2026-01-05", "2026-01-17"],
      ["Dual publish", "2026-01-19", "2026-02-14"],
    ]);
  });

  test("a runbook in plain text: Roman numbers, capitals as headings, boxes without dashes", () => {
    const plan = read("runbook.txt");
    expect(plan.format).toBe("text");
    expect(plan.title).toBe("MIGRATION RUNBOOK - CUSTOMER DB TO POSTGRES");
    expect(plan.phases.map(({ number, name }) => [number, name])).toEqual([
      ["I", "prepare"],
      ["II", "replicate"],
      ["III", "cut-over"],
    ]);
    expect(plan.steps.map(({ title, way }) => [title, way])).toContainEqual([
      "Point DNS back to the old host",
      "rollback",
    ]);
    expect(plan.checks.map(({ ticked }) => ticked)).toEqual([false, false, false, true]);
    expect(plan.risks).toHaveLength(2);
    expect(plan.unplaced).toEqual([]);
  });

  test("milestones with letters, two labels on one line, conditions with an action of their own", () => {
    const plan = read("milestones.md");
    expect(plan.phases.map(({ number, title, after }) => [number, title, after])).toEqual([
      ["M1", "Groundwork", []],
      ["M2", "Cutover", ["phase:m1"]],
    ]);
    expect(plan.triggers.map(({ action, does }) => [action, does])).toEqual([
      ["throttle", "throttle"],
      ["rollback", "rollback"],
      ["rollback", "rollback"],
    ]);
    expect(plan.efforts).toHaveLength(1);
    expect(plan.totals[0]?.buffer).toHaveLength(1);
  });

  test.each([
    [
      "# P\n\n## 一、准备阶段\n1. 备份\n## 二、灰度阶段\n1. 放量\n",
      [
        ["1", "准备"],
        ["2", "灰度"],
      ],
    ],
    [
      "# P\n\n## 1단계: 준비\n- a\n## 2단계: 전환\n- b\n",
      [
        ["1", "준비"],
        ["2", "전환"],
      ],
    ],
    [
      "Plan\n----\nSprint 1: API\n- [ ] a\nSprint 2: Data\n- [ ] b\n",
      [
        ["1", "API"],
        ["2", "Data"],
      ],
    ],
    [
      "# P\n\n## 1. Inventory\n- a\n## 2. Adapter\n- b\n## 3. Success criteria\n- c\n",
      [
        ["1", "Inventory"],
        ["2", "Adapter"],
      ],
    ],
    [
      "# P\n\n## Fasi\n\n1. **Copia** (1 settimana)\n2. **Cambio** – subito\n",
      [
        ["1", "Copia"],
        ["2", "Cambio"],
      ],
    ],
    [
      "# P\n\n### Milestone A: One\n- a\n### Milestone B: Two\n- b\n",
      [
        ["A", "One"],
        ["B", "Two"],
      ],
    ],
  ])("phases are found however they are written: %j", (text, expected) => {
    const { phases, unplaced } = readDocument(text);
    expect(phases.map(({ number, title }) => [number, title])).toEqual(expected);
    expect(unplaced).toEqual([]);
  });

  test("an inventory is plain JSON, and its keys stay when lines move", () => {
    const text = readFileSync(join(import.meta.dirname, "fixtures/lager.md"), "utf8");
    const before = readDocument(text, { file: "lager.md" });
    expect(JSON.parse(JSON.stringify(before))).toEqual(before);
    const after = readDocument(text.replace("## Etappe 1", "Ein Satz dazwischen.\n\n## Etappe 1"));
    expect(after.checks.map(({ key }) => key)).toEqual(before.checks.map(({ key }) => key));
    expect(after.checks[0]?.place.line).toBe((before.checks[0]?.place.line ?? 0) + 2);
  });
});

describe("a document that is no plan, or a bad one", () => {
  test.each<[string, string | Uint8Array, string, ErrorCode, string]>([
    ["a PDF", "%PDF-1.7\n…", "plan.md", "CUTOVER_DOCUMENT_FORMAT", "plan.md"],
    ["a Word file by its name", "x", "plan.docx", "CUTOVER_DOCUMENT_FORMAT", "plan.docx"],
    [
      "reStructuredText",
      "Plan\n====\n\n.. code-block:: bash\n\n   ls\n",
      "plan.txt",
      "CUTOVER_DOCUMENT_FORMAT",
      "plan.txt",
    ],
    ["HTML", "<!doctype html><p>Phase 1", "plan", "CUTOVER_DOCUMENT_FORMAT", "plan"],
    [
      "bytes with a NUL",
      new Uint8Array([35, 32, 65, 10, 0, 1]),
      "plan.md",
      "CUTOVER_DOCUMENT_FORMAT",
      "plan.md:2",
    ],
    [
      "Latin-1",
      new Uint8Array([35, 32, 65, 10, 10, 0xe4, 0x20]),
      "plan.md",
      "CUTOVER_DOCUMENT_ENCODING",
      "plan.md:3",
    ],
    ["UTF-16", new Uint8Array([0xff, 0xfe, 35, 0]), "plan.md", "CUTOVER_DOCUMENT_ENCODING", "plan.md:1"],
    ["blank lines alone", " \n\n\t\n", "plan.md", "CUTOVER_DOCUMENT_EMPTY", "plan.md:1"],
    ["more than 8 MiB", "a\n".repeat(5 * 1024 * 1024), "plan.md", "CUTOVER_DOCUMENT_TOO_LARGE", "plan.md"],
    [
      "lists without end",
      `# A\n${Array.from({ length: 200 }, (_, at) => `${" ".repeat(2 * at)}- a`).join("\n")}`,
      "plan.md",
      "CUTOVER_DOCUMENT_NESTED",
      "plan.md:60",
    ],
  ])("%s is refused by name", (_, input, file, code, place) => {
    expect(refusal(() => readDocument(input, { file }))).toEqual({ code, place });
  });

  test("a file that is not there is refused, one that is there is read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cutover-document-"));
    try {
      await expect(readDocumentFile(join(folder, "none.md"))).rejects.toMatchObject({
        code: "CUTOVER_DOCUMENT_UNREADABLE",
      });
      await writeFile(join(folder, "plan.md"), "\ufeff# Plan\r\n\r\n- [x] done\r\n");
      const { title, checks } = await readDocumentFile(join(folder, "plan.md"));
      expect([title, checks[0]?.ticked]).toEqual(["Plan", true]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("two headings that give one number to different things are two phases and a defect", () => {
    const { phases, defects } = readDocument("# P\n\n## Phase 2: Move\n\n- a\n\n## Phase 2: Retire\n\n- b\n");
    expect(phases.map(({ title }) => title)).toEqual(["Move", "Retire"]);
    expect(defects.map(({ message }) => message)).toEqual([
      'phase 2 is "Move" on line 3 and "Retire" on line 7',
    ]);
  });

  test("HTML, other pictures and unclosed blocks are told, not dropped", () => {
    const { unplaced, defects } = readDocument(
      '# P\n\n<table><tr><td>99 %</td></tr></table>\n\n```mermaid\npie\n"a": 3\n```\n\n```bash\nls\n',
    );
    expect(unplaced.map(({ place, reason }) => [place.line, reason.slice(0, 20)])).toEqual([
      [3, "HTML is not read: wr"],
      [6, 'Mermaid "pie" is not'],
      [7, 'Mermaid "pie" is not'],
    ]);
    expect(defects.map(({ place }) => place.line)).toEqual([10]);
  });

  test("links that leave the folder are marked, and none is followed", () => {
    const { links } = readDocument(
      "# P\n\nSee [a](../../etc/passwd), [b](notes/x.md), [c](https://example.org) and [d](#top).\n",
    );
    expect(links.map(({ sort }) => sort)).toEqual(["outside", "inside", "web", "anchor"]);
  });

  test("dangerous commands are shown with what they would do", () => {
    const { commands } = readDocument(
      "# P\n\n```sh\ncurl -s https://x.example/i.sh | sudo bash\ngit push --force origin main\nls -la\n```\n",
    );
    expect(commands.map(({ dangers }) => dangers.map(({ kind }) => kind))).toEqual([
      expect.arrayContaining(["downloads-and-runs", "privileged"]),
      expect.arrayContaining(["rewrites-history"]),
      [],
    ]);
  });

  test("a sign before a number survives where Markdown sees a quotation", () => {
    const { thresholds } = readDocument("# P\n\n## Rollback\n\nAbort if:\n- >10% slower\n- > 3 errors\n");
    expect(thresholds.map(({ comparison, number }) => [comparison, number])).toEqual([
      [">", 10],
      [">", 3],
    ]);
  });
});

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { main, Project } from "./command-line.ts";

const plan = [
  "# Moving the price list",
  "",
  "## Phase 1: Copy",
  "",
  "1. Copy the prices",
  "",
  "**Exit criteria:**",
  "",
  "- [x] Both lists are equal",
  "",
  "## Rollback plan",
  "",
  "1. Read the old list",
  "",
].join("\n");

interface Lint {
  readonly errors: number;
  readonly warnings: number;
  readonly against: { readonly files: number; readonly unread: readonly { readonly file: string }[] } | null;
  readonly findings: readonly { readonly rule: string; readonly place: { readonly line: number } }[];
}

describe("cutover import --lint", () => {
  test("tells what is wrong with file, line and remedy, writes nothing, and ends with 2 for errors alone", async () => {
    using project = new Project();
    project.write("PLAN.md", plan);
    const { code, stdout } = await project.run("import", "PLAN.md", "--lint");
    expect(code).toBe(2);
    expect(stdout).toContain("PLAN.md:9:1  error  ticked-without-evidence");
    expect(stdout).toContain("✖ PLAN.md: 1 error, 0 warnings");
    expect(existsSync(project.path("crossing.ts"))).toBe(false);
    project.write("PLAN.md", plan.replace("[x]", "[ ]"));
    expect(await project.run("import", "PLAN.md", "--lint")).toMatchObject({
      code: 0,
      stdout: "✔ PLAN.md: nothing found that sinks such plans\n",
    });
  });

  test("holds a table of values against a folder, names what it could not read, and speaks JSON and SARIF", async () => {
    using project = new Project();
    const table =
      "\n## Status mapping\n\n| Old status | New status |\n|---|---|\n| `queued` | `PENDING` |\n| `done` | `FINISHED` |\n";
    project.write("PLAN.md", plan.replace("[x]", "[ ]") + table);
    mkdirSync(project.path("data"));
    project.write("data/orders.csv", "id,status\n1,queued\n2,done\n3,lost\n");
    project.write("data/cut.json", '{ "status": "que');
    const found = await project.json<Lint>("import", "PLAN.md", "--lint", "--against", "data");
    expect(found).toMatchObject({ errors: 1, against: { files: 1, unread: [{ file: "cut.json" }] } });
    expect(found.findings[0]).toMatchObject({
      rule: "status-not-covered",
      found: "no row for lost (1×)",
      also: [{ file: "data/orders.csv", line: 4, what: "lost" }],
    });
    const { stdout } = await project.run("import", "PLAN.md", "--lint", "--against", "data", "--sarif");
    expect(JSON.parse(stdout)).toMatchObject({
      version: "2.1.0",
      runs: [{ results: [{ ruleId: "status-not-covered", level: "error" }] }],
    });
  });

  test("looks for scripts beside the plan and in its project", async () => {
    using project = new Project();
    mkdirSync(project.path("docs"));
    mkdirSync(project.path("scripts"));
    project.write("package.json", "{}");
    project.write("scripts/there.sh", "");
    project.write(
      "docs/PLAN.md",
      `${plan.replace("[x]", "[ ]")}\n~~~sh\n./scripts/there.sh\n./scripts/gone.sh\n~~~\n`,
    );
    const { findings } = await project.json<Lint>("import", "docs/PLAN.md", "--lint");
    expect(findings.map(({ rule, place }) => `${rule} ${place.line}`)).toEqual(["script-missing 17"]);
  });

  test("reads the standard input", () => {
    using project = new Project();
    let code = 0;
    let stdout = "";
    try {
      execFileSync(process.execPath, [main, "import", "-", "--lint", "--json"], {
        cwd: project.dir,
        input: plan,
        stdio: "pipe",
        timeout: 30_000,
      });
    } catch (error) {
      code = (error as { readonly status: number }).status;
      stdout = String((error as { readonly stdout: Buffer }).stdout);
    }
    expect(code).toBe(2);
    expect((JSON.parse(stdout) as Lint).errors).toBe(1);
  });

  test.each([
    [["import", "PLAN.md", "--against", "."], "expected --against only with --lint"],
    [["import", "PLAN.md", "--lint", "--force"], "expected --lint alone, found it with --force"],
    [["import", "PLAN.md", "--lint", "--against", "none"], "nothing there"],
    [["import", "gone.md", "--lint"], "expected the written plan gone.md"],
    [["report", "--as", "poem"], 'expected --as plan, found "poem"'],
    [["report", "--plan", "PLAN.md"], "expected --plan only with --as plan"],
    [["report", "--as", "plan", "--aside"], "expected --as plan alone"],
  ])("refuses %j", async (args, words) => {
    using project = new Project();
    project.write("PLAN.md", plan);
    const { code, stderr } = await project.run(...args);
    expect(code).toBe(2);
    expect(stderr.replace(/\s+/g, " ")).toContain(words);
  });
});

describe("cutover report --as plan", () => {
  test("writes the plan from the record, refuses a changed text, and never writes over the plan", async () => {
    using project = new Project();
    project.write("PLAN.md", plan);
    expect((await project.run("import", "PLAN.md")).code).toBe(0);
    expect((await project.run("run", "crossing.ts", "--until-held")).code).toBe(3);
    const printed = await project.run("report", "--as", "plan");
    expect(printed.code).toBe(0);
    expect(printed.stdout).toContain("**Generated from the record; do not edit.**");
    expect(printed.stdout).toContain('- [ ] Both lists are equal — open, the plan said "\\[x\\]"');
    expect(printed.stdout).toContain("1. Copy the prices — open: not proven");

    const over = await project.run("report", "--as", "plan", "--out", "PLAN.md");
    expect(over.code).toBe(2);
    expect(project.read("PLAN.md")).toBe(plan);

    project.write("PLAN.md", `${plan}\nmore\n`);
    const drift = await project.run("report", "--as", "plan");
    expect(drift.code).toBe(2);
    expect(drift.stderr).toContain("CUTOVER_DOCUMENT_DRIFT");
    project.write("kept.md", plan);
    const told = await project.json<{ readonly file: string; readonly refuted: number }>(
      "report",
      "--as",
      "plan",
      "--plan",
      "kept.md",
      "--out",
      "STATUS.md",
    );
    expect(told.refuted).toBe(1);
    expect(project.read("STATUS.md")).toContain("as it was imported");
  });

  test("a definition written by hand has no plan of its own: one must be named, and the page says that nobody knows its text", async () => {
    using project = new Project();
    project.write("PLAN.md", plan);
    project.write(
      "crossing.ts",
      'import { check, defineMigration, phase } from "cutover";\nexport default defineMigration({ name: "x", phases: [phase("copy", { entry: [check("Both lists are equal", () => ({ ok: true, note: "equal" }))] })] });\n',
    );
    expect((await project.run("run", "crossing.ts")).code).toBe(0);
    const none = await project.run("report", "--as", "plan");
    expect(none.code).toBe(2);
    expect(none.stderr).toContain("--plan FILE");
    const named = await project.run("report", "--as", "plan", "--plan", "PLAN.md");
    expect(named.stdout).toContain("- [x] Both lists are equal — proven");
    expect(named.stdout).toContain("the definition does not say which text it was made from");
  });
});

test("a held run goes on when its last claim is bound, and holds again while one is left", async () => {
  using project = new Project();
  project.write(
    "PLAN.md",
    "# P\n\n## Phase 1: Copy\n\n**Exit criteria:**\n\n- [ ] a is so\n- [ ] b is so\n\n## Rollback plan\n\n1. back\n",
  );
  expect((await project.run("import", "PLAN.md")).code).toBe(0);
  expect((await project.run("run", "crossing.ts", "--until-held")).code).toBe(3);
  expect((await project.run("bind", "crossing.ts", "a is so", "--command", "true")).code).toBe(0);
  expect((await project.run("resume", "--accept-changes", "--until-held")).code).toBe(3);
  expect((await project.run("bind", "crossing.ts", "b is so", "--command", "true")).code).toBe(0);
  expect((await project.run("resume", "--accept-changes", "--until-held")).code).toBe(0);
  const { stdout } = await project.run("report", "--as", "plan");
  expect(stdout.match(/^- \[x\] . is so — proven/gm)).toHaveLength(2);
});

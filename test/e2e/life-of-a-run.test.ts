import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Status, Project, until } from "./command-line.ts";
import { copyRows, failing, slowBack, withApproval, withGate } from "./crossings.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
});
afterEach(() => project[Symbol.dispose]());

const rows = (from: number, to: number): readonly string[] =>
  Array.from({ length: to - from }, (_, index) => `row ${from + index}`);

describe("a first migration", () => {
  test("init writes one that plan, check and run take at once, and that leaves a report and a whole audit", async () => {
    expect(await project.run("init")).toMatchObject({ code: 0 });

    const plan = await project.run("plan");
    expect(plan).toMatchObject({ code: 0, stderr: "" });
    expect(plan.stdout).toContain("nothing was touched");
    expect(project.read(".cutover/cutover.db")).toBe("");
    expect((await project.run("check")).stdout).toContain("orders-to-sqlite is whole");

    const run = await project.run("run");
    expect(run.stdout).toContain("finished");
    expect(run.code).toBe(0);

    const status = await project.json<Status>("status");
    expect(status.view?.run.state).toBe("COMPLETED");
    const id = status.view?.run.id ?? "";
    expect(project.read(`.cutover/reports/${id}.html`)).toContain("300 orders copied");
    expect(project.read(`.cutover/reports/${id}.md`)).toContain("0 of 300 orders differ");
    expect((await project.run("audit", "verify")).stdout).toContain("chain whole");
    expect((await project.run("doctor")).code).toBe(0);
    expect((await project.run("report")).code).toBe(0);
  });

  test("init suits a project as `npm init` makes it, where .ts is CommonJS, and says what to do with a .ts there", async () => {
    project.write("package.json", '{ "type": "commonjs" }');
    expect((await project.run("init")).stdout).toContain("crossing.mts");
    expect(await project.run("plan")).toMatchObject({ code: 0, stderr: "" });
    expect((await project.run("run")).stdout).toContain("300 orders copied");

    project.write("other.ts", 'import { phase } from "cutover";\nexport default phase;\n');
    const refused = await project.run("plan", "other.ts");
    expect(refused.code).toBe(2);
    expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain('write "type": "module" in');
    expect(refused.stderr).toContain(".mts");
  });

  test("init overwrites nothing", async () => {
    project.write("orders.json", "[]");
    const ended = await project.run("init");
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain("CUTOVER_FILE_EXISTS");
    expect(project.read("orders.json")).toBe("[]");
    expect(project.read("crossing.ts")).toBe("");
  });
});

describe("a run that is killed", () => {
  test("goes on from its checkpoint: no row is lost, none is copied twice, finished steps are not done again", async () => {
    project.write("crossing.ts", copyRows);
    const first = project.start(["run"]);
    await until(() => existsSync(project.path("go.awaited")), "five rows copied");
    first.child.kill("SIGKILL");
    await first.ended;

    const between = await project.run("status");
    expect(between.stdout).toContain("cutover resume");
    project.write("go", "");
    expect((await project.run("resume")).code).toBe(0);
    expect(project.lines("ledger.txt")).toEqual(["before", ...rows(0, 10)]);
  });

  test("while it was rolling back goes on rolling back", async () => {
    project.write("crossing.ts", slowBack);
    const first = project.start(["run"]);
    await until(() => project.lines("ledger.txt").includes("copy back begins"), "the way back begins");
    first.child.kill("SIGKILL");
    await first.ended;

    project.write("go", "");
    const resumed = await project.run("resume");
    expect(resumed.code).toBe(4);
    expect(project.lines("ledger.txt").slice(-3)).toEqual(["copy back begins", "copy back", "first back"]);
  });

  test("can be taken back by a command although no process carries it", async () => {
    project.write("crossing.ts", copyRows);
    const first = project.start(["run"]);
    await until(() => existsSync(project.path("go.awaited")), "five rows copied");
    first.child.kill("SIGKILL");
    await first.ended;

    const back = await project.run("rollback", "--reason", "not today", "--by", "ann");
    expect(back.code).toBe(4);
    expect(project.lines("ledger.txt").slice(-2)).toEqual(["copy back", "before back"]);
    expect(
      project.read(`.cutover/reports/${(await project.json<Status>("status")).view?.run.id}.md`),
    ).toContain("not today");
  });
});

describe("a run that is interrupted", () => {
  test("by Ctrl-C stops cleanly with 130 and says how to go on; resume finishes it", async () => {
    project.write("crossing.ts", copyRows);
    const first = project.start(["run"]);
    await until(() => existsSync(project.path("go.awaited")), "five rows copied");
    first.child.kill("SIGINT");
    const ended = await first.ended;
    expect(ended.code).toBe(130);
    expect(ended.stdout).toMatch(/npx cutover resume r/);

    project.write("go", "");
    expect((await project.run("resume")).code).toBe(0);
    expect(project.lines("ledger.txt")).toEqual(["before", ...rows(0, 10)]);
  });

  test("a second Ctrl-C ends it at once", async () => {
    project.write("crossing.ts", slowBack);
    const first = project.start(["run"]);
    await until(() => project.lines("ledger.txt").includes("copy back begins"), "the way back begins");
    first.child.kill("SIGINT");
    await until(() => first.output().includes("Ctrl-C again"), "it says that it stops");
    first.child.kill("SIGINT");
    expect((await first.ended).code).toBe(130);
  });

  test("a reader that goes away does not end the run", async () => {
    project.write("crossing.ts", copyRows);
    const first = project.start(["run"]);
    await until(() => existsSync(project.path("go.awaited")), "five rows copied");
    first.child.stdout?.destroy();
    first.child.stderr?.destroy();
    project.write("go", "");
    expect((await first.ended).code).toBe(0);
  });
});

describe("a run that fails", () => {
  test("is taken back, ends with 4, and tells of the incident and what to do next", async () => {
    project.write("crossing.ts", failing);
    const ended = await project.run("run");
    expect(ended.code).toBe(4);
    expect(ended.stdout).toContain("3 rows differ");
    const incident = /report \S+ --incident (\S+)/.exec(ended.stdout)?.[1] ?? "";
    expect((await project.run("report", "--incident", incident)).stdout).toContain("3 rows differ");
    expect(ended.stdout).toContain("npx cutover run crossing.ts");
    expect(project.lines("ledger.txt")).toEqual(["copy", "copy back"]);
  });
});

describe("a run that waits for a person", () => {
  test("--until-held ends with 3; approve without an owner counts when the run is resumed", async () => {
    project.write("crossing.ts", withApproval);
    const held = await project.run("run", "--until-held");
    expect(held.code).toBe(3);
    expect(held.stdout).toContain("cutover approve");
    expect(project.lines("ledger.txt")).toEqual(["copy"]);

    expect((await project.run("approve")).stderr).toContain("CUTOVER_CLI_USAGE");
    const approved = await project.run("approve", "--reason", "looked at it", "--by", "ann");
    expect(approved).toMatchObject({ code: 0, stderr: "" });
    expect((await project.run("resume")).code).toBe(0);
    expect(project.lines("ledger.txt")).toEqual(["copy", "remove"]);
  });

  test("an owner keeps waiting, says for what, and goes on at once when somebody approves", async () => {
    project.write("crossing.ts", withApproval);
    const owner = project.start(["run"]);
    await until(() => owner.output().includes("waits for approval"), "it says what it waits for");
    expect((await project.run("approve", "--phase", "retire", "--reason", "fine")).code).toBe(0);
    expect((await owner.ended).code).toBe(0);
  });
});

describe("a run that its gate holds", () => {
  test("--held-for ends with 3 and says why; it goes on when it is resumed", async () => {
    project.write("crossing.ts", withGate);
    expect((await project.run("run", "--held-for", "soon")).stderr).toContain("CUTOVER_DURATION_INVALID");
    expect(project.lines("ledger.txt")).toEqual([]);
    const held = await project.run("run", "--held-for", "200ms");
    expect(held.code).toBe(3);
    expect(held.stdout).toMatch(/held in move · run \w+ · hold: rows/);
    project.write("shown", "");
    expect((await project.run("resume", "--held-for", "1m")).code).toBe(0);
    expect(project.lines("ledger.txt")).toEqual(["copy"]);
  });
});

describe("a run that another process carries", () => {
  test("answers status, is paused, continued and watched from outside", async () => {
    project.write("crossing.ts", copyRows);
    const owner = project.start(["run"]);
    await until(async () => (await project.json<Status>("status")).owner !== null, "the owner answers");
    const watch = project.start(["watch", "--json"]);
    await until(() => watch.output().includes('"type":"view"'), "the watcher sees a view");

    expect((await project.run("pause", "--reason", "lunch")).code).toBe(0);
    expect((await project.json<Status>("status")).view?.run.state).toBe("PAUSED");
    expect((await project.run("continue")).code).toBe(0);
    project.write("go", "");
    expect((await owner.ended).code).toBe(0);
    expect((await watch.ended).code).toBe(0);
    expect(project.lines("ledger.txt")).toEqual(["before", ...rows(0, 10)]);
  });

  test("a rollback by command takes it back there; both processes end with 4", async () => {
    project.write("crossing.ts", copyRows);
    const owner = project.start(["run"]);
    await until(async () => (await project.json<Status>("status")).owner !== null, "the owner answers");
    const back = await project.run("rollback", "--reason", "enough");
    expect([back.code, (await owner.ended).code]).toEqual([4, 4]);
    expect(project.lines("ledger.txt").slice(-2)).toEqual(["copy back", "before back"]);
  });

  test("a second run on the same store is refused, names the owner, and changes nothing", async () => {
    project.write("crossing.ts", copyRows);
    const owner = project.start(["run"]);
    await until(async () => (await project.json<Status>("status")).owner !== null, "the owner answers");
    for (const command of ["run", "resume"]) {
      const second = await project.run(command);
      expect(second.code).toBe(7);
      expect(second.stderr).toContain("CUTOVER_STORE_OWNED");
      expect(second.stderr).toContain(String(owner.child.pid));
    }
    project.write("go", "");
    expect((await owner.ended).code).toBe(0);
    expect((await project.json<Status>("status")).runs).toHaveLength(1);
  });
});

describe("a definition that changed", () => {
  test("is refused on resume with the difference, and taken with --accept-changes", async () => {
    project.write("crossing.ts", copyRows);
    const first = project.start(["run"]);
    await until(() => existsSync(project.path("go.awaited")), "five rows copied");
    first.child.kill("SIGKILL");
    await first.ended;

    project.write("go", "");
    project.write("crossing.ts", copyRows.replace("10 rows", "ten rows"));
    const refused = await project.run("resume");
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain("CUTOVER_PLAN_CHANGED");
    expect(refused.stderr).toContain("move/copy");
    expect((await project.run("resume", "--accept-changes")).code).toBe(0);
  });
});

import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorCatalog, type ErrorCode } from "../../src/core/index.ts";
import { type Ended, main as mainFile, Project, type Status, until } from "./command-line.ts";
import { copyRows, withApproval } from "./crossings.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
});
afterEach(() => project[Symbol.dispose]());

/** The first line of an error, its exit code held against the catalogue. */
function refusedWith({ code, stdout, stderr }: Ended, expected: ErrorCode): void {
  expect(stderr).toContain(`error ${expected}`);
  expect(stderr).toContain(`npx cutover help ${expected}`);
  expect(code).toBe(errorCatalog[expected].exit);
  expect(stdout).toBe("");
}

const definition = (body: string): string =>
  `import { defineMigration, phase, step } from "cutover";\nconst run = () => {};\nexport default defineMigration(${body});\n`;

describe("a command line that cannot be understood", () => {
  test("an unknown command is refused with the nearest one", async () => {
    const ended = await project.run("statsu");
    refusedWith(ended, "CUTOVER_CLI_UNKNOWN_COMMAND");
    expect(ended.stderr).toContain("did you mean `cutover status`?");
  });

  test.each([
    [["status", "--colour"], "--colour"],
    [["run", "a.ts", "b.ts"], "expected one word after cutover run"],
    [["route", "x", "--stage"], "--stage"],
    [["route", "x", "--stage", "on", "--reason", "r"], "expected a stage"],
    [["audit", "erase"], "erase"],
    [["settle", "move/copy", "maybe", "--reason", "r"], "not-done"],
    [["approve"], "expected a reason"],
    [["status", "--store", ""], "--store"],
  ])("%j is refused with what was expected", async (args, part) => {
    const ended = await project.run(...args);
    refusedWith(ended, "CUTOVER_CLI_USAGE");
    expect(ended.stderr).toContain(part);
    expect(project.read(".cutover/owner.lock")).toBe("");
  });

  test.each(["101", "-1", "ten", "false", "1e9"])("a share of %s is refused", async (share) => {
    const ended = await project.run("route", "x", `--share=${share}`, "--reason", "r");
    refusedWith(ended, "CUTOVER_SHARE_INVALID");
  });

  test("a route is not moved where there is no store, and none is made for it", async () => {
    const ended = await project.run("route", "x", "--share", "10", "--reason", "r");
    refusedWith(ended, "CUTOVER_ROUTE_UNKNOWN");
    expect(project.read(".cutover/owner.lock")).toBe("");
  });

  test.skipIf(!existsSync("/dev/full"))("an answer that a full disk did not take is no success", () => {
    const full = openSync("/dev/full", "w");
    try {
      const { status, stderr } = spawnSync(process.execPath, [mainFile, "help"], {
        cwd: project.dir,
        stdio: ["ignore", full, "pipe"],
        encoding: "utf8",
      });
      expect(stderr).toContain("error CUTOVER_OUTPUT_LOST");
      expect(status).toBe(errorCatalog.CUTOVER_OUTPUT_LOST.exit);
    } finally {
      closeSync(full);
    }
  });

  test("a definition or a step that ends the process is no success", async () => {
    project.write("ends.ts", "process.exit(0);\n");
    const loaded = await project.run("check", "ends.ts");
    refusedWith(loaded, "CUTOVER_PROCESS_EXITED");
    expect(loaded.stderr).toContain("ends.ts:1:9");
    project.write(
      "step.ts",
      `import { defineMigration, phase, step } from "cutover";
       const stop = step("stop", { run: () => process.exit(0), rollback: () => {} });
       export default defineMigration({ name: "ends", phases: [phase("a", { steps: [stop] })] });\n`,
    );
    const run = await project.run("run", "step.ts", "--store", "ends");
    refusedWith(run, "CUTOVER_PROCESS_EXITED");
    expect(run.stderr).toContain("step.ts:2");
  });

  test("an error of a step that nobody waits for ends the run with its name and place, and the run can go on", async () => {
    const stray = (work: string): string =>
      `import { defineMigration, phase, step } from "cutover";
       const careless = step("careless", {
         run: async (its) => { ${work}; await new Promise((end) => its.clock.after(200, end)); },
         rollback: () => {},
       });
       export default defineMigration({ name: "stray", phases: [phase("a", { steps: [careless] })] });\n`;
    for (const work of [
      `void Promise.reject(new Error("nobody waits"))`,
      `setTimeout(() => { throw new Error("nobody waits"); }, 10)`,
    ]) {
      project.write("stray.ts", stray(work));
      const run = await project.run("run", "stray.ts", "--store", `stray-${work.length}`);
      refusedWith(run, "CUTOVER_STRAY_ERROR");
      expect(run.stderr).toContain("found one that nobody waited for: nobody waits");
      expect(run.stderr).toMatch(/\n {2}in \S*stray\.ts:3/);
      project.write("stray.ts", stray(""));
      const resumed = await project.run("resume", "--accept-changes", "--store", `stray-${work.length}`);
      expect(resumed.code).toBe(0);
    }
  });

  test("what a definition prints stands beside the answer with --json", async () => {
    project.write("talks.ts", `console.log("hello from here");\n${withApproval}`);
    const { stdout, stderr, code } = await project.run("check", "talks.ts", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toBeTypeOf("object");
    expect(stderr).toContain("hello from here");
  });

  test("with --json an error is one document on stdout", async () => {
    const ended = await project.run("statsu", "--json");
    expect(JSON.parse(ended.stdout)).toMatchObject({
      error: { code: "CUTOVER_CLI_UNKNOWN_COMMAND", details: { nearest: "status" } },
      exit: 2,
    });
    expect(ended.stderr).toBe("");
  });

  test("a name with control characters answers for nothing", async () => {
    project.write("crossing.ts", withApproval);
    for (const by of ["ann\u001b[2J", "ann\nbob", " "])
      refusedWith(await project.run("run", "--by", by), "CUTOVER_CLI_USAGE");
    expect(existsSync(project.path(".cutover"))).toBe(false);
  });

  test("help explains commands and error codes, also without their prefix", async () => {
    expect((await project.run()).stdout).toContain("audit");
    expect((await project.run("help", "run")).stdout).toContain("--until-held");
    expect((await project.run("run", "--help")).stdout).toContain("--until-held");
    expect((await project.run("help", "plan_cycle")).stdout).toContain("in a circle");
    expect((await project.run("help", "CUTOVER_PLAN_CYCEL")).stderr).toContain("CUTOVER_PLAN_CYCLE");
    expect((await project.run("version")).stdout).toMatch(/^cutover \d+\.\d+\.\d+/);
  });
});

describe("a place that cannot be", () => {
  test("a file where a folder has to be is named by init, run and doctor", async () => {
    project.write("taken", "");
    refusedWith(await project.run("init", "taken"), "CUTOVER_STORE_UNAVAILABLE");
    expect(await project.run("init")).toMatchObject({ code: 0 });
    refusedWith(await project.run("run", "--store", "taken"), "CUTOVER_STORE_UNAVAILABLE");
    refusedWith(await project.run("status", "--store", "taken"), "CUTOVER_STORE_UNAVAILABLE");
    const doctor = await project.run("doctor", "--store", "taken");
    expect(doctor.code).toBe(6);
    expect(doctor.stdout).toMatch(/✖ folder .*taken is a file/);
  });

  test("the log of a run that does not exist is refused, not empty", async () => {
    expect(await project.run("init")).toMatchObject({ code: 0 });
    expect(await project.run("run")).toMatchObject({ code: 0 });
    refusedWith(await project.run("audit", "log", "--run", "nowhere"), "CUTOVER_RUN_NOT_FOUND");
  });
});

describe("a definition that cannot be", () => {
  test("a circle of steps is refused with its path and its line", async () => {
    project.write(
      "crossing.ts",
      definition(`{ name: "x", phases: [phase("move", { steps: [
  step("backfill", { run, rollback: run, after: ["repair"] }),
  step("verify", { run, rollback: run, after: ["backfill"] }),
  step("repair", { run, rollback: run, after: ["verify"] }),
] })] }`),
    );
    for (const command of ["plan", "check", "run"]) {
      const ended = await project.run(command);
      refusedWith(ended, "CUTOVER_PLAN_CYCLE");
      expect(ended.stderr).toMatch(/backfill → .* → backfill|repair → .* → repair|verify → .* → verify/);
      expect(ended.stderr).toMatch(/crossing\.ts:\d+/);
    }
    expect(project.read(".cutover/owner.lock")).toBe("");
  });

  test("every problem is named, with its place and remedy, not only the first", async () => {
    project.write(
      "crossing.ts",
      definition(`{ name: "x", units: ["a"], phases: [
  phase("one", { units: ["b"], steps: [step("s", { run })] }),
  phase("one", { forwardOnly: true, steps: [] }),
] }`),
    );
    const { stderr, code } = await project.run("check");
    expect(code).toBe(2);
    for (const part of ["CUTOVER_PLAN_UNKNOWN_UNIT", "CUTOVER_PLAN_DUPLICATE", "CUTOVER_PLAN_FORWARD_ONLY"])
      expect(stderr).toContain(part);
  });

  test.each([
    ["a syntax error", "export default {\n  name:: 1\n};\n", /crossing\.ts:2/],
    ["an await that nothing ends", "await new Promise(() => {});\n", /waits for ever[\s\S]*crossing\.ts/],
    ["TypeScript that cannot be stripped", "enum A { x }\nexport default A;\n", /crossing\.ts/],
    ["a missing import", 'import "./nowhere.ts";\n', /nowhere\.ts/],
    [
      "an error thrown while it loads",
      "const a = 1;\nthrow new Error('no database');\n",
      /no database[\s\S]*crossing\.ts:2/,
    ],
  ])("%s is refused with its place", async (_what, text, place) => {
    project.write("crossing.ts", text);
    const ended = await project.run("plan");
    refusedWith(ended, "CUTOVER_PLAN_LOAD");
    expect(ended.stderr).toMatch(place);
  });

  test("a file without a migration, a missing file and a choice of two are told apart", async () => {
    project.write("crossing.ts", "export default { name: 'x' };\n");
    refusedWith(await project.run("plan"), "CUTOVER_PLAN_NOT_FOUND");
    refusedWith(await project.run("plan", "nowhere.ts"), "CUTOVER_PLAN_NOT_FOUND");
    const folder = await project.run("plan", ".");
    refusedWith(folder, "CUTOVER_PLAN_NOT_FOUND");
    expect(folder.stderr).toContain("found a folder");
    const empty = new Project();
    try {
      refusedWith(await empty.run("plan"), "CUTOVER_PLAN_NOT_FOUND");
      empty.write("a.crossing.ts", copyRows);
      expect((await empty.run("plan")).code).toBe(0);
      empty.write("b.crossing.ts", copyRows);
      expect((await empty.run("plan")).stderr).toContain("found 2");
    } finally {
      empty[Symbol.dispose]();
    }
  });
});

describe("a store that cannot be used", () => {
  /** A finished run, and its database closed. */
  async function finished(): Promise<void> {
    project.write("crossing.ts", withApproval);
    expect((await project.run("run", "--until-held")).code).toBe(3);
  }

  test("a damaged file is refused and left as it is", async () => {
    await finished();
    project.write(
      ".cutover/cutover.db",
      "this is no database, and long enough to have a header of some sort ".repeat(40),
    );
    const before = readFileSync(project.path(".cutover/cutover.db"));
    for (const command of ["status", "run", "resume", "audit"]) {
      refusedWith(await project.run(command), "CUTOVER_STORE_CORRUPT");
    }
    expect(readFileSync(project.path(".cutover/cutover.db")).equals(before)).toBe(true);
  });

  test("one of a newer schema is refused and left as it is", async () => {
    await finished();
    using db = disposable(new DatabaseSync(project.path(".cutover/cutover.db")));
    db.it.exec(
      "INSERT INTO schema (version, name, breaking, applied_at) VALUES (999, '999-future.sql', 1, 0)",
    );
    for (const command of ["status", "resume"])
      refusedWith(await project.run(command), "CUTOVER_STORE_NEWER");
  });

  test("one that somebody changed is found by audit verify", async () => {
    await finished();
    expect((await project.run("audit", "verify")).code).toBe(0);
    using db = disposable(new DatabaseSync(project.path(".cutover/cutover.db")));
    for (const { name } of db.it.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all() as {
      name: string;
    }[])
      db.it.exec(`DROP TRIGGER ${name}`);
    db.it.exec(`UPDATE events SET data = replace(data, '"copy"', '"kopy"'), at = at + 1 WHERE seq = 3`);
    const ended = await project.run("audit", "verify");
    refusedWith(ended, "CUTOVER_AUDIT_BROKEN");
    expect(ended.stderr).toContain("event 3");
    expect((await project.run("doctor")).code).toBe(6);
  });

  test("rows that somebody edited are found by audit verify, and made anew by audit rebuild", async () => {
    await finished();
    const edit = (sql: string): void => {
      using db = disposable(new DatabaseSync(project.path(".cutover/cutover.db")));
      db.it.exec(sql);
    };
    edit("UPDATE runs SET state = 'PAUSED'");
    for (const command of [["audit", "verify"], ["resume"]]) {
      const ended = await project.run(...command);
      refusedWith(ended, "CUTOVER_AUDIT_BROKEN");
      expect(ended.stderr.replaceAll(/\s+/g, " ")).toContain('has state "PAUSED"');
    }
    const rebuilt = await project.run("audit", "rebuild");
    expect(rebuilt.code).toBe(0);
    expect(rebuilt.stdout.replaceAll(/\s+/g, " ")).toContain('has state "PAUSED"');
    expect((await project.run("audit", "verify")).code).toBe(0);
    edit("DROP TRIGGER events_are_never_changed; UPDATE events SET at = at + 1 WHERE seq = 3");
    refusedWith(await project.run("audit", "rebuild"), "CUTOVER_AUDIT_BROKEN");
  });

  test("a full disk ends the run with its code; when there is room again resume finishes it", async () => {
    // Each row leaves 200 kB of evidence, so that a disk without room is noticed at the next one.
    const proof = `await its.evidence("row " + row, { text: String(row).repeat(200_000) });\n      note("row " + row);`;
    project.write("crossing.ts", copyRows.replace('note("row " + row);', proof));
    // No option of the product reaches this: the store's file is kept from growing in the process itself.
    project.write(
      "full-disk.mjs",
      `import { DatabaseSync } from "node:sqlite";
const { exec } = DatabaseSync.prototype;
DatabaseSync.prototype.exec = function (sql) {
  exec.call(this, sql);
  if (sql.includes("journal_mode = WAL")) exec.call(this, "PRAGMA max_page_count = 1");
};
`,
    );
    const first = project.start(["run"]);
    await until(() => existsSync(project.path("go.awaited")), "five rows copied");
    first.child.kill("SIGKILL");
    await first.ended;

    project.write("go", "");
    const full = await project.start(["resume"], { node: ["--import", "./full-disk.mjs"] }).ended;
    expect(full.stderr).toContain("CUTOVER_STORE_FULL");
    expect(full.code).toBe(6);
    expect((await project.run("audit", "verify")).code).toBe(0);

    expect((await project.run("resume")).code).toBe(0);
    expect(project.lines("ledger.txt")).toEqual([
      "before",
      ...Array.from({ length: 10 }, (_, row) => `row ${row}`),
    ]);
  });

  test("a folder that cannot be written is refused", async () => {
    project.write("file", "");
    project.write("crossing.ts", copyRows);
    refusedWith(await project.run("run", "--store", "file/store"), "CUTOVER_STORE_UNAVAILABLE");
  });
});

describe("a run that is not there", () => {
  test("questions and decisions about it are refused, and make no store", async () => {
    for (const args of [
      ["status", "rx"],
      ["watch"],
      ["report"],
      ["audit", "log", "--run", "x"],
      ["resume"],
      ["pause", "--reason", "r"],
      ["rollback", "--reason", "r"],
    ]) {
      refusedWith(await project.run(...args), "CUTOVER_RUN_NOT_FOUND");
    }
    for (const args of [["audit"], ["audit", "log"], ["audit", "rebuild"]])
      refusedWith(await project.run(...args), "CUTOVER_STORE_UNAVAILABLE");
    expect(project.read(".cutover/owner.lock")).toBe("");
    expect(await project.json<Status>("status")).toMatchObject({ runs: [], view: null });
    refusedWith(await project.run("route", "x", "--stage", "off", "--reason", "r"), "CUTOVER_ROUTE_UNKNOWN");
  });

  test("a second run of a migration whose first has not ended is refused", async () => {
    project.write("crossing.ts", withApproval);
    await project.run("run", "--until-held");
    refusedWith(await project.run("run"), "CUTOVER_RUN_ACTIVE");
  });
});

const disposable = (it: DatabaseSync): Disposable & { readonly it: DatabaseSync } => ({
  it,
  [Symbol.dispose]: () => it.close(),
});

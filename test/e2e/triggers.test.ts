import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Running, type Status, Project, until } from "./command-line.ts";
import { withTriggers } from "./crossings.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
  project.write("crossing.ts", withTriggers);
});
afterEach(() => project[Symbol.dispose]());

async function running(...more: readonly string[]): Promise<Running> {
  const run = project.start(["run", ...more]);
  await until(() => existsSync(project.path("go.awaited")), "the run to begin");
  return run;
}

const state = async (...more: readonly string[]): Promise<string | undefined> =>
  (await project.json<Status>("status", ...more)).view?.run.state;

describe("a trigger for people", () => {
  test("is listed by plan, status and watch with what it does", async () => {
    const plan = await project.run("plan");
    const text = plan.stdout.replaceAll(/\s+/g, " ");
    expect(text).toContain("customer impact (by hand) → roll back");
    expect(text).toContain('look closer (by hand) → run "look"');
    expect(text).toContain("load > 5 for 01:00 → throttle");
    const run = await running();
    const status = (await project.run("status")).stdout.replaceAll(/\s+/g, " ");
    expect(status).toContain("customer impact (by hand)");
    const watch = project.start(["watch", "--json"]);
    await until(() => watch.output().includes('"name":"customer impact"'), "watch to name it");
    project.write("go", "");
    expect((await run.ended).code).toBe(0);
  });

  test("holds, is lifted, and rolls back, through the socket of the run's owner", async () => {
    const run = await running();
    const held = await project.run(
      "trigger",
      "data corruption risk",
      "--reason",
      "a row looks odd",
      "--by",
      "bob",
    );
    expect(held).toMatchObject({ code: 0 });
    expect(held.stdout).toContain('"data corruption risk" fired by bob');
    expect(await state()).toBe("HOLDING");
    expect((await project.run("status")).stdout).toContain("a row looks odd");
    const lifted = await project.run("trigger", "data corruption risk", "--lift", "--reason", "it is fine");
    expect(lifted).toMatchObject({ code: 0 });
    expect(await state()).toBe("RUNNING");
    expect(await project.run("trigger", "look closer", "--reason", "to be sure")).toMatchObject({ code: 0 });
    await until(() => project.lines("ledger.txt").includes("looked"), "the procedure to run");
    expect(await project.run("trigger", "customer impact", "--reason", "two called")).toMatchObject({
      code: 0,
    });
    expect((await run.ended).code).toBe(4);
    const audit = await project.run("audit", "log");
    expect(audit.stdout).toContain("two called");
    const id = (await project.json<Status>("status")).view?.run.id ?? "";
    const report = project.read(`.cutover/reports/${id}.md`);
    expect(report).toContain("data corruption risk | hold | fired");
    expect(report).toContain("| customer impact | roll back | fired");
  });

  test("fires while nobody carries the run, and whoever resumes it acts on it", async () => {
    const run = await running();
    run.child.kill("SIGKILL");
    await run.ended;
    expect(await project.run("trigger", "customer impact", "--reason", "two called")).toMatchObject({
      code: 0,
    });
    expect(await state()).toBe("ROLLING_BACK");
    expect((await project.run("resume")).code).toBe(4);
  });

  test("reaches the process that carries the run through a shared store", async () => {
    const run = await running("--store", "sqlite:shared.db");
    const held = await project.run(
      "trigger",
      "data corruption risk",
      "--reason",
      "odd",
      "--store",
      "sqlite:shared.db",
    );
    expect(held).toMatchObject({ code: 0 });
    expect(await state("--store", "sqlite:shared.db")).toBe("HOLDING");
    const back = await project.run(
      "trigger",
      "customer impact",
      "--reason",
      "two",
      "--store",
      "sqlite:shared.db",
    );
    expect(back).toMatchObject({ code: 0 });
    expect((await run.ended).code).toBe(4);
  });

  test.each([
    [["trigger"], "CUTOVER_CLI_USAGE", "expected the name of a trigger"],
    [["trigger", "customer impact"], "CUTOVER_CLI_USAGE", "expected a reason"],
    [
      ["trigger", "custmer impact", "--reason", "r"],
      "CUTOVER_TRIGGER_UNKNOWN",
      'did you mean "customer impact"?',
    ],
    [["trigger", "load > 5", "--reason", "r"], "CUTOVER_RUN_STATE", "which fires by itself"],
    [
      ["trigger", "data corruption risk", "--lift", "--reason", "r"],
      "CUTOVER_RUN_STATE",
      "found that it does not",
    ],
    [["trigger", "customer impact", "--reason", "r", "--lit"], "CUTOVER_CLI_USAGE", "--lift"],
  ])("%j is refused with %s", async (args, code, part) => {
    const run = await running();
    const ended = await project.run(...args);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(code);
    expect(ended.stderr.replaceAll(/\s+/g, " ")).toContain(part);
    expect(await state()).toBe("RUNNING");
    project.write("go", "");
    expect((await run.ended).code).toBe(0);
  });
});

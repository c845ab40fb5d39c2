import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Project, type Status, until } from "./command-line.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
});
afterEach(() => {
  project[Symbol.dispose]();
});

/** Moves two routes, with a step between them that has work of another sort to undo, then waits until somebody ends it. */
const crossing = `
import { appendFileSync, writeFileSync } from "node:fs";
import { defineMigration, phase, step } from "cutover";
import { setStage } from "cutover/rollout";
const note = (line) => appendFileSync("ledger.txt", line + "\\n");
const wait = step("wait", { run: async ({ signal }) => {
  writeFileSync("waits", "");
  await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
} });
export default defineMigration({
  name: "two-routes",
  phases: [
    phase("first", { steps: [setStage("orders.list", "live", { share: 5 })] }),
    phase("move", { steps: [step("copy", { run: () => note("copy"), rollback: () => note("copy back") })] }),
    phase("second", { steps: [setStage("orders.get", "live", { share: 10 })] }),
    phase("wait", { steps: [wait] }),
  ],
});
`;
const broken = `import "./gone.ts";\n${crossing}`;

interface Refusal {
  readonly error: { readonly code: string; readonly details: object };
}

/** A run that was killed while both routes were live, and whose definition was broken since. */
async function killedAndBroken(): Promise<string> {
  project.write("crossing.ts", crossing);
  const run = project.start(["run"]);
  await until(() => existsSync(project.path("waits")), "the last step waits");
  run.child.kill("SIGKILL");
  await run.ended;
  project.write("crossing.ts", broken);
  return (await project.json<Status>("status")).view?.run.id ?? "";
}

const routes = async (): Promise<object> =>
  Object.fromEntries(
    (
      await project.json<
        readonly { readonly route: string; readonly stage: string; readonly share: number }[]
      >("route")
    ).map(({ route, stage, share }) => [route, `${stage} ${share}`]),
  );

describe("a run whose definition cannot be loaded any more", () => {
  test("gives traffic back by its record, as far as no other step must be undone before, and the rest later", async () => {
    const run = await killedAndBroken();
    expect(await routes()).toEqual({ "orders.list": "live 5", "orders.get": "live 10" });

    const back = await project.run("rollback", "--reason", "customers see errors");
    expect(back.code).toBe(5);
    const told = back.stderr.replaceAll(/\s+/g, " ");
    expect(told).toContain("CUTOVER_ROLLBACK_WAITS");
    expect(told).toMatch(/Cannot find module \S*gone\.ts/);
    expect(told).toContain("back where this run found them: orders.get at off");
    expect(told).toContain("not back, since step move/copy is to be undone first: orders.list at live 5 %");
    expect(told).toContain(`cutover rollback ${run} --reason`);
    expect(told).toContain("cutover route orders.list --stage off --reason");
    expect(await routes()).toEqual({ "orders.list": "live 5", "orders.get": "off 0" });
    expect(project.lines("ledger.txt")).toEqual(["copy"]);
    expect((await project.json<Status>("status")).view?.run.state).toBe("ROLLING_BACK");

    // Asked again, and taken up by `resume`, it says the same and changes nothing more.
    const again = await project.json<Refusal>("rollback", "--reason", "still");
    expect(again.error).toMatchObject({
      code: "CUTOVER_ROLLBACK_WAITS",
      details: {
        run,
        state: "ROLLING_BACK",
        cause: "CUTOVER_PLAN_LOAD",
        back: [{ route: "orders.get", stage: "off" }],
        left: [{ route: "orders.list", stage: "live", share: 5 }],
        waitsFor: "move/copy",
      },
    });
    expect((await project.run("resume")).code).toBe(5);
    expect(await routes()).toEqual({ "orders.list": "live 5", "orders.get": "off 0" });
    expect((await project.run("audit", "verify")).code).toBe(0);

    project.write("crossing.ts", crossing);
    expect((await project.run("rollback", "--reason", "mended")).code).toBe(4);
    expect(project.lines("ledger.txt")).toEqual(["copy", "copy back"]);
    expect(await routes()).toEqual({ "orders.list": "off 0", "orders.get": "off 0" });
    expect((await project.run("audit", "verify")).code).toBe(0);
  });

  test("changes nothing when it is another file, named by hand, that cannot be loaded", async () => {
    await killedAndBroken();
    const refused = await project.run("rollback", "--reason", "back", "--file", "nowhere.ts");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("CUTOVER_PLAN_LOAD");
    expect(await routes()).toEqual({ "orders.list": "live 5", "orders.get": "live 10" });
    expect((await project.json<Status>("status")).view?.run.state).toBe("RUNNING");
  });

  test("goes forward no more than before: `resume` of a run that was not rolling back only says what is wrong", async () => {
    await killedAndBroken();
    expect((await project.run("resume")).code).toBe(2);
    expect(await routes()).toEqual({ "orders.list": "live 5", "orders.get": "live 10" });
  });
});

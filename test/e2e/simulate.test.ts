import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Project, until } from "./command-line.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
});
afterEach(() => project[Symbol.dispose]());

const crossing = `
import { writeFileSync } from "node:fs";
import { defineMigration, phase, rate, step, value, when } from "cutover";
import { ramp, shadow } from "cutover/rollout";
const touch = async () => { writeFileSync("touched", ""); return null; };
export default defineMigration({
  name: "orders",
  phases: [
    phase("move", { steps: [step("copy", { run: touch, rollback: touch })] }),
    phase("shadow", { steps: [shadow("orders.submit", { for: "1m" })] }),
    phase("rollout", { steps: [ramp("orders.submit", [10, 50], { hold: "2m", checkShare: false })] }),
  ],
  triggers: [
    when(rate.error().worseThan("old", { by: 2 })).then("rollback"),
    when(value("open orders", touch).above(3)).then("pause"),
  ],
});
`;

describe("cutover simulate", () => {
  test("tells what the migration would notice, in 80 columns, and touches nothing", async () => {
    project.write("crossing.ts", crossing);
    const { code, stdout, stderr } = await project.run(
      "simulate",
      "--runs",
      "4",
      "--fault",
      "crash@live:50%",
      "--fault",
      "mismatch:5%",
    );
    expect(stderr).toContain("all is well: 4 runs in");
    expect(code).toBe(0);
    expect(stdout).toContain("0 of 4 runs alarmed for nothing");
    expect(stdout).toMatch(/the whole way takes 05:\d\d/);
    expect(stdout).toMatch(/crash@live:50%\s+4\/4\s+\d[\d. ms]*\s+\d[\d. ms]*\s+50 %\s+\d+\s+\d+/);
    expect(stdout).toMatch(/mismatch:5%\s+4\/4 .* shadow\s+0\s+0/);
    expect(stdout).toContain("rollback: errors > 2× old");
    expect(stdout).toContain("left out, since traffic says nothing about it: open orders > 3");
    expect(stdout).toContain("next: npx cutover run");
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(existsSync(project.path("touched"))).toBe(false);
    expect(existsSync(project.path(".cutover"))).toBe(false);
  });

  test("gives machines the same figures, and the same ones for the same seed", async () => {
    project.write("crossing.ts", crossing);
    const words = [
      "simulate",
      "crossing.ts",
      "--json",
      "--runs",
      "3",
      "--seed",
      "7",
      "--rate",
      "50/s",
      "--fault",
      "error:x9",
    ];
    const first = await project.run(...words);
    expect(first.code).toBe(0);
    expect(JSON.parse(first.stdout)).toMatchObject({
      migration: "orders",
      seed: 7,
      traffic: { rate: 50 },
      healthy: { runs: 3 },
      faults: [{ fault: "error:x9", runs: 3, detected: 3 }],
      leftOut: ["open orders > 3"],
      passedOver: 1,
      whole: true,
    });
    expect((await project.run(...words)).stdout).toBe(first.stdout);
  });

  test.each([
    [["--rate", "200"], "--rate"],
    [["--fault", "explode"], "--fault"],
    [["--fault", "error:1%"], "--fault"],
    [["--keys", "many"], "--keys"],
    [["--runs", "0"], "--runs"],
    [["--seed", "-1.5"], ""],
    [["--route", "orders.cancel"], "--route"],
  ])("refuses %j and says which option is meant", async (options, place) => {
    project.write("crossing.ts", crossing);
    const { code, stdout, stderr } = await project.run("simulate", ...options);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/CUTOVER_SIMULATION_INPUT|CUTOVER_CLI_USAGE/);
    expect(stderr).toContain(place);
  });

  test("says so when the migration moves no route", async () => {
    project.write(
      "crossing.ts",
      `import { defineMigration, phase, step } from "cutover";
      export default defineMigration({ name: "copying", phases: [phase("copy", { steps: [step("copy", { run: async () => null, rollback: async () => {} })] })] });`,
    );
    const { code, stderr } = await project.run("simulate");
    expect(code).toBe(2);
    expect(stderr).toContain("expected copying to have steps that move a");
    expect(stderr).toContain("crossing.ts");
    expect(stderr).toContain("ramp(");
  });

  test("told to stop, it tells what it has so far", async () => {
    project.write("crossing.ts", crossing);
    const running = project.start(["simulate", "--runs", "100000", "--fault", "error:x2"]);
    await until(() => running.output().includes("Ctrl-C"), "it simulates");
    running.child.kill("SIGINT");
    const { code, stdout } = await running.ended;
    expect(code).toBe(130);
    expect(stdout).toContain("stopped early");
    expect(stdout).toMatch(/alarmed for nothing/);
  });
});

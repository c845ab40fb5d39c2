import { type ChildProcess, spawn } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Project, type Status, until } from "./command-line.ts";

let project: Project;
let app: ChildProcess | undefined;
beforeEach(() => {
  project = new Project();
});
afterEach(() => {
  app?.kill("SIGKILL");
  project[Symbol.dispose]();
});

/** Puts the route at 10 %, then waits until somebody ends it. */
const crossing = `
import { defineMigration, phase, step } from "cutover";
export default defineMigration({
  name: "route-by-hand",
  phases: [phase("rollout", { steps: [step("ten", {
    run: async ({ routes, signal }) => {
      const now = await routes.get("orders.get");
      await routes.set("orders.get", now?.epoch ?? 0, { stage: "live", share: 10 });
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
    rollback: async ({ routes }) => {
      const now = await routes.get("orders.get");
      if (now !== undefined) await routes.set("orders.get", now.epoch, { stage: "off", share: 0 });
    },
  })] })],
});
`;

/** An application that says how its route stands whenever that changes, and who answers a call. */
const application = `
import { createRollout } from "cutover/rollout";
const rollout = createRollout({ dir: ".cutover" });
const get = rollout.route("orders.get", { old: async () => "old", new: async () => "new", key: () => "k", effects: "none" });
let last = "";
setInterval(async () => {
  const { stage, share } = get.state();
  const line = stage + " " + share + " " + (await get());
  if (line !== last) process.stdout.write((last = line) + "\\n");
}, 5);
`;

function startApplication(): () => string {
  project.write("app.mjs", application);
  app = spawn(process.execPath, ["app.mjs"], { cwd: project.dir, stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  app.stdout?.on("data", (chunk) => (told += String(chunk)));
  return () => told.trimEnd().split("\n").at(-1) ?? "";
}

describe("a route that is moved by hand", () => {
  test("reaches a running application, with an owner and without one, and stands as an override", async () => {
    project.write("crossing.ts", crossing);
    const told = startApplication();
    const run = project.start(["run"]);
    await until(() => told().startsWith("live 10"), "the run's stage reaches the application");

    const moved = await project.run("route", "orders.get", "--share", "100", "--reason", "all of it, now");
    expect(moved.code).toBe(0);
    expect(moved.stdout).toContain("recorded as an override");
    await until(() => told() === "live 100 new", "the owner tells the application");

    run.child.kill("SIGKILL");
    await run.ended;
    expect(told()).toBe("live 100 new");
    const back = await project.run("route", "orders.get", "--stage", "off", "--reason", "nobody owns it");
    expect(back.code).toBe(0);
    await until(() => told() === "off 0 old", "the file tells the application");

    const { view } = await project.json<Status>("status");
    expect(view?.overrides.length).toBeGreaterThanOrEqual(1);
    expect((await project.run("audit", "verify")).code).toBe(0);
  });

  test("is refused when it changed since the epoch that was seen", async () => {
    project.write("crossing.ts", crossing);
    const told = startApplication();
    const run = project.start(["run"]);
    await until(() => told().startsWith("live 10"), "the run's stage reaches the application");
    const stale = await project.run(
      "route",
      "orders.get",
      "--share",
      "50",
      "--epoch",
      "0",
      "--reason",
      "late",
    );
    expect(stale.code).toBe(7);
    expect(stale.stderr).toContain("CUTOVER_ROUTE_EPOCH");
    expect(told()).toMatch(/^live 10 /);
    run.child.kill("SIGINT");
    expect((await run.ended).code).toBe(130);
  });

  test("shows what was compared of it by operation and cohort, and what was not", async () => {
    project.write(
      "crossing.ts",
      crossing.replace('{ stage: "live", share: 10 }', '{ stage: "shadow", share: 0 }'),
    );
    project.write(
      "app.mjs",
      `
import { createRollout } from "cutover/rollout";
const rollout = createRollout({ dir: ".cutover" });
const call = rollout.route("orders.get", {
  old: async (op) => op, new: async (op) => (op === "list" ? "other" : op), key: () => "k", effects: "none",
  operation: (op) => op, cohort: () => "eu", cohorts: ["eu", "us"],
  operations: { get: {}, list: {}, find: {}, charge: { never: "non-idempotent" } },
});
setInterval(() => ["get", "list", "charge", "extra"].forEach((op) => void call(op)), 5);
`,
    );
    app = spawn(process.execPath, ["app.mjs"], { cwd: project.dir, stdio: ["ignore", "ignore", "inherit"] });
    const run = project.start(["run"]);
    let shown = "";
    await until(async () => {
      shown = (await project.run("route", "orders.get")).stdout;
      return /list +\d+ +[1-9]/.test(shown) && /charge .* [1-9]\d* calls/.test(shown);
    }, "calls are compared");
    expect(shown).toMatch(/compared · \d+ differ/);
    expect(shown).toMatch(/get +\d+ +0\n/);
    expect(shown).toMatch(/find +0 +– +untested/);
    expect(shown).toMatch(/extra +\d+ +0 +not declared/);
    expect(shown).toMatch(/charge +– +– +never doubled: non-idempotent, \d+ calls/);
    expect(shown).toMatch(/eu +\d+ +\d+/);
    expect(shown).toMatch(/us +0 +– +untested/);
    const json = await project.json<{ stage: string; coverage: { declared: boolean } }>(
      "route",
      "orders.get",
    );
    expect(json).toMatchObject({ stage: "shadow", coverage: { declared: true } });

    run.child.kill("SIGKILL");
    await run.ended;
    const after = await project.run("route", "orders.get");
    expect(after.stdout).toContain("no connected application declares this route");
    expect(after.stdout).toMatch(/list +\d+ +[1-9]/);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openRig } from "../testing/engine-rig.ts";
import { byHand, commandCheck, commandGate, dataCheck, dataGate, dataStep } from "./bound-evidence.ts";
import { compile } from "./compile.ts";
import { defineMigration } from "./define-migration.ts";
import type { Phase } from "./definition.ts";
import { originOf } from "./origin.ts";
import { phase } from "./phase.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cutover-bound-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const context = { signal: new AbortController().signal, runId: "r1", workDir: "" };
const node = (code: string): [string, ...string[]] => [process.execPath, "-e", code];
const migrationOf = (...phases: Phase[]) => defineMigration({ name: "bound", phases });

describe("a claim shown by a command", () => {
  test("is a check that says yes on exit code 0, with the output as evidence", async () => {
    const yes = await commandCheck("tests pass", { run: node("console.log('42 passed')") }).run(context);
    expect(yes).toMatchObject({ ok: true, facts: { exit: 0, output: "42 passed\n", problem: null } });
    const no = await commandCheck("tests pass", { run: node("process.exit(3)") }).run(context);
    expect(no).toMatchObject({
      ok: false,
      facts: { exit: 3, problem: "ended with exit code 3, expected 0" },
    });
    const other = await commandCheck("differs", { run: node("process.exit(1)"), exit: [1] }).run(context);
    expect(other.ok).toBe(true);
  });

  test("is a gate whose verdict can be repeated from what is recorded", async () => {
    const gate = commandGate("tests pass", { run: node("process.exit(2)"), cwd: dir });
    const evidence = JSON.parse(JSON.stringify(await gate.collect(context))) as Awaited<
      ReturnType<typeof gate.collect>
    >;
    expect(gate.judge(evidence)).toMatchObject({
      kind: "fail",
      reason: expect.stringContaining("exit code 2") as string,
    });
    expect(gate.judge({ ...evidence, problem: null, ms: 7 })).toMatchObject({ kind: "pass" });
  });

  test("has shown nothing when it does not end in time, and is ended", async () => {
    const hangs = commandCheck("tests pass", { run: node("setInterval(() => {}, 1000)"), timeout: "300ms" });
    expect(await hangs.run(context)).toMatchObject({
      ok: false,
      note: expect.stringContaining("did not end within 300ms") as string,
    });
  });

  test("changes the definition's hash with its command, and not with its line of the plan", () => {
    const hash = (...run: [string, ...string[]]): string =>
      compile(migrationOf(phase("a", { exit: [commandGate("x", { run })] }))).hash;
    expect(hash("npm", "test")).not.toBe(hash("npm", "run", "lint"));
    const placed = commandGate("x", { run: ["npm", "test"], from: "PLAN.md:3" });
    expect(compile(migrationOf(phase("a", { exit: [placed] }))).hash).toBe(hash("npm", "test"));
    expect(originOf(placed)).toBe("PLAN.md:3");
  });

  test.each([
    ["no program", { run: [] }, "to be a program and its arguments"],
    ["an option nobody knows", { run: ["a"], shell: true }, "knows no `shell`"],
    ["an exit code that cannot be", { run: ["a"], exit: [300] }, "exit codes 0 … 255"],
    ["a timeout that is none", { run: ["a"], timeout: "soon" }, "a duration above 0"],
    ["no options", undefined, "to name a command"],
  ])("is refused with %s", (_, options, says) => {
    expect(() => commandCheck("x", options as never)).toThrow(says);
    expect(() => commandGate("x", options as never)).toThrow(says);
  });
});

describe("a claim shown by data", () => {
  test("is a check, a gate and a step of one function, that answers yes, no or what it saw", async () => {
    expect(await dataCheck("equal", () => true).run(context)).toEqual({ ok: true, note: "yes" });
    const gate = dataGate("equal", () => ({ ok: false, note: "3 differ", facts: { differ: 3 } }));
    const evidence = await gate.collect(context);
    expect(evidence).toEqual({ ok: false, note: "3 differ", facts: { differ: 3 } });
    expect(gate.judge(evidence)).toEqual({ kind: "fail", reason: "3 differ" });
    await expect(dataCheck("equal", () => 3 as never).run(context)).rejects.toThrow(
      "to answer true, false or { ok, note, facts? }",
    );
  });

  test("as a step it takes the run back when the data does not show it", async () => {
    await using rig = await openRig();
    let rows = 2;
    const migration = migrationOf(
      phase("a", {
        steps: [
          dataStep("moved", () => ({ ok: rows === 3, note: `${rows} rows` }), { summary: "3 rows moved" }),
        ],
      }),
    );
    expect(await rig.end(await rig.start(migration))).toMatchObject({ state: "ROLLED_BACK" });
    rows = 3;
    expect(await rig.end(await rig.start(migration))).toMatchObject({ state: "COMPLETED" });
  });
});

test("what a person does by hand holds the run, says what is to be done, and goes on by their word", async () => {
  await using rig = await openRig();
  const migration = migrationOf(
    phase("a", { steps: [byHand("plug", { summary: "plug in the new cable", from: "PLAN.md:9" })] }),
  );
  const handle = await rig.start(migration);
  await rig.until(() => handle.live().state === "HOLDING");
  expect(handle.live().reason).toContain("to be done by a person: plug in the new cable");
  await handle.continue("ada", "plugged it in");
  expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  expect(() => byHand("plug", { sumary: "x" } as never)).toThrow("knows no `sumary`");
});

test("a run goes through a checklist and an exit that commands show", async () => {
  await using rig = await openRig();
  writeFileSync(join(dir, "there"), "");
  const look = commandCheck("file is there", { run: ["test", "-e", "there"], cwd: dir });
  const gate = commandGate("file is there still", { run: ["test", "-e", "there"], cwd: dir });
  expect(
    await rig.end(await rig.start(migrationOf(phase("a", { entry: [look], exit: [gate] })))),
  ).toMatchObject({ state: "COMPLETED" });
});

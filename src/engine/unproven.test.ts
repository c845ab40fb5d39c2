import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { command, defineMigration, phase, step, unproven } from "../plan/index.ts";
import { openRig } from "../testing/engine-rig.ts";

const person = { by: "ada", reason: "did it by hand" };

test("a run holds at a step without proof, says what would settle it, and goes on by a person's word alone", async () => {
  await using rig = await openRig();
  const migration = defineMigration({
    name: "imported",
    phases: [
      phase("deploy", { steps: [step("processors", unproven("deploy them", { from: "PLAN.md:31" }))] }),
    ],
  });
  const handle = await rig.start(migration);
  await rig.until(() => handle.live().state === "HOLDING");
  expect(handle.live().reason).toBe(
    'step "deploy/processors": not proven (PLAN.md:31): a command, a metric, a data check or an approval would settle it, see `cutover bind`',
  );
  await handle.settle("deploy/processors", "done", person.by, person.reason);
  expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  const events = await rig.store.events.read({ limit: 1_000 });
  const overrides = events.filter(({ type }) => type === "override.recorded");
  expect(overrides.map(({ data }) => data)).toEqual([
    { what: "step deploy/processors settled as done", ...person },
  ]);
});

test("a phase does not begin while a claim of its checklist has no proof", async () => {
  await using rig = await openRig();
  const migration = defineMigration({
    name: "claimed",
    phases: [
      phase("deploy", {
        entry: [unproven("backup taken", { by: ["command"] })],
        steps: [step("a", { run: () => {} })],
      }),
    ],
  });
  const handle = await rig.start(migration);
  await rig.until(() => handle.live().state === "HOLDING");
  expect(handle.live().reason).toContain("backup taken: not proven: a command would settle it");
  expect(await rig.store.runs.steps(handle.id)).toEqual([]);
});

test("a phase does not end while a claim of its end has no proof: the run holds at once, whatever the patience", async () => {
  await using rig = await openRig();
  const migration = defineMigration({
    name: "ended",
    phases: [
      phase("deploy", {
        steps: [step("a", { run: () => {} })],
        exit: [unproven("zero data loss", { from: "PLAN.md:40", by: ["data"] })],
        patience: "365d",
      }),
    ],
  });
  const handle = await rig.start(migration);
  await rig.until(() => handle.live().state === "HOLDING");
  expect(handle.live().reason).toBe(
    "zero data loss: not proven (PLAN.md:40): a data check would settle it, see `cutover bind`",
  );
});

test("a reviewed command runs once a person said that it has not run yet, and never before", async () => {
  const dir = mkdtempSync(join(tmpdir(), "cutover-review-"));
  try {
    await using rig = await openRig();
    const touched = join(dir, "touched");
    const migration = defineMigration({
      name: "reviewed",
      phases: [phase("move", { steps: [command("touch", { run: ["touch", touched], review: true })] })],
    });
    const handle = await rig.start(migration);
    await rig.until(() => handle.live().state === "HOLDING");
    expect(handle.live().reason).toBe(
      `step "move/touch": it waits for a person to read \`touch ${touched}\` before it runs`,
    );
    expect(existsSync(touched)).toBe(false);
    await handle.settle("move/touch", "not-done", "ada", "read it");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(existsSync(touched)).toBe(true);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

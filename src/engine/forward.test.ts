import { describe, expect, test } from "vitest";
import { check, defineMigration, phase, step } from "../plan/index.ts";
import { openRig } from "../testing/engine-rig.ts";

describe("a run going forward", () => {
  test("runs checklist, steps and seal phase by phase, and ends COMPLETED", async () => {
    await using rig = await openRig();
    const seen: string[] = [];
    const mark = (name: string) => (): void => void seen.push(name);
    const migration = defineMigration({
      name: "two-phases",
      phases: [
        phase("prepare", {
          entry: [check("old answers", () => ({ ok: true, note: "it does" }))],
          steps: [step("a", { run: mark("a") }), step("b", { run: mark("b") })],
        }),
        phase("move", { steps: [step("c", { run: () => ({ moved: 3 }) })] }),
      ],
    });
    const handle = await rig.start(migration);
    expect(await rig.end(handle)).toEqual({ state: "COMPLETED", reason: "" });
    expect(seen).toEqual(["a", "b"]);
    const steps = await rig.store.runs.steps(handle.id);
    expect(steps.map(({ step, state, attempt, result }) => [step, state, attempt, result])).toEqual([
      ["prepare/a", "DONE", 1, null],
      ["prepare/b", "DONE", 1, null],
      ["move/c", "DONE", 1, { moved: 3 }],
    ]);
    expect(await rig.store.events.verify()).toMatchObject({ whole: true });
  });

  test("undoes every started step in reverse when a step fails, and ends ROLLED_BACK", async () => {
    await using rig = await openRig();
    const undone: string[] = [];
    const undo = (name: string) => (): void => void undone.push(name);
    const migration = defineMigration({
      name: "fails",
      phases: [
        phase("one", { steps: [step("a", { run: () => {}, rollback: undo("a") })] }),
        phase("two", {
          steps: [
            step("b", { run: () => {}, rollback: undo("b") }),
            step("c", {
              run: () => {
                throw new Error("disk on fire");
              },
              rollback: undo("c"),
            }),
            step("d", { run: () => {}, rollback: undo("d") }),
          ],
        }),
      ],
    });
    const handle = await rig.start(migration);
    const outcome = await rig.end(handle);
    expect(outcome).toMatchObject({
      state: "ROLLED_BACK",
      reason: 'step "two/c" failed: disk on fire',
      incident: expect.stringMatching(/^i/),
    });
    expect(undone).toEqual(["c", "b", "a"]);
    const [incident] = await rig.store.runs.incidents(handle.id);
    expect(incident).toMatchObject({ cause: "step-failed", outcome: "rolled back" });
  });
});

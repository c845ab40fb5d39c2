import { describe, expect, test } from "vitest";
import { defineMigration, type Migration, phase, step, value, when } from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import type { RunHandle } from "./run-handle.ts";

const nothing = (name: string): ReturnType<typeof step> => step(name, { run: () => {}, rollback: () => {} });

describe("a phase that was taken back to a forward-only one and is taken up again", () => {
  /** The phase `gone` cannot be undone; `use` is, when `look` fails for the first time. */
  const migration = (calls: { completed: number; broken: boolean }): Migration => {
    const a = nothing("a");
    const complete = async (): Promise<void> => void calls.completed++;
    const completing = { ...a, kind: { ...a.kind, complete } };
    return defineMigration({
      name: "again",
      phases: [
        phase("gone", { forwardOnly: true, approval: { by: 1 }, steps: [nothing("drop")] }),
        phase("use", {
          approval: { by: 1 },
          steps: [completing],
        }),
        phase("look", {
          steps: [
            step("b", {
              retries: 0,
              run: () => {
                if (calls.broken) throw new Error("not yet");
              },
            }),
          ],
        }),
      ],
    });
  };

  async function takenBack(rig: Rig, calls: Parameters<typeof migration>[0]): Promise<RunHandle> {
    const handle = await rig.start(migration(calls));
    await rig.until(() => handle.live().phases["gone"] === "AWAITING_APPROVAL");
    await handle.approve("gone", "ann", "go");
    await rig.until(() => handle.live().phases["use"] === "AWAITING_APPROVAL");
    await handle.approve("use", "ann", "good");
    await rig.until(() => handle.live().state === "HOLDING");
    expect(handle.live().phases).toMatchObject({ gone: "SEALED", use: "ROLLED_BACK", look: "ROLLED_BACK" });
    calls.broken = false;
    await handle.continue("ann", "mended");
    return handle;
  }

  test("asks its approvers again and completes its steps again", async () => {
    await using rig = await openRig();
    const calls = { completed: 0, broken: true };
    const handle = await takenBack(rig, calls);
    expect(calls.completed).toBe(1);
    await rig.until(() => handle.live().phases["use"] === "AWAITING_APPROVAL", 10_000);
    await rig.clock.advance(5_000);
    expect(handle.live().phases["use"]).toBe("AWAITING_APPROVAL");
    expect((await rig.store.runs.approvals(handle.id)).map(({ phase: of, lapsed }) => [of, lapsed])).toEqual([
      ["gone", false],
      ["use", true],
    ]);
    await handle.approve("use", "ann", "good again");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(calls.completed).toBe(2);
  });

  test("completes its steps again also when another process takes the run up in between", async () => {
    await using rig = await openRig();
    const calls = { completed: 0, broken: true };
    const first = await takenBack(rig, calls);
    await rig.until(() => first.live().phases["use"] === "AWAITING_APPROVAL", 10_000);
    await first.stop();
    const handle = await rig.resume(first.id, migration(calls));
    await handle.approve("use", "ann", "good again");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(calls.completed).toBe(2);
  });

  test("rests its gates on what was measured since, not on what it showed before it was taken back", async () => {
    await using rig = await openRig();
    let broken = true;
    const measured = defineMigration({
      name: "again",
      phases: [
        phase("gone", { forwardOnly: true, approval: { by: 1 }, steps: [nothing("drop")] }),
        phase("use", {
          steps: [nothing("a")],
          exit: [
            {
              type: "metric",
              name: "errors",
              measure: { of: "errors", route: "r" },
              rule: { kind: "below", limit: 0.01, alpha: 0.01, beta: 0.05 },
            },
          ],
        }),
        phase("look", {
          steps: [
            step("b", {
              run: () => {
                if (broken) throw new Error("not yet");
              },
            }),
          ],
        }),
      ],
    });
    const handle = await rig.start(measured);
    await rig.until(() => handle.live().phases["gone"] === "AWAITING_APPROVAL");
    await handle.approve("gone", "ann", "go");
    await rig.until(() => handle.live().phases["use"] === "GATING");
    await rig.clock.advance(2_000);
    await rig.measure("r", { old: [500, 0], new: [500, 0] });
    await rig.until(() => handle.live().state === "HOLDING");
    broken = false;
    await rig.clock.advance(2_000);
    await handle.continue("ann", "mended");
    await rig.clock.advance(5_000);
    expect(handle.live().phases["use"]).toBe("GATING");
    await rig.measure("r", { old: [500, 0], new: [500, 0] });
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  });
});

describe("a changed definition that is accepted", () => {
  const asking = (text: string, more: readonly ReturnType<typeof step>[] = []): Migration =>
    defineMigration({
      name: "m",
      phases: [
        phase("p", { approval: { by: 2 }, steps: [nothing("a"), ...more] }),
        phase("q", { steps: [step("b", { run: () => {}, input: text })] }),
      ],
    });

  test("lets approvals lapse: they were given for another plan", async () => {
    await using rig = await openRig();
    const first = await rig.start(asking("one"));
    await rig.until(() => first.live().phases["p"] === "AWAITING_APPROVAL");
    await first.approve("p", "ann", "good");
    await first.stop();
    const handle = await rig.resume(first.id, asking("two"), { acceptChanges: true });
    await handle.approve("p", "bob", "good");
    await rig.clock.advance(5_000);
    expect(handle.live().phases["p"]).toBe("AWAITING_APPROVAL");
    await handle.approve("p", "ann", "this one too");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  });

  test("may not add a step to a phase that only waits for people: it would never run", async () => {
    await using rig = await openRig();
    const first = await rig.start(asking("one"));
    await rig.until(() => first.live().phases["p"] === "AWAITING_APPROVAL");
    await first.stop();
    const late = asking("one", [nothing("late")]);
    await expect(rig.resume(first.id, late, { acceptChanges: true })).rejects.toMatchObject({
      code: "CUTOVER_PLAN_CHANGED",
      message: expect.stringContaining("p/late"),
    });
  });

  test("may not take the rollback away from a step that has started", async () => {
    await using rig = await openRig();
    const first = await rig.start(asking("one"));
    await rig.until(() => first.live().phases["p"] === "AWAITING_APPROVAL");
    await first.stop();
    const stripped = defineMigration({
      name: "m",
      phases: [
        phase("p", { approval: { by: 2 }, steps: [step("a", { run: () => {} })] }),
        phase("q", { steps: [step("b", { run: () => {}, input: "one" })] }),
      ],
    });
    await expect(rig.resume(first.id, stripped, { acceptChanges: true })).rejects.toMatchObject({
      code: "CUTOVER_PLAN_CHANGED",
      message: expect.stringContaining("p/a"),
    });
  });
});

describe("a run that is over", () => {
  test("is not taken back while a newer run of the same migration is under way", async () => {
    await using rig = await openRig();
    let wait = false;
    const migration = defineMigration({
      name: "m",
      phases: [
        phase("p", {
          steps: [
            step("a", {
              run: ({ clock }) => (wait ? new Promise<void>((go) => clock.after(3_600_000, go)) : undefined),
              rollback: () => {},
            }),
          ],
        }),
      ],
    });
    const first = await rig.start(migration);
    expect(await rig.end(first)).toMatchObject({ state: "COMPLETED" });
    wait = true;
    const second = await rig.start(migration);
    await expect(rig.resume(first.id, migration, { rollback: "back" })).rejects.toMatchObject({
      code: "CUTOVER_RUN_ACTIVE",
      details: { run: second.id },
    });
    expect(await rig.store.runs.get(first.id)).toMatchObject({ state: "COMPLETED" });
  });
});

describe("a trigger", () => {
  const bad = { type: "metric", name: "errors", measure: { of: "errors", route: "r" } } as const;
  const errors = { ...bad, rule: { kind: "below", limit: 0.01, alpha: 0.01, beta: 0.05 } } as const;
  const waiting = step("w", {
    run: ({ clock, signal }) =>
      new Promise<void>((_, stop) => {
        const timer = clock.after(86_400_000, () => {});
        signal.addEventListener("abort", () => (timer.cancel(), stop(new Error("told to stop"))));
      }),
    rollback: () => {},
  });

  test("stays armed while the evidence of another one is never given", async () => {
    await using rig = await openRig();
    const stuck = value("stuck", () => new Promise<never>(() => {})).above(1, {
      n: 1,
      of: 1,
      interval: "1s",
    });
    const migration = defineMigration({
      name: "m",
      phases: [phase("p", { steps: [waiting] })],
      triggers: [when(stuck).then("rollback"), when(errors).then("rollback")],
    });
    const handle = await rig.start(migration);
    await rig.clock.advance(2_000);
    await rig.measure("r", { old: [1_000, 0], new: [1_000, 500] });
    expect(await rig.end(handle, 60_000)).toMatchObject({ state: "ROLLED_BACK" });
  });

  test("counts what a door could only report after a long time, when another door reported meanwhile", async () => {
    await using rig = await openRig();
    const migration = defineMigration({
      name: "m",
      phases: [phase("p", { steps: [waiting] })],
      triggers: [when(errors).then("rollback")],
    });
    const handle = await rig.start(migration);
    await rig.clock.advance(5_000);
    const at = rig.clock.now();
    await rig.clock.advance(60_000);
    await rig.measure("r", { old: [10, 0], new: [10, 0] });
    await rig.clock.advance(2_000);
    const side = { calls: 1_000, errors: 0, latency: [] };
    await rig.store.routes.recordIntervals([
      {
        id: "late",
        route: "r",
        door: "cut off",
        epoch: 0,
        stage: "off",
        share: 0,
        from: at - 1_000,
        to: at,
        old: side,
        new: { ...side, errors: 500 },
        shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
        compared: 0,
        mismatches: 0,
        failedOver: 0,
        operations: {},
      },
    ]);
    expect(await rig.end(handle, 60_000)).toMatchObject({ state: "ROLLED_BACK" });
  });
});

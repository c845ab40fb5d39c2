import { describe, expect, test } from "vitest";
import { sleep } from "../core/index.ts";
import { check, defineMigration, gate, phase, rate, step, type Verdict } from "../plan/index.ts";
import { openRig } from "../testing/engine-rig.ts";
// A run loads it with the first gate that needs it, and a manual clock would run on meanwhile.
import "./measured-judge.ts";

const done = (name: string) => step(name, { run: () => {} });

describe("a checklist that does not hold", () => {
  test("holds the run, names what is missing, and is asked again every minute", async () => {
    await using rig = await openRig();
    let backup = false;
    let asked = 0;
    const migration = defineMigration({
      name: "checked",
      phases: [
        phase("move", {
          entry: [check("old answers", () => ({ ok: true, note: "yes" }))],
          wayBack: [
            check("backup restores", () => {
              asked++;
              return { ok: backup, note: backup ? "62 files equal" : "no backup yet", facts: { files: 62 } };
            }),
          ],
          steps: [done("copy")],
        }),
      ],
    });
    const handle = await rig.start(migration);
    await rig.until(() => handle.live().state === "HOLDING");
    expect(handle.live().reason).toBe(
      'phase "move" cannot begin: way back not proven: backup restores: no backup yet',
    );
    await rig.clock.advance(150_000);
    expect(asked).toBe(3);
    expect(await rig.store.runs.steps(handle.id)).toEqual([]);
    backup = true;
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    const verdicts = (await rig.store.runs.verdicts(handle.id)).filter(
      ({ gate }) => gate === "backup restores",
    );
    expect(verdicts.map(({ role, verdict }) => [role, verdict])).toEqual([
      ["way-back", "fail"],
      ["way-back", "pass"],
    ]);
  });

  test("counts a check that throws, or answers nonsense, as a no", async () => {
    await using rig = await openRig();
    const migration = defineMigration({
      name: "broken-checks",
      phases: [
        phase("move", {
          entry: [
            check("throws", () => {
              throw new Error("cannot connect");
            }),
            check("nonsense", () => "yes" as never),
          ],
          steps: [done("copy")],
        }),
      ],
    });
    const handle = await rig.start(migration);
    await rig.until(() => handle.live().state === "HOLDING");
    expect(handle.live().reason).toContain("throws: cannot connect");
    expect(handle.live().reason).toContain("nonsense: expected { ok: boolean");
    await handle.stop();
  });

  test("is asked again at once when the run is taken up again or somebody continues", async () => {
    await using rig = await openRig();
    rig.engine();
    let asked = 0;
    const migration = defineMigration({
      name: "again",
      phases: [
        phase("move", {
          entry: [check("third time", () => ({ ok: ++asked >= 3, note: "" }))],
          steps: [done("x")],
        }),
      ],
    });
    const first = await rig.start(migration);
    await rig.until(() => first.live().state === "HOLDING");
    await first.stop();
    const handle = await rig.resume(first.id, migration);
    await rig.until(() => asked === 2);
    await handle.continue("ann", "it is mended");
    await rig.clock.advance(0);
    expect(asked).toBe(3);
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  });
});

describe("an exit gate", () => {
  test("holds with an estimate until its evidence suffices, then the phase is sealed with a rollback point", async () => {
    await using rig = await openRig();
    const migration = defineMigration({
      name: "shadowed",
      phases: [
        phase("shadow", {
          steps: [
            step("on", {
              run: async ({ routes }) => void (await routes.set("orders", 0, { stage: "shadow", share: 0 })),
            }),
          ],
          exit: [rate.mismatch("orders").below(0.01)],
        }),
      ],
    });
    const handle = await rig.start(migration);
    await rig.until(() => handle.live().phases["shadow"] === "GATING");
    await rig.clock.advance(1_000);
    await rig.measure("orders", { compared: 100 });
    await rig.clock.advance(1_000);
    const [verdict] = handle.live().verdicts;
    expect(verdict).toMatchObject({ kind: "hold", role: "exit", phase: "shadow" });
    expect(verdict?.waitMs).toBeGreaterThan(0);
    await rig.measure("orders", { compared: 500 });
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    const evidence = await rig.store.runs.evidence(handle.id);
    expect(evidence.find(({ name }) => name === "rollback-point")).toMatchObject({
      phase: "shadow",
      data: { routes: [{ route: "orders", stage: "shadow" }] },
    });
  });

  test("that fails takes the run back", async () => {
    await using rig = await openRig();
    const undone: string[] = [];
    const migration = defineMigration({
      name: "gate-fails",
      phases: [
        phase("move", {
          steps: [step("copy", { run: () => {}, rollback: () => void undone.push("copy") })],
          exit: [
            gate("equal", {
              collect: () => ({ differ: 3 }),
              judge: () => ({ kind: "fail", reason: "3 differ" }),
            }),
          ],
        }),
      ],
    });
    const handle = await rig.start(migration);
    expect(await rig.end(handle)).toMatchObject({
      state: "ROLLED_BACK",
      reason: 'gate "equal" of phase "move" failed: 3 differ',
    });
    expect(undone).toEqual(["copy"]);
    expect((await rig.store.runs.incidents(handle.id))[0]).toMatchObject({
      cause: "gate-failed",
      seen: { gate: "equal", differ: 3 },
    });
  });

  test("that outlasts the phase's patience asks a person, who may wait on", async () => {
    await using rig = await openRig();
    let verdict: Verdict = { kind: "hold", reason: "no traffic" };
    const migration = defineMigration({
      name: "patient",
      phases: [
        phase("move", {
          steps: [done("copy")],
          exit: [gate("quiet", { collect: () => ({}), judge: () => verdict })],
          patience: "10m",
        }),
      ],
    });
    const handle = await rig.start(migration);
    await rig.clock.advance(599_000);
    expect(handle.live().state).toBe("RUNNING");
    await rig.clock.advance(2_000);
    expect(handle.live()).toMatchObject({
      state: "HOLDING",
      reason: expect.stringContaining("quiet: no traffic"),
    });
    await handle.continue("ann", "it is Sunday");
    await rig.clock.advance(500_000);
    expect(handle.live().state).toBe("RUNNING");
    await rig.clock.advance(200_000);
    expect(handle.live().state).toBe("HOLDING");
    verdict = { kind: "pass", reason: "quiet" };
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  });

  test("holds, and says why, while its evidence cannot be gathered or judged", async () => {
    await using rig = await openRig();
    const migration = defineMigration({
      name: "blind",
      phases: [
        phase("move", {
          steps: [done("copy")],
          exit: [
            gate("collects", {
              collect: () => {
                throw new Error("disk gone");
              },
              judge: () => ({ kind: "pass", reason: "" }),
            }),
            gate("judges", {
              collect: () => ({ a: 1 }),
              judge: () => {
                throw new Error("no member b");
              },
            }),
          ],
        }),
      ],
    });
    const handle = await rig.start(migration);
    await rig.clock.advance(5_000);
    expect(handle.live().verdicts.map(({ kind, reason }) => [kind, reason])).toEqual([
      ["hold", "its evidence cannot be gathered: disk gone"],
      ["hold", "it cannot judge its evidence: no member b"],
    ]);
    await handle.stop();
  });
});

describe("a pause", () => {
  test("stops the work at its next checkpoint; continuing goes on from there", async () => {
    await using rig = await openRig();
    const copied: number[] = [];
    const migration = defineMigration({
      name: "backfill",
      phases: [
        phase("move", {
          steps: [
            step("copy", {
              run: async (context) => {
                for (let row = Number(context.checkpoint() ?? 0); row < 10; row++) {
                  copied.push(row);
                  await sleep(context.clock, 1_000);
                  await context.saveCheckpoint(row + 1);
                }
              },
            }),
          ],
        }),
      ],
    });
    const handle = await rig.start(migration);
    await rig.clock.advance(4_500);
    await handle.pause("ann", "backup window");
    await rig.clock.advance(60_000);
    expect(handle.live()).toMatchObject({ state: "PAUSED", reason: "backup window" });
    expect(copied).toEqual([0, 1, 2, 3, 4]);
    await handle.continue("ann", "window is over");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(copied).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect((await rig.store.runs.steps(handle.id))[0]).toMatchObject({ state: "DONE", attempt: 2 });
  });

  test("is refused where it is not possible, with what is", async () => {
    await using rig = await openRig();
    const handle = await rig.start(
      defineMigration({ name: "x", phases: [phase("p", { steps: [done("a")], approval: { by: 1 } })] }),
    );
    await rig.until(() => handle.live().phases["p"] === "AWAITING_APPROVAL");
    await expect(handle.continue("ann", "go")).rejects.toMatchObject({ code: "CUTOVER_RUN_STATE" });
    await handle.pause("ann", "lunch");
    await expect(handle.pause("ann", "again")).rejects.toMatchObject({
      code: "CUTOVER_RUN_STATE",
      details: { state: "PAUSED", event: "pause", legal: ["continue", "roll-back"] },
    });
    await handle.rollback("ann", "enough");
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK", reason: "ann rolls back: enough" });
  });
});

describe("stopping", () => {
  test("interrupts the work without recording a failure, and the run can be taken up again", async () => {
    await using rig = await openRig();
    rig.engine();
    const attempts: number[] = [];
    const migration = defineMigration({
      name: "stopped",
      phases: [
        phase("p", {
          steps: [
            step("long", {
              run: async ({ attempt, clock, signal }) => {
                attempts.push(attempt);
                await sleep(clock, 10_000, signal);
              },
            }),
          ],
        }),
      ],
    });
    const first = await rig.start(migration);
    await rig.clock.advance(1_000);
    await first.stop();
    expect(await first.done).toMatchObject({ state: "RUNNING" });
    expect((await rig.store.runs.steps(first.id))[0]).toMatchObject({ state: "RUNNING", error: null });
    const handle = await rig.resume(first.id, migration);
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(attempts).toEqual([1, 2]);
    expect(rig.clock.pending).toBe(0);
  });
});

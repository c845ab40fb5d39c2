import { describe, expect, test } from "vitest";
import { sleep } from "../core/index.ts";
import { check, defineMigration, phase, type Step, step } from "../plan/index.ts";
import { openRig } from "../testing/engine-rig.ts";

/** Steps that note when they are undone. */
function journal() {
  const undone: string[] = [];
  const make = (name: string, more: Partial<Parameters<typeof step>[1]> = {}): Step =>
    step(name, { run: () => {}, rollback: (context) => void undone.push(context.step), ...more });
  const failing = (name: string): Step =>
    make(name, {
      run: () => {
        throw new Error("broken");
      },
    });
  return { undone, make, failing };
}

describe("a rollback", () => {
  test("walks sealed phases too, newest first, and in a phase against the graph", async () => {
    await using rig = await openRig();
    const { undone, make, failing } = journal();
    const migration = defineMigration({
      name: "graph",
      phases: [
        phase("one", {
          steps: [
            make("a"),
            make("b", { after: ["a"] }),
            make("c", { after: ["a"] }),
            make("d", { after: ["b", "c"] }),
          ],
        }),
        phase("two", { steps: [make("e"), failing("f"), make("g")] }),
        phase("three", { steps: [make("h")] }),
      ],
    });
    const handle = await rig.start(migration);
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
    expect(undone).toEqual(["two/f", "two/e", "one/d", "one/c", "one/b", "one/a"]);
    expect((await rig.store.runs.phases(handle.id)).map(({ phase, state }) => [phase, state])).toEqual([
      ["one", "ROLLED_BACK"],
      ["two", "ROLLED_BACK"],
    ]);
  });

  test("undoes what moved a route before other steps that could be next", async () => {
    await using rig = await openRig();
    const { undone, make, failing } = journal();
    const ramp = make("ramp", {
      after: [],
      run: async ({ routes }) => void (await routes.set("orders", 0, { stage: "live", share: 50 })),
    });
    const migration = defineMigration({
      name: "movers",
      phases: [
        phase("p", {
          steps: [
            ramp,
            make("x", { after: [] }),
            make("y", { after: [] }),
            { ...failing("z"), after: ["ramp", "x", "y"] },
          ],
        }),
      ],
    });
    await rig.end(await rig.start(migration));
    expect(undone).toEqual(["p/z", "p/ramp", "p/y", "p/x"]);
  });

  test("aborts what is in flight, waits for it to stop, and only then undoes it", async () => {
    await using rig = await openRig();
    const seen: string[] = [];
    const migration = defineMigration({
      name: "in-flight",
      phases: [
        phase("p", {
          steps: [
            step("copy", {
              after: [],
              run: async ({ clock, signal }) => {
                await sleep(clock, 3_600_000, signal).catch(() => {});
                await sleep(clock, 800);
                seen.push("copy stopped");
                return "copied after all";
              },
              rollback: () => void seen.push("copy undone"),
            }),
            step("break", {
              after: [],
              run: async ({ clock }) => {
                await sleep(clock, 100);
                throw new Error("no");
              },
            }),
          ],
        }),
      ],
    });
    const handle = await rig.start(migration);
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
    expect(seen).toEqual(["copy stopped", "copy undone"]);
    const copy = (await rig.store.runs.steps(handle.id)).find(({ step: id }) => id === "p/copy");
    expect(copy).toMatchObject({ state: "ROLLED_BACK", result: null });
  });

  test("leaves behind what does not stop within its grace", async () => {
    await using rig = await openRig({ graceMs: 2_000 });
    const { undone, make } = journal();
    const handle = await rig.start(
      defineMigration({
        name: "deaf",
        phases: [phase("p", { steps: [make("deaf", { run: () => new Promise<void>(() => {}) })] })],
      }),
    );
    await rig.clock.advance(1_000);
    await handle.rollback("ann", "it hangs");
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
    expect(undone).toEqual(["p/deaf"]);
    expect(rig.clock.monotonic()).toBeLessThan(5_000);
  });

  test("tries a step three times and cannot be paused meanwhile", async () => {
    await using rig = await openRig();
    let tries = 0;
    const handle = await rig.start(
      defineMigration({
        name: "stubborn",
        phases: [
          phase("p", {
            steps: [
              step("a", {
                run: () => {
                  throw new Error("no");
                },
                rollback: () => {
                  if (++tries < 3) throw new Error("lock held");
                },
              }),
            ],
          }),
        ],
      }),
    );
    await rig.until(() => tries === 1);
    await expect(handle.pause("ann", "wait")).rejects.toMatchObject({ code: "CUTOVER_RUN_STATE" });
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
    expect(tries).toBe(3);
  });

  test("goes on as a rollback after a crash in its middle", async () => {
    await using rig = await openRig();
    rig.engine();
    const { undone, make, failing } = journal();
    let slow = true;
    const b = make("b", {
      rollback: async (context) => {
        if (slow) await sleep(context.clock, 60_000, context.signal);
        undone.push(context.step);
      },
    });
    const migration = defineMigration({
      name: "m",
      phases: [phase("p", { steps: [make("a"), b, failing("c")] })],
    });
    const first = await rig.start(migration);
    await rig.until(() => first.live().steps.ROLLED_BACK === 1);
    await first.stop();
    expect((await rig.store.runs.get(first.id))?.state).toBe("ROLLING_BACK");
    slow = false;
    const handle = await rig.resume(first.id, migration);
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
    expect(undone).toEqual(["p/c", "p/b", "p/a"]);
  });

  test("takes back a run that was completed, when a person wants it", async () => {
    await using rig = await openRig();
    const { undone, make } = journal();
    const migration = defineMigration({ name: "m", phases: [phase("p", { steps: [make("a"), make("b")] })] });
    const first = await rig.start(migration);
    expect(await rig.end(first)).toMatchObject({ state: "COMPLETED" });
    await expect(first.rollback("ann", "too late here")).rejects.toMatchObject({ code: "CUTOVER_RUN_STATE" });
    const handle = await rig.resume(first.id, migration, { rollback: "customers complain" });
    expect(await rig.end(handle)).toMatchObject({
      state: "ROLLED_BACK",
      reason: "ann rolls back: customers complain",
    });
    expect(undone).toEqual(["p/b", "p/a"]);
  });
});

describe("a rollback that gets stuck", () => {
  test("is an incident, runs the emergency procedure as steps, and can be tried again", async () => {
    await using rig = await openRig();
    rig.engine();
    const { undone, make } = journal();
    let gone = true;
    const rang: string[] = [];
    const migration = defineMigration({
      name: "stuck",
      phases: [
        phase("p", {
          steps: [
            make("a"),
            make("b", {
              run: () => {
                throw new Error("broken");
              },
              rollback: (context) => {
                if (gone) throw new Error("the old side is gone");
                undone.push(context.step);
              },
            }),
          ],
        }),
      ],
      contingencies: [
        {
          name: "page",
          on: "rollback-stuck",
          steps: [
            step("ring", { run: () => void rang.push("ring") }),
            step("tell", { run: () => void rang.push("tell") }),
          ],
        },
        { name: "other", on: "manual", steps: [step("no", { run: () => void rang.push("no") })] },
      ],
    });
    const first = await rig.start(migration);
    const outcome = await rig.end(first);
    expect(outcome).toMatchObject({
      state: "ROLLBACK_STUCK",
      reason: expect.stringContaining("the old side is gone"),
    });
    expect(rang).toEqual(["ring", "tell"]);
    const incidents = await rig.store.runs.incidents(first.id);
    expect(incidents.map(({ cause, closedAt }) => [cause, closedAt])).toEqual([
      ["step-failed", null],
      ["rollback-stuck", null],
    ]);
    expect(outcome.incident).toBe(incidents[1]?.id);
    gone = false;
    const handle = await rig.resume(first.id, migration, { rollback: "the old side is up again" });
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
    expect(undone).toEqual(["p/b", "p/a"]);
    expect((await rig.store.runs.incidents(first.id)).every(({ closedAt }) => closedAt !== null)).toBe(true);
  });

  test("also when the old side does not answer as before", async () => {
    await using rig = await openRig();
    const { make, failing } = journal();
    const migration = defineMigration({
      name: "silent",
      phases: [phase("p", { steps: [make("a"), failing("b")] })],
      verifyOld: [check("old answers", () => ({ ok: false, note: "no answer on port 80" }))],
    });
    const outcome = await rig.end(await rig.start(migration));
    expect(outcome).toMatchObject({
      state: "ROLLBACK_STUCK",
      reason: "the old side is not as it was: old answers: no answer on port 80",
    });
  });
});

describe("a forward-only phase that has begun", () => {
  const retire = (fails: () => boolean, make: ReturnType<typeof journal>["make"]) =>
    phase("retire", {
      forwardOnly: true,
      approval: { by: 1 },
      steps: [
        step("remove", {
          irreversible: true,
          run: () => {
            if (fails()) throw new Error("still in use");
          },
        }),
        make("tidy"),
      ],
    });

  test("is never undone: the run holds with an incident, and goes on once somebody mended it", async () => {
    await using rig = await openRig();
    const { undone, make } = journal();
    let broken = true;
    const migration = defineMigration({
      name: "irreversible",
      phases: [phase("move", { steps: [make("a")] }), retire(() => broken, make)],
    });
    const handle = await rig.start(migration);
    await rig.until(() => handle.live().phases["retire"] === "AWAITING_APPROVAL");
    await handle.approve("retire", "ann", "go");
    await rig.until(() => handle.live().state === "HOLDING");
    expect(handle.live().reason).toContain('no way back: the forward-only phase "retire" has begun');
    expect(undone).toEqual([]);
    const [incident] = await rig.store.runs.incidents(handle.id);
    expect(incident).toMatchObject({ cause: "step-failed", closedAt: null });
    broken = false;
    await handle.continue("ann", "nobody uses it now");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect((await rig.store.runs.incidents(handle.id))[0]?.outcome).toBe(
      "continued by ann: nobody uses it now",
    );
  });

  test("still holds for the same reason after a crash", async () => {
    await using rig = await openRig();
    rig.engine();
    const { make } = journal();
    const migration = defineMigration({
      name: "irreversible",
      phases: [phase("move", { steps: [make("a")] }), retire(() => true, make)],
    });
    const first = await rig.start(migration);
    await rig.until(() => first.live().phases["retire"] === "AWAITING_APPROVAL");
    await first.approve("retire", "ann", "go");
    await rig.until(() => first.live().state === "HOLDING");
    await first.stop();
    const handle = await rig.resume(first.id, migration);
    await rig.clock.advance(120_000);
    expect(handle.live()).toMatchObject({ state: "HOLDING", reason: first.live().reason });
    await handle.stop();
  });

  test("is where the rollback of later phases ends; they start again from their checklist", async () => {
    await using rig = await openRig();
    const { undone, make } = journal();
    let broken = true;
    const migration = defineMigration({
      name: "above",
      phases: [
        phase("move", { steps: [make("a")] }),
        retire(() => false, make),
        phase("after", {
          steps: [
            make("b"),
            make("c", {
              run: () => {
                if (broken) throw new Error("not yet");
              },
            }),
          ],
        }),
      ],
    });
    const handle = await rig.start(migration);
    await rig.until(() => handle.live().phases["retire"] === "AWAITING_APPROVAL");
    await handle.approve("retire", "ann", "go");
    await rig.until(() => handle.live().state === "HOLDING");
    expect(undone).toEqual(["after/c", "after/b"]);
    expect(handle.live().phases).toEqual({ move: "SEALED", retire: "SEALED", after: "ROLLED_BACK" });
    broken = false;
    await handle.continue("ann", "mended");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    const c = (await rig.store.runs.steps(handle.id)).find(({ step: id }) => id === "after/c");
    expect(c).toMatchObject({ state: "DONE", attempt: 2 });
  });
});

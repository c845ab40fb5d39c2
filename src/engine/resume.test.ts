import { describe, expect, test } from "vitest";
import { setFaultHandler, sleep } from "../core/index.ts";
import { defineMigration, phase, step } from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import type { RunHandle } from "./run-handle.ts";

const done = (name: string) => step(name, { run: () => {}, rollback: () => {} });
const waiting = (name: string) =>
  step(name, { run: ({ clock, signal }) => sleep(clock, 3_600_000, signal), rollback: () => {} });

/** A step that is at work for an hour at its first attempt, with what it answers when it is asked whether it is done. */
function sending(
  verify: NonNullable<Parameters<typeof step>[1]["verify"]>,
  after: readonly ReturnType<typeof step>[] = [],
): { readonly starts: readonly number[]; readonly migration: ReturnType<typeof defineMigration> } {
  const starts: number[] = [];
  const send = step("send", {
    run: async ({ attempt, clock, signal }) => {
      starts.push(attempt);
      if (attempt === 1) await sleep(clock, 3_600_000, signal);
    },
    verify,
  });
  return {
    starts,
    migration: defineMigration({ name: "m", phases: [phase("p", { steps: [send, ...after] })] }),
  };
}

/** Leaves the engine as a killed process would. */
async function kill(rig: Rig, handle: RunHandle): Promise<void> {
  setFaultHandler(() => {
    throw new Error("killed");
  });
  await rig.clock.advance(20_000);
  setFaultHandler(undefined);
  await handle.done.catch(() => {});
}

describe("a new run", () => {
  test("is refused while another one of the same migration is unfinished", async () => {
    await using rig = await openRig();
    rig.engine();
    const migration = defineMigration({ name: "m", phases: [phase("p", { steps: [waiting("w")] })] });
    const first = await rig.start(migration);
    await expect(rig.start(migration)).rejects.toMatchObject({
      code: "CUTOVER_RUN_ACTIVE",
      details: { run: first.id },
    });
    await first.stop();
    await expect(rig.start(migration)).rejects.toMatchObject({ code: "CUTOVER_RUN_ACTIVE" });
  });

  const migrate = (broken: () => boolean, code = "x") =>
    defineMigration({
      name: "partly",
      phases: [
        phase("one", { steps: [step("a", { run: () => 1, input: code })] }),
        phase("two", { forwardOnly: true, approval: { by: 1 }, steps: [done("b")] }),
        phase("three", {
          steps: [
            step("c", {
              run: () => {
                if (broken()) throw new Error("no");
              },
            }),
          ],
        }),
      ],
    });

  test("may begin with a later phase when an earlier run sealed what comes before", async () => {
    await using rig = await openRig();
    const migration = migrate(() => false);
    const first = await rig.start(migration);
    await rig.until(() => first.live().phases["two"] === "AWAITING_APPROVAL");
    await first.approve("two", "ann", "go");
    expect(await rig.end(first)).toMatchObject({ state: "COMPLETED" });
    const handle = await rig.start(migration, { from: "three" });
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    const steps = await rig.store.runs.steps(handle.id);
    expect(steps.map(({ step: id, attempt, result }) => [id, attempt, result])).toEqual([
      ["one/a", 0, 1],
      ["two/b", 0, null],
      ["three/c", 1, null],
    ]);
    const carried = (await rig.store.runs.evidence(handle.id)).filter(({ name }) => name === "phase.carried");
    expect(carried.map(({ phase: of, data }) => [of, data["run"]])).toEqual([
      ["one", first.id],
      ["two", first.id],
    ]);
    expect(await rig.store.events.verify()).toMatchObject({ whole: true });
  });

  test("does not undo what it took over from an earlier run", async () => {
    await using rig = await openRig();
    let broken = false;
    const undone: string[] = [];
    const undo = (name: string) => step(name, { run: () => {}, rollback: () => void undone.push(name) });
    const migration = defineMigration({
      name: "m",
      phases: [
        phase("one", { steps: [undo("a")] }),
        phase("two", {
          steps: [
            step("b", {
              run: () => {
                if (broken) throw new Error("no");
              },
              rollback: () => void undone.push("b"),
            }),
          ],
        }),
      ],
    });
    await rig.end(await rig.start(migration));
    broken = true;
    expect(await rig.end(await rig.start(migration, { from: "two" }))).toMatchObject({
      state: "ROLLED_BACK",
    });
    expect(undone).toEqual(["b"]);
  });

  test("may not begin where evidence is missing, was taken back, or tells of other work", async () => {
    await using rig = await openRig();
    const migration = defineMigration({
      name: "m",
      phases: [
        phase("one", { steps: [done("a")] }),
        phase("two", { steps: [done("b")], approval: { by: 1 } }),
      ],
    });
    await expect(rig.start(migration, { from: "two" })).rejects.toMatchObject({
      code: "CUTOVER_RUN_STATE",
      message: expect.stringContaining("found none that did it"),
    });
    await expect(rig.start(migration, { from: "three" })).rejects.toMatchObject({
      code: "CUTOVER_PLAN_UNKNOWN_PHASE",
    });
    const first = await rig.start(migration);
    await rig.until(() => first.live().phases["two"] === "AWAITING_APPROVAL");
    await first.rollback("ann", "no");
    await rig.end(first);
    await expect(rig.start(migration, { from: "two" })).rejects.toMatchObject({
      code: "CUTOVER_RUN_STATE",
      message: expect.stringContaining(`found it ROLLED_BACK in run ${first.id}`),
    });
    const second = await rig.start(migration);
    await rig.until(() => second.live().phases["two"] === "AWAITING_APPROVAL");
    await second.approve("two", "ann", "go");
    await rig.end(second);
    const other = defineMigration({
      name: "m",
      phases: [
        phase("one", { steps: [step("a", { run: () => {}, input: "new" })] }),
        phase("two", { steps: [done("b")] }),
      ],
    });
    await expect(rig.start(other, { from: "two" })).rejects.toMatchObject({
      code: "CUTOVER_RUN_STATE",
      message: expect.stringContaining("its steps or gates changed since"),
    });
    expect(await rig.store.runs.list()).toHaveLength(2);
  });
});

describe("a step in flight at a crash", () => {
  const asked = (answer: "done" | "not-done" | "unknown") =>
    sending(
      () =>
        answer === "unknown"
          ? { kind: "unknown", reason: "the mail server keeps no log" }
          : answer === "done"
            ? { kind: "done", result: "sent" }
            : { kind: "not-done" },
      [done("after")],
    );

  test("that took effect is recorded as done and not started again", async () => {
    await using rig = await openRig({ isDead: () => true });
    rig.engine();
    const { starts, migration } = asked("done");
    const first = await rig.start(migration);
    await rig.clock.advance(1_000);
    await kill(rig, first);
    rig.engine();
    expect(await rig.end(await rig.resume(first.id, migration))).toMatchObject({ state: "COMPLETED" });
    expect(starts).toEqual([1]);
    expect((await rig.store.runs.steps(first.id))[0]).toMatchObject({ result: "sent", attempt: 1 });
  });

  test("that did not is started again with a higher attempt", async () => {
    await using rig = await openRig({ isDead: () => true });
    rig.engine();
    const { starts, migration } = asked("not-done");
    const first = await rig.start(migration);
    await rig.clock.advance(1_000);
    await kill(rig, first);
    rig.engine();
    expect(await rig.end(await rig.resume(first.id, migration))).toMatchObject({ state: "COMPLETED" });
    expect(starts).toEqual([1, 2]);
  });

  test("that nobody can tell about holds the run until a person settles it, as an override", async () => {
    await using rig = await openRig({ isDead: () => true });
    rig.engine();
    const { starts, migration } = asked("unknown");
    const first = await rig.start(migration);
    await rig.clock.advance(1_000);
    await kill(rig, first);
    rig.engine();
    const handle = await rig.resume(first.id, migration);
    await rig.until(() => handle.live().state === "HOLDING");
    expect(handle.live().reason).toContain('nobody knows whether step "p/send" took effect');
    await expect(handle.continue("ann", "go on")).rejects.toMatchObject({ code: "CUTOVER_STEP_UNKNOWN" });
    await expect(handle.settle("p/other", "done", "ann", "x")).rejects.toMatchObject({
      code: "CUTOVER_RUN_STATE",
    });
    await handle.settle("p/send", "done", "ann", "the customer has the mail");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(starts).toEqual([1]);
    const events = await rig.store.events.read({ stream: `run:${handle.id}`, limit: 1_000 });
    expect(events.find(({ type }) => type === "override.recorded")?.data).toEqual({
      what: "step p/send settled as done",
      by: "ann",
      reason: "the customer has the mail",
    });
  });
});

describe("a step whose verify answers with", () => {
  // What plain JavaScript may answer, whatever the type says.
  const odd: readonly (readonly [name: string, answer: unknown, found: string])[] = [
    ["a word", "not-done", '"not-done"'],
    ["a number", 1, "1"],
    ["nothing", undefined, "nothing"],
    ["another object", { done: false }, '{"done":false}'],
    ["a kind that is none", { kind: "dunno" }, '{"kind":"dunno"}'],
    ["unknown without a reason", { kind: "unknown" }, '{"kind":"unknown"}'],
  ];

  test.each(odd)(
    "%s holds the run until somebody settles it, and is not done twice",
    async (_, answer, found) => {
      await using rig = await openRig({ isDead: () => true });
      rig.engine();
      const { starts, migration } = sending(() => answer as boolean);
      const first = await rig.start(migration);
      await rig.clock.advance(1_000);
      await kill(rig, first);
      rig.engine();
      const handle = await rig.resume(first.id, migration);
      await rig.until(() => handle.live().state === "HOLDING", 60_000);
      expect(handle.live().reason).toMatch(/expected \{ kind: "done", result \}, .*, found /);
      expect(handle.live().reason).toContain(`found ${found}`);
      await handle.settle("p/send", "done", "ann", "the customer has the mail");
      expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
      expect(starts).toEqual([1]);
    },
  );
});

describe("a changed definition", () => {
  const version = (text: string, more: readonly ReturnType<typeof step>[] = []) =>
    defineMigration({
      name: "m",
      phases: [
        phase("p", { steps: [step("a", { run: () => {}, input: text })] }),
        phase("q", { forwardOnly: true, approval: { by: 1 }, steps: [done("b"), ...more] }),
      ],
    });

  test("is refused with the difference, and followed once that is accepted", async () => {
    await using rig = await openRig();
    rig.engine();
    const first = await rig.start(version("one"));
    await rig.until(() => first.live().phases["q"] === "AWAITING_APPROVAL");
    await first.stop();
    const events = await rig.store.events.count();
    const changed = version("two", [done("c")]);
    await expect(rig.resume(first.id, changed)).rejects.toMatchObject({
      code: "CUTOVER_PLAN_CHANGED",
      details: { difference: expect.arrayContaining(["+ step q/c", "~ step p/a: input"]) },
    });
    expect(await rig.store.events.count()).toBe(events);
    const handle = await rig.resume(first.id, changed, { acceptChanges: true });
    await handle.approve("q", "ann", "go");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(handle.live().steps).toEqual({ DONE: 3 });
    const redefined = (await rig.store.events.read({ limit: 1_000 })).find(
      ({ type }) => type === "run.redefined",
    );
    expect(redefined?.data).toMatchObject({ by: "ann" });
  });

  test("is refused even so when a started step would lose its way back, or a new one would never run", async () => {
    await using rig = await openRig();
    rig.engine();
    const first = await rig.start(version("one"));
    await rig.until(() => first.live().phases["q"] === "AWAITING_APPROVAL");
    await first.stop();
    const without = defineMigration({
      name: "m",
      phases: [
        phase("p", { steps: [done("z")] }),
        phase("q", { forwardOnly: true, approval: { by: 1 }, steps: [done("b")] }),
      ],
    });
    await expect(rig.resume(first.id, without, { acceptChanges: true })).rejects.toMatchObject({
      code: "CUTOVER_PLAN_CHANGED",
      message: expect.stringContaining("without p/a"),
    });
    const late = defineMigration({
      name: "m",
      phases: [
        phase("p", { steps: [step("a", { run: () => {}, input: "one" }), done("z")] }),
        phase("q", { forwardOnly: true, approval: { by: 1 }, steps: [done("b")] }),
      ],
    });
    await expect(rig.resume(first.id, late, { acceptChanges: true })).rejects.toMatchObject({
      code: "CUTOVER_PLAN_CHANGED",
      message: expect.stringContaining("new step p/z"),
    });
  });
});

describe("two engines on one run", () => {
  const migration = defineMigration({ name: "m", phases: [phase("p", { steps: [waiting("w")] })] });

  test("the second is refused while the first carries it", async () => {
    await using rig = await openRig();
    rig.engine();
    const first = await rig.start(migration);
    await expect(rig.resume(first.id, migration)).rejects.toMatchObject({ code: "CUTOVER_STORE_OWNED" });
    rig.engine();
    await expect(rig.resume(first.id, migration)).rejects.toMatchObject({ code: "CUTOVER_STORE_OWNED" });
    await first.stop();
    const second = await rig.resume(first.id, migration);
    expect(second.id).toBe(first.id);
    await second.stop();
  });

  test("the second takes over when the first is known to be gone; the first then writes nothing more", async () => {
    await using rig = await openRig();
    rig.engine();
    const first = await rig.start(migration);
    await rig.clock.advance(1_000);
    rig.engine({ isDead: (owner) => owner === "test-1" });
    const second = await rig.resume(first.id, migration);
    await rig.clock.advance(1_000);
    await expect(first.pause("ann", "from the grave")).rejects.toMatchObject({ code: "CUTOVER_LEASE_LOST" });
    await expect(first.done).rejects.toMatchObject({ code: "CUTOVER_LEASE_LOST" });
    expect(second.live().state).toBe("RUNNING");
    await second.stop();
  });

  test("work is aborted before a lease that cannot be renewed ends", async () => {
    await using rig = await openRig();
    const { store } = rig;
    let abortedAt = 0;
    const runs = { ...store.runs, renew: () => new Promise<boolean>(() => {}) };
    rig.engine({ store: { ...store, runs }, leaseMs: 15_000 });
    const handle = await rig.start(
      defineMigration({
        name: "m",
        phases: [
          phase("p", {
            steps: [
              step("w", {
                run: ({ clock, signal }) => {
                  signal.addEventListener("abort", () => (abortedAt = clock.monotonic()));
                  return sleep(clock, 3_600_000, signal);
                },
              }),
            ],
          }),
        ],
      }),
    );
    handle.done.catch(() => {});
    await rig.clock.advance(14_999);
    expect(abortedAt).toBe(12_000);
    await expect(handle.done).rejects.toMatchObject({ code: "CUTOVER_LEASE_LOST" });
    expect((await store.runs.steps(handle.id))[0]).toMatchObject({ state: "RUNNING", error: null });
  });

  test("a long run keeps its lease by its heartbeat", async () => {
    await using rig = await openRig();
    rig.engine();
    const first = await rig.start(migration);
    await rig.clock.advance(600_000);
    rig.engine();
    await expect(rig.resume(first.id, migration)).rejects.toMatchObject({ code: "CUTOVER_STORE_OWNED" });
    expect(first.live().state).toBe("RUNNING");
    await first.stop();
  });
});

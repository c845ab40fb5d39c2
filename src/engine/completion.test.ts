import { describe, expect, test } from "vitest";
import { CutoverError, sleep } from "../core/index.ts";
import { defineMigration, gate, phase, rate, type Step, step } from "../plan/index.ts";
import type { Store } from "../store/index.ts";
import { openRig } from "../testing/engine-rig.ts";
// A run loads it with the first gate that needs it, and a manual clock would run on meanwhile.
import "./measured-judge.ts";

const done = (name: string) => step(name, { run: () => {}, rollback: () => {} });

describe("completing a sealed phase", () => {
  const completing = (complete: () => void): Step => ({
    name: "ramp",
    input: null,
    kind: {
      kind: "test",
      reversible: true,
      plan: () => ({ summary: "" }),
      start: () => Promise.resolve(null),
      complete: async () => complete(),
      rollback: () => Promise.resolve(),
    },
  });

  test("runs once for each step, before the next phase begins", async () => {
    await using rig = await openRig();
    const seen: string[] = [];
    const handle = await rig.start(
      defineMigration({
        name: "m",
        phases: [
          phase("one", { steps: [completing(() => seen.push("completed"))] }),
          phase("two", { steps: [step("b", { run: () => void seen.push("b") })] }),
        ],
      }),
    );
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(seen).toEqual(["completed", "b"]);
  });

  test("that fails three times holds the run, and is tried again every minute", async () => {
    await using rig = await openRig();
    let tries = 0;
    const handle = await rig.start(
      defineMigration({
        name: "m",
        phases: [
          phase("one", {
            steps: [
              completing(() => {
                if (++tries < 5) throw new Error("disk busy");
              }),
            ],
          }),
        ],
      }),
    );
    await rig.until(() => handle.live().state === "HOLDING");
    expect(tries).toBe(3);
    expect(handle.live().reason).toBe('step "one/ramp" cannot be completed: disk busy');
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(tries).toBe(5);
  });
});

describe("success criteria", () => {
  test("are judged at the end and recorded, and decide nothing", async () => {
    await using rig = await openRig();
    const handle = await rig.start(
      defineMigration({
        name: "m",
        phases: [phase("one", { steps: [done("a")] })],
        success: [
          gate("no loss", {
            collect: () => ({ lost: 2 }),
            judge: () => ({ kind: "fail", reason: "2 lost" }),
          }),
        ],
      }),
    );
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    const [verdict] = await rig.store.runs.verdicts(handle.id);
    expect(verdict).toMatchObject({ gate: "no loss", role: "success", verdict: "fail", reason: "2 lost" });
    expect((await rig.store.runs.evidence(handle.id)).some(({ id }) => id === verdict?.evidence[0])).toBe(
      true,
    );
  });
});

describe("a gate that a step judges", () => {
  test("is stored with its evidence when its verdict changes, not at every look", async () => {
    await using rig = await openRig();
    const looks: string[] = [];
    const handle = await rig.start(
      defineMigration({
        name: "m",
        phases: [
          phase("shadow", {
            steps: [
              step("watch", {
                run: async (context) => {
                  const since = context.clock.now();
                  for (;;) {
                    // Built anew at each look, as a kind does that reads it from its input.
                    const verdict = await context.judge(rate.mismatch("orders").below(0.05), { since });
                    looks.push(verdict.kind);
                    if (verdict.kind !== "hold") return;
                    await sleep(context.clock, 500, context.signal);
                  }
                },
              }),
            ],
          }),
        ],
      }),
    );
    for (let second = 0; second < 30 && looks.at(-1) !== "pass"; second++) {
      await rig.clock.advance(1_000);
      await rig.measure("orders", { compared: 10 });
    }
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(looks.length).toBeGreaterThan(4);
    const verdicts = await rig.store.runs.verdicts(handle.id);
    expect(verdicts.map(({ role, step: of, verdict }) => [role, of, verdict])).toEqual([
      ["step", "shadow/watch", "hold"],
      ["step", "shadow/watch", "pass"],
    ]);
  });
});

describe("an emergency procedure", () => {
  const withProcedure = (fails: () => boolean, ran: string[]) =>
    defineMigration({
      name: "m",
      phases: [phase("one", { steps: [done("a")], approval: { by: 1 } })],
      contingencies: [
        {
          name: "mass-failure",
          on: "manual",
          steps: [
            step("stop-intake", { run: () => void ran.push("stop") }),
            step("page", {
              run: () => {
                if (fails()) throw new Error("nobody answers");
                ran.push("page");
              },
            }),
          ],
        },
      ],
    });

  test("runs as recorded steps when a person asks, and goes on where it failed", async () => {
    await using rig = await openRig();
    const ran: string[] = [];
    let silent = true;
    const handle = await rig.start(withProcedure(() => silent, ran));
    await rig.until(() => handle.live().phases["one"] === "AWAITING_APPROVAL");
    await expect(handle.contingency("mass-failure", "ann", "all fail")).rejects.toMatchObject({
      code: "CUTOVER_STEP_FAILED",
      message: expect.stringContaining("nobody answers"),
    });
    silent = false;
    await handle.contingency("mass-failure", "ann", "again");
    expect(ran).toEqual(["stop", "page"]);
    await expect(handle.contingency("other", "ann", "x")).rejects.toMatchObject({
      code: "CUTOVER_RUN_STATE",
      message: expect.stringContaining("there are mass-failure"),
    });
    await handle.approve("one", "ann", "ok");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    const steps = await rig.store.runs.steps(handle.id);
    expect(steps.map(({ step: id, state, attempt }) => [id, state, attempt])).toEqual([
      ["one/a", "DONE", 1],
      ["contingency:mass-failure/stop-intake", "DONE", 1],
      ["contingency:mass-failure/page", "DONE", 2],
    ]);
  });
});

describe("a store that fails", () => {
  test("ends the work at once, says why, and loses nothing that was acknowledged", async () => {
    await using rig = await openRig();
    const { store } = rig;
    let full = false;
    const runs: Store["runs"] = {
      ...store.runs,
      commit: (run, events, guard) =>
        full
          ? Promise.reject(new CutoverError("CUTOVER_STORE_FULL", { message: "no space left" }))
          : store.runs.commit(run, events, guard),
    };
    rig.engine({ store: { ...store, runs } });
    let aborted = false;
    const started: string[] = [];
    const migration = defineMigration({
      name: "m",
      phases: [
        phase("one", {
          steps: [
            step("long", {
              after: [],
              run: async ({ clock, signal, attempt }) => {
                signal.addEventListener("abort", () => (aborted = true));
                if (attempt === 1) await sleep(clock, 3_600_000, signal);
              },
            }),
            step("first", { after: [], run: ({ clock }) => sleep(clock, 1_000) }),
            step("second", { after: ["first"], run: () => void started.push("second") }),
          ],
        }),
      ],
    });
    const first = await rig.start(migration);
    first.done.catch(() => {});
    await rig.clock.advance(500);
    full = true;
    await rig.clock.advance(2_000);
    await expect(first.done).rejects.toMatchObject({ code: "CUTOVER_STORE_FULL" });
    expect([aborted, started]).toEqual([true, []]);
    await expect(first.pause("ann", "x")).rejects.toMatchObject({ code: "CUTOVER_STORE_FULL" });
    full = false;
    rig.engine({ isDead: () => true });
    expect(await rig.end(await rig.resume(first.id, migration))).toMatchObject({ state: "COMPLETED" });
    expect(await store.events.verify()).toMatchObject({ whole: true });
  });
});

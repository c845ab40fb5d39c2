import { describe, expect, test } from "vitest";
import {
  defineMigration,
  memory,
  phase,
  rate,
  type Step,
  step,
  type Trigger,
  value,
  when,
} from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import type { RunHandle } from "./run-handle.ts";
// A run loads it with the first gate that needs it, and a manual clock would run on meanwhile.
import "./measured-judge.ts";

/** Puts the route live and waits there until it is told to stop. */
const ramp = (raise?: () => boolean): Step => ({
  name: "ramp",
  input: null,
  kind: {
    kind: "test-ramp",
    reversible: true,
    plan: () => ({ summary: "ramp" }),
    async start({ routes, signal }) {
      const before = await routes.get("orders");
      const state = await routes.set("orders", before?.epoch ?? 0, { stage: "live", share: 10 });
      if (raise?.() === true) await routes.set("orders", state.epoch, { stage: "live", share: 50 });
      return await new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("told to stop")));
      });
    },
    async rollback({ routes }) {
      const before = await routes.get("orders");
      if (before !== undefined) await routes.set("orders", before.epoch, { stage: "off", share: 0 });
    },
  },
});

const withTriggers = (triggers: readonly Trigger[], steps: readonly Step[] = [ramp()]) =>
  defineMigration({ name: "guarded", phases: [phase("rollout", { steps })], triggers });

/** Seconds of traffic on the route, both sides. */
async function traffic(rig: Rig, seconds: number, newErrors: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await rig.measure("orders", { old: [180, 2], new: [20, newErrors] });
    await rig.clock.advance(1_000);
  }
}

const fired = async (rig: Rig, handle: RunHandle): Promise<readonly unknown[]> =>
  (await rig.store.events.read({ stream: `run:${handle.id}`, limit: 1_000 }))
    .filter(({ type }) => type === "trigger.fired")
    .map(({ data }) => [data["trigger"], data["action"]]);

describe("a trigger that rolls back", () => {
  const guard = when(rate.error("orders").worseThan("old", { by: 2 })).then("rollback");

  test("fires on the evidence of both sides and leaves an incident that says what was seen", async () => {
    await using rig = await openRig();
    const handle = await rig.start(withTriggers([guard]));
    await rig.clock.advance(1_000);
    await traffic(rig, 20, 0);
    expect(handle.live().state).toBe("RUNNING");
    const broken = rig.clock.now();
    await traffic(rig, 3, 18);
    const outcome = await rig.end(handle);
    expect(outcome).toMatchObject({ state: "ROLLED_BACK" });
    expect(await rig.store.routes.get("orders")).toMatchObject({ stage: "off", share: 0 });
    const [incident] = await rig.store.runs.incidents(handle.id);
    expect(incident).toMatchObject({
      id: outcome.incident,
      cause: "trigger",
      outcome: "rolled back",
      seen: {
        trigger: guard.name,
        phase: "rollout",
        firstBadAt: broken - 1_000,
        routes: { orders: { stage: "live", share: 10 } },
      },
    });
    expect(incident?.facts).toMatchObject({ routes: [{ route: "orders", to: { stage: "off", share: 0 } }] });
    expect(incident?.facts?.["badUntilRouteMs"]).toBeLessThan(3_000);
    expect(await fired(rig, handle)).toEqual([[guard.name, "rollback"]]);
    const verdicts = await rig.store.runs.verdicts(handle.id);
    const evidence = new Set((await rig.store.runs.evidence(handle.id)).map(({ id }) => id));
    for (const verdict of verdicts) for (const id of verdict.evidence) expect(evidence.has(id)).toBe(true);
  });

  test("stays armed while the run is paused", async () => {
    await using rig = await openRig();
    const handle = await rig.start(withTriggers([guard]));
    await rig.clock.advance(1_000);
    await handle.pause("ann", "lunch");
    await traffic(rig, 3, 18);
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
  });

  test("stays armed while people are asked", async () => {
    await using rig = await openRig();
    const set: Step = step("set", {
      run: async ({ routes }) => void (await routes.set("orders", 0, { stage: "live", share: 10 })),
      rollback: async ({ routes }) => {
        const before = await routes.get("orders");
        if (before?.stage === "live") await routes.set("orders", before.epoch, { stage: "off", share: 0 });
      },
    });
    const migration = defineMigration({
      name: "asked",
      phases: [phase("rollout", { steps: [set], approval: { by: 1 } })],
      triggers: [guard],
    });
    const handle = await rig.start(migration);
    await rig.until(() => handle.live().phases["rollout"] === "AWAITING_APPROVAL");
    await traffic(rig, 3, 18);
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
  });

  test("goes on judging the same evidence after a crash", async () => {
    await using rig = await openRig();
    rig.engine();
    const migration = withTriggers([guard]);
    const first = await rig.start(migration);
    await rig.clock.advance(1_000);
    await traffic(rig, 3, 3);
    await first.stop();
    const handle = await rig.resume(first.id, migration);
    await traffic(rig, 1, 18);
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
  });

  test("is silent in a phase it is not armed in", async () => {
    await using rig = await openRig();
    const elsewhere = { ...guard, phases: ["later"] };
    const migration = defineMigration({
      name: "elsewhere",
      phases: [
        phase("rollout", { steps: [ramp()] }),
        phase("later", { steps: [step("x", { run: () => {} })] }),
      ],
      triggers: [elsewhere],
    });
    const handle = await rig.start(migration);
    await rig.clock.advance(1_000);
    await traffic(rig, 5, 18);
    expect(handle.live().state).toBe("RUNNING");
    await handle.stop();
  });
});

describe("a trigger that pauses", () => {
  test("pauses once, and gathers evidence anew after somebody continued", async () => {
    await using rig = await openRig();
    const guard = when(rate.error("orders").worseThan("old", { by: 2 })).then("pause");
    const handle = await rig.start(withTriggers([guard]));
    await rig.clock.advance(1_000);
    await traffic(rig, 3, 18);
    expect(handle.live()).toMatchObject({ state: "PAUSED" });
    expect(handle.live().reason).toContain(guard.name);
    await handle.continue("ann", "the new side was mended");
    await traffic(rig, 10, 0);
    expect(handle.live().state).toBe("RUNNING");
    await traffic(rig, 3, 18);
    expect(handle.live().state).toBe("PAUSED");
    expect(await fired(rig, handle)).toHaveLength(2);
    await handle.stop();
  });
});

describe("a trigger that throttles", () => {
  test("lets no share rise and runs one step at a time until its verdict is another", async () => {
    await using rig = await openRig({ readMemory: () => used });
    let used = 0.95;
    const guard = when(memory().above(0.9, { n: 1, of: 1, interval: "1s" })).then("throttle");
    let wantsMore = false;
    const migration = withTriggers([guard], [ramp(() => wantsMore)]);
    const handle = await rig.start(migration);
    await rig.until(() => handle.live().throttledBy !== null);
    wantsMore = true;
    await handle.pause("ann", "to start the ramp again");
    await rig.clock.advance(1_000);
    await handle.continue("ann", "go");
    await rig.clock.advance(5_000);
    expect(await rig.store.routes.get("orders")).toMatchObject({ share: 10 });
    used = 0.5;
    await rig.clock.advance(5_000);
    expect(handle.live().throttledBy).toBeNull();
    expect(await rig.store.routes.get("orders")).toMatchObject({ share: 50 });
    await handle.stop();
  });

  test("refuses to start where nobody reads the memory", async () => {
    await using rig = await openRig();
    const guard = when(memory().above(0.9)).then("throttle");
    await expect(rig.start(withTriggers([guard]))).rejects.toMatchObject({ code: "CUTOVER_PLAN_INVALID" });
    expect(await rig.store.runs.list()).toEqual([]);
  });
});

describe("a trigger that alerts", () => {
  test("notes it and lets the run go on", async () => {
    await using rig = await openRig();
    let depth = 5;
    const guard = when(value("queue growth", () => depth).above(10, { n: 2, of: 3, interval: "1s" })).then(
      "alert",
    );
    const handle = await rig.start(withTriggers([guard]));
    await rig.clock.advance(5_000);
    expect(await fired(rig, handle)).toEqual([]);
    depth = 50;
    await rig.clock.advance(5_000);
    expect(handle.live().state).toBe("RUNNING");
    expect(await fired(rig, handle)).toEqual([[guard.name, "alert"]]);
    await handle.stop();
  });

  test("holds instead of firing while its value cannot be read", async () => {
    await using rig = await openRig();
    const broken = (): number => {
      throw new Error("no such table");
    };
    const guard = when(value("depth", broken).above(10, { n: 1, of: 1, interval: "1s" })).then("rollback");
    const handle = await rig.start(withTriggers([guard]));
    await rig.clock.advance(5_000);
    expect(handle.live()).toMatchObject({ state: "RUNNING" });
    expect(handle.live().verdicts).toMatchObject([
      { kind: "hold", reason: expect.stringContaining("no such table") },
    ]);
    await handle.stop();
  });
});

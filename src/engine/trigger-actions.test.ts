import { describe, expect, test } from "vitest";
import { sleep } from "../core/index.ts";
import {
  contingency,
  defineMigration,
  manual,
  type Migration,
  type MigrationInput,
  phase,
  rate,
  type Step,
  step,
  type Trigger,
  value,
  when,
} from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import { askDecision, continueRecorded, liftRecorded, type RecordParts, triggerRecorded } from "./index.ts";
import type { RunHandle } from "./run-handle.ts";
// A run loads it with the first gate that needs it, and a manual clock would run on meanwhile.
import "./measured-judge.ts";

/** What the run's figures show, and what its steps and procedures did. */
class World {
  bad = 0;
  readonly did: string[] = [];
  open = false;

  /** Bad while `bad` is 1, read each second. */
  condition(): Parameters<typeof when>[0] {
    return value("badness", () => this.bad).above(0.5, { n: 1, of: 1, interval: "1s" });
  }

  act(name: string): Step {
    return step(name, { run: () => void this.did.push(name), rollback: () => {} });
  }

  /** Waits until `open`. */
  wait(): Step {
    return step("wait", {
      run: async ({ clock, signal }) => {
        while (!this.open) await sleep(clock, 200, signal);
      },
      rollback: () => {},
    });
  }

  migration(triggers: readonly Trigger[], more: Partial<MigrationInput> = {}): Migration {
    return defineMigration({
      name: "guarded",
      phases: [phase("one", { steps: [this.wait(), this.act("after")] })],
      triggers,
      contingencies: [
        {
          name: "mend",
          on: "manual",
          steps: [this.act("look"), step("repair", { run: () => void (this.bad = 0) })],
        },
      ],
      ...more,
    });
  }

  /** Waits for a person in its first phase, with nothing in flight. */
  asking(triggers: readonly Trigger[]): Migration {
    return this.migration(triggers, {
      phases: [
        phase("one", { steps: [this.act("first")], approval: { by: 1 } }),
        phase("two", { steps: [this.act("after")] }),
      ],
    });
  }
}

const events = async (rig: Rig, handle: RunHandle, type: string): Promise<readonly unknown[]> =>
  (await rig.store.events.read({ stream: `run:${handle.id}`, types: [type], limit: 1_000 })).map(
    ({ data }) => data["trigger"],
  );
const fired = (rig: Rig, handle: RunHandle) => events(rig, handle, "trigger.fired");
const recovered = (rig: Rig, handle: RunHandle) => events(rig, handle, "trigger.recovered");

async function waitingForApproval(rig: Rig, world: World, triggers: readonly Trigger[]): Promise<RunHandle> {
  const handle = await rig.start(world.asking(triggers));
  await rig.until(() => handle.live().phases["one"] === "AWAITING_APPROVAL");
  return handle;
}

describe("a trigger is armed while the run waits for an approval", () => {
  test("alert", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await waitingForApproval(rig, world, [when(world.condition()).then("alert")]);
    world.bad = 1;
    await rig.clock.advance(3_000);
    expect(await fired(rig, handle)).toEqual(["badness > 0.5"]);
    expect(handle.live().state).toBe("RUNNING");
  });

  test("pause", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await waitingForApproval(rig, world, [when(world.condition()).then("pause")]);
    world.bad = 1;
    await rig.until(() => handle.live().state === "PAUSED", 5_000);
  });

  test("throttle", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await waitingForApproval(rig, world, [when(world.condition()).then("throttle")]);
    world.bad = 1;
    await rig.until(() => handle.live().throttledBy === "badness > 0.5", 5_000);
  });

  test("hold: what was approved meanwhile begins by itself once it has recovered", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await waitingForApproval(rig, world, [when(world.condition()).then("hold")]);
    world.bad = 1;
    await rig.until(() => handle.live().state === "HOLDING", 5_000);
    await handle.approve("one", "bob", "looked at it");
    await rig.clock.advance(10_000);
    expect(world.did).toEqual(["first"]);
    world.bad = 0;
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(world.did).toEqual(["first", "after"]);
  });

  test("rollback", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await waitingForApproval(rig, world, [when(world.condition()).then("rollback")]);
    world.bad = 1;
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
  });

  test("contingency", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await waitingForApproval(rig, world, [when(world.condition()).then(contingency("mend"))]);
    world.bad = 1;
    await rig.until(() => world.bad === 0, 5_000);
    expect(world.did).toEqual(["first", "look"]);
    expect(handle.live()).toMatchObject({ state: "RUNNING", phases: { one: "AWAITING_APPROVAL" } });
  });

  test("a trigger for people", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await waitingForApproval(rig, world, [manual("customer impact").then("rollback")]);
    await handle.trigger("customer impact", "ann", "two customers called");
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
  });
});

describe("a trigger that holds", () => {
  test("lets what is in flight go on, no step begin, and goes on by itself", async () => {
    await using rig = await openRig();
    const world = new World();
    const guard = when(world.condition()).then("hold", { name: "guard", recover: "5s" });
    const handle = await rig.start(world.migration([guard]));
    await rig.until(() => handle.live().steps.RUNNING === 1);
    world.bad = 1;
    await rig.until(() => handle.live().state === "HOLDING", 5_000);
    expect(handle.live().reason).toContain("guard:");
    world.open = true;
    await rig.until(() => handle.live().steps.DONE === 1, 5_000);
    await rig.clock.advance(60_000);
    expect(world.did).toEqual([]);
    world.bad = 0;
    const good = rig.clock.now();
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(rig.clock.now() - good).toBeGreaterThanOrEqual(5_000);
    expect(rig.clock.now() - good).toBeLessThan(10_000);
    expect(await recovered(rig, handle)).toEqual(["guard"]);
  });

  test("lets no share rise, and the share rises once it has recovered", async () => {
    await using rig = await openRig();
    const world = new World();
    const share = step("share", {
      run: async ({ routes, clock, signal }) => {
        const { epoch } = await routes.set("orders", 0, { stage: "live", share: 10 });
        while (!world.open) await sleep(clock, 200, signal);
        await routes.set("orders", epoch, { stage: "live", share: 50 });
      },
      rollback: () => {},
    });
    const handle = await rig.start(
      world.migration([when(world.condition()).then("hold")], {
        phases: [phase("one", { steps: [share] })],
      }),
    );
    await rig.until(() => handle.live().steps.RUNNING === 1);
    world.bad = 1;
    await rig.until(() => handle.live().state === "HOLDING", 5_000);
    world.open = true;
    await rig.clock.advance(30_000);
    expect(await rig.store.routes.get("orders")).toMatchObject({ share: 10 });
    world.bad = 0;
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(await rig.store.routes.get("orders")).toMatchObject({ share: 50 });
  });

  test("on a rate judges its recovery by what came after it fired, not by the whole run", async () => {
    await using rig = await openRig();
    const world = new World();
    world.open = true;
    const live = step("live", {
      run: async ({ routes }) => void (await routes.set("orders", 0, { stage: "live", share: 10 })),
      rollback: () => {},
    });
    const guard = when(rate.error("orders").above(0.05)).then("hold", { recover: "2s" });
    world.open = false;
    const handle = await rig.start(
      world.migration([guard], {
        phases: [phase("one", { steps: [live, world.wait(), world.act("after")] })],
      }),
    );
    await rig.clock.advance(1_000);
    const second = async (errors: number): Promise<void> => {
      await rig.measure("orders", { old: [180, 1], new: [20, errors] });
      await rig.clock.advance(1_000);
    };
    for (let i = 0; i < 30 && handle.live().state === "RUNNING"; i++) await second(18);
    expect(handle.live().state).toBe("HOLDING");
    world.open = true;
    // 18 of 20 failed before: over the whole run the rate stays above 5 % for minutes to come.
    for (let i = 0; i < 20 && handle.live().state === "HOLDING"; i++) await second(0);
    expect(await rig.end(handle, 5_000)).toMatchObject({ state: "COMPLETED" });
  });

  test("goes on holding after a crash, and recovers in the next life", async () => {
    await using rig = await openRig();
    const world = new World();
    const migration = world.migration([when(world.condition()).then("hold", { name: "guard" })]);
    rig.engine();
    const first = await rig.start(migration);
    await rig.until(() => first.live().steps.RUNNING === 1);
    world.bad = 1;
    await rig.until(() => first.live().state === "HOLDING", 5_000);
    await first.stop();
    world.open = true;
    const handle = await rig.resume(first.id, migration);
    await rig.clock.advance(20_000);
    expect(handle.live().state).toBe("HOLDING");
    expect(world.did).toEqual([]);
    world.bad = 0;
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(await fired(rig, handle)).toEqual(["guard"]);
  });

  test("a person who continues ends it, and it holds again when it is bad again", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await rig.start(world.migration([when(world.condition()).then("hold")]));
    await rig.until(() => handle.live().steps.RUNNING === 1);
    world.bad = 1;
    await rig.until(() => handle.live().state === "HOLDING", 5_000);
    world.bad = 0;
    await handle.continue("ann", "it is known");
    expect(handle.live().state).toBe("RUNNING");
    await rig.clock.advance(5_000);
    world.bad = 1;
    await rig.until(() => handle.live().state === "HOLDING", 5_000);
    expect(await fired(rig, handle)).toHaveLength(2);
  });

  test("who continues a paused run does not end a hold that stands under the pause", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await rig.start(world.migration([when(world.condition()).then("hold")]));
    await rig.until(() => handle.live().steps.RUNNING === 1);
    await handle.pause("ann", "lunch");
    world.bad = 1;
    await rig.clock.advance(5_000);
    await handle.continue("ann", "back");
    await rig.clock.advance(500);
    expect(handle.live().state).toBe("HOLDING");
    world.bad = 0;
    world.open = true;
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  });
});

describe("debounce, recovery, cooldown, repeat", () => {
  test("a condition that is bad for less than `for` does nothing", async () => {
    await using rig = await openRig();
    const world = new World();
    const guard = when(world.condition()).then("alert", { for: "30s" });
    const handle = await rig.start(world.migration([guard]));
    await rig.clock.advance(5_000);
    for (const seconds of [20, 25]) {
      world.bad = 1;
      await rig.clock.advance(seconds * 1_000);
      expect(handle.live().verdicts.at(-1)?.reason).toContain("fires in");
      world.bad = 0;
      await rig.clock.advance(5_000);
    }
    expect(await fired(rig, handle)).toEqual([]);
    world.bad = 1;
    await rig.clock.advance(33_000);
    expect(await fired(rig, handle)).toHaveLength(1);
  });

  test("a crash in the middle of it loses no time when the condition is still bad afterwards", async () => {
    await using rig = await openRig();
    const world = new World();
    const live = step("live", {
      run: async ({ routes }) => void (await routes.set("orders", 0, { stage: "live", share: 10 })),
      rollback: () => {},
    });
    const guard = when(rate.error("orders").above(0.05)).then("pause", { for: "60s" });
    const migration = world.migration([guard], { phases: [phase("one", { steps: [live, world.wait()] })] });
    rig.engine();
    const first = await rig.start(migration);
    await rig.clock.advance(1_000);
    for (let i = 0; i < 5; i++) {
      await rig.measure("orders", { old: [180, 1], new: [20, 18] });
      await rig.clock.advance(1_000);
    }
    await rig.clock.advance(30_000);
    await first.stop();
    const handle = await rig.resume(first.id, migration);
    await rig.clock.advance(20_000);
    expect(handle.live().state).toBe("RUNNING");
    await rig.clock.advance(15_000);
    expect(handle.live().state).toBe("PAUSED");
  });

  test("what is good for less than `recover` lifts nothing", async () => {
    await using rig = await openRig();
    const world = new World();
    const guard = when(world.condition()).then("throttle", { recover: "20s" });
    const handle = await rig.start(world.migration([guard]));
    world.bad = 1;
    await rig.until(() => handle.live().throttledBy !== null, 5_000);
    for (let i = 0; i < 3; i++) {
      world.bad = 0;
      await rig.clock.advance(15_000);
      world.bad = 1;
      await rig.clock.advance(5_000);
    }
    expect(handle.live().throttledBy).not.toBeNull();
    world.bad = 0;
    await rig.clock.advance(25_000);
    expect(handle.live().throttledBy).toBeNull();
    expect(await fired(rig, handle)).toHaveLength(1);
  });

  test("`cooldown` lets a flapping condition fire no more often", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await rig.start(
      world.migration([when(world.condition()).then("alert", { cooldown: "1m" })]),
    );
    for (let i = 0; i < 18; i++) {
      world.bad = i % 2;
      await rig.clock.advance(10_000);
    }
    expect((await fired(rig, handle)).length).toBeGreaterThanOrEqual(2);
    expect((await fired(rig, handle)).length).toBeLessThanOrEqual(3);
  });

  test("`repeat` comes again while the condition stays bad", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await rig.start(
      world.migration([when(world.condition()).then("alert", { repeat: "10s" })]),
    );
    world.bad = 1;
    await rig.clock.advance(35_000);
    expect((await fired(rig, handle)).length).toBe(4);
    world.bad = 0;
    await rig.clock.advance(35_000);
    expect((await fired(rig, handle)).length).toBe(4);
  });

  test("a throttle of one phase ends with it", async () => {
    await using rig = await openRig();
    const world = new World();
    world.bad = 1;
    const guard = when(world.condition()).then("throttle", { phases: ["one"] });
    const handle = await rig.start(
      world.migration([guard], {
        phases: [phase("one", { steps: [world.wait()] }), phase("two", { approval: { by: 1 } })],
      }),
    );
    await rig.until(() => handle.live().throttledBy !== null, 5_000);
    world.open = true;
    await rig.until(() => handle.live().phases["two"] === "AWAITING_APPROVAL", 5_000);
    await rig.clock.advance(1_000);
    expect(handle.live().throttledBy).toBeNull();
  });
});

describe("a trigger that runs a contingency", () => {
  test("runs it anew at each firing, its steps in the record", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await rig.start(
      world.migration([when(world.condition()).then(contingency("mend"), { name: "mended" })]),
    );
    for (let time = 1; time <= 3; time++) {
      world.bad = 1;
      await rig.until(() => world.bad === 0, 10_000);
      await rig.clock.advance(5_000);
      expect(world.did).toHaveLength(time);
    }
    expect(await fired(rig, handle)).toEqual(["mended", "mended", "mended"]);
    const steps = await rig.store.runs.steps(handle.id);
    expect(steps.filter(({ phase: of }) => of === "contingency:mend")).toMatchObject([
      { step: "contingency:mend/look", state: "DONE", attempt: 3 },
      { step: "contingency:mend/repair", state: "DONE", attempt: 3 },
    ]);
    await rig.store.rebuild();
    expect(await rig.store.runs.steps(handle.id)).toEqual(steps);
  });

  test("the run does not finish before it has", async () => {
    await using rig = await openRig();
    const world = new World();
    const slow = step("slow", {
      run: async ({ clock, signal }) => {
        await sleep(clock, 60_000, signal);
        world.did.push("slow");
      },
    });
    const handle = await rig.start(
      world.migration([when(world.condition()).then(contingency("slowly"))], {
        contingencies: [{ name: "slowly", on: "manual", steps: [slow] }],
      }),
    );
    world.bad = 1;
    await rig.clock.advance(5_000);
    world.open = true;
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(world.did).toEqual(["after", "slow"]);
  });

  test("a run that waits for one to end can still be taken back", async () => {
    await using rig = await openRig();
    const world = new World();
    const endless = step("endless", {
      run: ({ clock, signal }) => sleep(clock, 600_000, signal),
    });
    const handle = await rig.start(
      world.migration([when(world.condition()).then(contingency("endless"))], {
        contingencies: [{ name: "endless", on: "manual", steps: [endless] }],
      }),
    );
    world.bad = 1;
    await rig.clock.advance(5_000);
    world.open = true;
    await rig.until(() => handle.live().waitsFor.includes("endless"), 5_000);
    await handle.rollback("ann", "no");
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
  });

  test("one that fails is noted, and the run goes on", async () => {
    await using rig = await openRig();
    const world = new World();
    const broken = step("broken", {
      run: () => {
        throw new Error("no such scheduler");
      },
    });
    const handle = await rig.start(
      world.migration([when(world.condition()).then(contingency("restart"))], {
        contingencies: [{ name: "restart", on: "manual", steps: [broken, world.act("never")] }],
      }),
    );
    world.bad = 1;
    await rig.clock.advance(5_000);
    world.open = true;
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    const notes = await rig.store.events.read({
      stream: `run:${handle.id}`,
      types: ["note.added"],
      limit: 100,
    });
    expect(notes.map(({ data }) => data["text"])).toContain(
      'the contingency "restart" ended early: step "contingency:restart/broken" of the emergency procedure failed: no such scheduler',
    );
    expect(world.did).toEqual(["after"]);
  });

  test("goes on where it was after a crash", async () => {
    await using rig = await openRig();
    const world = new World();
    const migration = world.migration([when(world.condition()).then(contingency("two"), { name: "t" })], {
      contingencies: [{ name: "two", on: "manual", steps: [world.act("a"), world.wait(), world.act("b")] }],
      phases: [phase("one", { steps: [world.wait()] })],
    });
    rig.engine();
    const first = await rig.start(migration);
    world.bad = 1;
    await rig.until(() => world.did.includes("a"), 5_000);
    await first.stop();
    const handle = await rig.resume(first.id, migration);
    await rig.clock.advance(1_000);
    world.open = true;
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(world.did).toEqual(["a", "b"]);
    expect(await fired(rig, handle)).toEqual(["t"]);
  });
});

describe("a trigger for people", () => {
  const people = ["team decision", "customer impact", "data corruption risk"] as const;
  const guards = (): readonly Trigger[] => [
    manual("team decision").then("pause"),
    manual("customer impact").then("rollback"),
    manual("data corruption risk").then("hold"),
    manual("busy day").then("throttle"),
    manual("mend it").then(contingency("mend")),
  ];

  test("fires with who and why in the record, and an incident where it rolls back", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await rig.start(world.migration(guards()));
    await rig.until(() => handle.live().steps.RUNNING === 1);
    await handle.trigger(people[0], "ann", "we talk first");
    expect(handle.live()).toMatchObject({ state: "PAUSED" });
    await handle.trigger(people[1], "bob", "two customers called");
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
    const [incident] = await rig.store.runs.incidents(handle.id);
    expect(incident).toMatchObject({
      cause: "trigger",
      summary: "customer impact: two customers called",
      seen: { trigger: "customer impact", by: "bob", reason: "two customers called", phase: "one" },
    });
    const told = await rig.store.events.read({
      stream: `run:${handle.id}`,
      types: ["trigger.fired"],
      limit: 9,
    });
    expect(told.map(({ data }) => [data["trigger"], data["action"], data["by"], data["reason"]])).toEqual([
      ["team decision", "pause", "ann", "we talk first"],
      ["customer impact", "rollback", "bob", "two customers called"],
    ]);
  });

  test("holds until somebody lifts it, and slows until somebody does", async () => {
    await using rig = await openRig();
    const world = new World();
    const handle = await rig.start(world.migration(guards()));
    await rig.until(() => handle.live().steps.RUNNING === 1);
    await handle.trigger("data corruption risk", "ann", "a row looks odd");
    await handle.trigger("busy day", "ann", "sale");
    expect(handle.live()).toMatchObject({ state: "HOLDING", throttledBy: "busy day" });
    await handle.trigger("mend it", "ann", "to be sure");
    await rig.until(() => world.did.includes("look"), 2_000);
    world.open = true;
    await rig.clock.advance(60_000);
    expect(world.did).toEqual(["look"]);
    await handle.lift("busy day", "bob", "sale is over");
    expect(handle.live().throttledBy).toBeNull();
    await handle.lift("data corruption risk", "bob", "the row is fine");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  });

  test.each([
    ["custmer impact", "ann", "why", "CUTOVER_TRIGGER_UNKNOWN", 'did you mean "customer impact"?'],
    ["xyz", "ann", "why", "CUTOVER_TRIGGER_UNKNOWN", '"team decision"'],
    ["badness > 0.5", "ann", "why", "CUTOVER_RUN_STATE", "pause or rollback"],
    ["customer impact", "ann", " ", "CUTOVER_RUN_STATE", "give a name and a reason"],
    ["elsewhere", "ann", "why", "CUTOVER_RUN_STATE", ""],
  ])("refuses %s by %s for %j with %s", async (name, by, reason, code, remedy) => {
    await using rig = await openRig();
    const world = new World();
    const migration = world.migration(
      [
        ...guards(),
        when(world.condition()).then("alert"),
        manual("elsewhere").then("pause", { phases: ["two"] }),
      ],
      { phases: [phase("one", { steps: [world.wait()] }), phase("two", { steps: [world.act("after")] })] },
    );
    const handle = await rig.start(migration);
    await rig.until(() => handle.live().steps.RUNNING === 1);
    await expect(handle.trigger(name, by, reason)).rejects.toMatchObject({
      code,
      remedy: expect.stringContaining(remedy),
    });
    await expect(handle.lift("data corruption risk", "ann", "why")).rejects.toMatchObject({
      code: "CUTOVER_RUN_STATE",
    });
    expect(await fired(rig, handle)).toEqual([]);
  });

  test("fires through the record when nobody carries the run, and whoever carries it next acts", async () => {
    await using rig = await openRig();
    const world = new World();
    const migration = world.migration(guards());
    rig.engine();
    const first = await rig.start(migration);
    await rig.until(() => first.live().steps.RUNNING === 1);
    await first.stop();
    const parts: RecordParts = { store: rig.store, clock: rig.clock, owner: "other:1:1" };
    const ann = { by: "ann", reason: "because" };
    const hold = await triggerRecorded(parts, first.id, { ...ann, trigger: "data corruption risk" });
    expect(hold).toMatchObject({ state: "HOLDING" });
    await triggerRecorded(parts, first.id, { ...ann, trigger: "mend it" });
    const handle = await rig.resume(first.id, migration);
    await rig.until(() => world.did.includes("look"), 5_000);
    expect(handle.live().state).toBe("HOLDING");
    await handle.stop();
    world.open = true;
    expect(await liftRecorded(parts, first.id, { ...ann, trigger: "data corruption risk" })).toMatchObject({
      state: "RUNNING",
    });
    await triggerRecorded(parts, first.id, { ...ann, trigger: "team decision" });
    await continueRecorded(parts, first.id, ann);
    expect(await rig.end(await rig.resume(first.id, migration))).toMatchObject({ state: "COMPLETED" });
  });

  test("reaches the process that carries the run through a shared store, once", async () => {
    await using rig = await openRig({ hearEveryMs: 500 });
    const world = new World();
    const handle = await rig.start(world.migration(guards()));
    await rig.until(() => handle.live().steps.RUNNING === 1);
    const parts: RecordParts = { store: rig.store, clock: rig.clock, owner: "other:1:1" };
    let answer = "";
    const ask = async (verb: "trigger" | "lift", trigger: string): Promise<string> => {
      answer = "";
      askDecision(parts, handle.id, { verb, trigger, by: "ann", reason: "because" }).then(
        ({ state }) => (answer = state),
        (error: unknown) => (answer = (error as { code: string }).code),
      );
      await rig.until(() => answer !== "", 30_000);
      return answer;
    };
    expect(await ask("trigger", "data corruption risk")).toBe("HOLDING");
    expect(await ask("lift", "data corruption risk")).toBe("RUNNING");
    expect(await ask("trigger", "nobody knows")).toBe("CUTOVER_TRIGGER_UNKNOWN");
    expect(await fired(rig, handle)).toEqual(["data corruption risk"]);
  });
});

import { describe, expect, test } from "vitest";
import { type Json, setFaultHandler, sleep } from "../core/index.ts";
import {
  check,
  contingency,
  defineMigration,
  gate,
  type Migration,
  phase,
  type Step,
  step,
  value,
  when,
} from "../plan/index.ts";
import type { RunState } from "../store/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import { engineFaultPoints } from "./fault-points.ts";
import type { RunHandle } from "./run-handle.ts";

/** What the steps change: survives the "killed" engines as the outside world would. */
class World {
  readonly applied = new Map<string, number>();
  /** Phases that somebody elsewhere was asked about. */
  readonly asked = new Set<string>();
  alarm = 0;

  /** A step with every part: checkpoints, evidence, a route, verify, completion, rollback. */
  step(name: string, more: { readonly fails?: boolean; readonly stuck?: boolean } = {}): Step {
    return {
      name,
      input: null,
      kind: {
        kind: "world",
        reversible: true,
        plan: () => ({ summary: name }),
        start: async (context): Promise<Json> => {
          const { routes } = context;
          this.applied.set(context.step, (this.applied.get(context.step) ?? 0) + 1);
          await context.saveCheckpoint({ half: true });
          await context.evidence("seen", { name });
          const route = `route-${name}`;
          const before = await routes.get(route);
          if (before?.stage !== "live")
            await routes.set(route, before?.epoch ?? 0, { stage: "live", share: 10 });
          if (more.fails === true) throw new Error("the new side broke");
          return { name };
        },
        verify: (context) =>
          Promise.resolve(
            more.fails !== true && this.applied.has(context.step) && context.checkpoint() !== undefined
              ? { kind: "done", result: { name } }
              : { kind: "not-done" },
          ),
        complete: () => Promise.resolve(),
        rollback: async (context) => {
          const route = `route-${name}`;
          const before = await context.routes.get(route);
          if (before !== undefined && before.stage !== "off")
            await context.routes.set(route, before.epoch, { stage: "off", share: 0 });
          if (more.stuck === true) throw new Error("the old side is gone");
          this.applied.delete(context.step);
        },
      },
    };
  }
}

interface Scenario {
  readonly name: string;
  readonly ends: RunState;
  readonly define: (world: World, life: number) => Migration;
  /** What a person does while it runs; called after every change, and may do a thing more than once. */
  readonly person?: (handle: RunHandle, world: World, rig: Rig) => Promise<void>;
  /** The person decides in another process; see `EngineOptions`. */
  readonly hearEveryMs?: number;
  /** Triggers that fire, each exactly once. */
  readonly fires?: readonly string[];
}

const all = { ok: true, note: "so it is" };

const approveAll = async (handle: RunHandle): Promise<void> => {
  const waiting = Object.entries(handle.live().phases).find(([, state]) => state === "AWAITING_APPROVAL");
  if (waiting !== undefined) await handle.approve(waiting[0], "bob", "looked at it");
};

/** As another process would: into the record, once for each phase, whoever carries the run by then. */
const approveElsewhere: NonNullable<Scenario["person"]> = async (handle, world, { store }) => {
  const waiting = Object.entries(handle.live().phases).find(([, state]) => state === "AWAITING_APPROVAL");
  if (waiting === undefined || world.asked.has(waiting[0])) return;
  world.asked.add(waiting[0]);
  const data = {
    id: `d-${waiting[0]}`,
    verb: "approve",
    phase: waiting[0],
    by: "bob",
    reason: "so it is",
  } as const;
  await store.runs.commit(handle.id, [{ type: "decision.asked", data }]);
};

const scenarios: readonly Scenario[] = [
  {
    name: "decided by another process",
    ends: "COMPLETED",
    hearEveryMs: 200,
    define: (world) =>
      defineMigration({
        name: "elsewhere",
        phases: [
          phase("one", { approval: { by: 1 }, steps: [world.step("a")] }),
          phase("two", { approval: { by: 1 }, steps: [world.step("b")] }),
        ],
      }),
    person: approveElsewhere,
  },
  {
    name: "forward to the end",
    ends: "COMPLETED",
    define: (world) =>
      defineMigration({
        name: "forward",
        phases: [
          phase("prepare", {
            entry: [check("old answers", () => all)],
            wayBack: [check("backup restores", () => all)],
            steps: [world.step("copy"), world.step("verify")],
            exit: [
              gate("equal", {
                collect: () => ({ differ: 0 }),
                judge: () => ({ kind: "pass", reason: "equal" }),
              }),
            ],
            approval: { by: 1 },
          }),
          phase("retire", { forwardOnly: true, approval: { by: 1 }, steps: [world.step("remove")] }),
        ],
        success: [gate("no loss", { collect: () => ({}), judge: () => ({ kind: "pass", reason: "none" }) })],
      }),
    person: approveAll,
  },
  {
    name: "pause, unknown step, go on",
    ends: "COMPLETED",
    define: (world) =>
      defineMigration({
        name: "pause",
        phases: [
          phase("one", {
            steps: [
              step("slow", {
                run: async (context) => {
                  if (context.attempt === 1)
                    await new Promise((_, no) => context.signal.addEventListener("abort", no));
                },
                verify: () => ({ kind: "unknown", reason: "it left no trace" }),
              }),
              world.step("after"),
            ],
          }),
        ],
      }),
    person: async (handle) => {
      const { state, steps } = handle.live();
      if (state === "PAUSED") await handle.continue("bob", "go on");
      else if (state === "HOLDING")
        await handle.settle("one/slow", "not-done", "bob", "looked: nothing there");
      else if (
        state === "RUNNING" &&
        steps.RUNNING === 1 &&
        steps.DONE === undefined &&
        steps.FAILED === undefined
      )
        await handle.pause("bob", "lunch");
    },
  },
  {
    name: "the definition changes",
    ends: "COMPLETED",
    define: (world, life) =>
      defineMigration({
        name: "changes",
        phases: [
          phase("one", { steps: [world.step("a"), world.step("b")] }),
          phase("two", {
            // A definition never changes back: once a second life began, it is the longer one.
            steps: [world.step("c"), ...(life > 1 ? [world.step("d")] : [])],
            forwardOnly: true,
            approval: { by: 1 },
          }),
        ],
      }),
    person: async (handle, world) => {
      const stopAt = world.alarm === 0 && handle.live().phases["two"] === "AWAITING_APPROVAL";
      if (!stopAt) return await approveAll(handle);
      world.alarm = 1;
      await handle.stop();
    },
  },
  {
    name: "a step fails",
    ends: "ROLLED_BACK",
    define: (world) =>
      defineMigration({
        name: "fails",
        phases: [
          phase("one", { steps: [world.step("a"), world.step("b")] }),
          phase("two", { steps: [world.step("c"), world.step("d", { fails: true })] }),
        ],
        verifyOld: [check("old answers", () => all)],
      }),
  },
  {
    name: "a trigger fires",
    ends: "ROLLED_BACK",
    define: (world) =>
      defineMigration({
        name: "fires",
        phases: [
          phase("one", {
            steps: [
              world.step("a"),
              step("alarm", { run: () => void (world.alarm = 1) }),
              step("wait", {
                run: (context) => new Promise((_, no) => context.signal.addEventListener("abort", no)),
                rollback: () => {},
              }),
            ],
          }),
        ],
        triggers: [
          when(value("alarm", () => world.alarm).above(0.5, { n: 1, of: 1, interval: "1s" })).then(
            "rollback",
          ),
        ],
      }),
  },
  {
    name: "a trigger holds until a contingency has mended it",
    ends: "COMPLETED",
    define: (world) => {
      const bad = value("alarm", () => (world.alarm === 1 ? 1 : 0)).above(0.5, {
        n: 1,
        of: 1,
        interval: "200ms",
      });
      return defineMigration({
        name: "holds",
        phases: [
          phase("one", {
            steps: [
              step("alarm", { run: () => void (world.alarm = Math.max(world.alarm, 1)) }),
              step("wait", {
                run: async ({ clock, signal }) => {
                  while (world.alarm !== 2) await sleep(clock, 100, signal);
                },
              }),
              world.step("after"),
            ],
          }),
        ],
        triggers: [
          when(bad).then("hold", { name: "held", for: "500ms", recover: "1s" }),
          when(bad).then(contingency("mend"), { name: "mended", for: "1s" }),
        ],
        contingencies: [
          {
            name: "mend",
            on: "manual",
            steps: [step("look", { run: () => {} }), step("repair", { run: () => void (world.alarm = 2) })],
          },
        ],
      });
    },
    fires: ["held", "mended"],
  },
  {
    name: "a rollback gets stuck",
    ends: "ROLLBACK_STUCK",
    define: (world) =>
      defineMigration({
        name: "stuck",
        phases: [
          phase("one", { steps: [world.step("a", { stuck: true }), world.step("b", { fails: true })] }),
        ],
        contingencies: [
          {
            name: "call",
            on: "rollback-stuck",
            steps: [step("ring", { run: () => void world.applied.set("rang", 1) })],
          },
        ],
      }),
  },
];

/** Runs a scenario to its end, taking it up again each time it is killed. */
async function play(
  rig: Rig,
  scenario: Scenario,
): Promise<{ readonly handle: RunHandle; readonly world: World }> {
  const world = new World();
  for (let life = 1; life <= 4; life++) {
    const migration = scenario.define(world, life);
    const { hearEveryMs } = scenario;
    rig.engine({ isDead: () => true, ...(hearEveryMs === undefined ? {} : { hearEveryMs }) });
    try {
      const [known] = await rig.store.runs.list();
      const handle =
        known === undefined
          ? await rig.start(migration)
          : await rig.resume(known.id, migration, { acceptChanges: true });
      const state = await lifetime(
        rig,
        handle,
        (each) => scenario.person?.(each, world, rig) ?? Promise.resolve(),
      );
      if (state === scenario.ends) return { handle, world };
    } catch (error) {
      if (!isKill(error)) throw error;
      // Whatever the dead engine still had in mind happens now, and must not be written.
      await rig.clock.advance(1_000);
      setFaultHandler(undefined);
    }
  }
  throw new Error("killed again and again");
}

/** A dead heartbeat loses the lease; the kill is then the cause. */
const isKill = (error: unknown): boolean =>
  error instanceof Error && (error.message === "killed" || isKill(error.cause));

async function lifetime(
  rig: Rig,
  handle: RunHandle,
  person: (handle: RunHandle) => Promise<void>,
): Promise<RunState> {
  let over = false;
  const done = handle.done.finally(() => (over = true));
  done.catch(() => {});
  for (let round = 0; !over; round++) {
    if (round > 2_000) throw new Error(`it stands still: ${JSON.stringify(handle.live())}`);
    if (over) break;
    await person(handle).catch((error: unknown) => {
      if (isKill(error)) throw error;
    });
    await rig.clock.advance(50);
  }
  return (await done).state;
}

function killAt(point: string, occurrence: number): () => boolean {
  let left = occurrence;
  let dead = false;
  setFaultHandler((name) => {
    if (name === point && --left === 0) dead = true;
    if (dead) throw new Error("killed");
  });
  return () => dead;
}

async function countPoints(scenario: Scenario): Promise<ReadonlyMap<string, number>> {
  await using rig = await openRig({ leaseMs: 1_000 });
  const counts = new Map<string, number>();
  setFaultHandler((name) => {
    if (name.startsWith("engine.")) counts.set(name, (counts.get(name) ?? 0) + 1);
  });
  await play(rig, scenario);
  return counts;
}

const hits = new Map<Scenario, ReadonlyMap<string, number>>();
for (const scenario of scenarios) hits.set(scenario, await countPoints(scenario));

describe("the list of fault points", () => {
  test("holds every point that is passed, and each is passed by some scenario", () => {
    const passed = new Set([...hits.values()].flatMap((counts) => [...counts.keys()]));
    expect([...passed].toSorted()).toEqual([...engineFaultPoints].toSorted());
  });
});

describe.each(scenarios)("killed anywhere: $name", (scenario) => {
  // How often a lease is renewed depends on how the store's real I/O falls between turns of the manual clock.
  const occurrencesOf = (point: string, count: number): readonly number[] =>
    point.startsWith("engine.lease.") ? [1, Math.min(2, count)] : [1, Math.ceil(count / 2), count];
  const cases = [...(hits.get(scenario) ?? [])].flatMap(([point, count]) =>
    [...new Set(occurrencesOf(point, count))].map((occurrence) => ({ point, occurrence })),
  );

  test.each(cases)("at $point, time $occurrence", async ({ point, occurrence }) => {
    await using rig = await openRig({ leaseMs: 1_000 });
    const died = killAt(point, occurrence);
    const { handle, world } = await play(rig, scenario);
    expect(died()).toBe(true);
    const run = await rig.store.runs.get(handle.id);
    expect(run?.state).toBe(scenario.ends);
    await expectWholeRecord(rig, handle.id);
    const steps = await rig.store.runs.steps(handle.id);
    if (scenario.ends === "COMPLETED") {
      expect(steps.every(({ state }) => state === "DONE")).toBe(true);
      // An effect is applied again only when the step could not know that it was: never after its result.
      for (const times of world.applied.values()) expect(times).toBeLessThanOrEqual(2);
    }
    if (scenario.ends === "ROLLED_BACK") {
      expect([...world.applied.keys()]).toEqual([]);
      for (const { stage, share } of await rig.store.routes.list())
        expect([stage, share]).toEqual(["off", 0]);
      const incidents = await rig.store.runs.incidents(handle.id);
      expect(incidents.map(({ outcome }) => outcome)).toEqual(["rolled back"]);
    }
    if (scenario.fires !== undefined) {
      const events = await rig.store.events.read({ stream: `run:${handle.id}`, limit: 10_000 });
      const named = (type: string): readonly unknown[] =>
        events.filter((event) => event.type === type).map(({ data }) => data["trigger"]);
      expect(named("trigger.fired")).toEqual(scenario.fires);
      expect(named("trigger.recovered")).toContain("held");
    }
    if (scenario.ends === "ROLLBACK_STUCK") expect(world.applied.has("rang")).toBe(true);
  });
});

/** The chain is whole, every result was recorded once, and the rows are what the events say. */
async function expectWholeRecord(rig: Rig, run: string): Promise<void> {
  expect(await rig.store.events.verify()).toMatchObject({ whole: true });
  const events = await rig.store.events.read({ stream: `run:${run}`, limit: 10_000 });
  const results = new Map<unknown, number>();
  for (const { type, data } of events)
    if (type === "step.transition" && data["event"] === "succeed")
      results.set(data["step"], (results.get(data["step"]) ?? 0) + 1);
  for (const times of results.values()) expect(times).toBe(1);
  const rows = async (): Promise<unknown> => [
    await rig.store.runs.get(run),
    await rig.store.runs.phases(run),
    await rig.store.runs.steps(run),
    await rig.store.runs.evidence(run),
    await rig.store.runs.verdicts(run),
    await rig.store.runs.approvals(run),
    await rig.store.runs.incidents(run),
    await rig.store.routes.list(),
  ];
  const before = await rows();
  await rig.store.rebuild();
  expect(await rows()).toEqual(before);
}

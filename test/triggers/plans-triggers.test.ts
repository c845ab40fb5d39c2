/**
 * The triggers that three written migration plans ask for, each in one line, armed together in one run; and each fired by
 * measured intervals, readings and steps as a real run has them, on a manual clock.
 */
import { describe, expect, test } from "vitest";
import {
  behindSchedule,
  contingency,
  defineMigration,
  dryRun,
  failuresInARow,
  growth,
  manual,
  memory,
  type Migration,
  p95,
  p99,
  phase,
  rate,
  sleep,
  step,
  throughput,
  type Trigger,
  unitsFailed,
  value,
  when,
} from "cutover";
import { latencyBucket } from "cutover/gates";
import type { RunHandle } from "cutover/engine";
import { openRig, type Rig } from "../../src/testing/engine-rig.ts";
// A run loads it with the first gate that needs it, and a manual clock would run on meanwhile.
import "../../src/engine/measured-judge.ts";

/** What the plans' systems do: everything healthy until a fault is set. */
class World {
  validation = 0.95;
  healthy = true;
  regression = 0.02;
  integrates = true;
  depth = 100;
  depthPerSecond = 0;
  memory = 0.6;
  failingUnits: readonly string[] = [];
  start = "2026-01-01";
  /** Of 20 calls of the new side a second: how many it answers, how many fail, how much slower it is. */
  answered = 20;
  failed = 0;
  slower = 1;
}

/** Blueprint migration: automatic and manual rollback triggers. */
const blueprints = (world: World): readonly Trigger[] => [
  when(value("validation", () => world.validation).below(0.7)).then("rollback"),
  when(rate.error("generate").above(0.05)).then("rollback"),
  when(p95("generate").worseThan("old", { by: 2 })).then("rollback"),
  when(throughput("generate").below(0.5)).then("rollback"),
  when(failuresInARow("health", () => world.healthy).above(3)).then("rollback"),
  manual("team decision").then("rollback"),
  manual("customer impact").then("rollback"),
  manual("data corruption risk").then("rollback"),
];

/** Package restructuring: when to turn back. */
const packages = (world: World): readonly Trigger[] => [
  when(unitsFailed().above(2)).then("rollback"),
  when(value("regression", () => world.regression).above(0.1)).then("rollback"),
  when(behindSchedule().above("7d")).then("pause"),
  manual("critical bug").then("rollback"),
  when(failuresInARow("integration", () => world.integrates).above(2, { interval: "1m" })).then("rollback"),
];

/** Queue cutover: thresholds with actions. */
const queue = (world: World): readonly Trigger[] => [
  when(rate.error("queue.submit").above(0.01)).then("pause"),
  when(p99("queue.submit").worseThan("old", { by: 2 })).then("alert"),
  when(growth("queue", () => world.depth).above(10, { per: "1m" })).then(contingency("check-scheduler")),
  when(memory().above(0.9)).then("throttle"),
];

const units = ["a", "b", "c", "d"];

const plans = (world: World): Migration =>
  defineMigration({
    name: "plans",
    units,
    schedule: { start: world.start, end: "2026-03-31" },
    phases: [
      phase("move", {
        steps: (unit) => [
          step("copy", {
            retries: 5,
            run: async ({ clock, signal }) => {
              await sleep(clock, 1_000, signal);
              if (world.failingUnits.includes(unit)) throw new Error(`${unit} does not build`);
              await sleep(clock, 3_600_000, signal);
            },
            rollback: () => {},
          }),
        ],
      }),
    ],
    triggers: [...blueprints(world), ...packages(world), ...queue(world)],
    contingencies: [
      {
        name: "check-scheduler",
        on: "manual",
        steps: [step("restart", { run: () => void (world.depthPerSecond = 0) })],
      },
    ],
  });

interface Fired {
  readonly trigger: unknown;
  readonly action: unknown;
  readonly by: unknown;
}

/** A run of the plans under steady traffic of both routes, one tenth of it on the new side. */
class Crossing {
  readonly rig: Rig;
  readonly world: World;
  readonly handle: RunHandle;
  #second = 0;

  constructor(rig: Rig, world: World, handle: RunHandle) {
    this.rig = rig;
    this.world = world;
    this.handle = handle;
  }

  static async open(rig: Rig, world: World): Promise<Crossing> {
    for (const route of ["generate", "queue.submit"])
      await rig.store.routes.set({ route, epoch: 0, stage: "live", share: 10, by: "ann" });
    rig.engine({ readMemory: () => world.memory, judgeEveryMs: 500 });
    return new Crossing(rig, world, await rig.start(plans(world)));
  }

  async seconds(count: number, until: () => Promise<boolean> = async () => false): Promise<void> {
    for (let i = 0; i < count && !(await until()); i++) {
      await this.#traffic();
      this.world.depth += this.world.depthPerSecond;
      await this.rig.clock.advance(1_000);
    }
  }

  async #traffic(): Promise<void> {
    const { clock, store } = this.rig;
    const to = clock.now();
    const { answered, failed, slower } = this.world;
    this.#second++;
    for (const route of ["generate", "queue.submit"])
      await store.routes.recordIntervals([
        {
          id: `${route}-${this.#second}`,
          route,
          door: "app",
          epoch: 1,
          stage: "live",
          share: 10,
          from: to - 1_000,
          to,
          old: { calls: 180, errors: this.#second % 10 === 0 ? 1 : 0, latency: latencies(180, 1) },
          new: { calls: answered, errors: failed, latency: latencies(answered - failed, slower) },
          shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
          compared: 0,
          mismatches: 0,
          failedOver: 0,
          operations: {},
        },
      ]);
  }

  async fired(): Promise<readonly Fired[]> {
    const stream = `run:${this.handle.id}`;
    const events = await this.rig.store.events.read({ stream, types: ["trigger.fired"], limit: 1_000 });
    return events.map(({ data }) => ({ trigger: data["trigger"], action: data["action"], by: data["by"] }));
  }
}

/** `count` latencies spread evenly from 10 to 50 ms, times `factor`. */
function latencies(count: number, factor: number): readonly (readonly [number, number])[] {
  const buckets = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const bucket = latencyBucket((10 + (40 * (i + 0.5)) / count) * factor);
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
  }
  return [...buckets].toSorted(([a], [b]) => a - b);
}

describe("the triggers of the plans", () => {
  test("compile in one line each, and `plan` lists them with what they do", async () => {
    const { triggers, problems } = await dryRun(plans(new World()));
    expect(problems).toEqual([]);
    expect(
      triggers.map(({ name, action, manual: byHand }) => `${name} → ${action}${byHand ? " by hand" : ""}`),
    ).toEqual([
      "validation < 0.7 → rollback",
      "errors of generate > 5 % → rollback",
      "p95 of generate > 2× old → rollback",
      "throughput of generate < 0.5× old → rollback",
      "health failures > 3 in a row → rollback",
      "team decision → rollback by hand",
      "customer impact → rollback by hand",
      "data corruption risk → rollback by hand",
      "units failed > 2 → rollback",
      "regression > 0.1 → rollback",
      "behind schedule > 7d → pause",
      "critical bug → rollback by hand",
      "integration failures > 2 in a row → rollback",
      "errors of queue.submit > 1 % → pause",
      "p99 of queue.submit > 2× old → alert",
      "queue grows > 10 in 1m → contingency:check-scheduler",
      "memory > 90 % → throttle",
    ]);
  });

  test("stay silent through ten minutes of a healthy crossing", async () => {
    await using rig = await openRig();
    const crossing = await Crossing.open(rig, new World());
    await crossing.seconds(600);
    expect(await crossing.fired()).toEqual([]);
    expect(crossing.handle.live().state).toBe("RUNNING");
  });

  test.each<[fault: string, set: (world: World) => void, first: readonly string[], seconds: number]>([
    ["validation falls to 0.6", (w) => void (w.validation = 0.6), ["validation < 0.7"], 10],
    [
      "one call in ten fails on the new side",
      (w) => void (w.failed = 2),
      ["errors of generate > 5 %", "errors of queue.submit > 1 %"],
      60,
    ],
    [
      "the new side is four times slower",
      (w) => void (w.slower = 4),
      ["p95 of generate > 2× old", "p99 of queue.submit > 2× old"],
      120,
    ],
    [
      "the new side answers 6 of the 20 calls a second it should",
      (w) => void (w.answered = 6),
      ["throughput of generate < 0.5× old"],
      60,
    ],
    ["health probes fail", (w) => void (w.healthy = false), ["health failures > 3 in a row"], 60],
    ["three packages fail", (w) => void (w.failingUnits = ["a", "b", "d"]), ["units failed > 2"], 60],
    ["a benchmark is 15 % slower", (w) => void (w.regression = 0.15), ["regression > 0.1"], 10],
    ["it should have begun in December", (w) => void (w.start = "2025-12-20"), ["behind schedule > 7d"], 10],
    [
      "integration tests keep failing",
      (w) => void (w.integrates = false),
      ["integration failures > 2 in a row"],
      300,
    ],
    [
      "the queue grows by 15 a minute",
      (w) => void (w.depthPerSecond = 0.25),
      ["queue grows > 10 in 1m"],
      120,
    ],
    ["memory reaches 95 %", (w) => void (w.memory = 0.95), ["memory > 90 %"], 10],
  ])("fire when %s", async (_, set, first, seconds) => {
    await using rig = await openRig();
    const world = new World();
    // What a run is begun with cannot change later; the rest happens to one that was healthy for a minute.
    const begun = new World();
    set(begun);
    const fromStart = begun.start !== world.start || begun.failingUnits.length > 0;
    if (fromStart) set(world);
    const crossing = await Crossing.open(rig, world);
    if (!fromStart) {
      await crossing.seconds(60);
      expect(await crossing.fired()).toEqual([]);
      set(world);
    }
    await crossing.seconds(seconds, async () => (await crossing.fired()).length > 0);
    const [found] = await crossing.fired();
    expect(first).toContain(found?.trigger);
  });

  test.each([
    ["two packages fail", (w: World) => void (w.failingUnits = ["a", "b"])],
    ["memory stands at 85 %", (w: World) => void (w.memory = 0.85)],
    ["the queue grows by 6 a minute", (w: World) => void (w.depthPerSecond = 0.1)],
    ["the new side answers 14 of 20", (w: World) => void (w.answered = 14)],
  ])("stay silent when %s", async (_, set) => {
    await using rig = await openRig();
    const world = new World();
    set(world);
    const crossing = await Crossing.open(rig, world);
    await crossing.seconds(150);
    expect(await crossing.fired()).toEqual([]);
  });

  test("do what they say: the queue's procedure runs and mends it, memory slows and recovers, errors pause", async () => {
    await using rig = await openRig();
    const world = new World();
    const crossing = await Crossing.open(rig, world);
    await crossing.seconds(30);
    world.depthPerSecond = 0.5;
    await crossing.seconds(120, async () => world.depthPerSecond === 0);
    expect(world.depthPerSecond).toBe(0);
    world.memory = 0.95;
    await crossing.seconds(10);
    expect(crossing.handle.live().throttledBy).toBe("memory > 90 %");
    world.memory = 0.7;
    await crossing.seconds(15);
    expect(crossing.handle.live().throttledBy).toBeNull();
    await crossing.handle.trigger("critical bug", "ann", "orders are lost");
    expect(await rig.end(crossing.handle)).toMatchObject({ state: "ROLLED_BACK" });
    expect(await crossing.fired()).toEqual([
      { trigger: "queue grows > 10 in 1m", action: "contingency:check-scheduler" },
      { trigger: "memory > 90 %", action: "throttle" },
      { trigger: "critical bug", action: "rollback", by: "ann" },
    ]);
  });
});

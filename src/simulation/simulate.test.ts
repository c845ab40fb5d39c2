import { describe, expect, test, vi } from "vitest";
import {
  allOf,
  defineMigration,
  type Migration,
  memory,
  p99,
  phase,
  rate,
  step,
  type Step,
  throughput,
  type Trigger,
  value,
  when,
} from "../plan/index.ts";
import { quiet, ramp, setStage, shadow } from "../rollout/index.ts";
import { readFault, readTraffic, simulate, type SimulationResult, type TrafficOptions } from "./index.ts";

const worse = when(rate.error().worseThan("old", { by: 2 })).then("rollback");

const moving = (steps: readonly Step[], triggers: readonly Trigger[] = [worse]): Migration =>
  defineMigration({ name: "moving", phases: [phase("move", { steps })], triggers });

/** One share for a while, cleared by its hold alone: only the triggers judge. */
const held = (share: number, hold: string, triggers?: readonly Trigger[]): Migration =>
  moving(
    [ramp("queue", [share], { hold, gate: rate.error("queue").below(0.5), checkShare: false })],
    triggers,
  );

const play = async (
  migration: Migration,
  faults: readonly string[] = [],
  { runs = 20, seed = 1, traffic = {} }: { runs?: number; seed?: number; traffic?: TrafficOptions } = {},
): Promise<SimulationResult> =>
  await simulate(migration, {
    traffic: readTraffic(traffic),
    faults: faults.map((text) => readFault(text)),
    runs,
    seed,
    signal: new AbortController().signal,
  });

describe("beside the reference of the tests' own simulation (200 calls/s, share 5 %, 1 % fail, alpha 1 %)", () => {
  test("five times the failures are noticed after about 15 s, twice after minutes", async () => {
    const { faults } = await play(held(5, "20m"), ["error:x5", "error:x2"], { runs: 60 });
    const [five, two] = faults;
    expect(five).toMatchObject({ detected: 60, stopped: 60 });
    expect(five?.detection.median).toBeGreaterThan(7_000);
    expect(five?.detection.median).toBeLessThan(30_000);
    expect(five?.where[0]?.at).toBe("5 %");
    expect(two?.detection.median).toBeGreaterThan(60_000);
    expect(two?.detection.median).toBeLessThan(400_000);
  }, 60_000);

  test("a healthy side is stopped for nothing in at most 1 % of runs, noise aside", async () => {
    const { healthy } = await play(held(5, "10m"), [], { runs: 150 });
    expect(healthy.falseAlarms.runs).toBeLessThanOrEqual(4);
    expect(healthy.falseAlarms.high).toBeGreaterThan(0.01);
    expect(healthy.duration?.median).toBe(600_000);
  }, 60_000);

  test("also where users are heavy and come in bursts", async () => {
    const traffic = { skew: "zipf:1.1", rhythm: "burst" };
    const { healthy } = await play(held(5, "10m"), [], { runs: 60, traffic });
    expect(healthy.falseAlarms.runs).toBeLessThanOrEqual(3);
  }, 60_000);
});

describe("a simulation", () => {
  test("with the same seed gives the same answer, with another one another", async () => {
    const migration = held(10, "5m");
    const first = await play(migration, ["error:x3"], { runs: 5 });
    expect(await play(migration, ["error:x3"], { runs: 5 })).toEqual(first);
    expect((await play(migration, ["error:x3"], { runs: 5, seed: 2 })).faults).not.toEqual(first.faults);
  });

  test("gives a fault the same runs whatever other faults are played", async () => {
    const alone = await play(held(10, "5m"), ["error:x3"], { runs: 5 });
    const beside = await play(held(10, "5m"), ["crash", "error:x3"], { runs: 5 });
    expect(beside.faults[1]).toEqual(alone.faults[0]);
  });

  test("plays shadow, shares, quiet time and completion with the limits they have", async () => {
    const steps = [
      shadow("queue", { for: "2m" }),
      ramp("queue", [10, { share: 50, hold: "10m" }, 100], { hold: "5m", checkShare: false }),
      quiet("queue", { for: "1h" }),
      setStage("queue", "complete"),
    ];
    const { healthy, passedOver } = await play(moving([...steps, { ...plainStep, name: "other" }]), [], {
      runs: 4,
    });
    // 2 + 5 + 10 + 5 + 60 minutes; evidence may take longer than a hold, a look comes a moment later.
    expect(healthy.duration?.median).toBeGreaterThanOrEqual(82 * 60_000);
    expect(healthy.duration?.median).toBeLessThan(90 * 60_000);
    expect(passedOver).toBe(1);
  });

  test("counts the calls and people that a crash hits until it is stopped", async () => {
    const migration = held(50, "10m");
    const { faults } = await play(migration, ["crash@live:50%+1m"], { runs: 10 });
    const [crash] = faults;
    expect(crash).toMatchObject({ detected: 10, stopped: 10, reached: 10 });
    const seconds = (crash?.detection.median ?? 0) / 1_000;
    expect(seconds).toBeLessThanOrEqual(3);
    // 100 calls a second are on the new side.
    expect(crash?.hit.calls).toBeGreaterThan(60 * seconds);
    expect(crash?.hit.calls).toBeLessThan(140 * seconds);
    expect(crash?.hit.keys).toBeLessThanOrEqual(crash?.hit.calls ?? 0);
  });

  test("finds wrong answers in the shadow, before anybody gets one, and nowhere else", async () => {
    const migration = moving([
      shadow("queue", { for: "5m" }),
      ramp("queue", [50], { hold: "2m", checkShare: false }),
    ]);
    const { faults } = await play(migration, ["mismatch:2%", "mismatch:2%@live"], { runs: 6 });
    const [early, late] = faults;
    expect(early).toMatchObject({ detected: 6, hit: { calls: 0, keys: 0 } });
    expect(early?.where).toEqual([{ at: "shadow", runs: 6 }]);
    expect(early?.by[0]?.by).toContain("mismatches of queue");
    expect(late).toMatchObject({ detected: 0, stopped: 0, detection: {} });
    // 2 % of 100 calls a second for two minutes.
    expect(late?.hit.calls).toBeGreaterThan(200);
    expect(late?.hit.calls).toBeLessThan(280);
  });

  test("says what was slow, for whom, and that a pause stopped it", async () => {
    const slow = when(p99("queue").worseThan("old", { by: 2 })).then("pause");
    const { faults, healthy } = await play(held(20, "10m", [slow]), ["latency:x4", "latency:+10%"], {
      runs: 6,
    });
    const [four, tenth] = faults;
    expect(four).toMatchObject({
      detected: 6,
      by: [{ by: "p99 of queue > 2× old", action: "pause", runs: 6 }],
    });
    expect(four?.detection.median).toBeLessThan(60_000);
    expect(four?.hit.keys).toBeGreaterThan(0);
    // A tenth slower is less than twice: nothing asked for notices it.
    expect(tenth).toMatchObject({ detected: 0 });
    expect(healthy.falseAlarms.runs).toBe(0);
  });

  test("keeps debounce: a trigger that must be bad for a minute fires a minute later", async () => {
    const patient = when(rate.error().worseThan("old", { by: 2 })).then("rollback", { for: "1m" });
    const { faults } = await play(held(50, "10m", [patient]), ["error:30%"], { runs: 3 });
    expect(faults[0]?.detection.median).toBeGreaterThanOrEqual(60_000);
    expect(faults[0]?.detection.median).toBeLessThan(70_000);
  });

  test("arms a trigger only in its phases", async () => {
    const elsewhere = when(rate.error().worseThan("old", { by: 2 })).then("rollback", { phases: ["before"] });
    const migration = defineMigration({
      name: "moving",
      phases: [
        phase("before", { steps: [shadow("queue", { for: "1m" })] }),
        phase("move", {
          steps: [ramp("queue", [50], { hold: "2m", gate: rate.error().below(0.9), checkShare: false })],
        }),
      ],
      triggers: [elsewhere],
    });
    const { faults } = await play(migration, ["error:20%@live"], { runs: 3 });
    expect(faults[0]).toMatchObject({ detected: 0 });
  });

  test("goes on after an alert, and says that nothing stopped it", async () => {
    const alert = when(rate.error().worseThan("old", { by: 2 })).then("alert");
    const { faults } = await play(held(50, "2m", [alert]), ["error:20%"], { runs: 3 });
    expect(faults[0]).toMatchObject({ detected: 3, stopped: 0, by: [{ action: "alert", runs: 3 }] });
  });

  test("ends where a trigger holds a share back and does not let go", async () => {
    const hold = when(rate.error().worseThan("old", { by: 2 })).then("hold");
    const steps = [ramp("queue", [10, 50], { hold: "2m", gate: rate.error().below(0.9), checkShare: false })];
    const { faults } = await play(moving(steps, [hold]), ["error:50%"], { runs: 2 });
    expect(faults[0]).toMatchObject({ detected: 2, where: [{ at: "10 %" }] });
  });

  test("ends where a person would be asked, since nobody is there", async () => {
    const steps = [
      ramp("queue", [10], { atMost: "2m", atLeast: 1_000_000, otherwise: "ask", checkShare: false }),
    ];
    const { healthy } = await play(moving(steps), [], { runs: 2 });
    expect(healthy.notCleared).toMatchObject({
      runs: 2,
      by: [{ by: "ramp not cleared in time", action: "ask" }],
    });
    expect(healthy.duration).toBeUndefined();
  });

  test("judges throughput, limits, exit gates and compositions as a run does", async () => {
    const migration = defineMigration({
      name: "moving",
      phases: [
        phase("move", {
          steps: [ramp("queue", [50], { hold: "3m", gate: rate.error().below(0.9), checkShare: false })],
          exit: [allOf([rate.error("queue").below(0.2), rate.error("queue").worseThan("old", { by: 5 })])],
        }),
      ],
      triggers: [when(throughput("queue").below(0.5)).then("rollback")],
    });
    const { healthy, faults } = await play(migration, ["crash", "error:40%"], { runs: 3 });
    expect(healthy).toMatchObject({ falseAlarms: { runs: 0 }, notCleared: { runs: 0 } });
    expect(faults[0]?.by[0]?.by).toMatch(/throughput|errors below 90 %/);
    expect(faults[1]).toMatchObject({ detected: 3, by: [{ action: "rollback" }] });
  });

  test("tells what was not shown in time, and why", async () => {
    const strict = ramp("queue", [10], {
      gate: rate.error("queue").below(0.0001),
      atMost: "5m",
      checkShare: false,
    });
    const { healthy } = await play(moving([strict], []), [], { runs: 2 });
    // 1 % fail anyway, so a limit of 0.01 % fails a healthy side: that is what people want to know beforehand.
    expect(healthy.falseAlarms.runs + healthy.notCleared.runs).toBe(2);
    const rare = { rate: "2/min" };
    const { healthy: quietly } = await play(moving([ramp("queue", [10], { atMost: "5m" })]), [], {
      runs: 2,
      traffic: rare,
    });
    expect(quietly.notCleared).toMatchObject({ runs: 2, reason: expect.stringContaining("more calls") });
  });

  test("leaves out what traffic says nothing about, tells so, and asks nothing outside", async () => {
    const read = vi.fn(() => 1);
    const triggers = [
      worse,
      when(value("orders left", read).above(3)).then("pause"),
      when(memory().above(0.9)).then("throttle"),
    ];
    const own = ramp("queue", [50], { hold: "1m", gate: value("ready", read).above(0), checkShare: false });
    const { leftOut, healthy } = await play(moving([own, { ...plainStep, name: "other" }], triggers), [], {
      runs: 2,
    });
    expect(leftOut).toEqual(["orders left > 3", "memory > 90 %", "ready not below 0"]);
    expect(healthy.duration?.median).toBeGreaterThanOrEqual(60_000);
    expect(read).not.toHaveBeenCalled();
    expect(started).not.toHaveBeenCalled();
  });

  test("works for one route of several", async () => {
    const steps = [
      ramp("a", [100], { name: "a", hold: "1m", gate: rate.error("a").below(0.5) }),
      ramp("b", [100], { name: "b", hold: "2m", gate: rate.error("b").below(0.5) }),
    ];
    const options = {
      traffic: readTraffic({}),
      faults: [],
      runs: 1,
      seed: 1,
      signal: new AbortController().signal,
    };
    const all = await simulate(moving(steps), options);
    const one = await simulate(moving(steps), { ...options, route: "b" });
    expect(all.routes).toEqual(["a", "b"]);
    expect(all.healthy.duration?.median).toBe(180_000);
    expect(one.healthy.duration?.median).toBe(120_000);
    await expect(simulate(moving(steps), { ...options, route: "c" })).rejects.toMatchObject({
      code: "CUTOVER_SIMULATION_INPUT",
      place: "--route",
    });
  });

  test("ends early when it is told to, with what it has", async () => {
    const abort = new AbortController();
    const result = await simulate(held(10, "5m"), {
      traffic: readTraffic({}),
      faults: [readFault("crash")],
      runs: 100,
      seed: 1,
      signal: abort.signal,
      progress: ({ run }) => run === 3 && abort.abort(),
    });
    expect(result).toMatchObject({ whole: false, healthy: { runs: 3 }, faults: [] });
  });

  test("refuses a migration that moves no route, and a fault that changes nothing", async () => {
    await expect(play(moving([plainStep]))).rejects.toMatchObject({
      code: "CUTOVER_SIMULATION_INPUT",
      message: expect.stringContaining("steps that move a route"),
    });
    await expect(
      play(held(10, "1m"), ["error:x2"], { traffic: { "base-error": "0%" } }),
    ).rejects.toMatchObject({
      place: "--fault",
    });
    await expect(play(held(10, "1m"), ["error:1%"])).rejects.toMatchObject({ place: "--fault" });
  });
});

const started = vi.fn(async () => null);
const plainStep: Step = step("plain", { run: started, rollback: async () => {} });

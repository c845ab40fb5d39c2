import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  CutoverError,
  hasCode,
  type Interval,
  type Json,
  type JsonObject,
  type RouteState,
  setFaultHandler,
  silentLog,
} from "../../core/index.ts";
import { judgeIntervals } from "../../gates/index.ts";
import type { GateSpec, RouteControl, Step, StepContext, StepProgress, Verdict } from "../../plan/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { type MemoryLink, memoryLink } from "../door/memory-link.ts";
import type { RouteOptions } from "../door/options.ts";
import { createRollout, type Rollout } from "../door/rollout.ts";
import { rolloutFaultPoints } from "./fault-points.ts";
import { quiet } from "./quiet.ts";
import { ramp } from "./ramp.ts";
import { setStage } from "./set-stage.ts";
import { shadow } from "./shadow.ts";

interface Order {
  readonly id: string;
  readonly kind: string;
}
type Submit = (order: Order) => string;

/** A store of routes, an application with a door under traffic, and what a step sees of both. */
class World {
  readonly clock = new ManualClock();
  readonly routes = new Map<string, RouteState>();
  readonly changes: string[] = [];
  readonly notes: string[] = [];
  /** Questions asked so far, how many of them a person answered, and which were withdrawn. */
  readonly asked: string[] = [];
  answered = 0;
  readonly withdrawn: number[] = [];
  readonly evidence = new Map<string, JsonObject>();
  checkpoint: Json | undefined;
  link: MemoryLink = memoryLink();
  rollout: Rollout | undefined;
  #traffic = true;
  #extra: Interval[] = [];

  /** An application that calls `r` 100 times a second. */
  application(options: Partial<RouteOptions<Submit>> = {}, key = (i: number): string => `k${i}`): void {
    this.rollout = createRollout({ clock: this.clock, link: this.link, name: "app" });
    const submit = this.rollout.route<Submit>("r", {
      old: (order) => order.id,
      new: (order) => order.id,
      key: (order) => order.id,
      effects: "none",
      operation: (order) => order.kind,
      operations: ["create", "cancel"],
      shadowConcurrency: 100,
      ...options,
    });
    let i = 0;
    const call = (): void => {
      this.clock.after(10, call);
      if (!this.#traffic) return;
      i++;
      try {
        submit({ id: key(i), kind: i % 50 === 0 ? "cancel" : "create" });
      } catch {
        // the caller's own affair
      }
    };
    call();
  }

  /** Another door sends so many of its calls to the new side, whatever the share is; 100 a second. */
  misroute(part: number): void {
    const fresh = Math.round(100 * part);
    const report = (): void => {
      this.clock.after(1_000, report);
      const side = (calls: number) => ({ calls, errors: 0, latency: [] });
      this.report({ old: side(100 - fresh), new: side(fresh), keyLoad: { norm: 10, heaviest: 1 } });
    };
    report();
  }

  stopTraffic(): void {
    this.#traffic = false;
  }

  /** An interval of some other door. */
  report(part: Partial<Interval>): void {
    const side = { calls: 0, errors: 0, latency: [] };
    const state = this.routes.get("r");
    this.#extra.push({
      id: `x${this.#extra.length}`,
      route: "r",
      door: "other",
      epoch: state?.epoch ?? 0,
      stage: state?.stage ?? "off",
      share: state?.share ?? 0,
      from: this.clock.now() - 250,
      to: this.clock.now(),
      old: side,
      new: side,
      shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
      compared: 0,
      mismatches: 0,
      failedOver: 0,
      operations: {},
      ...part,
    });
  }

  set(route: string, epoch: number, to: Pick<RouteState, "stage" | "share">): RouteState {
    const before = this.routes.get(route);
    if ((before?.epoch ?? 0) !== epoch) throw new CutoverError("CUTOVER_ROUTE_EPOCH", { message: "stale" });
    const state: RouteState = { route, salt: "s", epoch: epoch + 1, ...to };
    this.routes.set(route, state);
    this.changes.push(`${to.stage} ${to.share}`);
    this.link.push(state);
    return state;
  }

  readonly control: RouteControl = {
    get: async (route) => this.routes.get(route),
    declarations: async (route) => this.link.declarations.filter((declared) => declared.route === route),
    set: async (route, epoch, to) => this.set(route, epoch, to),
    intervals: async (route, since) =>
      [...this.link.intervals, ...this.#extra]
        .filter((interval) => interval.route === route && interval.to > since)
        .toSorted((a, b) => a.to - b.to),
  };

  context(step: Step, signal: AbortSignal): StepContext {
    return {
      runId: "run1",
      migration: "m",
      phase: "p",
      step: `p/${step.name}`,
      unit: undefined,
      input: JSON.parse(JSON.stringify(step.input)) as Json,
      attempt: 1,
      idempotencyKey: "k",
      fence: 1,
      signal,
      clock: this.clock,
      log: silentLog,
      workDir: "",
      checkpoint: () => this.checkpoint,
      saveCheckpoint: async (value) => {
        this.checkpoint = JSON.parse(JSON.stringify(value)) as Json;
      },
      progress: (progress: StepProgress) => void this.notes.push(progress.note ?? ""),
      evidence: async (name, data) => {
        this.evidence.set(name, data);
        return name;
      },
      judge: async (gate: GateSpec, options = {}): Promise<Verdict> => {
        if (gate.type === "custom") return gate.judge(await gate.collect({ signal, runId: "run1" }));
        if (gate.type === "composed") throw new Error("these tests judge single gates");
        const since = options.since ?? 0;
        return judgeIntervals(gate.rule, gate.measure as never, await this.control.intervals("r", since));
      },
      ask: async (reason) => {
        this.asked.push(reason);
        const question = this.asked.length;
        return {
          answered: () => this.answered >= question,
          withdraw: async () => void this.withdrawn.push(question),
        };
      },
      routes: this.control,
    };
  }

  /** Runs a step on the manual clock until it ends, at most `limit` of its time. */
  async run(step: Step, limit = 3_600_000): Promise<{ result?: JsonObject; error?: unknown; took: number }> {
    const abort = new AbortController();
    const began = this.clock.now();
    let outcome: { result?: JsonObject; error?: unknown } | undefined;
    step.kind.start(this.context(step, abort.signal)).then(
      (result) => (outcome = { result: result as JsonObject }),
      (error: unknown) => (outcome = { error }),
    );
    while (outcome === undefined && this.clock.now() - began < limit) await this.clock.advance(250);
    const took = this.clock.now() - began;
    if (outcome === undefined) {
      abort.abort(new Error("interrupted"));
      await this.clock.advance(0);
    }
    return { ...outcome, took };
  }

  async rollback(step: Step): Promise<void> {
    await step.kind.rollback?.(this.context(step, new AbortController().signal));
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  await world.rollout?.close();
});

const steps: readonly Step[] = [
  shadow("r", { until: 0.01 }),
  ramp("r", [10, 100]),
  setStage("r", "live", { share: 25 }),
  quiet("r", { for: "10s" }),
];

describe.each(steps.map((step) => [step.kind.kind, step] as const))(
  "step kind %s, there and back",
  (_, step) => {
    test("finds nothing wrong with good input and says what it would do without touching anything", async () => {
      expect(step.kind.validate?.(step.input)).toEqual([]);
      expect((await step.kind.plan(step.input)).summary).toContain("r");
      expect(step.kind.summary?.(step.input)).toContain("r");
      expect(world.changes).toEqual([]);
      expect(JSON.parse(JSON.stringify(step.input))).toEqual(step.input);
    });

    test("reaches its end, and its way back restores the route as it was, twice as well as once", async () => {
      world.application();
      const start =
        step.kind.kind === "quiet"
          ? ({ stage: "complete", share: 0 } as const)
          : ({ stage: "live", share: 5 } as const);
      world.set("r", 0, start);
      const { result, error } = await world.run(step);
      expect(error).toBeUndefined();
      expect(result?.["note"]).toEqual(expect.any(String));
      await world.rollback(step);
      expect(world.routes.get("r")).toMatchObject(start);
      const { length } = world.changes;
      await world.rollback(step);
      expect(world.changes).toHaveLength(length);
    });

    test("a way back before anything was begun changes nothing", async () => {
      world.set("r", 0, { stage: "live", share: 5 });
      await world.rollback(step);
      expect(world.routes.get("r")).toMatchObject({ stage: "live", share: 5, epoch: 1 });
    });

    test("a route changed by somebody else at the same moment is still taken back", async () => {
      if (step.kind.kind === "quiet") return; // it never changes a route
      world.application();
      world.set("r", 0, { stage: "off", share: 0 });
      await world.run(step, 2_000);
      const set = world.set.bind(world);
      let disturbed = 0;
      world.set = (route, epoch, to) => {
        if (disturbed++ < 3) set(route, epoch, { stage: "live", share: disturbed });
        return set(route, epoch, to);
      };
      await world.rollback(step);
      expect(world.routes.get("r")).toMatchObject({ stage: "off", share: 0 });
    });
  },
);

describe("quiet among doors of different clocks", () => {
  const hour = 3_600_000;

  test("sees every use of the old side, also when another door's clock is an hour ahead", async () => {
    world.application();
    world.set("r", 0, { stage: "complete", share: 0 });
    const tell = (): void => {
      world.clock.after(1_000, tell);
      const now = world.clock.now();
      world.report({ door: "ahead", from: now + hour - 1_000, to: now + hour });
      world.report({ door: "uses old", old: { calls: 1, errors: 0, latency: [] } });
    };
    tell();
    const { error } = await world.run(quiet("r", { for: "10s", patience: "60s" }));
    expect(hasCode(error, "CUTOVER_STEP_FAILED")).toBe(true);
  });

  test("is not proven at once by a door whose clock is an hour ahead, and not while it is silent", async () => {
    world.application();
    world.set("r", 0, { stage: "complete", share: 0 });
    const began = world.clock.now();
    const tell = (): void => {
      const now = world.clock.now();
      if (now - began < 20_000) world.clock.after(1_000, tell);
      world.report({ door: "ahead", from: now + hour - 1_000, to: now + hour });
    };
    tell();
    const { took, error } = await world.run(quiet("r", { for: "30s", patience: "2m" }));
    expect(error).toBeUndefined();
    expect(took).toBeGreaterThanOrEqual(30_000);
  });

  test("counts a use that a door could tell of only much later", async () => {
    world.application();
    world.set("r", 0, { stage: "complete", share: 0 });
    const used = world.clock.now() + 15_000;
    world.clock.after(40_000, () => {
      const old = { calls: 1, errors: 0, latency: [] };
      world.report({ door: "cut off", from: used - 250, to: used, old });
    });
    const { took, error } = await world.run(quiet("r", { for: "45s" }));
    expect(error).toBeUndefined();
    expect(took).toBeGreaterThanOrEqual(60_000);
    expect(took).toBeLessThan(65_000);
  });
});

describe.each([
  ["shadow", shadow("r", { for: "60s", patience: "5m" })],
  ["ramp", ramp("r", [50, 100], { hold: "60s", atMost: "5m" })],
])("%s whose doors fall silent", (_, step) => {
  test("is not proven by what they told before: it waits, and fails in the end", async () => {
    world.application();
    world.set("r", 0, { stage: "live", share: 5 });
    const fell = world.clock.after(20_000, () => void world.rollout?.close());
    const { error, took } = await world.run(step);
    fell.cancel();
    expect(took).toBeGreaterThanOrEqual(300_000);
    expect(hasCode(error, "CUTOVER_STEP_FAILED")).toBe(true);
    expect(String(error)).toContain("all are silent");
    expect(world.routes.get("r")?.share).not.toBe(100);
  });
});

describe.each(
  steps.filter((step) => step.kind.kind !== "quiet").map((step) => [step.kind.kind, step] as const),
)("%s killed at any point", (_, step) => {
  afterEach(() => setFaultHandler(undefined));
  /** Ends whoever comes to this place, once, as a kill would. */
  const killAt = (place: string): void =>
    setFaultHandler((name) => {
      if (name !== place) return;
      setFaultHandler(undefined);
      throw new Error("killed");
    });

  test.each(rolloutFaultPoints)("at %s: goes on to its end, and all the way back", async (place) => {
    world.application();
    world.set("r", 0, { stage: "live", share: 5 });
    killAt(place);
    await world.run(step);
    const { error } = await world.run(step);
    expect(error).toBeUndefined();
    killAt(place);
    await world.rollback(step).catch(() => {});
    await world.rollback(step);
    expect(world.routes.get("r")).toMatchObject({ stage: "live", share: 5 });
  });

  test.each(rolloutFaultPoints)("at %s: leads back from there", async (place) => {
    world.application();
    world.set("r", 0, { stage: "live", share: 5 });
    killAt(place);
    await world.run(step);
    await world.rollback(step).catch(() => {});
    await world.rollback(step);
    expect(world.routes.get("r")).toMatchObject({ stage: "live", share: 5 });
  });
});

test("every fault point of this room is listed, and every listed one exists", () => {
  const named = globSync("*.ts", { cwd: import.meta.dirname })
    .map((file) => readFileSync(join(import.meta.dirname, file), "utf8"))
    .flatMap((text) => [...text.matchAll(/faultPoint\("([^"]+)"\)/g)].map(([, name]) => name));
  expect(new Set(named)).toEqual(new Set(rolloutFaultPoints));
});

describe("shadow", () => {
  test("passes when agreement is shown, with the figures and the coverage in its result", async () => {
    world.application();
    const { result, took } = await world.run(shadow("r", { until: 0.001 }));
    expect(world.changes).toEqual(["shadow 0"]);
    // ln(1/0.05)/0.001 comparisons without a difference, at 100 a second.
    expect(took).toBeGreaterThan(28_000);
    expect(took).toBeLessThan(50_000);
    expect(result?.["note"]).toMatch(/^[\d,]+ compared · 0 differ · coverage 2 of 2 operations$/);
    expect(world.evidence.get("shadow of r")).toMatchObject({ mismatches: 0 });
    expect(world.notes[2]).toMatch(/waits for .*mismatches of r below 0.1 %/);
  });

  test("stays at least the time it was told", async () => {
    world.application();
    expect((await world.run(shadow("r", { until: 0.01, for: "2m" }))).took).toBeGreaterThanOrEqual(120_000);
  });

  test("fails when the answers are shown to differ, and names the gate", async () => {
    world.application({ new: () => "something else" });
    const { error } = await world.run(shadow("r"));
    expect(hasCode(error, "CUTOVER_STEP_FAILED")).toBe(true);
    expect(String(error)).toContain("mismatches of r below 0.1 %");
  });

  test("waits for every declared operation, and says which is missing", async () => {
    world.application({ operations: ["create", "cancel", "retry"] });
    const { error } = await world.run(shadow("r", { until: 0.01, patience: "60s" }));
    expect(String(error)).toContain("still missing: a call of retry");
    expect(world.notes.at(-1)).toContain("coverage 2 of 3 operations · waits for a call of retry");
  });

  test("asks for no operation when told so", async () => {
    world.application({ operations: ["create", "cancel", "retry"] });
    const { error } = await world.run(shadow("r", { until: 0.01, operations: "any" }));
    expect(error).toBeUndefined();
  });

  test("a route whose call site does not allow it is refused before anything is changed", async () => {
    world.application({ effects: "writes" });
    const { error } = await world.run(shadow("r"));
    expect(hasCode(error, "CUTOVER_ROUTE_INVALID")).toBe(true);
    expect(String(error)).toContain("in app allows only");
    expect(world.changes).toEqual([]);
  });

  test("without an application it holds and says so", async () => {
    const { error } = await world.run(shadow("r", { patience: "5s" }));
    expect(String(error)).toContain("no application has declared r yet");
  });

  test("a stage changed from outside ends it: what was measured would prove nothing", async () => {
    world.application();
    const running = world.run(shadow("r"), 10_000);
    await world.clock.advance(500);
    world.set("r", 1, { stage: "live", share: 1 });
    expect(hasCode((await running).error, "CUTOVER_ROUTE_EPOCH")).toBe(true);
    // A second start after a crash sees it as well and does not set the stage again.
    expect(hasCode((await world.run(shadow("r"), 10_000)).error, "CUTOVER_ROUTE_EPOCH")).toBe(true);
    expect(world.changes).toEqual(["shadow 0", "live 1"]);
  });
});

describe("set-stage to dualwrite", () => {
  test("ends when every door goes by it, so that a copy behind it misses no write", async () => {
    world.application();
    world.report({ door: "slow:1" });
    const { error } = await world.run(setStage("r", "dualwrite"), 8_000);
    expect(error).toBeDefined();
    expect(world.notes.at(-1)).toContain("waits for slow:1 to hear of it");
    world.report({ door: "slow:1" });
    expect((await world.run(setStage("r", "dualwrite"))).error).toBeUndefined();
  });

  test("a door that has ended is not waited for, and where none is there only a moment passes", async () => {
    const before = world.clock.now();
    expect((await world.run(setStage("r", "dualwrite"))).error).toBeUndefined();
    expect(world.clock.now() - before).toBeLessThan(4_000);
    world.checkpoint = undefined;
    world.report({ door: "gone:1" });
    expect((await world.run(setStage("r", "rampdown"), 60_000)).error).toBeUndefined();
  });

  test("names the door that has not heard when patience ends", async () => {
    world.application();
    world.report({ door: "slow:1" });
    const { error } = await world.run(setStage("r", "dualwrite", { patience: "5s" }));
    expect(String(error)).toContain("still missing: slow:1 to hear of it");
  });
});

describe("ramp", () => {
  test("clears one share after the other with evidence of its own, and keeps the measured share", async () => {
    world.application();
    const { result, error } = await world.run(ramp("r", [10, 50, 100], { hold: "5s" }));
    expect(error).toBeUndefined();
    expect(world.changes).toEqual(["live 10", "live 50", "live 100"]);
    const levels = result?.["levels"] as unknown as {
      share: number;
      calls: { new: number };
      ms: number;
      measured: { within: boolean; measured: number };
    }[];
    expect(levels.map((level) => level.share)).toEqual([10, 50, 100]);
    for (const level of levels) {
      expect(level.calls.new).toBeGreaterThanOrEqual(100);
      expect(level.ms).toBeGreaterThanOrEqual(5_000);
      expect(level.measured.within).toBe(true);
    }
    expect(levels[2]?.measured.measured).toBe(100);
    expect([...world.evidence.keys()]).toEqual(["r at 10 %", "r at 50 %", "r at 100 %"]);
  });

  test("fails at the share where the new side turns bad", async () => {
    let calls = 0;
    world.application({
      new: (order) => {
        if (++calls > 400) throw new Error("bad");
        return order.id;
      },
    });
    const { error } = await world.run(ramp("r", [10, 50, 100]));
    expect(hasCode(error, "CUTOVER_STEP_FAILED")).toBe(true);
    expect(String(error)).toContain("errors of r below 2× old");
    expect(world.changes).toEqual(["live 10", "live 50"]);
  });

  test("goes on from the share it had reached after a crash, and the way back leads to the stage before the first", async () => {
    world.application();
    world.set("r", 0, { stage: "shadow", share: 0 });
    const step = ramp("r", [10, 50, 100]);
    await world.run(step, 35_000);
    expect(world.changes.at(-1)).toBe("live 50");
    const { error } = await world.run(step);
    expect(error).toBeUndefined();
    expect(world.changes).toEqual(["shadow 0", "live 10", "live 50", "live 100"]);
    expect(await step.kind.verify?.(world.context(step, new AbortController().signal))).toMatchObject({
      kind: "done",
    });
    await world.rollback(step);
    expect(world.routes.get("r")?.stage).toBe("shadow");
  });

  test("a share whose calls are off because one key makes half of them is cleared: the keys are split as assigned", async () => {
    world.application({}, (i) => (i % 2 === 0 ? "heavy" : `k${i}`));
    const { result, error } = await world.run(ramp("r", [30], { hold: "5s" }));
    expect(error).toBeUndefined();
    const levels = result?.["levels"] as unknown as { measured: { measured: number } }[] | undefined;
    const measured = levels?.[0]?.measured.measured ?? 30;
    expect(Math.abs(measured - 30)).toBeGreaterThan(10);
  });

  test("a split that heavy keys do not explain is not cleared, unless it is told not to look", async () => {
    world.application();
    world.misroute(0.8);
    const { error } = await world.run(ramp("r", [30], { atMost: "2m" }));
    expect(String(error)).toMatch(/\d\d\.?\d*–\d\d\.?\d* % of the calls on the new side, found \d+/);
    world.checkpoint = undefined;
    expect((await world.run(ramp("r", [30], { checkShare: false }))).error).toBeUndefined();
  });

  test("a key function that gives all calls one key is noticed, whichever side they are on", async () => {
    world.application({}, () => "same");
    const { error } = await world.run(ramp("r", [60], { atLeast: 0, atMost: "1m" }));
    expect(String(error)).toContain("nearly all are of one key");
  });

  test("holds without traffic and says how many calls are missing", async () => {
    world.application();
    world.stopTraffic();
    const { error } = await world.run(ramp("r", [10], { atMost: "10s" }));
    expect(String(error)).toContain("100 more calls");
  });

  test("what a door that stood still did under an older epoch does not count as calls at the share of now", async () => {
    world.application();
    world.set("r", 0, { stage: "live", share: 100 });
    world.stopTraffic();
    const late = {
      epoch: 1,
      stage: "live",
      share: 100,
      new: { calls: 500, errors: 0, latency: [] },
    } as const;
    world.clock.after(3_000, () => world.report(late));
    const { error } = await world.run(ramp("r", [10], { atMost: "10s" }));
    expect(String(error)).toContain("100 more calls");
  });

  test("all given gates must be shown", async () => {
    world.application();
    const never: GateSpec = {
      type: "custom",
      name: "a person's nod",
      collect: () => ({}),
      judge: () => ({ kind: "hold", reason: "nobody nodded" }),
    };
    const { error } = await world.run(ramp("r", [100], { gate: [never], atMost: "30s" }));
    expect(String(error)).toContain("a person's nod (nobody nodded)");
  });
});

describe("quiet", () => {
  test("passes when the doors report and nothing uses the old side", async () => {
    world.application();
    world.set("r", 0, { stage: "complete", share: 0 });
    await world.clock.advance(1_000);
    const { result, took } = await world.run(quiet("r", { for: "30s" }));
    expect(took).toBeGreaterThanOrEqual(30_000);
    expect(took).toBeLessThan(33_000);
    expect(result).toMatchObject({ oldCalls: 0, doors: ["app"] });
    expect(world.changes).toHaveLength(1);
  });

  test("an idle application proves it too, by reporting that nothing was called", async () => {
    world.application();
    world.stopTraffic();
    expect((await world.run(quiet("r", { for: "10s" }))).error).toBeUndefined();
  });

  test("one use of the old side begins the time anew", async () => {
    world.application();
    world.set("r", 0, { stage: "complete", share: 0 });
    await world.clock.advance(1_000);
    const running = world.run(quiet("r", { for: "10s" }));
    await world.clock.advance(6_000);
    world.report({ failedOver: 1 });
    const { took, error } = await running;
    expect(error).toBeUndefined();
    expect(took).toBeGreaterThanOrEqual(10_000);
    expect(
      world.notes.some((note) => note.includes("no more use of the old side (1 calls in other just now)")),
    ).toBe(true);
  });

  test("silence of the doors proves nothing", async () => {
    const { error } = await world.run(quiet("r", { for: "10s", patience: "60s" }));
    expect(String(error)).toContain("no application reports on this route");
  });

  test("the second writes of rampdown are uses of the old side", async () => {
    world.application();
    world.set("r", 0, { stage: "rampdown", share: 0 });
    const { error } = await world.run(quiet("r", { for: "5s", patience: "20s" }));
    expect(hasCode(error, "CUTOVER_STEP_FAILED")).toBe(true);
  });
});

describe("bad input is named with its place", () => {
  const places = (step: Step): readonly (string | undefined)[] =>
    step.kind.validate?.(step.input).map((problem) => problem.place) ?? [];

  test.each([
    ["no route", shadow(""), ["route"]],
    ["a rate above 1", shadow("r", { until: 5 }), ["until"]],
    ["no duration", shadow("r", { for: "soon" }), ["for"]],
    ["no patience", shadow("r", { for: "2h", patience: "1h" }), ["patience"]],
    ["half a call", shadow("r", { atLeast: 0.5 }), ["atLeast"]],
    ["wrong operations", shadow("r", { operations: "all" as "any" }), ["operations"]],
    ["no shares", ramp("r", []), ["shares"]],
    ["no list", ramp("r", 10 as unknown as number[]), ["shares"]],
    ["falling shares", ramp("r", [50, 10, 101]), ["shares[1]", "shares[2]"]],
    ["a share of 0", ramp("r", [0]), ["shares[0]"]],
    ["a share of no key", ramp("r", [0.00001, 0.0001, 0.00012, 5]), ["shares[0]", "shares[2]"]],
    ["too short a time", ramp("r", [1], { hold: "2h", atMost: "1h" }), ["atMost"]],
    ["an unknown stage", setStage("r", "on" as "off"), ["stage"]],
    ["a share without live", setStage("r", "shadow", { share: 5 }), ["share"]],
    ["no time", quiet("r", { for: 0 }), ["for"]],
    ["no options", quiet("r", ...([] as unknown as [{ for: "1s" }])), ["for"]],
  ])("%s", (_, step, expected) => {
    expect(places(step)).toEqual(expected);
  });
});

describe("a ramp that asks a person", () => {
  const slow = (): Step =>
    ramp("r", [10], { atLeast: 1_000_000, atMost: "60s", otherwise: "ask", checkShare: false });

  test("asks once its time is over, says what is missing, and gives as much time again to who continues", async () => {
    world.application();
    world.clock.after(70_000, () => expect(world.asked).toHaveLength(1));
    world.clock.after(100_000, () => (world.answered = 1));
    world.clock.after(155_000, () => expect(world.asked).toHaveLength(1));
    await world.run(slow(), 165_000);
    expect(world.asked).toHaveLength(2);
    expect(world.asked[0]).toContain("more calls");
  });

  test("keeps the time that a person gave through a crash", async () => {
    world.application();
    world.clock.after(100_000, () => (world.answered = 1));
    await world.run(slow(), 110_000);
    await world.run(slow(), 45_000);
    expect(world.asked).toHaveLength(1);
    await world.run(slow(), 10_000);
    expect(world.asked).toHaveLength(2);
  });

  test("withdraws its question when the evidence comes after all", async () => {
    world.application();
    world.stopTraffic();
    const step = ramp("r", [100], { atMost: "10s", otherwise: "ask", atLeast: 500 });
    const late = (): void => {
      world.clock.after(250, late);
      if (world.asked.length > 0) world.report({ new: { calls: 500, errors: 0, latency: [] }, door: "late" });
    };
    late();
    const { error, result } = await world.run(step, 120_000);
    expect(error).toBeUndefined();
    expect(result?.["note"]).toContain("100 %");
    expect(world.withdrawn).toEqual([1]);
  });

  test("fails instead where nobody is to be asked", async () => {
    world.application();
    const { error } = await world.run(ramp("r", [10], { atLeast: 1_000_000, atMost: "60s" }), 70_000);
    expect(hasCode(error, "CUTOVER_STEP_FAILED")).toBe(true);
    expect(world.asked).toEqual([]);
  });

  test("a shadow asks likewise", async () => {
    world.application();
    const step = shadow("r", { atLeast: 1_000_000, patience: "30s", otherwise: "ask" });
    await world.run(step, 40_000);
    expect(world.asked).toHaveLength(1);
    expect(world.asked[0]).toContain("more comparisons");
  });
});

describe("missing second writes", () => {
  const limit = 10;
  /** Two doors of two hosts report, each so many open writes. */
  const doors = (open: { one: number; two: number }): void => {
    const tell = (): void => {
      world.clock.after(1_000, tell);
      world.report({ door: "one:1", backlog: open.one });
      world.report({ door: "two:1", backlog: open.two });
    };
    tell();
  };
  const declare = (): void => {
    for (const door of ["one:1", "two:1"])
      world.link.declarations.push({
        route: "r",
        door,
        operations: [],
        stages: ["off", "dualwrite", "shadow", "live", "rampdown", "complete"],
        backlogLimit: limit,
      });
  };

  test.each([
    ["ramp", (): Step => ramp("r", [10, 100]), "live 10"],
    ["shadow", (): Step => shadow("r", { until: 0.01 }), "shadow 0"],
    ["set-stage", (): Step => setStage("r", "live", { share: 50 }), "live 50"],
  ])("keep a %s from advancing while their sum over doors is above the limit", async (_, step, then) => {
    const open = { one: 6, two: 5 };
    world.application();
    declare();
    world.set("r", 0, { stage: "dualwrite", share: 0 });
    doors(open);
    await world.run(step(), 20_000);
    expect(world.changes).toEqual(["dualwrite 0"]);
    expect(world.notes.at(-1)).toContain("second writes: 11 are missing, limit 10");
    open.one = 4;
    await world.run(step(), 20_000);
    expect(world.changes[1]).toBe(then);
  });

  test("keep a share from being cleared, and the next one from being set", async () => {
    const open = { one: 0, two: 0 };
    world.application();
    declare();
    world.set("r", 0, { stage: "dualwrite", share: 0 });
    doors(open);
    const step = ramp("r", [10, 100], { hold: "20s" });
    await world.run(step, 10_000);
    open.two = 11;
    await world.run(step, 60_000);
    expect(world.changes).toEqual(["dualwrite 0", "live 10"]);
    expect(world.notes.at(-1)).toContain("second writes: 11 are missing");
    open.two = 0;
    expect((await world.run(step, 60_000)).result).toBeDefined();
  });

  test("fail a step that may not wait longer, before it has changed anything", async () => {
    world.application();
    declare();
    world.set("r", 0, { stage: "dualwrite", share: 0 });
    doors({ one: 20, two: 0 });
    const { error } = await world.run(ramp("r", [10], { atMost: "30s" }), 60_000);
    expect(hasCode(error, "CUTOVER_STEP_FAILED")).toBe(true);
    expect(String(error)).toContain("second writes: 20 are missing");
    expect(world.changes).toEqual(["dualwrite 0"]);
  });

  test("need a report where both sides are written; the way back asks for nothing", async () => {
    world.application();
    declare();
    world.set("r", 0, { stage: "dualwrite", share: 0 });
    await world.run(ramp("r", [10]), 5_000);
    expect(world.changes).toEqual(["dualwrite 0"]);
    expect(world.notes.at(-1)).toContain("a report of the doors on their second writes");
    doors({ one: 500, two: 500 });
    expect((await world.run(setStage("r", "off"), 5_000)).result).toBeDefined();
  });

  test("of a door that fell silent count until another of its host has had time to find them", async () => {
    world.application();
    declare();
    world.set("r", 0, { stage: "dualwrite", share: 0 });
    world.report({ door: "one:1", backlog: 30 });
    world.report({ door: "two:1", backlog: 0 });
    await world.clock.advance(40_000);
    const two = (): void => {
      world.clock.after(1_000, two);
      world.report({ door: "two:1", backlog: 0 });
    };
    two();
    const step = ramp("r", [10]);
    await world.run(step, 10_000);
    expect(world.changes).toEqual(["dualwrite 0"]);
    expect(world.notes.at(-1)).toContain("30 of one:1, silent for");
    const heir = (): void => {
      world.clock.after(1_000, heir);
      world.report({ door: "one:2", backlog: 0 });
    };
    heir();
    await world.run(step, 10_000);
    expect(world.changes[1]).toBe("live 10");
  });
});

describe("a ramp whose shares have limits of their own", () => {
  test("keeps each share as long as it says, and the others as long as the step says", async () => {
    world.application();
    const step = ramp("r", [{ share: 10, hold: "40s" }, 50, { share: 100, hold: 0, atLeast: 1 }], {
      hold: "15s",
    });
    expect(step.kind.validate?.(step.input)).toEqual([]);
    expect((await step.kind.plan(step.input)).estimateMs).toBe(55_000);
    const { result } = await world.run(step);
    const levels = result?.["levels"] as unknown as { share: number; ms: number }[];
    expect(levels.map(({ share }) => share)).toEqual([10, 50, 100]);
    expect(levels[0]?.ms).toBeGreaterThanOrEqual(40_000);
    expect(levels[1]?.ms).toBeGreaterThanOrEqual(15_000);
    expect(levels[1]?.ms).toBeLessThan(40_000);
  });

  test.each([
    [[{ share: 10, hlod: "1m" }], "shares[0].hlod"],
    [[{ share: 10, hold: "soon" }], "shares[0].hold"],
    [[{ share: 10, hold: "2h", atMost: "1h" }], "shares[0].atMost"],
    [[{ share: 10, atLeast: -1 }], "shares[0].atLeast"],
    [[{ share: 50 }, 10], "shares[1]"],
    [[{ hold: "1m" }], "shares[0]"],
  ])("%j is refused at %s", (shares, place) => {
    const step = ramp("r", shares as never);
    expect(step.kind.validate?.(step.input).map((problem) => problem.place)).toContain(place);
  });
});

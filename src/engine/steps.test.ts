import { describe, expect, test } from "vitest";
import { CutoverError, sleep } from "../core/index.ts";
import { defineMigration, phase, step, type StepContext } from "../plan/index.ts";
import { openRig } from "../testing/engine-rig.ts";

const one = (...steps: ReturnType<typeof step>[]) =>
  defineMigration({ name: "one", phases: [phase("p", { steps })] });

describe("a step", () => {
  test("is tried again after a failure, with backoff and a higher attempt, as often as it says", async () => {
    await using rig = await openRig();
    const starts: (readonly [number, number])[] = [];
    const migration = one(
      step("flaky", {
        retries: 2,
        run: ({ attempt }) => {
          starts.push([attempt, rig.clock.monotonic()]);
          if (attempt < 3) throw new Error("connection reset");
        },
      }),
    );
    const handle = await rig.start(migration);
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(starts.map(([attempt]) => attempt)).toEqual([1, 2, 3]);
    const [first = 0, second = 0, third = 0] = starts.map(([, at]) => at);
    expect(second - first).toBeGreaterThanOrEqual(4_500);
    expect(third - second).toBeGreaterThanOrEqual(9_000);
  });

  test("fails for good once its retries are used up, counted across crashes", async () => {
    await using rig = await openRig();
    rig.engine();
    let starts = 0;
    const migration = one(
      step("broken", {
        retries: 2,
        run: () => {
          starts++;
          throw new Error("no");
        },
      }),
    );
    const first = await rig.start(migration);
    await rig.until(() => starts === 2);
    await first.stop();
    const handle = await rig.resume(first.id, migration);
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
    expect(starts).toBe(3);
  });

  test("is not tried again when the error says that the call itself is wrong", async () => {
    await using rig = await openRig();
    let starts = 0;
    const migration = one(
      step("misused", {
        retries: 5,
        run: () => {
          starts++;
          throw new CutoverError("CUTOVER_DATA_MISSING", { message: "no such folder" });
        },
      }),
    );
    expect(await rig.end(await rig.start(migration))).toMatchObject({ state: "ROLLED_BACK" });
    expect(starts).toBe(1);
  });

  test("is aborted when its time is up, and fails with a timeout", async () => {
    await using rig = await openRig();
    const migration = one(
      step("slow", { timeout: "10s", run: ({ clock, signal }) => sleep(clock, 60_000, signal) }),
    );
    const handle = await rig.start(migration);
    const outcome = await rig.end(handle);
    expect(outcome.reason).toBe(
      'step "p/slow" failed: expected step "p/slow" to end within 10 s, found it still running',
    );
    const [record] = await rig.store.runs.steps(handle.id);
    expect(record).toMatchObject({ state: "ROLLED_BACK", error: { code: "CUTOVER_STEP_TIMEOUT" } });
    expect(rig.clock.monotonic()).toBeLessThan(15_000);
  });

  test("that took effect although its time was up counts as done, without another start", async () => {
    await using rig = await openRig();
    let starts = 0;
    const migration = one(
      step("slow", {
        timeout: "10s",
        run: ({ clock, signal }) => {
          starts++;
          return sleep(clock, 60_000, signal);
        },
        verify: () => ({ kind: "done", result: "it had happened" }),
      }),
    );
    const handle = await rig.start(migration);
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(starts).toBe(1);
    expect((await rig.store.runs.steps(handle.id))[0]?.result).toBe("it had happened");
  });

  test("that does not listen to its signal is left behind after its grace, and what it writes late is refused", async () => {
    await using rig = await openRig();
    let late: unknown;
    const migration = one(
      step("deaf", {
        timeout: "10s",
        run: async (context) => {
          await sleep(context.clock, 60_000);
          late = await context.saveCheckpoint("too late").catch((error: unknown) => error);
        },
        rollback: () => {},
      }),
    );
    const handle = await rig.start(migration);
    expect(await rig.end(handle)).toMatchObject({ state: "ROLLED_BACK" });
    expect(rig.clock.monotonic()).toBeLessThan(20_000);
    await rig.clock.advance(60_000);
    expect(late).toMatchObject({ name: "CutoverError" });
    expect((await rig.store.runs.steps(handle.id))[0]?.checkpoint).toBeNull();
  });

  test("that answers with something JSON cannot hold fails by name and breaks nothing", async () => {
    await using rig = await openRig();
    const migration = one(step("big", { run: () => ({ rows: 2n }) as never }));
    const outcome = await rig.end(await rig.start(migration));
    expect(outcome).toMatchObject({ state: "ROLLED_BACK" });
    expect(outcome.reason).toContain('expected the result of step "p/big" to be JSON');
  });

  test("sees its input, its key, its fence and a folder, and shows progress without recording it", async () => {
    await using rig = await openRig();
    let seen: StepContext | undefined;
    const migration = one(
      step("copy", {
        input: { from: "old" },
        run: async (context) => {
          seen = context;
          context.progress({ done: 3, total: 10, unit: "rows" });
          await sleep(context.clock, 1_000, context.signal);
        },
      }),
    );
    const handle = await rig.start(migration);
    await rig.until(() => seen !== undefined);
    expect(seen).toMatchObject({
      runId: handle.id,
      migration: "one",
      phase: "p",
      step: "p/copy",
      input: { from: "old" },
      attempt: 1,
      idempotencyKey: `${handle.id}/p/copy`,
      fence: 1,
    });
    expect(seen?.workDir).toContain(handle.id);
    expect(handle.live().progress["p/copy"]).toMatchObject({ done: 3, total: 10, unit: "rows" });
    await rig.end(handle);
    expect(handle.live().progress).toEqual({});
  });
});

describe("steps that wait for nothing", () => {
  test("run side by side, at most as many as the engine is set to", async () => {
    await using rig = await openRig({ concurrency: 3 });
    let running = 0;
    let most = 0;
    const steps = Array.from({ length: 10 }, (_, index) =>
      step(`s${index}`, {
        after: [],
        run: async ({ clock, signal }) => {
          most = Math.max(most, ++running);
          await sleep(clock, 100, signal);
          running--;
        },
      }),
    );
    expect(await rig.end(await rig.start(one(...steps)))).toMatchObject({ state: "COMPLETED" });
    expect(most).toBe(3);
  });

  test("never start before what they come after is done", async () => {
    await using rig = await openRig();
    const ended: string[] = [];
    const make = (name: string, after: readonly string[], ms: number) =>
      step(name, {
        after,
        run: async ({ clock }) => {
          expect(after.every((before) => ended.includes(before))).toBe(true);
          await sleep(clock, ms);
          ended.push(name);
        },
      });
    const migration = one(
      make("a", [], 300),
      make("b", [], 100),
      make("c", ["b"], 50),
      make("d", ["a", "c"], 10),
      make("e", ["d"], 10),
    );
    expect(await rig.end(await rig.start(migration))).toMatchObject({ state: "COMPLETED" });
    expect(ended).toEqual(["b", "c", "a", "d", "e"]);
  });
});

import { describe, expect, test } from "vitest";
import { defineMigration, gate, type GateSpec, phase, step, value } from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
// A run loads it with the first gate that needs it, and a manual clock would run on meanwhile.
import "./measured-judge.ts";

const never = (): Promise<never> => new Promise(() => {});

function guarded(exit: readonly GateSpec[]) {
  const undone: string[] = [];
  const go = step("go", { run: () => {}, rollback: () => void undone.push("go") });
  const migration = defineMigration({
    name: "guarded",
    phases: [phase("move", { steps: [go], exit, patience: "1s" })],
  });
  return { undone, migration };
}

const judging = async (rig: Rig, run: string): Promise<void> => {
  const phases = await rig.store.runs.phases(run);
  expect(phases).toMatchObject([{ state: "GATING" }]);
};

const silent: readonly (readonly [what: string, gate: () => GateSpec, limitMs: number, said: RegExp])[] = [
  [
    "a reader of a value",
    () => value("errors", never).below(5),
    30_000,
    /cannot be read: .* within 30 s, found none/,
  ],
  [
    "the evidence of a gate of one's own",
    () => gate("errors", { collect: never, judge: () => ({ kind: "pass", reason: "none" }) }),
    600_000,
    /cannot be gathered: .* within 10:00, found none/,
  ],
];

describe.each(silent)("%s that never answers", (_, made, limitMs, said) => {
  test("holds the phase once its time is over, and lets patience run out", async () => {
    await using rig = await openRig();
    const { migration } = guarded([made()]);
    const handle = await rig.start(migration);
    await rig.clock.advance(limitMs - 1_000);
    await judging(rig, handle.id);
    await rig.until(() => handle.live().state === "HOLDING", 60_000);
    expect(handle.live().reason).toMatch(/gates have held for more than 1\.0 s, somebody must decide/);
    expect(handle.live().reason).toMatch(said);
  });

  test("keeps nobody from taking the run back, or from stopping it", async () => {
    await using rig = await openRig();
    const { migration, undone } = guarded([made()]);
    const handle = await rig.start(migration);
    await rig.clock.advance(1_000);
    await handle.rollback("ann", "enough");
    expect(await rig.end(handle, 10_000)).toMatchObject({ state: "ROLLED_BACK" });
    expect(undone).toEqual(["go"]);
    const second = await rig.start(migration);
    await rig.clock.advance(1_000);
    await judging(rig, second.id);
    let stopped = false;
    void second.stop().then(() => (stopped = true));
    await rig.until(() => stopped, 10_000);
  });
});

describe("a reader of a value", () => {
  test("is told when the run stops, and is not asked twice at once", async () => {
    await using rig = await openRig();
    const told: unknown[] = [];
    let asked = 0;
    const read = ({ signal }: { readonly signal: AbortSignal }): Promise<number> => {
      asked += 1;
      signal.addEventListener("abort", () => told.push(signal.reason));
      return never();
    };
    const { migration } = guarded([value("errors", read).below(5)]);
    const handle = await rig.start(migration);
    await rig.clock.advance(60_000);
    expect([asked, told]).toEqual([1, []]);
    await handle.rollback("ann", "enough");
    expect(await rig.end(handle, 10_000)).toMatchObject({ state: "ROLLED_BACK" });
    expect(told).toMatchObject([{ code: "CUTOVER_INTERRUPTED" }]);
  });

  test("that answers after its time is heard all the same, and asked again from then on", async () => {
    await using rig = await openRig();
    const slow = Promise.withResolvers<number>();
    let asked = 0;
    const read = (): Promise<number> | number => ((asked += 1) === 1 ? slow.promise : 0);
    const { migration } = guarded([value("errors", read).below(5)]);
    const handle = await rig.start(migration);
    await rig.clock.advance(45_000);
    expect(handle.live().verdicts[0]).toMatchObject({ kind: "hold" });
    expect(asked).toBe(1);
    slow.resolve(0);
    expect(await rig.end(handle, 30_000)).toMatchObject({ state: "COMPLETED" });
    expect(asked).toBeGreaterThan(4);
  });

  test("has two of its intervals where they are longer than its usual time", async () => {
    await using rig = await openRig();
    const { migration } = guarded([value("errors", never).below(5, { interval: "1m" })]);
    const handle = await rig.start(migration);
    await rig.clock.advance(119_000);
    await judging(rig, handle.id);
    await rig.until(() => handle.live().state === "HOLDING", 10_000);
  });
});

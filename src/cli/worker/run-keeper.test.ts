import { describe, expect, test } from "vitest";
import { CutoverError, untilAborted } from "../../core/index.ts";
import type { Engine } from "../../engine/index.ts";
import { defineMigration, phase, step } from "../../plan/index.ts";
import { openRig, type Rig } from "../../testing/engine-rig.ts";
import { RunKeeper } from "./run-keeper.ts";

const migration = defineMigration({
  name: "shop",
  phases: [
    phase("move", {
      steps: [step("copy", { run: ({ signal }) => untilAborted(new Promise<never>(() => {}), signal) })],
    }),
  ],
});

/** A run whose carrier stopped, and a keeper whose first attempts to take it up fail. */
async function abandoned(
  rig: Rig,
  ...failures: readonly Error[]
): Promise<{ readonly keeper: RunKeeper; readonly run: string; readonly said: string[] }> {
  const first = await rig.start(migration);
  await first.stop();
  const engine = rig.engine();
  const left = [...failures];
  const troubled: Engine = {
    start: (...all) => engine.start(...all),
    resume: (...all) => {
      const failure = left.shift();
      return failure === undefined ? engine.resume(...all) : Promise.reject(failure);
    },
    get carried() {
      return engine.carried;
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
  const said: string[] = [];
  const keeper = new RunKeeper({
    store: rig.store,
    engine: troubled,
    clock: rig.clock,
    migrations: [migration],
    by: "ann",
    random: () => 0.5,
    carriedBy: () => Promise.resolve(undefined),
    say: (what, _run, text) => said.push(`${what}: ${text}`),
  });
  return { keeper, run: first.id, said };
}

/** Looks are three seconds apart. */
async function nextLook({ clock }: Rig, keeper: RunKeeper): Promise<void> {
  const before = keeper.looked;
  await clock.advance(3_000);
  expect(keeper.looked).not.toBe(before);
  await keeper.looked;
}

describe("a worker that carries on runs", () => {
  test("has taken up what it found when its first look is over", async () => {
    await using rig = await openRig();
    const { keeper, run, said } = await abandoned(rig);
    keeper.start();
    await keeper.looked;
    expect(keeper.carried.map(({ id }) => id)).toEqual([run]);
    expect(said).toEqual(["taken: taken up, RUNNING"]);
    await keeper.stop();
  });

  test.each([
    "CUTOVER_STORE_UNAVAILABLE",
    "CUTOVER_STORE_OWNED",
    "CUTOVER_STORE_FULL",
    "CUTOVER_LEASE_LOST",
  ] as const)("tries a run again that it could not take up for %s", async (code) => {
    await using rig = await openRig();
    const { keeper, run, said } = await abandoned(rig, new CutoverError(code, { message: "for now" }));
    keeper.start();
    await keeper.looked;
    expect(keeper.carried).toEqual([]);
    await nextLook(rig, keeper);
    expect(keeper.carried.map(({ id }) => id)).toEqual([run]);
    expect(said).toEqual(["taken: taken up, RUNNING"]);
    await keeper.stop();
  });

  test("says once what stands against a run, and leaves it to others", async () => {
    await using rig = await openRig();
    const changed = new CutoverError("CUTOVER_PLAN_CHANGED", { message: "another definition" });
    const { keeper, said } = await abandoned(rig, changed);
    keeper.start();
    await keeper.looked;
    expect(said).toEqual(["refused: another definition"]);
    for (let looks = 0; looks < 3; looks++) await nextLook(rig, keeper);
    expect(said).toEqual(["refused: another definition"]);
    expect(keeper.carried).toEqual([]);
    await keeper.stop();
  });
});

import { expect, test } from "vitest";
import { ManualClock } from "../testing/manual-clock.ts";
import { type Chore, Upkeep } from "./upkeep.ts";
import { queueSettings } from "./settings.ts";

function upkeep(
  chores: readonly Chore[],
  random: () => number = () => 0.5,
): { clock: ManualClock; upkeep: Upkeep } {
  const clock = new ManualClock();
  return { clock, upkeep: new Upkeep(queueSettings({ clock, random }), chores) };
}

test("each chore comes again after its own time, one that fails too", async () => {
  const runs: string[] = [];
  const chore = (name: string, everyMs: number, fails = false): Chore => ({
    name,
    everyMs,
    run: () => {
      runs.push(name);
      return fails ? Promise.reject(new Error("away")) : Promise.resolve();
    },
  });
  const { clock, upkeep: look } = upkeep([chore("often", 10), chore("seldom", 25, true)]);
  for (let ms = 0; ms < 60; ms += 5) {
    look.look();
    await clock.advance(5);
  }
  expect(runs.filter((name) => name === "often")).toHaveLength(5);
  expect(runs.filter((name) => name === "seldom")).toHaveLength(2);
  await look.settled();
});

test("one that takes long is not started twice and holds up no other", async () => {
  const gate = Promise.withResolvers<void>();
  let slow = 0;
  let quick = 0;
  const { clock, upkeep: look } = upkeep([
    { name: "slow", everyMs: 10, run: () => (slow++, gate.promise) },
    { name: "quick", everyMs: 10, run: () => (quick++, Promise.resolve()) },
  ]);
  for (let i = 0; i < 5; i++) {
    await clock.advance(10);
    look.look();
  }
  expect([slow, quick]).toEqual([1, 5]);
  let settled = false;
  const waiting = look.settled().then(() => (settled = true));
  await clock.advance(0);
  expect(settled).toBe(false);
  gate.resolve();
  await waiting;
  await clock.advance(10);
  look.look();
  expect(slow).toBe(2);
});

test("workers that were started together do not look together", async () => {
  const at: number[] = [];
  const clock = new ManualClock();
  const all = Array.from({ length: 8 }, (_, n) => {
    const run = (): Promise<void> => Promise.resolve(void at.push(clock.monotonic()));
    return new Upkeep(queueSettings({ clock, random: () => n / 8 }), [
      { name: "sweep", everyMs: 1_000, run },
    ]);
  });
  for (let ms = 0; ms < 1_300; ms++) {
    await clock.advance(1);
    for (const one of all) one.look();
  }
  expect(at).toHaveLength(8);
  expect(new Set(at).size).toBe(8);
  expect(Math.min(...at)).toBeGreaterThanOrEqual(750);
}, 20_000);

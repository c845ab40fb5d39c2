/**
 * Does a shadow slow the old side down for its callers? The same old side under the same traffic, without a door, with
 * a door at `off`, and shadowed, in short turns of random order, so that other work on the machine hits all alike. The
 * figure is the 99th percentile of what the callers of a turn waited, the median over turns: a turn in which something
 * else took the processor says nothing about a door. One more turn without a door shows how far the figure moves by itself.
 */
import { setTimeout as pause } from "node:timers/promises";
import { createRollout, memoryLink, type MemoryLink, type Rollout } from "../../src/rollout/index.ts";
import { spread } from "../measure/rounds.ts";
import { printReach, printTable } from "../measure/table.ts";

const perSecond = 1_000;
/** Length of a turn, milliseconds. */
const turn = 400;
const turns = 60;
/** A machine on which the same thing differs by more from itself shows nothing. */
const calm = 0.05;

type Call = (n: number) => Promise<unknown>;

/** An old side that waits for something, as most do, and answers with a kilobyte. */
const side: Call = async (n) => {
  await pause(4);
  return {
    n,
    lines: Array.from({ length: 12 }, (_, i) => ({ sku: `sku-${n}-${i}`, count: i, state: "open" })),
  };
};

type Waits = ReadonlyMap<string, readonly (readonly number[])[]>;

export async function besideShadow(): Promise<void> {
  const rollouts: Rollout[] = [];
  const link = memoryLink();
  const door = (stage: "off" | "shadow"): Call => {
    const rollout = createRollout({ link, state: [{ route: "bench", stage }] });
    rollouts.push(rollout);
    const options = {
      old: side,
      new: side,
      key: (n: number) => n,
      effects: "none",
      shadowConcurrency: 100,
    } as const;
    return rollout.route("bench", options);
  };
  const subjects: readonly { readonly name: string; readonly call: Call }[] = [
    { name: "no door", call: side },
    { name: "no door again", call: side },
    { name: "door at off", call: door("off") },
    { name: "door at shadow", call: door("shadow") },
  ];
  const waits = new Map<string, (readonly number[])[]>(subjects.map(({ name }) => [name, []]));
  for (let at = -4; at < turns; at++)
    for (const { name, call } of shuffled(subjects)) {
      const found = await traffic(call);
      if (at >= 0) waits.get(name)?.push(found);
    }
  for (const rollout of rollouts) await rollout.close();
  print(waits, link);
}

/** Calls at a steady rate, whether or not the ones before have answered; what each of their callers waited. */
async function traffic(call: Call): Promise<readonly number[]> {
  const waits: number[] = [];
  const under: Promise<void>[] = [];
  const calls = (perSecond * turn) / 1_000;
  const begin = performance.now();
  for (let made = 0; made < calls;) {
    const due = Math.min(calls, ((performance.now() - begin) * perSecond) / 1_000);
    for (; made < due; made++) {
      const start = performance.now();
      under.push(call(made).then(() => void waits.push(performance.now() - start)));
    }
    await pause(1);
  }
  await Promise.all(under);
  await pause(10); // what shadows leave behind belongs to their own turn
  return waits;
}

const shuffled = <T>(items: readonly T[]): readonly T[] =>
  items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);

const quantile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(part * values.length)] ?? Number.NaN;

function print(waits: Waits, link: MemoryLink): void {
  const figures = (name: string, part: number): readonly number[] =>
    (waits.get(name) ?? []).map((turnWaits) => quantile(turnWaits, part));
  const p99 = (name: string): number => spread(figures(name, 0.99)).median;
  const base = spread([...figures("no door", 0.99), ...figures("no door again", 0.99)]).median;
  const percent = (value: number): string => `${value >= 0 ? "+" : ""}${(value * 100).toFixed(1)} %`;
  const ms = (value: number): string => `${value.toFixed(2)} ms`;
  console.log(
    `what callers of the old side waited at ${perSecond} calls/s, ${turns} turns of ${turn} ms each\n`,
  );
  printTable(
    ["", "p50", "p99", "quartiles of p99", "p99 against no door"],
    [...waits.keys()].map((name) => {
      const { low, high } = spread(figures(name, 0.99));
      const p50 = spread(figures(name, 0.5)).median;
      return [name, ms(p50), ms(p99(name)), `${ms(low)} … ${ms(high)}`, percent(p99(name) / base - 1)];
    }),
  );
  const sum = (read: (interval: (typeof link.intervals)[number]) => number): number =>
    link.intervals
      .filter(({ stage }) => stage === "shadow")
      .reduce((total, interval) => total + read(interval), 0);
  const compared = sum((interval) => interval.compared);
  const called = sum((interval) => interval.old.calls);
  const spent = sum((interval) => interval.overheadMs ?? 0);
  console.log(`\n${compared} of ${called} calls compared; the door's own work took ${ms(spent)}\n`);
  const slower = p99("door at shadow") / base - 1;
  const control = p99("no door again") / p99("no door") - 1;
  const met = slower <= 0.05 && Math.abs(control) <= calm && compared > 0.9 * called;
  const text = `${percent(slower)} (no door against itself ${percent(control)}), ${compared} of ${called} compared`;
  printReach(
    "p99 of the old side beside a shadow",
    met,
    text,
    "≤ +5 % where no door differs from itself by no more",
  );
}

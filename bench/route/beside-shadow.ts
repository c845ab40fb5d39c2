/**
 * Does a shadow slow the old side down for its callers? The same old side under the same traffic, without a door, with
 * a door at `off`, and shadowed, in turns of random order; the figure is the 99th percentile of what callers waited.
 */
import { setTimeout as pause } from "node:timers/promises";
import { createRollout, memoryLink, type Rollout } from "../../src/rollout/index.ts";
import { spread } from "../measure/rounds.ts";
import { printReach, printTable } from "../measure/table.ts";

const perSecond = 1_000;
const seconds = 2;
const rounds = 12;

type Call = (n: number) => Promise<unknown>;

/** An old side that waits for something, as most do, and answers with a kilobyte. */
const side: Call = async (n) => {
  await pause(4);
  return {
    n,
    lines: Array.from({ length: 12 }, (_, i) => ({ sku: `sku-${n}-${i}`, count: i, state: "open" })),
  };
};

interface Subject {
  readonly name: string;
  readonly call: Call;
}

export async function besideShadow(): Promise<void> {
  const rollouts: Rollout[] = [];
  const door = (stage: "off" | "shadow"): Call => {
    const rollout = createRollout({ link: memoryLink(), state: [{ route: "bench", stage }] });
    rollouts.push(rollout);
    return rollout.route("bench", {
      old: side,
      new: side,
      key: (n) => n,
      effects: "none",
      shadowConcurrency: 100,
    });
  };
  const subjects: readonly Subject[] = [
    { name: "no door", call: side },
    { name: "no door again", call: side },
    { name: "door at off", call: door("off") },
    { name: "door at shadow", call: door("shadow") },
  ];
  const found = new Map<string, { p50: number; p99: number }[]>(subjects.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++)
    for (const { name, call } of subjects.toSorted(() => Math.random() - 0.5)) {
      const waits = await traffic(call);
      if (round >= 0) found.get(name)?.push({ p50: quantile(waits, 0.5), p99: quantile(waits, 0.99) });
    }
  for (const rollout of rollouts) await rollout.close();
  print(found);
}

/** Calls at a steady rate, whether or not the ones before have answered; what each of their callers waited. */
async function traffic(call: Call): Promise<readonly number[]> {
  const waits: number[] = [];
  const under: Promise<void>[] = [];
  const begin = performance.now();
  for (let made = 0; made < perSecond * seconds;) {
    const due = Math.min(perSecond * seconds, ((performance.now() - begin) * perSecond) / 1_000);
    for (; made < due; made++) {
      const start = performance.now();
      under.push(call(made).then(() => void waits.push(performance.now() - start)));
    }
    await pause(1);
  }
  await Promise.all(under);
  return waits;
}

const quantile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(part * values.length)] ?? Number.NaN;

function print(found: ReadonlyMap<string, readonly { readonly p50: number; readonly p99: number }[]>): void {
  console.log(
    `what callers of the old side waited at ${perSecond} calls/s, ${rounds} rounds of ${seconds} s\n`,
  );
  const base = found.get("no door") ?? [];
  const against = (name: string) =>
    spread((found.get(name) ?? []).map(({ p99 }, round) => p99 / (base[round]?.p99 ?? Number.NaN)));
  const percent = (value: number): string => `${value >= 1 ? "+" : ""}${((value - 1) * 100).toFixed(1)} %`;
  printTable(
    ["", "p50", "p99", "p99 against no door", "quartiles"],
    [...found].map(([name, samples]) => {
      const { median, low, high } = against(name);
      return [
        name,
        `${spread(samples.map(({ p50 }) => p50)).median.toFixed(2)} ms`,
        `${spread(samples.map(({ p99 }) => p99)).median.toFixed(2)} ms`,
        name === "no door" ? "" : percent(median),
        name === "no door" ? "" : `${percent(low)} … ${percent(high)}`,
      ];
    }),
  );
  console.log();
  const { median, low, high } = against("door at shadow");
  const text = `${percent(median)} (${percent(low)} … ${percent(high)}; no door against itself ${percent(against("no door again").median)})`;
  printReach("p99 of the old side beside a shadow", median <= 1.05, text, "≤ +5 %");
}

/**
 * What a call through `route()` costs, against calling the function directly and against the peers, all in the same
 * processes. Processor time, so that other work on the machine counts little. One process says little: they lie apart by more
 * than what is looked for, so every figure is the median over many short ones.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { type Spread, spread } from "../measure/rounds.ts";
import { nanoseconds, printReach, printTable } from "../measure/table.ts";
import type { CallCosts } from "./calls-process.ts";
import { stages } from "./routes.ts";

const processes = 15;

export async function calls(): Promise<void> {
  const found = Array.from({ length: processes }, inProcess);
  print(found);
  printModes(found);
  reach(found);
}

function inProcess(): CallCosts {
  const text = execFileSync(process.execPath, [join(import.meta.dirname, "calls-process.ts")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 300_000,
  });
  return JSON.parse(text) as CallCosts;
}

type Found = readonly CallCosts[];

const costs = (found: Found, name: string): readonly number[] =>
  found.map(({ above }) => above[name] ?? Number.NaN);
const cost = (found: Found, name: string): Spread => spread(costs(found, name));
const range = (low: number, high: number): string => `${nanoseconds(low)} … ${nanoseconds(high)}`;

/** Process by process, how many times the cost of our own route at the same stage. */
function ratio(found: Found, peer: string): Spread {
  const own = costs(found, `route ${peer.split(" ").at(-1)}`);
  return spread(costs(found, peer).map((over, at) => over / (own[at] ?? Number.NaN)));
}

function print(found: Found): void {
  const direct = found.map((one) => one.direct);
  console.log(
    `processor time per call above calling the function itself (${nanoseconds(spread(direct).median)}), medians of ${processes} processes\n`,
  );
  printTable(
    ["", "above direct", "quartiles", "lowest … highest", "× route()"],
    Object.keys(found[0]?.above ?? {}).map((name) => {
      const over = cost(found, name);
      const all = costs(found, name);
      return [
        name,
        nanoseconds(over.median),
        range(over.low, over.high),
        range(Math.min(...all), Math.max(...all)),
        name.startsWith("route") ? "" : ratio(found, name).median.toFixed(1),
      ];
    }),
  );
  console.log();
}

/** The machine has its own modes (whoever shares its cores): the call without a door tells which one a process met. */
function printModes(found: Found): void {
  const byDirect = found.toSorted((a, b) => a.direct - b.direct);
  const half = Math.floor(processes / 2);
  console.log(
    "the half of the processes in which the call without a door was quickest, and the slowest half\n",
  );
  const head = ["", "direct", ...stages.map((stage) => `route ${stage}`)];
  const row = (name: string, part: Found): readonly string[] => [
    name,
    nanoseconds(spread(part.map((one) => one.direct)).median),
    ...head.slice(2).map((subject) => nanoseconds(cost(part, subject).median)),
  ];
  printTable(head, [row("quickest", byDirect.slice(0, half)), row("slowest", byDirect.slice(-half))]);
  console.log();
}

/** Nanoseconds above the call itself. */
const most: Readonly<Record<string, number>> = {
  off: 100,
  complete: 100,
  share: 250,
  "share, with fail-over": 250,
  shadow: 2_000,
};

function reach(found: Found): void {
  for (const [stage, limit] of Object.entries(most)) {
    const { median, low, high } = cost(found, `route ${stage}`);
    const text = `${nanoseconds(median)} (${range(low, high)} in ${processes} processes)`;
    printReach(`cost at ${stage}`, median <= limit, text, `≤ ${nanoseconds(limit)}`);
  }
  for (const stage of stages) {
    const peers = Object.keys(found[0]?.above ?? {}).filter(
      (name) => name.endsWith(` ${stage}`) && !name.startsWith("route"),
    );
    const best = peers.toSorted((a, b) => cost(found, a).median - cost(found, b).median)[0] ?? "";
    const { median, low, high } = ratio(found, best);
    const text = `${median.toFixed(1)}× under ${best} (${low.toFixed(1)}–${high.toFixed(1)})`;
    printReach(`peers at ${stage}`, median >= 10, text, "≥ 10×");
  }
  compared(found);
}

/** A shadow call that was skipped costs next to nothing: the figure of the shadow is one only if nearly all were compared. */
function compared(found: Found): void {
  const sum = (read: (shadow: CallCosts["shadow"]) => number): number =>
    found.reduce((total, { shadow }) => total + read(shadow), 0);
  const [all, done] = [sum((shadow) => shadow.calls), sum((shadow) => shadow.compared)];
  const text = `${done} of ${all}, ${sum((shadow) => shadow.skipped)} skipped`;
  printReach("calls at shadow compared", done >= 0.99 * all, text, "≥ 99 %");
}

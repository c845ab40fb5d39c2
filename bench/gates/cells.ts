/** One cell of a table: what is simulated, and what came of it. Plain data, so that cells run in workers. */
import { createJudge, ratioTest } from "../../src/gates/index.ts";
import { intervalOf } from "./intervals.ts";
import { latencyCases, latencyRun, type Slowness } from "./latency-cases.ts";
import { alpha, beta, methods, type MethodName } from "./methods.ts";
import { createRandom, type Random } from "./random.ts";
import { bursts, dayRhythm, steady, type SteadyOptions, stickyUsers, type World } from "./worlds.ts";

export type WorldName = "steady" | "bursts" | "dayRhythm" | "stickyUsers";
const worlds: Readonly<Record<WorldName, (options: SteadyOptions) => World>> = {
  steady,
  bursts,
  dayRhythm,
  stickyUsers,
};

interface Common {
  readonly runs: number;
  readonly seed: number;
  readonly seconds: number;
}

export interface ErrorCell extends Common, SteadyOptions {
  readonly kind: "errors";
  readonly world: WorldName;
  readonly methods: readonly MethodName[];
}
export interface LatencyCell extends Common {
  readonly kind: "latency";
  readonly slowness: string;
  readonly callsPerSecond: number;
  readonly share: number;
}
export interface PromotionCell extends Common {
  readonly kind: "promotion";
  readonly ratio: number;
}
export interface LateCell extends Common {
  readonly kind: "late";
  readonly ratio: number;
}
export type Cell = ErrorCell | LatencyCell | PromotionCell | LateCell;

export interface Found {
  /** Part of the runs that came to the verdict looked for, 0 … 1. */
  readonly part: number;
  /** Median seconds until then, absent when most runs never did. */
  readonly median?: number;
}
export type CellResult = Readonly<Record<string, Found>>;

export function runCell(cell: Cell): CellResult {
  const random = createRandom(cell.seed);
  switch (cell.kind) {
    case "errors":
      return errorCell(cell, random);
    case "latency":
      return latencyCell(cell, random);
    case "promotion":
      return { passes: foundIn(repeat(cell.runs, () => promotion(cell, random))) };
    case "late":
      return { fails: foundIn(repeat(cell.runs, () => lateFault(cell.ratio, random))) };
  }
}

const repeat = (runs: number, one: () => number): number[] => Array.from({ length: runs }, one);

function foundIn(times: readonly number[]): Found {
  const ascending = [...times].sort((a, b) => a - b);
  const median = ascending[Math.floor(times.length / 2)] as number;
  const part = times.filter(Number.isFinite).length / times.length;
  return { part, ...(Number.isFinite(median) ? { median } : {}) };
}

function errorCell(cell: ErrorCell, random: Random): CellResult {
  const times = new Map(cell.methods.map((name) => [name, [] as number[]]));
  const world = worlds[cell.world](cell);
  for (let run = 0; run < cell.runs; run++) {
    const next = world(random);
    let open = cell.methods.map((name) => ({ name, judge: methods[name]() }));
    for (let second = 1; second <= cell.seconds && open.length > 0; second++) {
      const seen = next(second);
      const done = open.filter(({ judge }) => judge(seen));
      for (const { name } of done) times.get(name)?.push(second);
      if (done.length > 0) open = open.filter((method) => !done.includes(method));
    }
    for (const { name } of open) times.get(name)?.push(Number.POSITIVE_INFINITY);
  }
  return Object.fromEntries([...times].map(([name, all]) => [name, foundIn(all)]));
}

function latencyCell(cell: LatencyCell, random: Random): CellResult {
  const slowness = latencyCases[cell.slowness] as Slowness;
  const one = latencyRun(slowness, cell.callsPerSecond, cell.share, cell.seconds);
  const outcomes = Array.from({ length: cell.runs }, () => one(random));
  return {
    ours: foundIn(outcomes.map(({ ours }) => ours)),
    repeated: foundIn(outcomes.map(({ repeated }) => repeated)),
  };
}

/** Seconds until "below 2×" is shown at 200 calls/s, share 50 %, base error rate 1 %. */
function promotion({ ratio, seconds }: PromotionCell, random: Random): number {
  const test = ratioTest({ alpha, beta, clearBelow: 2, failAbove: 2 });
  for (let second = 1; second <= seconds; second++) {
    const newCalls = random.binomial(200, 0.5);
    const newErrors = random.binomial(newCalls, 0.01 * ratio);
    const allErrors = newErrors + random.binomial(200 - newCalls, 0.01);
    test.observe({ share: newCalls / 200, newErrors, allErrors });
    if (test.kind() === "pass") return second;
  }
  return Number.POSITIVE_INFINITY;
}

/**
 * Seconds from the first bad call to the verdict, after ten healthy minutes at half of 200 calls/s, with an
 * interval every 250 ms judged as the engine does.
 */
function lateFault(ratio: number, random: Random): number {
  const judge = createJudge({ kind: "worse-than-old", by: 2, alpha, beta }, { of: "errors" });
  let i = 0;
  const add = (rate: number): void => {
    const newCalls = random.binomial(50, 0.5);
    const side = (calls: number, p: number) => ({ calls, errors: random.binomial(calls, p) });
    judge.add([intervalOf(i++, { old: side(50 - newCalls, 0.01), new: side(newCalls, rate) })]);
  };
  while (i < 2400) add(0.01);
  do add(0.01 * ratio);
  while (judge.verdict().kind !== "fail");
  return (i - 2400) / 4;
}

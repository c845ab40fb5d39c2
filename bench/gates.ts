/**
 * How fast the gates notice a worse side and how seldom they wrong a healthy one: the reference table of the
 * design, simulated with fixed seeds. Looks happen every second.
 */
import { createRandom, type Random } from "./gates/random.ts";
import { intervalOf } from "./gates/intervals.ts";
import { createJudge, ratioTest } from "../src/gates/index.ts";

const runs = 1000;
/** More where a median is held against a whole number of seconds. */
const detectionRuns = 4000;
const alpha = 0.01;
const beta = 0.05;

interface World {
  readonly callsPerSecond: number;
  readonly share: number;
  readonly oldRate: number;
  readonly ratio: number;
  readonly failAbove: number;
}

interface Outcome {
  /** Part of the runs, 0 … 1. */
  readonly fails: number;
  readonly passes: number;
  /** Seconds until the wanted verdict, infinite for runs that did not reach it. */
  readonly median: number;
}

/** Runs the ratio test until it says `wanted` (or `seconds` are over) and tells when. */
function simulate(
  world: World,
  wanted: "fail" | "pass",
  seconds: number,
  seed: number,
  count: number = runs,
): Outcome {
  const random = createRandom(seed);
  const times: number[] = [];
  let [fails, passes] = [0, 0];
  for (let run = 0; run < count; run++) {
    const end = oneRun(world, wanted, seconds, random);
    if (end.kind === "fail") fails++;
    if (end.kind === "pass") passes++;
    times.push(end.kind === wanted ? end.second : Number.POSITIVE_INFINITY);
  }
  times.sort((a, b) => a - b);
  return { fails: fails / count, passes: passes / count, median: times[Math.floor(count / 2)] as number };
}

function oneRun(
  world: World,
  wanted: "fail" | "pass",
  seconds: number,
  random: Random,
): { kind: "pass" | "fail" | "hold"; second: number } {
  const test = ratioTest({ alpha, beta, clearBelow: 2, failAbove: world.failAbove });
  for (let second = 1; second <= seconds; second++) {
    const newCalls = random.binomial(world.callsPerSecond, world.share);
    const newErrors = random.binomial(newCalls, world.oldRate * world.ratio);
    const oldErrors = random.binomial(world.callsPerSecond - newCalls, world.oldRate);
    const share = newCalls / world.callsPerSecond;
    test.observe({ share, newErrors, allErrors: newErrors + oldErrors });
    const kind = test.kind();
    if (kind === wanted) return { kind, second };
  }
  return { kind: "hold", second: seconds };
}

/**
 * Seconds from the first bad call to the verdict, after ten healthy minutes at half of 200 calls/s, with an
 * interval every 250 ms judged as the engine does. Median of `count` runs.
 */
function lateFault(ratio: number, count: number, seed: number): number {
  const random = createRandom(seed);
  const times: number[] = [];
  for (let run = 0; run < count; run++) {
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
    times.push((i - 2400) / 4);
  }
  return times.sort((a, b) => a - b)[Math.floor(count / 2)] as number;
}

const percent = (part: number): string => `${Number((part * 100).toFixed(1))} %`;

const reach = (name: string, met: boolean, found: string, target: string): void =>
  console.log(`reach ${name}: ${met ? "met" : "short"}, ${found}, ${target}`);

/** Prints the table and whether each figure is reached. */
export async function run(): Promise<void> {
  const base = { share: 0.05, oldRate: 0.01 };
  console.log(
    `ratio test, share 5 %, base error rate 1 %, alpha 1 %, a look each second, ${runs} runs a row, ${detectionRuns} for detection\n`,
  );
  console.log("calls/s  ratio  fails at estimate  median detection  found");
  const targets: readonly (readonly [number, number, number])[] = [
    [200, 2, 142],
    [200, 5, 15],
    [2000, 2, 14],
    [2000, 5, 2],
  ];
  const lines: (() => void)[] = [];
  let seed = 1;
  for (const [callsPerSecond, ratio, target] of targets) {
    for (const failAbove of [1, 2]) {
      const seconds = target * 10;
      const found = simulate(
        { ...base, callsPerSecond, ratio, failAbove },
        "fail",
        seconds,
        seed++,
        detectionRuns,
      );
      console.log(
        `${String(callsPerSecond).padStart(7)}  ×${ratio}     ≥ ${failAbove}                ` +
          `${String(found.median).padStart(6)} s          ${percent(found.fails)}`,
      );
      if (failAbove > 1) continue;
      lines.push(() =>
        reach(
          `detect ×${ratio} at ${callsPerSecond}/s`,
          found.median <= target,
          `${found.median} s median`,
          `≤ ${target} s`,
        ),
      );
    }
  }
  console.log("\nequal sides (A/A), ten minutes, 600 looks");
  console.log("calls/s  false alarms");
  for (const callsPerSecond of [200, 2000]) {
    const world = { ...base, callsPerSecond, ratio: 1, failAbove: 1 };
    const rate = simulate(world, "fail", 600, seed++).fails;
    console.log(`${String(callsPerSecond).padStart(7)}  ${percent(rate)}`);
    lines.push(() => reach(`false alarms at ${callsPerSecond}/s`, rate <= alpha, percent(rate), "≤ 1 %"));
  }
  console.log("\npromotion: clears below 2×, share 50 %, beta 5 %");
  console.log("calls/s  ratio  median       passed");
  for (const [callsPerSecond, ratio, seconds] of [
    [200, 1, 600],
    [200, 1.5, 6000],
    [200, 2, 600],
  ] as const) {
    const world = { share: 0.5, oldRate: 0.01, callsPerSecond, ratio, failAbove: 2 };
    const found = simulate(world, "pass", seconds, seed++);
    const passed = found.passes;
    const median = Number.isFinite(found.median) ? `${found.median} s` : "never";
    console.log(
      `${String(callsPerSecond).padStart(7)}  ×${String(ratio).padEnd(4)}  ${median.padEnd(12)} ${percent(passed)}`,
    );
    if (ratio === 2) lines.push(() => reach("false passes at ×2", passed <= beta, percent(passed), "≤ 5 %"));
  }
  console.log(
    "\nfault after ten healthy minutes, 200 calls/s, share 50 %, judged every 250 ms, 100 runs a row",
  );
  console.log("ratio  median detection");
  for (const ratio of [100, 10, 5]) {
    const seconds = lateFault(ratio, 100, seed++);
    console.log(`×${String(ratio).padEnd(4)}  ${seconds} s`);
    if (ratio === 100) {
      lines.push(() => reach("late fault, every call fails", seconds <= 1, `${seconds} s median`, "≤ 1 s"));
    }
  }
  console.log();
  for (const line of lines) line();
}

/**
 * Data that crosses, comes back and crosses again under writes, with processes killed at fault points, many times:
 *
 *   TMPDIR=/dev/shm npx node test/chaos-data/cutover-runs.ts --runs 1000 [--seed N] [--pair leveldb-lmdb]… [--at-once 4]
 *
 * The runs go through every fault point of every pair in turn, on the way there and on the way back; at which of its hits, and what
 * else is killed after it, is random.
 * A process that is killed loses nothing that it wrote, so that the folder may well lie in memory.
 *
 * Ends with 1 and the runs that failed, each with the seed and number that show it again (`--seed N --first RUN --runs 1`, with the
 * same pairs), after `--failures` of them. Told to end (SIGTERM, Ctrl-C), it lets the runs that are going on come to their end. Tells in the end which kills came about, and at which points there was none.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { crossingPoints, type Kill, type Outcome, runOnce } from "./cutover-run.ts";
import { type CrossingStage, crossingStages, type PairName, pairNames } from "./cutover-sides.ts";
import { ChaosServer, isPostgres } from "./postgres-pair.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "1000" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    first: { type: "string", default: "0" },
    pair: { type: "string", multiple: true, default: [...pairNames] },
    "at-once": { type: "string", default: String(2 * availableParallelism()) },
    failures: { type: "string", default: "1" },
  },
});
const [runs, seed, first, atOnce, mostFailures] = [
  values.runs,
  values.seed,
  values.first,
  values["at-once"],
  values.failures,
].map(Number) as [number, number, number, number, number];
const pairs = pairNames.filter((name) => values.pair.includes(name));
const isCount = (of: number): boolean => Number.isSafeInteger(of) && of > 0;
if (
  ![runs, atOnce, mostFailures, seed + 1, first + 1].every(isCount) ||
  values.pair.some((name) => !pairs.some((known) => known === name))
) {
  console.error(
    `expected --runs, --seed, --first, --at-once and --failures as whole numbers, --pair as one of ${pairNames.join(", ")}`,
  );
  process.exit(2);
}

/** mulberry32: the same numbers for the same seed. */
function random(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const ways = ["forward", "back"] as const;
type Way = (typeof ways)[number];
interface Cell {
  readonly point: string;
  readonly way: Way;
}
/** The way back copies nothing: it goes by the log. */
const cells: readonly Cell[] = crossingPoints.flatMap((point) =>
  ways.filter((way) => way === "forward" || point !== "data.move.chunk-read").map((way) => ({ point, way })),
);
const isCutover = (point: string): boolean => /^data\.(cutover|switch)\./.test(point);
/** A process killed here leaves an attempt that has stopped writers. */
const inPause = [
  "data.cutover.intended",
  "data.cutover.closed",
  "data.cutover.drained",
  "data.cutover.applied",
  "data.cutover.compared",
  "data.cutover.tried",
];

function planned(run: number): { readonly pair: PairName; readonly kills: readonly Kill[] } {
  const next = random(seed * 1_000_003 + run);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const at = ({ point, way }: Cell, mostHits: number): Kill => {
    const copies = point === "data.move.chunk-read";
    const forward: readonly CrossingStage[] = isCutover(point)
      ? ["over", "again"]
      : ["move", "over", "again"];
    const stage = way === "back" ? "back" : copies ? "move" : pick(forward);
    // A point of the crossing comes once in a stage; the others come often.
    return { stage, point, hit: isCutover(point) ? 1 : 1 + Math.floor(next() ** 2 * mostHits) };
  };
  const pair = pairs[run % pairs.length] as PairName;
  const round = Math.floor(run / pairs.length);
  const cell = cells[round % cells.length] as Cell;
  const first = at(cell, round < cells.length ? 1 : 6);
  // An attempt is withdrawn by whoever comes after one that was killed in its pause.
  const kills =
    first.point === "data.cutover.withdrawn" ? [{ ...first, point: pick(inPause) }, first] : [first];
  const later = crossingStages.slice(crossingStages.indexOf(first.stage));
  const more = Array.from({ length: Math.floor(next() * 3) }, () => at(pick(cells), 6)).filter(({ stage }) =>
    later.includes(stage),
  );
  return { pair, kills: [...kills, ...more] };
}

let ending = false;
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => (ending = true));
const kills: (Kill & { readonly pair: PairName })[] = [];
let [next, done, failed] = [first, 0, 0];
const began = performance.now();
let told = began;

function note(run: number, pair: PairName, planOf: readonly Kill[], { wrong, killed }: Outcome): void {
  done++;
  kills.push(...killed.map((kill) => ({ ...kill, pair })));
  if (wrong !== undefined) {
    failed++;
    console.error(`run ${run} of seed ${seed}: ${pair}, ${JSON.stringify(planOf)}: ${wrong}`);
  }
  if (performance.now() - told < 15_000) return;
  told = performance.now();
  const perMinute = (done * 60_000) / (told - began);
  console.log(
    `${done} of ${runs} runs, ${kills.length} kills, ${failed} wrong · ${perMinute.toFixed(1)} runs a minute, ${((runs - done) / perMinute).toFixed(0)} minutes left`,
  );
}

/** Which kills came about: by point and pair, on the way to the new side and on the way back. */
function tellKills(): void {
  const count = ({ point, way }: Cell, pair: PairName): number =>
    kills.filter(
      (kill) => kill.pair === pair && kill.point === point && (kill.stage === "back") === (way === "back"),
    ).length;
  const known = new Set(cells.map(({ point, way }) => `${point} ${way}`));
  console.log(`| point, kills forward/back | ${pairs.join(" | ")} |`);
  console.log(`| --- |${pairs.map(() => " --- |").join("")}`);
  for (const point of crossingPoints) {
    const of = (pair: PairName): string =>
      ways.map((way) => (known.has(`${point} ${way}`) ? count({ point, way }, pair) : "–")).join("/");
    console.log(`| ${point.slice("data.".length)} | ${pairs.map(of).join(" | ")} |`);
  }
  const never = pairs.flatMap((pair) =>
    cells.filter((cell) => count(cell, pair) === 0).map(({ point, way }) => `${pair}: ${point} ${way}`),
  );
  console.log(never.length === 0 ? "every point was reached" : `not reached: ${never.join(" · ")}`);
}

const names = pairs.length === pairNames.length ? "all pairs" : pairs.join(", ");
console.log(`${runs} runs, seed ${seed}, ${names}, ${atOnce} at once`);
// What the processes compile is kept for the next ones.
const compiled = mkdtempSync(join(tmpdir(), "cutover-chaos-compiled-"));
process.env["NODE_COMPILE_CACHE"] ??= compiled;
const server = pairs.some(isPostgres) ? await ChaosServer.start() : undefined;
try {
  await Promise.all(
    Array.from({ length: Math.min(atOnce, runs) }, async () => {
      const lane = await server?.lane();
      while (next < first + runs && failed < mostFailures && !ending) {
        const run = next++;
        const plan = planned(run);
        note(run, plan.pair, plan.kills, await runOnce(plan.pair, plan.kills, lane));
      }
    }),
  );
} finally {
  await server?.[Symbol.asyncDispose]();
  rmSync(compiled, { recursive: true, force: true });
}
tellKills();
console.log(
  `${done} runs, ${kills.length} processes were killed, ${failed} runs went wrong, ${((performance.now() - began) / 1_000).toFixed(0)} s`,
);
process.exitCode = failed > 0 ? 1 : 0;

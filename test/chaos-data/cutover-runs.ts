/**
 * Data that crosses, comes back and crosses again under writes, with processes killed at random fault points, many times:
 *
 *   npx node test/chaos-data/cutover-runs.ts --runs 1000 [--seed N] [--pair leveldb-lmdb]
 *
 * Ends with 1 and the run that failed, with the seed and number that show it again.
 */
import { parseArgs } from "node:util";
import { crossingPoints, type Kill, runOnce } from "./cutover-run.ts";
import { type PairName, pairNames } from "./cutover-sides.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "1000" },
    seed: { type: "string" },
    first: { type: "string", default: "0" },
    pair: { type: "string" },
  },
});
const runs = Number(values.runs);
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
const only = pairNames.find((name) => name === values.pair);
if (!(Number.isInteger(runs) && runs > 0 && Number.isInteger(seed)) || (values.pair !== undefined && !only)) {
  console.error(`expected --runs and --seed as whole numbers, --pair as one of ${pairNames.join(", ")}`);
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

console.log(`${runs} runs, seed ${seed}`);
const began = performance.now();
let killed = 0;
for (let run = Number(values.first); run < Number(values.first) + runs; run++) {
  const next = random(seed * 1_000_003 + run);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const pair: PairName = only ?? pick(pairNames);
  const cutover = crossingPoints.filter((point) => point.startsWith("data.cutover."));
  const kills = Array.from({ length: 1 + Math.floor(next() * 3) }, (): Kill => {
    const point = next() < 0.7 ? pick(cutover) : pick(crossingPoints);
    return { point, hit: 1 + Math.floor(next() * (point.startsWith("data.cutover.") ? 3 : 12)) };
  });
  const found = await runOnce(pair, kills);
  killed += found.killed;
  if (found.wrong !== undefined) {
    console.error(`run ${run} of seed ${seed}: ${pair}, ${JSON.stringify(kills)}: ${found.wrong}`);
    process.exitCode = 1;
    break;
  }
  if ((run + 1) % 25 === 0) console.log(`${run + 1} runs, ${killed} kills`);
}
console.log(`${killed} processes were killed, ${((performance.now() - began) / 1_000).toFixed(0)} s`);

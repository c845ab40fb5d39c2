/**
 * Random histories of moves, many of them:
 *
 *   npx node test/model/data-histories.ts --runs 5000 [--seed N]
 *
 * Ends with 1 and the history that failed, made as small as it gets, with the seed that shows it again.
 */
import { parseArgs } from "node:util";
import fc from "fast-check";
import { openMemoryStore } from "../../src/data/index.ts";
import { histories } from "./arbitrary-history.ts";
import { play } from "./data-history.ts";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "1000" }, seed: { type: "string" } },
});
const runs = Number(values.runs);
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
if (!(Number.isInteger(runs) && runs > 0 && Number.isInteger(seed))) {
  console.error("expected --runs as a whole number above 0 and --seed as a whole number");
  process.exit(2);
}

console.log(`${runs} histories from seed ${seed}`);
const began = performance.now();
const outcome = await fc.check(
  fc.asyncProperty(histories, async (history) => {
    await using source = openMemoryStore({ name: "old" });
    await using target = openMemoryStore({ name: "new" });
    const wrong = await play(history, { source, write: (changes) => source.write(changes), target });
    if (wrong !== undefined) throw new Error(wrong);
  }),
  { numRuns: runs, seed },
);
if (outcome.failed) {
  console.error(fc.defaultReportMessage(outcome));
  process.exitCode = 1;
} else {
  console.log(`all hold, ${((performance.now() - began) / 1_000).toFixed(1)} s`);
}

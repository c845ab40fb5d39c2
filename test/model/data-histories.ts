/**
 * Random histories of moves, many of them:
 *
 *   npx node test/model/data-histories.ts --runs 5000 [--seed N] [--from leveldb] [--to lmdb]
 *
 * Sides: memory (default), leveldb, lmdb. Ends with 1 and the history that failed, made as small as it gets, with the seed that
 * shows it again.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { type CapturedStore, openLevelDb, openLmdb, openMemoryStore } from "../../src/data/index.ts";
import { histories } from "./arbitrary-history.ts";
import { play } from "./data-history.ts";

const open: Readonly<Record<string, (path: string) => Promise<CapturedStore>>> = {
  memory: (path) => Promise.resolve(openMemoryStore({ name: path })),
  leveldb: (path) => openLevelDb(path, { create: true }),
  lmdb: (path) => openLmdb(path, { create: true }),
};

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "1000" },
    seed: { type: "string" },
    from: { type: "string", default: "memory" },
    to: { type: "string", default: "memory" },
  },
});
const runs = Number(values.runs);
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
const openSource = open[values.from];
const openTarget = open[values.to];
if (!(Number.isInteger(runs) && runs > 0 && Number.isInteger(seed) && openSource && openTarget)) {
  console.error(
    "expected --runs as a whole number above 0, --seed as one, --from and --to: memory, leveldb, lmdb",
  );
  process.exit(2);
}

console.log(`${runs} histories from ${values.from} to ${values.to}, seed ${seed}`);
const began = performance.now();
const outcome = await fc.check(
  fc.asyncProperty(histories, async (history) => {
    const folder = mkdtempSync(join(tmpdir(), "cutover-histories-"));
    try {
      await using source = await openSource(join(folder, "old"));
      await using target = await openTarget(join(folder, "new"));
      const wrong = await play(history, { source, write: (changes) => source.write(changes), target });
      if (wrong !== undefined) throw new Error(wrong);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }),
  { numRuns: runs, seed },
);
if (outcome.failed) {
  console.error(fc.defaultReportMessage(outcome));
  process.exitCode = 1;
} else {
  console.log(`all hold, ${((performance.now() - began) / 1_000).toFixed(1)} s`);
}

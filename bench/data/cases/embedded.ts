/** LevelDB → LMDB. */
import { join } from "node:path";
import { printReach, printTable } from "../../measure/table.ts";
import type { Bench } from "../bench.ts";
import {
  doWork,
  figure,
  type Measured,
  megabytes,
  perSecond,
  ratio,
  takeTurns,
  times,
  whole,
} from "../turns.ts";

const bytes = 100;

export async function embedded({ folder, rows, rounds }: Bench): Promise<void> {
  const from = join(folder, "embedded-source");
  await doWork({ file: "embedded", task: "makeLevel", options: { to: from, rows, bytes } });
  const way =
    (task: string) =>
    (round: number): Promise<Measured> =>
      doWork({
        file: "embedded",
        task,
        options: { from, to: join(folder, `embedded-${task}-${round}`), rows, bytes },
      });
  const found = await takeTurns(
    {
      "cutover, with checkpoints": way("move"),
      "for await + batch": way("script"),
      "LevelDB read alone": way("read"),
      "LMDB write alone": way("write"),
    },
    rounds,
  );
  const ours = "cutover, with checkpoints";
  console.log(`\nLevelDB → LMDB, ${whole(rows)} rows of ${bytes} bytes, ${rounds} rounds\n`);
  printTable(
    ["", "rows/s", "quartiles", "cutover is", "processor time a row", "own memory"],
    [...found].map(([name, all]) => {
      const { median, low, high } = figure(found, name, perSecond);
      return [
        name,
        whole(median),
        `${whole(low)} … ${whole(high)}`,
        name === ours ? "" : times(ratio(found, ours, name, perSecond)),
        `${figure(found, name, ({ cpu, rows: count }) => (cpu / count) * 1_000).median.toFixed(1)} µs`,
        megabytes(Math.max(...all.map(({ own }) => own))),
      ];
    }),
  );
  console.log();
  const rate = figure(found, ours, perSecond).median;
  printReach("LevelDB → LMDB", rate >= 257_000, `${whole(rate)} rows/s`, "≥ 257,000 rows/s");
  const slower = ["LevelDB read alone", "LMDB write alone"].toSorted(
    (a, b) => figure(found, a, perSecond).median - figure(found, b, perSecond).median,
  )[0] as string;
  const share = ratio(found, ours, slower, perSecond);
  printReach(
    "LevelDB → LMDB, of the slower limit",
    share.median >= 0.8,
    `${times(share)} of ${slower}`,
    "≥ 0.8×",
  );
  const script = ratio(found, ours, "for await + batch", perSecond);
  printReach("LevelDB → LMDB, against a script", script.median >= 1, times(script), "≥ 1×");
}

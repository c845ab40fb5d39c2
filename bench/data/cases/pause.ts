/** How long nobody may write at a cutover of data. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { spread } from "../../measure/rounds.ts";
import { printReach, printTable } from "../../measure/table.ts";
import type { Bench } from "../bench.ts";
import { doWork, takeTurns, whole } from "../turns.ts";

export async function pause({ folder, rows, rounds }: Bench): Promise<void> {
  const made = join(folder, "pause-source");
  await doWork({ file: "embedded", task: "makeLevel", options: { to: made, rows, bytes: 100 } });
  const found = await takeTurns(
    {
      crossing: (round) => {
        const [from, to] = [join(folder, `pause-old-${round}`), join(folder, `pause-new-${round}`)];
        cpSync(made, from, { recursive: true });
        return doWork({ file: "pause", task: "pause", options: { from, to, rows } });
      },
    },
    rounds,
  );
  const of = (name: string): readonly number[] =>
    (found.get("crossing") ?? []).map(({ told }) => told?.[name] ?? Number.NaN);
  const shown = (name: string): string[] => {
    const { median, low, high } = spread(of(name));
    return [ms(median), `${ms(low)} … ${ms(high)}`, ms(Math.max(...of(name)))];
  };
  console.log(`\nCutover from LevelDB to LMDB, ${whole(rows)} rows, 500 writes a second, ${rounds} rounds\n`);
  printTable(
    ["", "median", "quartiles", "longest"],
    [
      ["pause, fence to lift", ...shown("pauseMs")],
      ["slowest write of the application", ...shown("longestMs")],
    ],
  );
  const lost = of("lost").reduce((sum, count) => sum + count, 0);
  console.log(`\n${whole(of("writes").reduce((sum, count) => sum + count, 0))} writes, ${lost} lost\n`);
  const { median } = spread(of("pauseMs"));
  printReach(
    "pause of writes",
    median <= 250 && lost === 0,
    `${ms(median)} median, ${lost} lost`,
    "≤ 250 ms",
  );
}

const ms = (value: number): string => `${value.toFixed(0)} ms`;

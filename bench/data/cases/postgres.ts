/** PostgreSQL → PostgreSQL, each a server of its own, as a move has them: in one, the log of the target's rows would be decoded, too. */
import { postgresServer } from "../../../test/postgres/server.ts";
import { printReach, printTable } from "../../measure/table.ts";
import type { Bench } from "../bench.ts";
import { queryAll } from "../peers.ts";
import { fillTable, makeTable } from "../tables.ts";
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

const ours = "cutover, resumable";
const peer = "COPY | COPY";

export async function postgres({ rows, rounds }: Bench): Promise<void> {
  const settings = { wal_level: "logical", max_wal_size: "8GB", checkpoint_timeout: "30min" };
  const [old, fresh] = await Promise.all([postgresServer(settings), postgresServer(settings)]);
  try {
    const [from, to] = [await old.database(), await fresh.database()];
    await queryAll(from, makeTable, fillTable(rows), "VACUUM ANALYZE items");
    await queryAll(to, makeTable);
    const way = (task: string) => async (): Promise<Measured> => {
      await queryAll(to, "TRUNCATE items", "CHECKPOINT");
      return doWork({ file: "postgres", task, options: { from, to } });
    };
    const found = await takeTurns({ [ours]: way("move"), [peer]: way("pipe") }, rounds);
    console.log(
      `\nPostgreSQL → PostgreSQL, ${whole(rows)} rows of about 120 bytes, six columns, ${rounds} rounds\n`,
    );
    printTable(
      ["", "rows/s", "quartiles", "processor time a row, without servers", "own memory"],
      [...found].map(([name, all]) => {
        const { median, low, high } = figure(found, name, perSecond);
        return [
          name,
          whole(median),
          `${whole(low)} … ${whole(high)}`,
          `${figure(found, name, ({ cpu, rows: count }) => (cpu / count) * 1_000).median.toFixed(1)} µs`,
          megabytes(Math.max(...all.map(({ own }) => own))),
        ];
      }),
    );
    console.log();
    const over = ratio(found, ours, peer, perSecond);
    if (Number.isNaN(over.median)) console.log("reach PostgreSQL → PostgreSQL: not measured");
    else printReach("PostgreSQL → PostgreSQL", over.median >= 0.9, `${times(over)} of ${peer}`, "≥ 0.9×");
  } finally {
    await Promise.all([old.stop(), fresh.stop()]);
  }
}

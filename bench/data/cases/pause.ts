/** How long nobody may write at a cutover of data. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { postgresServer } from "../../../test/postgres/server.ts";
import { spread } from "../../measure/rounds.ts";
import { printReach, printTable } from "../../measure/table.ts";
import type { Bench } from "../bench.ts";
import { queryAll } from "../peers.ts";
import { fillTable, makeMappedTable, makeTable } from "../tables.ts";
import { doWork, type Measured, type Rounds, takeTurns, whole } from "../turns.ts";

const embedded = "LevelDB to LMDB";
const embeddedMapped = `${embedded}, through a map`;
const tables = "PostgreSQL to PostgreSQL";
const tablesMapped = `${tables}, through a map`;

export async function pause({ folder, rows, rounds }: Bench): Promise<void> {
  const made = join(folder, "pause-source");
  await doWork({ file: "embedded", task: "makeLevel", options: { to: made, rows, bytes: 100 } });
  // A server each, as a move has them.
  const servers = await Promise.all([0, 1].map(() => postgresServer({ wal_level: "logical" })));
  try {
    const level =
      (mapped: boolean) =>
      (round: number): Promise<Measured> => {
        const [from, to] = ["old", "new"].map((side) => join(folder, `pause-${side}-${round}-${mapped}`));
        cpSync(made, from ?? "", { recursive: true });
        return doWork({
          file: "pause",
          task: "pause",
          options: { from: from ?? "", to: to ?? "", rows, mapped },
        });
      };
    const postgres = (mapped: boolean) => async (): Promise<Measured> => {
      const [from = "", to = ""] = await Promise.all(servers.map((server) => server.database()));
      await queryAll(from, makeTable, fillTable(rows), "VACUUM ANALYZE items");
      await queryAll(to, mapped ? makeMappedTable : makeTable);
      return doWork({ file: "pause", task: "pausePostgres", options: { from, to, rows, mapped } });
    };
    const ways = {
      [embedded]: level(false),
      [embeddedMapped]: level(true),
      [tables]: postgres(false),
      [tablesMapped]: postgres(true),
    };
    show(await takeTurns(ways, rounds), rows, rounds);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

function show(found: Rounds, rows: number, rounds: number): void {
  const of = (way: string, name: string): readonly number[] =>
    (found.get(way) ?? []).map(({ told }) => told?.[name] ?? Number.NaN);
  const shown = (way: string, name: string): string => {
    const { median, low, high } = spread(of(way, name));
    return `${ms(median)} (${ms(low)} … ${ms(high)}), longest ${ms(Math.max(...of(way, name)))}`;
  };
  const sum = (way: string, name: string): number => of(way, name).reduce((all, count) => all + count, 0);
  console.log(
    `\nCutover of ${whole(rows)} rows, 500 writes a second, ${rounds} rounds: medians and quartiles\n`,
  );
  printTable(
    ["", "pause, fence to lift", "slowest write of the application", "writes", "lost"],
    [...found.keys()].map((way) => [
      way,
      shown(way, "pauseMs"),
      shown(way, "longestMs"),
      whole(sum(way, "writes")),
      whole(sum(way, "lost")),
    ]),
  );
  console.log();
  for (const way of found.keys()) {
    const { median } = spread(of(way, "pauseMs"));
    const lost = sum(way, "lost");
    printReach(
      `pause of writes, ${way}`,
      median <= 250 && lost === 0,
      `${ms(median)} median, ${whole(lost)} lost`,
      "≤ 250 ms",
    );
  }
}

const ms = (value: number): string => `${value.toFixed(0)} ms`;

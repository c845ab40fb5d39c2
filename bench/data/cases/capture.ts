/** What it costs an application that its changes are kept for a move. */
import { join } from "node:path";
import { postgresServer } from "../../../test/postgres/server.ts";
import { printTable } from "../../measure/table.ts";
import type { Bench } from "../bench.ts";
import { pgClient } from "../peers.ts";
import { doWork, figure, type Measured, perSecond, ratio, takeTurns, times, whole } from "../turns.ts";

const ways = ["plain", "idle", "captured"] as const;
const each = ({ cpu, rows }: Measured): number => (cpu / rows) * 1_000;
type Prepare = (how: string, round: number) => Promise<string>;

export async function capture({ folder, rows, rounds }: Bench): Promise<void> {
  const server = await postgresServer({ wal_level: "logical" });
  const table: string[][] = [];
  const measure = async (name: string, task: string, writes: number, prepare: Prepare): Promise<void> => {
    const way =
      (how: string) =>
      async (round: number): Promise<Measured> =>
        doWork({ file: "capture", task, options: { to: await prepare(how, round), how, writes } });
    const found = await takeTurns(Object.fromEntries(ways.map((how) => [how, way(how)])), rounds);
    table.push([
      name,
      ...ways.map((how) => whole(figure(found, how, perSecond).median)),
      ...ways.map((how) => `${figure(found, how, each).median.toFixed(1)} µs`),
      times(ratio(found, "captured", "plain", each)),
    ]);
  };
  const place = (name: string): Prepare => {
    return (how, round) => Promise.resolve(join(folder, `capture-${name}-${how}-${round}`));
  };
  try {
    const url = await server.database();
    const client = await pgClient(url);
    const emptied: Prepare = async () => {
      await client.query("DROP TABLE IF EXISTS kept");
      await client.query("CREATE TABLE kept (k bytea PRIMARY KEY, v bytea)");
      return url;
    };
    await measure("LevelDB", "level", rows / 10, place("level"));
    await measure("LMDB", "lmdb", rows / 10, place("lmdb"));
    await measure("SQLite, NORMAL", "sqlite", rows / 20, place("sqlite"));
    await measure("PostgreSQL", "postgres", rows / 100, emptied);
    await client.end();
  } finally {
    await server.stop();
  }
  console.log(
    `\nWrites of 100 bytes, 20 on their way at the same time, ${rounds} rounds; processor time without servers\n`,
  );
  printTable(
    ["", "driver, /s", "no move", "captured", "driver, each", "no move", "captured", "captured over driver"],
    table,
  );
}

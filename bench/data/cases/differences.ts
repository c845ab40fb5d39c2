/** Finding what differs, beside bisection by checksums of ranges. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { postgresServer } from "../../../test/postgres/server.ts";
import { printReach, printTable } from "../../measure/table.ts";
import type { Bench } from "../bench.ts";
import { pgClient } from "../peers.ts";
import { fillTable, makeTable } from "../tables.ts";
import type { Values } from "../rows.ts";
import { spreadAt } from "../spread.ts";
import {
  doWork,
  figure,
  type Measured,
  milliseconds,
  ratio,
  takeTurns,
  times,
  whole,
  type Work,
} from "../turns.ts";

/** A LevelDB is read faster where values are texts. */
const described: Readonly<Record<Values, string>> = { JSON: "JSON", bytes: "bytes by chance" };

const counts = [0, 1, 100, 1_000];

export async function differences(bench: Bench): Promise<void> {
  for (const values of ["JSON", "bytes"] as const) await embedded(bench, values);
  await postgres(bench);
}

async function embedded({ folder, rows, rounds }: Bench, values: Values): Promise<void> {
  const [from, to] = [join(folder, `differences-${values}`), join(folder, `differences-${values}-target`)];
  await doWork({ file: "embedded", task: "makeLevel", options: { to: from, rows, bytes: 100, values } });
  await doWork({ file: "embedded", task: "move", options: { from, to } });
  await compare(
    `LevelDB and LMDB, ${whole(rows)} rows of 100 bytes, ${described[values]}`,
    `LevelDB and LMDB, ${described[values]}`,
    rounds,
    async (count) => {
      const damaged = `${to}-${count}`;
      cpSync(to, damaged, { recursive: true });
      await doWork({ file: "differences", task: "damage", options: { to: damaged, rows, count } });
      const options = { from, to: damaged, rows };
      return {
        ours: { file: "differences", task: "verifyEmbedded", options },
        peer: { file: "differences", task: "bisectionEmbedded", options },
      };
    },
  );
}

async function postgres({ rows, rounds }: Bench): Promise<void> {
  const server = await postgresServer({ wal_level: "logical", shared_buffers: "1GB", max_wal_size: "8GB" });
  try {
    const [from, to] = [await server.database(), await server.database()];
    for (const url of [from, to]) await query(url, makeTable, fillTable(rows), "VACUUM ANALYZE items");
    await compare(
      `two tables of PostgreSQL, ${whole(rows)} rows, six columns`,
      "PostgreSQL",
      rounds,
      async (count) => {
        if (count > 0) {
          const ids = Array.from({ length: count }, (_, at) => spreadAt(at, count, rows));
          // From the values that the server gives itself, so that the rows changed before are as they were, or changed again.
          const change = `UPDATE items SET amount = id / 100.0 + 1 WHERE id = ANY('{${ids.join(",")}}')`;
          await query(
            to,
            "UPDATE items SET amount = id / 100.0 WHERE amount <> id / 100.0",
            change,
            "VACUUM ANALYZE items",
          );
        }
        const options = { from, to };
        return {
          ours: { file: "differences", task: "verifyPostgres", options },
          peer: { file: "differences", task: "bisectionPostgres", options },
        };
      },
    );
  } finally {
    await server.stop();
  }
}

/** `prepare` makes so many differences and says how each way is run. */
async function compare(
  title: string,
  name: string,
  rounds: number,
  prepare: (count: number) => Promise<{ readonly ours: Work; readonly peer: Work }>,
): Promise<void> {
  const table: string[][] = [];
  const reached: (() => void)[] = [];
  for (const count of counts) {
    const { ours, peer } = await prepare(count);
    const found = await takeTurns({ ours: () => run(ours), peer: () => run(peer) }, rounds);
    agree(found.get("ours") ?? [], found.get("peer") ?? []);
    const faster = ratio(found, "peer", "ours", milliseconds);
    const shown = ["ours", "peer"].map(
      (way) => `${(figure(found, way, milliseconds).median / 1_000).toFixed(2)} s`,
    );
    const told = found.get("ours")?.[0]?.told?.["differences"] ?? Number.NaN;
    table.push([whole(told), ...shown, times(faster)]);
    reached.push(() =>
      printReach(
        `differences, ${name}, ${whole(told)}`,
        faster.median >= 3,
        `${times(faster)} as fast`,
        "≥ 3×",
      ),
    );
  }
  console.log(`\nFinding differences, ${title}, ${rounds} rounds\n`);
  printTable(["differences", "cutover", "bisection by md5", "faster"], table);
  console.log();
  for (const print of reached) print();
}

const run = (work: Work): Promise<Measured> => doWork(work);

/** A way that finds something else is no way of doing the same. */
function agree(ours: readonly Measured[], peer: readonly Measured[]): void {
  const told = new Set([...ours, ...peer].map((one) => one.told?.["differences"]));
  if (told.size > 1)
    throw new Error(`expected both ways to find the same, found ${[...told].join(", ")} differences`);
}

async function query(url: string, ...statements: readonly string[]): Promise<void> {
  const client = await pgClient(url);
  for (const sql of statements) await client.query(sql);
  await client.end();
}

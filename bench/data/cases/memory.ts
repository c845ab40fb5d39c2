/** Memory of the process that moves, with many rows and with huge ones. */
import { join } from "node:path";
import { printReach, printTable } from "../../measure/table.ts";
import type { Bench } from "../bench.ts";
import { doWork, type Measured, megabytes, whole } from "../turns.ts";

const limit = 200_000_000;

export async function memory({ folder, rows }: Bench): Promise<void> {
  const shapes = [
    { name: `${whole(rows)} rows of 100 bytes`, rows, bytes: 100 },
    { name: "50 rows of 20 MB", rows: 50, bytes: 20_000_000 },
  ];
  const found: { readonly name: string; readonly done: Measured }[] = [];
  for (const [index, { name, ...shape }] of shapes.entries()) {
    const from = join(folder, `memory-source-${index}`);
    const to = join(folder, `memory-target-${index}`);
    await doWork({ file: "embedded", task: "makeLevel", options: { to: from, ...shape } });
    const done = await doWork({ file: "embedded", task: "move", options: { from, to } });
    found.push({ name: `copied, ${name}`, done });
    found.push({
      name: `compared, ${name}`,
      done: await doWork({ file: "differences", task: "verifyEmbedded", options: { from, to } }),
    });
  }
  console.log("\nMost memory of the process, LevelDB → LMDB\n");
  printTable(
    ["", "own", "with mapped files"],
    found.map(({ name, done: { own, resident } }) => [name, megabytes(own), megabytes(resident)]),
  );
  console.log();
  for (const { name, done } of found)
    printReach(`memory, ${name}`, done.own <= limit, megabytes(done.own), "≤ 200 MB");
}

/** What a worker costs that has nothing to do. */
import { printTable } from "../../measure/table.ts";
import { peers, reachFigure } from "../report.ts";
import type { SideName } from "../sides.ts";
import { type Bench, openDoors, orLeave } from "../turns.ts";

export async function idle(bench: Bench): Promise<void> {
  const seconds = bench.quick ? 5 : 20;
  await using stack = new AsyncDisposableStack();
  const doors = await openDoors(bench, ["cutover PostgreSQL", "cutover SQLite", ...peers], stack);
  const found = new Map<SideName, number>();
  // All at the same time: they have nothing to do, and processor time is each one's own.
  await Promise.all(
    [...doors].map(async ([name, door]) => {
      const answer = await orLeave(name, () => door.do("idle", { seconds }));
      if (answer !== undefined) found.set(name, answer.percent);
    }),
  );
  console.log(`\nprocessor time of a worker without work over ${seconds} s, of one processor\n`);
  printTable(
    ["", "share"],
    [...doors.keys()].map((name) => [name, `${(found.get(name) ?? Number.NaN).toFixed(2)} %`]),
  );
  console.log();
  reachFigure("idle-cpu", found.get("cutover PostgreSQL"), { below: 1 }, "%");
  reachFigure("idle-cpu, SQLite", found.get("cutover SQLite"), { below: 1 }, "%");
}

/** From submit to start at a hundred jobs a second, in one process and from one process to another. */
import { spread } from "../../measure/rounds.ts";
import { printTable } from "../../measure/table.ts";
import { peers, reachFigure } from "../report.ts";
import { SideDoor } from "../side-door.ts";
import type { SideName } from "../sides.ts";
import { type Bench, openDoor, orLeave } from "../turns.ts";

const perSecond = 100;
/** How long it takes until its commit is answered: what of a start is the machine's, the disk's and the driver's. */
const floor: SideName = "bare INSERT";

export async function latency(bench: Bench): Promise<void> {
  const [turns, seconds] = bench.quick ? [2, 3] : [4, 5];
  for (const processes of [1, 2]) {
    await using stack = new AsyncDisposableStack();
    const pairs = new Map<SideName, { worker: SideDoor; submitter: SideDoor; millis: number[] }>();
    for (const name of ["cutover PostgreSQL", "cutover SQLite", ...peers, floor] as const) {
      // One process owns the file of SQLite, and from a bare INSERT nobody else hears.
      if (processes === 2 && (name === "cutover SQLite" || name === floor)) continue;
      // Starts on the half second by design.
      if (name === "pg-boss polling") continue;
      const worker = await openDoor(bench, name);
      if (worker === undefined) continue;
      stack.use(worker);
      await orLeave(name, async () => {
        const submitter = processes === 1 ? worker : stack.use(await SideDoor.open(worker.spec));
        await worker.do("listen", {});
        pairs.set(name, { worker, submitter, millis: [] });
      });
    }
    for (let turn = -1; turn < turns; turn++) {
      for (const [name, { worker, submitter, millis }] of pairs) {
        const length = turn < 0 ? 2 : seconds;
        const heard = await orLeave(name, async () => {
          await submitter.do("steady", { perSecond, seconds: length });
          return await worker.do("heard", { count: perSecond * length });
        });
        if (heard === undefined) pairs.delete(name);
        else if (turn >= 0) millis.push(...heard.millis);
      }
    }
    print(processes, turns * seconds, new Map([...pairs].map(([name, { millis }]) => [name, millis])));
  }
}

function print(processes: number, seconds: number, found: ReadonlyMap<SideName, readonly number[]>): void {
  const where = processes === 1 ? "in one process" : "from one process to another";
  console.log(`\nsubmit to start ${where}, ${perSecond}/s for ${seconds} s, milliseconds\n`);
  const at = (name: SideName, part: number): number | undefined => {
    const sorted = found.get(name)?.toSorted((a, b) => a - b);
    return sorted?.[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  };
  const shown = (value: number | undefined): string => (value ?? Number.NaN).toFixed(2);
  printTable(
    ["", "p50", "quartiles", "p99", "most"],
    [...found].map(([name, millis]) => {
      const { low, high } = spread(millis);
      return [
        name,
        shown(at(name, 0.5)),
        `${low.toFixed(2)} … ${high.toFixed(2)}`,
        shown(at(name, 0.99)),
        shown(at(name, 1)),
      ];
    }),
  );
  console.log();
  const suffix = processes === 1 ? "" : ", two processes";
  reachFigure(`start-p50${suffix}`, at("cutover PostgreSQL", 0.5), { below: 1.2 }, "ms");
  reachFigure(`start-p99${suffix}`, at("cutover PostgreSQL", 0.99), { below: 10 }, "ms");
  if (processes === 2) return;
  reachFigure("start-p50, SQLite", at("cutover SQLite", 0.5), { below: 1.2 }, "ms");
  reachFigure("start-p99, SQLite", at("cutover SQLite", 0.99), { below: 10 }, "ms");
}

/** Doing jobs that do nothing: what is stored, what is stored behind a large backlog, and what comes in meanwhile. */
import { durablePeers, peers, postgresPeers, printRates, reachFigure, reachRatio } from "../report.ts";
import { spread } from "../../measure/rounds.ts";
import { printTable } from "../../measure/table.ts";
import type { SideName } from "../sides.ts";
import { type Bench, openDoor, orLeave, takeTurns } from "../turns.ts";

const ours: readonly SideName[] = ["cutover PostgreSQL", "cutover SQLite"];

export async function drain(bench: Bench): Promise<void> {
  const rounds = bench.quick ? 3 : 7;
  const count = bench.quick ? 5_000 : 20_000;
  const figures = await takeTurns(bench, [...ours, ...peers], rounds, async (door) => {
    await door.do("fill", { count });
    return (await door.do("drain", { count })).perSecond;
  });
  printRates(
    `jobs that do nothing, from the first start until the store says that all are done, ${rounds} rounds of ${count}`,
    figures,
  );
  reachRatio("one at a time", figures, ["graphile-worker"], 2);
  reachRatio("batched", figures, postgresPeers, 1);
  reachRatio("batched, Redis among the peers", figures, durablePeers, 1);
}

export async function backlog(bench: Bench): Promise<void> {
  const size = bench.quick ? 100_000 : 1_000_000;
  const count = 10_000;
  const rows: string[][] = [];
  const kept = new Map<SideName, number>();
  for (const name of [...ours, ...peers]) {
    await using door = await openDoor(bench, name);
    if (door === undefined) continue;
    await orLeave(name, async () => {
      await door.do("fill", { count });
      await door.do("drainSome", { count });
      const rate = async (fill: number): Promise<number> => {
        await door.do("fill", { count: fill });
        return (await door.do("drainSome", { count })).perSecond;
      };
      const empty = [await rate(count), await rate(count), await rate(count)];
      const full = [await rate(size), await rate(count), await rate(count)];
      const [before, behind] = [spread(empty).median, spread(full).median];
      kept.set(name, behind / before);
      const shown = [before, behind].map((value) => Math.round(value).toLocaleString("en"));
      rows.push([name, ...shown, `${((behind / before) * 100).toFixed(0)} %`]);
    });
  }
  console.log(
    `\n${count} jobs done, with no others and with ${size.toLocaleString("en")} waiting; median of 3\n`,
  );
  printTable(["", "per second", "with backlog", "keeps"], rows);
  console.log();
  for (const name of ours) {
    const share = kept.get(name);
    reachFigure(`backlog, ${name}`, share === undefined ? share : share * 100, { least: 80 }, "%");
  }
}

export async function sqlite(bench: Bench): Promise<void> {
  const rounds = bench.quick ? 3 : 7;
  const count = bench.quick ? 10_000 : 50_000;
  for (const callers of [0, 100]) {
    const figures = await takeTurns(bench, ["cutover SQLite"], rounds, async (door) => {
      return (await door.do("flow", { count, callers })).perSecond;
    });
    const how = callers === 0 ? "in calls of 1,000" : `one by one by ${callers} callers`;
    printRates(`SQLite, submitted ${how} and done meanwhile, ${rounds} rounds of ${count}`, figures);
    const { median } = spread(figures.get("cutover SQLite") ?? []);
    reachFigure(callers === 0 ? "sqlite" : "sqlite, one by one", median, { least: 10_000 }, "/s");
  }
}

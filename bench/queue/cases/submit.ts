/** Submitting one by one, by one caller and by many; and in calls of a thousand. */
import { durablePeers, peers, postgresPeers, printRates, reachRatio } from "../report.ts";
import type { SideName } from "../sides.ts";
import { type Bench, takeTurns } from "../turns.ts";

const names: readonly SideName[] = ["cutover PostgreSQL", "cutover SQLite", ...peers, "bare INSERT"].filter(
  // Submits the same way as the other graphile-worker: only its worker differs.
  (name): name is SideName => name !== "graphile-worker local queue",
);

export async function submit(bench: Bench): Promise<void> {
  const rounds = bench.quick ? 3 : 9;
  for (const callers of [1, 32]) {
    const count = (callers === 1 ? 1_000 : 4_000) / (bench.quick ? 4 : 1);
    const figures = await takeTurns(bench, names, rounds, async (door) => {
      return (await door.do("submit", { count, callers })).perSecond;
    });
    printRates(
      `submit one by one, ${callers} caller${callers === 1 ? "" : "s"}, ${rounds} rounds of ${count}`,
      figures,
    );
    reachRatio(`one-by-one-${callers}`, figures, postgresPeers, 2);
    reachRatio(`one-by-one-${callers}, Redis among the peers`, figures, durablePeers, 2);
  }
}

export async function bulk(bench: Bench): Promise<void> {
  const rounds = bench.quick ? 3 : 9;
  const count = bench.quick ? 10_000 : 50_000;
  const figures = await takeTurns(bench, names, rounds, async (door) => {
    return (await door.do("submitMany", { count })).perSecond;
  });
  printRates(`submit in calls of 1,000, ${rounds} rounds of ${count}`, figures);
  reachRatio("bulk", figures, durablePeers, 1);
}

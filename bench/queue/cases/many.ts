/** Stored jobs done by several processes that share them, each with a few in hand. */
import { spread } from "../../measure/rounds.ts";
import { printTable } from "../../measure/table.ts";
import { monotonic } from "../side.ts";
import { SideDoor } from "../side-door.ts";
import { type SideName, specOf } from "../sides.ts";
import { type Bench, orLeave } from "../turns.ts";

/** What a worker has in hand: jobs that take some time leave no more of them to a process. */
const inHand = 10;

const settings: Readonly<Partial<Record<SideName, Readonly<Record<string, unknown>>>>> = {
  "cutover PostgreSQL": { slots: inHand, claimBatch: inHand },
  "graphile-worker": { concurrentJobs: inHand, maxPoolSize: inHand + 1 },
  "pg-boss": { work: { batchSize: inHand, burstWhenBatchFull: true } },
};
const patienceMs = 120_000;
const processes: readonly number[] = [1, 2, 4, 8];

export async function many(bench: Bench): Promise<void> {
  const rounds = bench.quick ? 2 : 5;
  const count = bench.quick ? 3_000 : 20_000;
  const rows: string[][] = [];
  for (const [name, own] of Object.entries(settings) as [SideName, object][]) {
    const rates: string[] = [];
    for (const workers of processes) {
      const found = await orLeave(name, () => measure(bench, { name, own, workers, rounds, count }));
      if (found === undefined) break;
      const { median, low, high } = spread(found);
      const [shown, least, most] = [median, low, high].map((rate) => Math.round(rate).toLocaleString("en"));
      rates.push(`${shown} (${least}–${most})`);
    }
    if (rates.length > 0) rows.push([name, ...rates]);
  }
  console.log(
    `\njobs that do nothing, done by processes with ${inHand} in hand each, ${rounds} rounds of ${count}, a second\n`,
  );
  printTable(["", ...processes.map((workers) => `${workers} process${workers === 1 ? "" : "es"}`)], rows);
}

async function measure(
  bench: Bench,
  given: {
    readonly name: SideName;
    readonly own: object;
    readonly workers: number;
    readonly rounds: number;
    readonly count: number;
  },
): Promise<readonly number[]> {
  await using stack = new AsyncDisposableStack();
  const { name, own, workers, rounds, count } = given;
  const spec = await specOf(name, bench.machines);
  const doors: SideDoor[] = [];
  for (let n = 0; n < workers; n++)
    doors.push(stack.use(await SideDoor.open({ ...spec, settings: { ...spec.settings, ...own } })));
  const [first] = doors as [SideDoor];
  const rates: number[] = [];
  // The first round warms all of them up.
  for (let round = -1; round < rounds; round++) {
    await first.do("fill", { count });
    const began = monotonic();
    for (const door of doors) void door.do("help", {});
    const rate = (count * 1_000) / ((await lastStart(doors, count)) - began);
    for (const door of doors) await door.do("rest", {});
    if (round >= 0) rates.push(rate);
  }
  return rates;
}

/** When the last of so many jobs was started, wherever. */
async function lastStart(doors: readonly SideDoor[], count: number): Promise<number> {
  for (const end = monotonic() + patienceMs; ;) {
    const helped = await Promise.all(doors.map((door) => door.do("helped", {})));
    const started = helped.reduce((sum, each) => sum + each.started, 0);
    if (started >= count) return Math.max(...helped.map(({ last }) => last));
    if (monotonic() > end) throw new Error(`${started} of ${count} jobs were started`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

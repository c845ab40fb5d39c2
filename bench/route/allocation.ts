/** What one call leaves on the heap: for the garbage collector that is work, and it is done on the callers' time. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Spread, spread } from "../measure/rounds.ts";
import { printReach, printTable } from "../measure/table.ts";
import { callInTurns, routed, type Stage, stages } from "./routes.ts";
import { answerOld } from "./sides.ts";

const samples = 40;
/** Few enough that the young generation holds them all: a collection in between would spoil the sample. */
const calls = 1_000;

/** Bytes allocated per call; a sample in which the collector ran is taken again. */
async function bytesPerCall(run: (calls: number) => Promise<void>): Promise<Spread> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  await run(20_000); // compiled code allocates otherwise than interpreted code
  const found: number[] = [];
  for (let tries = 0; found.length < samples && tries < 4 * samples; tries++) {
    collect();
    const before = process.memoryUsage().heapUsed;
    await run(calls);
    const bytes = (process.memoryUsage().heapUsed - before) / calls;
    if (bytes >= 0) found.push(bytes);
  }
  return spread(found);
}

/** Most bytes a call may leave beside what the same call without a door leaves. */
const mostBytes: Readonly<Record<Stage, number>> = { off: 250, share: 600, shadow: 4_000, complete: 250 };

export async function allocation(): Promise<void> {
  const direct = (await bytesPerCall((count) => callInTurns(answerOld, count))).median;
  const rows: { stage: Stage; bytes: number }[] = [];
  for (const stage of stages) {
    const { call, rollout } = routed(stage, false);
    rows.push({ stage, bytes: (await bytesPerCall((count) => callInTurns(call, count))).median - direct });
    await rollout.close();
  }
  console.log(`bytes allocated per call; the same call without a door: ${Math.round(direct)}\n`);
  printTable(
    ["", "above direct"],
    rows.map(({ stage, bytes }) => [`route ${stage}`, String(Math.round(bytes))]),
  );
  console.log();
  for (const { stage, bytes } of rows)
    printReach(
      `allocation at ${stage}`,
      bytes <= mostBytes[stage],
      `${Math.round(bytes)} bytes`,
      `≤ ${mostBytes[stage]}`,
    );
}

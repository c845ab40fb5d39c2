/** What one call leaves on the heap: for the garbage collector that is work, and it is done on the callers' time. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Spread, spread } from "../measure/rounds.ts";

const samples = 40;
/** Few enough that the young generation holds them all: a collection in between would spoil the sample. */
const calls = 1_000;

/** Bytes allocated per call; a sample in which the collector ran is taken again. */
export async function bytesPerCall(run: (calls: number) => Promise<void>): Promise<Spread> {
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

/**
 * A process that writes to its old store while it moves it to a new one, and kills itself at a fault point:
 *
 *   node test/chaos-data/mover.ts FOLDER FENCE WRITES [POINT HIT]
 *
 * Started again it goes on with what it finds. Ends with 0 when all was written and the move is over.
 */
import { setFaultHandler } from "../../src/core/index.ts";
import { type Change, openLevelDb, openLmdb, startMove } from "../../src/data/index.ts";

const [folder = "", fence = "1", writes = "0", point, hit = "1"] = process.argv.slice(2);
let hits = 0;
setFaultHandler((name) => {
  if (name === point && ++hits === Number(hit)) process.kill(process.pid, "SIGKILL");
});

const source = await openLevelDb(`${folder}/old`, { create: true });
const target = await openLmdb(`${folder}/new`, { create: true });

/** How many writes are done stands among the rows, in the same batch: a killed writer knows where it was. */
const counter = Buffer.from("done");
const [saved] = await source.get("", [counter]);
let done = saved === undefined ? 0 : Number(Buffer.from(saved).toString());
const rowsOf = (count: number): readonly Change[] => {
  const key = Buffer.from(`row ${(count * 7919) % 400}`);
  const value = count % 5 === 4 ? null : Buffer.from(`${count} `.repeat(1 + (count % 40)));
  return [
    { collection: "", key, value },
    { collection: "", key: counter, value: Buffer.from(String(count + 1)) },
  ];
};
const writeOne = async (): Promise<void> => {
  await source.write(rowsOf(done), { durable: true });
  done++;
};

while (done < 400) await writeOne();
const move = startMove({ source, target, job: "move", fence: Number(fence), chunk: { rows: 20 } });
const ended = move.done;
while (done < Number(writes)) await Promise.race([writeOne(), ended]);
move.stopAt(await source.fence(1, { signal: AbortSignal.timeout(10_000) }));
const { finished } = await ended;
await source[Symbol.asyncDispose]();
await target[Symbol.asyncDispose]();
process.exitCode = finished ? 0 : 1;

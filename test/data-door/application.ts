/**
 * An application that serves its LevelDB by a door, and writes to it all the time:
 *
 *   node test/data-door/application.ts FOLDER writes|rests [POINT HIT]
 *
 * Says `ready` when the door is open. Kills itself at a fault point. How many writes it did stands among the rows, in the same
 * transaction, so that one started again goes on with the next. It stops writing when its store is fenced.
 */
import { setFaultHandler } from "../../src/core/index.ts";
import { type Change, openLevelDb, serveData } from "../../src/data/index.ts";

const [folder = "", kind = "writes", point, hit = "1"] = process.argv.slice(2);
let hits = 0;
setFaultHandler((name) => {
  if (name === point && ++hits === Number(hit)) process.kill(process.pid, "SIGKILL");
});

const store = await openLevelDb(`${folder}/app`, { create: true });
await serveData({ app: store }, { socket: `${folder}/app.sock` });

const counter = Buffer.from("done");
const [saved] = await store.get("", [counter]);
let done = saved === undefined ? 0 : Number(Buffer.from(saved).toString());
const changesOf = (count: number): readonly Change[] => {
  const key = Buffer.from(`row ${(count * 7919) % 20_000}`);
  const value = count % 5 === 4 ? null : Buffer.from(`${count} `.repeat(1 + (count % 40)));
  return [
    { collection: "", key, value },
    { collection: "", key: counter, value: Buffer.from(String(count + 1)) },
  ];
};
const writeMany = async (count: number): Promise<void> => {
  await store.write(Array.from({ length: count }, (_, index) => changesOf(done + index)).flat(), {
    epoch: 0,
  });
  done += count;
};
if (kind === "writes") while (done < 20_000) await writeMany(500);
process.stdout.write("ready\n");

let fenced = kind !== "writes";
while (!fenced) {
  await writeMany(1).catch((error: unknown) => {
    if ((error as { code?: string }).code !== "CUTOVER_DATA_FENCED") throw error;
    fenced = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 1));
}

/**
 * Plays a migration that crosses again and again, by the stores' own calls, and kills itself at a point:
 *
 *   node test/chaos-switch/player.ts FOLDER CROSSINGS [POINT HIT]
 */
import { hasCode, setFaultHandler } from "../../src/core/index.ts";
import {
  type CapturedStore,
  type Change,
  fileSwitch,
  openLmdb,
  type Standing,
} from "../../src/data/index.ts";

const [folder = "", crossings = "1", point, hit = "1"] = process.argv.slice(2);
let hits = 0;
const reached = (name: string): void => {
  if (name === point && ++hits === Number(hit)) process.kill(process.pid, "SIGKILL");
};
setFaultHandler(reached);
const signal = AbortSignal.timeout(50_000);

const stores = {
  old: await openLmdb(`${folder}/old`, { create: true }),
  new: await openLmdb(`${folder}/new`, { create: true }),
};
const kept = fileSwitch(`${folder}/switch`, { create: true, by: "player" });

async function rowsOf(store: CapturedStore): Promise<Map<string, Change>> {
  const found = new Map<string, Change>();
  for await (const rows of store.scan({ collection: "" }))
    for (const { key, value } of rows) found.set(Buffer.from(key).toString(), { collection: "", key, value });
  return found;
}

async function cross(): Promise<void> {
  const { side, epoch } = await kept.read();
  const to: Standing = { side: side === "old" ? "new" : "old", epoch: epoch + 1 };
  await stores[to.side].fence(to.epoch + 1, { signal });
  reached("fenced-there");
  await stores[side].fence(to.epoch, { signal });
  reached("fenced-here");
  const [here, there] = [await rowsOf(stores[side]), await rowsOf(stores[to.side])];
  const gone = [...there].flatMap(([name, { key }]) =>
    here.has(name) ? [] : [{ collection: "", key, value: null }],
  );
  await stores[to.side].applyTxn({
    job: "play",
    fence: 1,
    origin: "play",
    changes: [...here.values(), ...gone],
    rows: [],
  });
  reached("carried");
  try {
    await kept.turn(to);
  } catch (error) {
    if (!hasCode(error, "CUTOVER_DATA_EPOCH")) throw error;
    return;
  }
  reached("before-lift");
  await stores[to.side].lift(to.epoch);
  reached("lifted");
}

for (let each = 0; each < Number(crossings); each++) {
  await cross();
  // Long enough for some writes, short enough for many crossings.
  await new Promise((resolve) => setTimeout(resolve, 30));
}
for (const store of Object.values(stores)) await store[Symbol.asyncDispose]();

/**
 * A process that writes while its data crosses to a new side, comes back and crosses again, and kills itself at a fault point:
 *
 *   node test/chaos-data/cutover-process.ts FOLDER PAIR FENCE [STAGE POINT HIT]
 *
 * The point counts only in that stage. Started again it goes on where it stood. Ends with 0 when the data has crossed for the last time; the last line it says is then
 * how many writes there were.
 */
import { randomBytes } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setFaultHandler } from "../../src/core/index.ts";
import {
  crossOver,
  type CrossingOptions,
  type CrossingState,
  fileSwitch,
  goBack,
  moveData,
} from "../../src/data/index.ts";
import { type CrossingStage, openPair, type PairName, writesOf } from "./cutover-sides.ts";

const [folder = "", pairName = "", fence = "1", stage, point, hit = "1"] = process.argv.slice(2);

interface Kept {
  readonly stage: CrossingStage | "done";
  readonly state?: CrossingState;
}
const place = `${folder}/kept.json`;
const keep = (kept: Kept): void => {
  writeFileSync(`${place}.new`, JSON.stringify(kept));
  renameSync(`${place}.new`, place);
};
let kept: Kept = existsSync(place) ? (JSON.parse(readFileSync(place, "utf8")) as Kept) : { stage: "move" };
let hits = 0;
setFaultHandler((name) => {
  if (kept.stage === stage && name === point && ++hits === Number(hit)) process.kill(process.pid, "SIGKILL");
});

const pair = await openPair(pairName as PairName, folder);
const sw = fileSwitch(`${folder}/switch`, { create: true });

const { side } = await sw.read();
let done = Number((await pair.rows(side))["done"] ?? 0);
const acknowledged = existsSync(`${folder}/acknowledged`)
  ? Number(readFileSync(`${folder}/acknowledged`, "utf8").trim().split("\n").at(-1))
  : 0;
if (done < acknowledged || done > acknowledged + 1)
  throw new Error(`the ${side} side has ${done} writes, ${acknowledged} were acknowledged`);

let over = false;
const writer = (async () => {
  while (!over) {
    await pair.write(writesOf(done));
    done++;
    appendFileSync(`${folder}/acknowledged`, `${done}\n`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
})();
const until = async (count: number): Promise<void> => {
  while (done < count) await Promise.race([new Promise((resolve) => setTimeout(resolve, 2)), writer]);
};

const job = { job: "orders", fence: Number(fence) };
const crossing = (): CrossingOptions => ({
  old: pair.old,
  new: pair.new,
  switch: sw,
  ...job,
  ...(pair.map === undefined ? {} : { map: pair.map }),
  ...(pair.back === undefined ? {} : { back: pair.back }),
  ...(pair.collections === undefined ? {} : { collections: pair.collections }),
  ...(pair.into === undefined ? {} : { into: pair.into }),
  random: (length) => new Uint8Array(randomBytes(length)),
  ...(kept.state === undefined ? {} : { state: kept.state }),
  // The whole of a pause on a busy machine, with a disk that is written to by others.
  limits: { pauseMs: 20_000, abortMs: 30_000, lagMs: 10_000 },
  save: (state) => {
    kept = { ...kept, state };
    keep(kept);
    return Promise.resolve();
  },
});
const next = (stage: Kept["stage"]): void => {
  kept = { stage };
  keep(kept);
};

if (kept.stage === "move") {
  await until(80);
  await moveData({
    source: pair.old,
    target: pair.new,
    ...job,
    without: ["orders:back", "orders:try"],
    ...(pair.map === undefined ? {} : { map: pair.map }),
    ...(pair.collections === undefined
      ? {}
      : { ranges: pair.collections.map((collection) => ({ collection })) }),
    ...(pair.into === undefined ? {} : { into: pair.into }),
    chunk: { rows: 12 },
  });
  next("over");
}
const reached = done;
if (kept.stage === "over") {
  await crossOver(crossing());
  next("back");
  await until(reached + 20);
}
if (kept.stage === "back") {
  await goBack(crossing());
  next("again");
  await until(done + 15);
}
if (kept.stage === "again") {
  await crossOver(crossing());
  next("done");
  await until(done + 15);
}
over = true;
await writer;
// What was written since flows back, so that both sides can be held against each other.
const back = await import("../../src/data/cutover/stream.ts");
const { readGround } = await import("../../src/data/cutover/ground.ts");
const { state: _over, ...ground } = crossing();
await new back.Stream(await readGround(ground), "old").catchUp();
await pair[Symbol.asyncDispose]();
console.log(done);

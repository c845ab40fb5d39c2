/**
 * A process that turns a switch at random, against others, and tells each outcome; it kills itself at a fault point:
 *
 *   node test/chaos-switch/turner.ts FOLDER SEED TURNS [POINT HIT]
 */
import { writeSync } from "node:fs";
import { hasCode, setFaultHandler } from "../../src/core/index.ts";
import { fileSwitch, type Standing } from "../../src/data/index.ts";

const [folder = "", seed = "1", turns = "1", point, hit = "1"] = process.argv.slice(2);
let hits = 0;
setFaultHandler((name) => {
  if (name === point && ++hits === Number(hit)) process.kill(process.pid, "SIGKILL");
});

/** Mulberry32: the same seed gives the same turns. */
let state = Number(seed);
const random = (): number => {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
};

const shared = fileSwitch(folder, { create: true, by: `turner ${seed}` });
for (let turn = 0; turn < Number(turns); turn++) {
  const before = await shared.read();
  const to: Standing = {
    side: random() < 0.5 ? "old" : "new",
    epoch: before.epoch + Math.floor(random() * 3),
  };
  let outcome = "done";
  try {
    await shared.turn(to);
  } catch (error) {
    if (!hasCode(error, "CUTOVER_DATA_EPOCH")) throw error;
    outcome = "refused";
  }
  // One write: a killed process has told all it did before.
  writeSync(1, `${JSON.stringify({ before, to, outcome, after: await shared.read() })}\n`);
}

/**
 * An application that counts up its own keys through a movable handle, and tells what it asked for and what it was answered:
 *
 *   node test/chaos-switch/application.ts FOLDER NAME WRITES
 *
 * Started again it goes on with what it finds. Ends with 3 when it did not find what it was told is written.
 */
import { writeSync } from "node:fs";
import { hasCode } from "../../src/core/index.ts";
import { fileSwitch, movable, openLmdb } from "../../src/data/index.ts";

const [folder = "", name = "", writes = "0"] = process.argv.slice(2);
const tell = (line: string): void => void writeSync(1, `${line}\n`);

const db = await movable({
  switch: fileSwitch(`${folder}/switch`, { by: name }),
  old: () => openLmdb(`${folder}/old`),
  new: () => openLmdb(`${folder}/new`),
  longestPause: "400ms",
});

const valueOf = async (key: Uint8Array): Promise<number> => {
  const found = await db.get(key);
  return found === undefined ? 0 : Number(Buffer.from(found).toString());
};

/**
 * Two at once: the second must not be overtaken by the first. After a process was killed LMDB sometimes gives up the transaction
 * of another one (MDB_BAD_TXN), of which nothing is kept: what an application does then is to ask again.
 */
async function writePair(label: string, key: Uint8Array, done: number): Promise<void> {
  for (let tries = 1; ; tries++) {
    const pair = [done + 1, done + 2].map((value) => {
      tell(`asked ${label} ${value}`);
      return db.put(key, Buffer.from(String(value)));
    });
    const failed = (await Promise.allSettled(pair)).find(({ status }) => status === "rejected");
    if (failed === undefined) return;
    const { reason } = failed as PromiseRejectedResult;
    if (!hasCode(reason, "CUTOVER_DATA_IO") || tries === 10) throw reason;
    tell(`again ${label}: ${reason.message}`);
  }
}

async function count(worker: number): Promise<void> {
  const label = `${name}-${worker}`;
  const key = Buffer.from(label);
  let done = await valueOf(key);
  tell(`found ${label} ${done}`);
  while (done < Number(writes)) {
    await writePair(label, key, done);
    done += 2;
    tell(`told ${label} ${done}`);
    const found = await valueOf(key);
    if (found !== done) {
      tell(`wrong ${label}: expected ${done}, found ${found} at ${JSON.stringify(db.standing)}`);
      process.exit(3);
    }
  }
}

await Promise.all([0, 1, 2].map(count));
await db.close();
tell(`ended ${JSON.stringify(db.counts)}`);

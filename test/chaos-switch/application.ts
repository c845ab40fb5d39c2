/**
 * An application that counts up its own keys through a movable handle, and tells what it asked for and what it was answered:
 *
 *   node test/chaos-switch/application.ts FOLDER NAME WRITES
 *
 * Started again it goes on with what it finds. Ends with 3 when it did not find what it was told is written.
 */
import { writeSync } from "node:fs";
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

/** Two at once: the second must not be overtaken by the first. */
async function writePair(label: string, key: Uint8Array, done: number): Promise<void> {
  await Promise.all(
    [done + 1, done + 2].map((value) => {
      tell(`asked ${label} ${value}`);
      return db.put(key, Buffer.from(String(value)));
    }),
  );
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

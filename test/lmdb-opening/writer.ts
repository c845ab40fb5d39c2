/**
 * Opens an LMDB and counts up a key of its own in it, until it is ended; tells how far each is written:
 *
 *   node test/lmdb-opening/writer.ts FOLDER NAME
 *
 * Ends with 3 when it does not find what it was told is written, and with 1 when it is refused.
 */
import { writeSync } from "node:fs";
import { openLmdb } from "../../src/data/index.ts";

const [path = "", name = ""] = process.argv.slice(2);
const tell = (line: string): void => void writeSync(1, `${line}\n`);

const store = await openLmdb(path, { create: true });
tell("open");
const key = Buffer.from(name);
const [before] = await store.get("", [key]);
for (let done = Number(Buffer.from(before ?? "0").toString()) + 1; ; done++) {
  const value = Buffer.from(String(done));
  await store.write([{ collection: "", key, value }]);
  const [found] = await store.get("", [key]);
  if (found === undefined || !value.equals(found)) {
    tell(`wrong: expected ${done}, found ${Buffer.from(found ?? "nothing").toString()}`);
    process.exit(3);
  }
  tell(`told ${done}`);
}

/**
 * Comparing two key-value stores by md5 of ranges, as one writes it with the drivers alone: 32 ranges, those that differ again
 * in 32, below 16,384 rows row by row. One md5 for a range, a batch of rows at a time.
 */
import { createHash } from "node:crypto";
import { openPlainLevel, openPlainLmdb, type PlainLevel, type PlainLmdb } from "./drivers.ts";
import { keyOf } from "./rows.ts";

const parts = 32;
const small = 16_384;

export async function bisectEmbedded(from: string, to: string, rows: number): Promise<number> {
  const [level, lmdb] = [await openPlainLevel(from), await openPlainLmdb(to)];
  const search = async (low: number, high: number): Promise<number> => {
    if (high - low <= small) return rowByRow(level, lmdb, low, high);
    let found = 0;
    for (let part = 0; part < parts; part++) {
      const begin = low + Math.floor(((high - low) * part) / parts);
      const end = low + Math.floor(((high - low) * (part + 1)) / parts);
      const ours = await md5OfLevel(level, begin, end);
      if (ours !== md5OfLmdb(lmdb, begin, end)) found += await search(begin, end);
    }
    return found;
  };
  const found = await search(0, rows);
  await level.close();
  await lmdb.close();
  return found;
}

async function* levelRows(level: PlainLevel, begin: number, end: number): AsyncGenerator<[Buffer, Buffer][]> {
  const options = { gte: keyOf(begin), lt: keyOf(end), fillCache: false, highWaterMarkBytes: 65_536 };
  const iterator = level.iterator(options);
  for (;;) {
    const found = (await iterator.nextv(1_000)) as [Buffer, Buffer][];
    if (found.length === 0) break;
    yield found;
  }
  await iterator.close();
}

async function md5OfLevel(level: PlainLevel, begin: number, end: number): Promise<string> {
  const hash = createHash("md5");
  for await (const found of levelRows(level, begin, end)) hash.update(Buffer.concat(found.flat()));
  return hash.digest("base64");
}

function md5OfLmdb(lmdb: PlainLmdb, begin: number, end: number): string {
  const hash = createHash("md5");
  let waiting: Buffer[] = [];
  for (const { key, value } of lmdb.getRange({ start: keyOf(begin), end: keyOf(end) })) {
    waiting.push(key, value);
    if (waiting.length < 2_000) continue;
    hash.update(Buffer.concat(waiting));
    waiting = [];
  }
  return hash.update(Buffer.concat(waiting)).digest("base64");
}

async function rowByRow(level: PlainLevel, lmdb: PlainLmdb, begin: number, end: number): Promise<number> {
  const theirs = new Map<string, Buffer>();
  for (const { key, value } of lmdb.getRange({ start: keyOf(begin), end: keyOf(end) }))
    theirs.set(key.toString("latin1"), value);
  let found = 0;
  for await (const rows of levelRows(level, begin, end)) {
    for (const [key, value] of rows) {
      const name = key.toString("latin1");
      if (theirs.get(name)?.equals(value) !== true) found++;
      theirs.delete(name);
    }
  }
  return found + theirs.size;
}

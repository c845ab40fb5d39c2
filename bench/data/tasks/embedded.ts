import { moveData, openLevelDb, openLmdb } from "../../../src/data/index.ts";
import { openPlainLevel, openPlainLmdb } from "../drivers.ts";
import { timed } from "../meter.ts";
import type { Done } from "../process.ts";
import { madeRows, type MadeRow, type Values } from "../rows.ts";

/** A LevelDB with the rows, settled: every way reads it as a database that has been at rest. */
export async function makeLevel(options: {
  to: string;
  rows: number;
  bytes: number;
  values?: Values;
}): Promise<Done> {
  const db = await openPlainLevel(options.to);
  const done = await timed(async () => {
    let batch = db.batch();
    let waiting = 0;
    for (const { key, value } of madeRows(options.rows, options.bytes, options.values)) {
      batch.put(key, value);
      waiting += key.length + value.length;
      if (waiting < 4_194_304) continue;
      await batch.write();
      batch = db.batch();
      waiting = 0;
    }
    await batch.write();
    await db.compactRange(Buffer.alloc(1), Buffer.alloc(8, 0xff));
    return options.rows;
  });
  await db.close();
  return done;
}

/** Ours, as `cutover data copy` and the step `backfill` do it: log captured, checkpoint in every transaction. */
export async function move({ from, to }: { from: string; to: string }): Promise<Done> {
  await using source = await openLevelDb(from);
  await using target = await openLmdb(to, { create: true });
  const done = await timed(async () => {
    const { progress } = await moveData({ source, target, job: "bench", fence: 1 });
    return progress.rows;
  });
  await source.release("bench");
  return done;
}

/** What one writes who has an hour: no checkpoint, no changes meanwhile, and from the start after a crash. */
export async function script({ from, to }: { from: string; to: string }): Promise<Done> {
  const source = await openPlainLevel(from);
  const target = await openPlainLmdb(to);
  const done = await timed(async () => {
    let rows = 0;
    let batch: [Buffer, Buffer][] = [];
    const write = (): Promise<unknown> =>
      target.batch(() => {
        for (const [key, value] of batch) void target.put(key, value);
      });
    for await (const [key, value] of source.iterator() as AsyncIterable<[Buffer, Buffer]>) {
      batch.push([key, value]);
      rows++;
      if (batch.length < 1_000) continue;
      await write();
      batch = [];
    }
    if (batch.length > 0) await write();
    await target.flushed;
    return rows;
  });
  await source.close();
  await target.close();
  return done;
}

/** The fastest that the driver reads: rows by the thousand, 64 KB fetched ahead, nothing put into the cache. */
export async function read({ from }: { from: string }): Promise<Done> {
  const db = await openPlainLevel(from);
  const iterator = db.iterator({ fillCache: false, highWaterMarkBytes: 65_536 });
  const done = await timed(async () => {
    let rows = 0;
    for (let found = await iterator.nextv(1_000); found.length > 0; found = await iterator.nextv(1_000))
      rows += found.length;
    return rows;
  });
  await iterator.close();
  await db.close();
  return done;
}

/** The fastest that the driver writes: rows that lie in memory, by its own thread, on disk at the end. */
export async function write(options: { to: string; rows: number; bytes: number }): Promise<Done> {
  const ready: MadeRow[] = [...madeRows(options.rows, options.bytes)];
  const db = await openPlainLmdb(options.to);
  const done = await timed(async () => {
    for (let from = 0; from < ready.length; from += 10_000) {
      let last: Promise<unknown> | undefined;
      for (const { key, value } of ready.slice(from, from + 10_000)) last = db.put(key, value);
      await last;
    }
    await db.flushed;
    return ready.length;
  });
  await db.close();
  return done;
}

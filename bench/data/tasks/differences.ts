import { randomBytes } from "node:crypto";
import { openLevelDb, openLmdb, openPostgresData, verifyData } from "../../../src/data/index.ts";
import type { Reader } from "../../../src/data/index.ts";
import { bisectEmbedded } from "../bisect-embedded.ts";
import { bisectPostgres } from "../bisect-postgres.ts";
import { openPlainLmdb } from "../drivers.ts";
import { timed } from "../meter.ts";
import type { Done } from "../process.ts";
import { keyOf } from "../rows.ts";
import { spreadAt } from "../spread.ts";

/** Changes one byte of `count` rows of an LMDB, spread over all of them. */
export async function damage({
  to,
  rows,
  count,
}: {
  to: string;
  rows: number;
  count: number;
}): Promise<Done> {
  const db = await openPlainLmdb(to);
  const done = await timed(async () => {
    for (let at = 0; at < count; at++) {
      const key = keyOf(spreadAt(at, count, rows));
      const value = Buffer.from(db.get(key) as Buffer);
      value[at % value.length] = (value[at % value.length] as number) ^ 1;
      await db.put(key, value);
    }
    await db.flushed;
    return count;
  });
  await db.close();
  return done;
}

export async function verifyEmbedded({ from, to }: { from: string; to: string }): Promise<Done> {
  await using source = await openLevelDb(from);
  await using target = await openLmdb(to);
  return await verify(source, target);
}

export async function verifyPostgres({ from, to }: { from: string; to: string }): Promise<Done> {
  await using source = await openPostgresData(from);
  await using target = await openPostgresData(to);
  return await verify(source, target);
}

async function verify(source: Reader, target: Reader): Promise<Done> {
  let differences = 0;
  const done = await timed(async () => {
    const verdict = await verifyData({ source, target, random: randomBytes });
    const { missing, extra, different } = verdict.counts;
    differences = missing + extra + different;
    return verdict.source.count;
  });
  return { ...done, told: { differences } };
}

export async function bisectionEmbedded(options: { from: string; to: string; rows: number }): Promise<Done> {
  let differences = 0;
  const done = await timed(async () => {
    differences = await bisectEmbedded(options.from, options.to, options.rows);
    return options.rows;
  });
  return { ...done, told: { differences } };
}

export async function bisectionPostgres({ from, to }: { from: string; to: string }): Promise<Done> {
  let differences = 0;
  const done = await timed(async () => {
    const found = await bisectPostgres(from, to);
    differences = found.differences;
    return found.rows;
  });
  return { ...done, told: { differences } };
}

/** The drivers as they are, for the plain ways and the limits; by the shape that is used of them. */
import type { LevelDb } from "../../src/data/connectors/leveldb-driver.ts";
import { loadLevel } from "../../src/data/connectors/leveldb-driver.ts";
import { type LmdbRoot, loadLmdb } from "../../src/data/connectors/lmdb-driver.ts";

export interface PlainLevel extends LevelDb {
  compactRange(from: Buffer, to: Buffer): Promise<void>;
}

/** As its own page shows it: bytes in, bytes out. */
export interface PlainLmdb extends LmdbRoot {
  get(key: Buffer): Buffer | undefined;
  batch(body: () => void): Promise<unknown>;
}

export async function openPlainLevel(path: string): Promise<PlainLevel> {
  const Level = await loadLevel();
  const db = new Level(path, { keyEncoding: "buffer", valueEncoding: "buffer" });
  await db.open();
  return db as LevelDb as PlainLevel;
}

export async function openPlainLmdb(path: string): Promise<PlainLmdb> {
  const driver = (await loadLmdb()) as unknown as { open(options: object): PlainLmdb };
  return driver.open({ path, encoding: "binary", keyEncoding: "binary", maxDbs: 12, cache: false });
}

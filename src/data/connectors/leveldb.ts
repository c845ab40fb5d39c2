import { mkdirSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Clock, CutoverError, systemClock } from "../../core/index.ts";
import { keyText } from "../bytes.ts";
import { CapturedStore } from "../capture-store.ts";
import type { Change } from "../connector.ts";
import { type CapturedLevel, captureLevel, type LevelWrite } from "./leveldb-captured.ts";
import { type LevelDb, loadLevel } from "./leveldb-driver.ts";
import { defaultThreadFrom, LevelEngine, type ThreadFrom } from "./leveldb-engine.ts";
import { endReserved, type Layout, layoutsOf, placeIn } from "./leveldb-keys.ts";
import { refuseOptions } from "../capture-options.ts";
import { demand, storeError, whatIsAt, wrongKind } from "./place.ts";

export interface LevelStoreOptions {
  /** Makes the database when there is none. Default false. */
  readonly create?: boolean;
  /** `""` for keys without a sublevel, names of sublevels as abstract-level writes them. Default `[""]`: everything. */
  readonly collections?: readonly string[];
  /** What the application writes under by `db`; see `WriterOptions.epoch`. Default 0. */
  readonly epoch?: number | (() => number);
  /** Options of `ClassicLevel`: encodings of `db`, sizes of caches. Default of `writeBufferSize` here: 16 MiB. */
  readonly level?: Readonly<Record<string, unknown>>;
  /**
   * From how many rows read without one, or bytes on disk in what is to be read, a thread of its own reads: it takes some MB and 50 ms.
   * 0: from the start; Infinity in both: never. Default 20,000 rows, 4 MiB.
   */
  readonly threadFrom?: Partial<ThreadFrom>;
  readonly clock?: Clock;
}

/** A LevelDB as source and target, and the database for the application that writes it meanwhile. */
export class LevelStore extends CapturedStore {
  /**
   * The `ClassicLevel` to write through while data moves: sublevels, encodings, chained batches, `clear` and iterators
   * are its own. Every write and its record in the journal are one batch.
   */
  readonly db: LevelDb;

  constructor(engine: LevelEngine, db: LevelDb, clock: Clock) {
    super(engine, clock);
    this.db = db;
  }
}

/**
 * Opens a LevelDB by the package `classic-level`.
 * A LevelDB is open in one process only: an application that writes while its data moves opens it here, and moves it from
 * its own process or serves it.
 * @throws CUTOVER_DATA_MISSING, CUTOVER_DATA_LOCKED, CUTOVER_DATA_FORMAT, CUTOVER_DATA_DENIED, CUTOVER_DRIVER_MISSING
 *
 * @example
 * const store = await openLevelDb("data/old", { level: { valueEncoding: "json" } });
 * await store.db.put("order:1", { total: 5 });
 */
export async function openLevelDb(path: string, options: LevelStoreOptions = {}): Promise<LevelStore> {
  const {
    create = false,
    collections = [""],
    epoch = 0,
    level = {},
    threadFrom = {},
    clock = systemClock,
    ...unknown
  } = options;
  refuseOptions("openLevelDb", unknown);
  const from = { ...defaultThreadFrom, ...threadFrom };
  checkThreadFrom(from);
  const name = `leveldb:${path}`;
  const driver = await loadLevel();
  checkFolder(path, name, create);
  const layouts = layoutsOf(collections);
  const settings = { writeBufferSize: 16_777_216, ...level };
  const db = await openAlone(() => captureLevel(driver, path, settings), path, name, create);
  try {
    await refuseForeignKeys(db, name);
    const again = { location: path, options: { cacheSize: noCache } };
    const store = new LevelStore(new LevelEngine(name, db, layouts, again, from), db, clock);
    const current = typeof epoch === "number" ? () => epoch : epoch;
    db.onWrite = async (writes, sync) =>
      store.write(changesOf(layouts, name, writes), { epoch: current(), durable: sync });
    await store.check();
    return store;
  } catch (error) {
    await db.close();
    throw storeError(error, name);
  }
}

function checkThreadFrom({ rows, bytes, ...unknown }: ThreadFrom): void {
  refuseOptions("threadFrom of openLevelDb", unknown);
  for (const [name, found] of Object.entries({ rows, bytes }))
    if (!(found >= 0))
      throw new CutoverError("CUTOVER_DATA_OPTIONS", {
        message: `expected threadFrom.${name} to be a number of at least 0, found ${String(found)}`,
        place: "openLevelDb",
      });
}

/** A thread that reads through the same database in memory makes a cache of its own, which nobody uses. */
const noCache = 1;

/** Databases open here, by their real paths. */
const openHere = new Set<string>();

/**
 * Opens the database so that a thread of this process can read it as well, and nobody else: the driver would give the same one to whoever
 * asks for it in that way.
 * @throws CUTOVER_DATA_LOCKED
 */
async function openAlone(
  make: () => CapturedLevel,
  path: string,
  name: string,
  create: boolean,
): Promise<CapturedLevel> {
  let real: string;
  try {
    if (create) mkdirSync(path, { recursive: true });
    real = realpathSync(path);
  } catch (error) {
    throw storeError(error, name);
  }
  if (openHere.has(real)) throw locked(name, "this process has it open");
  openHere.add(real);
  // Opens by itself soon: not before it may.
  const db = make();
  db.afterClose = () => void openHere.delete(real);
  try {
    // Each opening begins this file anew.
    const begun = logOf(real);
    await db.open({ createIfMissing: create, multithreading: true });
    if (begun === undefined || logOf(real) !== begun) return db;
  } catch (error) {
    openHere.delete(real);
    throw openError(error, name);
  }
  await db.close();
  throw locked(name, "this process has it open, for several threads");
}

/** Number of the file that a LevelDB writes about itself; undefined when there is none. */
const logOf = (path: string): number | undefined =>
  statSync(join(path, "LOG"), { throwIfNoEntry: false })?.ino;

function checkFolder(path: string, name: string, create: boolean): void {
  const found = whatIsAt(path, name);
  demand(found, path, name, create);
  if (found === "file") throw wrongKind(name, "the folder of a LevelDB", "a file");
  if (found === "nothing") return;
  let files: readonly string[];
  try {
    files = readdirSync(path);
  } catch (error) {
    throw storeError(error, name);
  }
  if (files.includes("CURRENT")) return;
  if (files.length === 0 && create) return;
  const shown =
    files.length === 0
      ? "an empty folder"
      : `a folder without CURRENT (it holds ${files.slice(0, 3).join(", ")})`;
  throw wrongKind(name, `a LevelDB, which has a file ${join(path, "CURRENT")}`, shown);
}

function openError(error: unknown, name: string): CutoverError {
  const { code, message } = ((error as Error).cause ?? error) as Error & { code?: string };
  return code === "LEVEL_LOCKED" ? locked(name, message, error) : storeError(error, name);
}

function locked(name: string, found: string, cause?: unknown): CutoverError {
  return new CutoverError("CUTOVER_DATA_LOCKED", {
    message: `expected a LevelDB that no process has open, found: ${found}`,
    place: name,
    remedy:
      "end the process that has it open, or let it serve the store (`serveData`) and name door:SOCKET instead",
    cause,
  });
}

async function refuseForeignKeys(db: CapturedLevel, name: string): Promise<void> {
  const keys = db.unhidden(() => db.keys({ gte: endReserved, limit: 1, keyEncoding: "buffer" }));
  try {
    const [key] = (await keys.nextv(1)) as Uint8Array[];
    if (key !== undefined)
      throw wrongKind(name, "keys that begin with less than 24 bytes ff", `the key ${keyText(key)}`);
  } finally {
    await keys.close();
  }
}

function changesOf(
  layouts: ReadonlyMap<string, Layout>,
  name: string,
  writes: readonly LevelWrite[],
): readonly Change[] {
  return writes.map(({ key, value }): Change => {
    const place = placeIn(layouts, key);
    if (place !== undefined) return { ...place, value };
    throw new CutoverError("CUTOVER_DATA_COLLECTION", {
      message: `${name} was opened without the collection that the key ${keyText(key)} lies in`,
      place: name,
      remedy: 'name the sublevel, or "" for keys of no sublevel, in `collections`',
    });
  });
}

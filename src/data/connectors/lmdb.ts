import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "../../core/index.ts";
import { reserved } from "../capture-engine.ts";
import { refuseOptions } from "../capture-options.ts";
import { CapturedStore } from "../capture-store.ts";
import type { Collection } from "../connector.ts";
import { giveBack } from "../huge-rows.ts";
import { type LmdbDb, type LmdbRoot, loadLmdb } from "./lmdb-driver.ts";
import { keyBytes, valueBytes } from "./lmdb-codec.ts";
import { LmdbEngine, lowestKey } from "./lmdb-engine.ts";
import { Opening } from "./lmdb-opening.ts";
import { checkLmdbFile, mayBeName, type NamedDatabase, namedDatabase } from "./lmdb-root.ts";
import { demand, storeError, whatIsAt, wrongKind } from "./place.ts";

export interface LmdbStoreOptions {
  /** Makes the environment when there is none. Default false. */
  readonly create?: boolean;
  /** Named databases that are made when they are not there; `""` is the root. Default: those that are there. */
  readonly collections?: readonly string[];
  /** Size in bytes the environment may grow to. Default: it grows as needed. */
  readonly mapSize?: number;
  readonly clock?: Clock;
}

/** The named database of our records, in which no application writes. */
const recordsName = "cutover.records";
const binary = {
  encoding: "binary",
  encoder: valueBytes,
  keyEncoder: keyBytes,
  cache: false,
  // A transaction's function runs where it stands among what is queued, and not after all of it.
  strictAsyncOrder: true,
} as const;
/** Named databases an environment may have open; the package's own default of 12 is soon too few for tables. */
const mostDatabases = 512;

/**
 * Opens an LMDB by the package `lmdb`; several processes may have it open. Rows are the bytes as they lie there. The
 * application writes through `captureWriter`, in whichever process.
 *
 * While it is opened here, writes of other processes that have it open by `openLmdb` wait, some milliseconds: the package loses
 * what is written meanwhile. Of processes that write to it by the package alone it knows nothing.
 * @throws CUTOVER_DATA_MISSING, CUTOVER_DATA_FORMAT, CUTOVER_DATA_DENIED, CUTOVER_DRIVER_MISSING; CUTOVER_DATA_UNAVAILABLE when
 * one of those processes does not answer for ten seconds
 *
 * @example
 * await using store = await openLmdb("data/new", { create: true });
 * await captureWriter(store).put(key, value);
 */
export async function openLmdb(path: string, options: LmdbStoreOptions = {}): Promise<CapturedStore> {
  const { create = false, collections, mapSize, clock = systemClock, ...unknown } = options;
  refuseOptions("openLmdb", unknown);
  const name = `lmdb:${path}`;
  const driver = await loadLmdb();
  const noSubdir = checkPath(path, name, create);
  let opening: Opening;
  let root: LmdbRoot | undefined;
  try {
    opening = Opening.of({ path, file: noSubdir, name, clock });
  } catch (error) {
    throw storeError(error, name);
  }
  let engine: LmdbEngine;
  try {
    engine = await opening.carryOut(() => {
      root = driver.open({
        path,
        ...binary,
        maxDbs: mostDatabases,
        noSubdir,
        ...(mapSize === undefined ? {} : { mapSize }),
      });
      const { databases, problems } = databasesOf(root, collections);
      return new LmdbEngine(name, root, databases, problems, opening);
    });
  } catch (error) {
    opening.leave();
    await root?.close();
    throw storeError(error, name);
  }
  const store = new CapturedStore(engine, clock);
  try {
    return await store.check();
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw storeError(error, name);
  }
}

/** Whether it is a single file. */
function checkPath(path: string, name: string, create: boolean): boolean {
  const found = whatIsAt(path, name);
  demand(found, path, name, create);
  if (found === "nothing") return false;
  try {
    if (found === "folder" && !existsSync(join(path, "data.mdb"))) {
      if (create) return false;
      throw wrongKind(name, `an LMDB, which has a file ${join(path, "data.mdb")}`, "a folder without it");
    }
    checkLmdbFile(path, name);
  } catch (error) {
    throw storeError(error, name);
  }
  return found === "file";
}

function databasesOf(
  root: LmdbRoot,
  wanted: readonly string[] | undefined,
): { readonly databases: ReadonlyMap<string, LmdbDb>; readonly problems: readonly Collection[] } {
  const databases = new Map<string, LmdbDb>([["", root]]);
  const problems: Collection[] = [];
  for (const { name, duplicates } of named(root)) {
    if (name === recordsName) continue;
    if (duplicates) problems.push({ name, problem: "keys may have several values (dupSort)" });
    else {
      const db = root.openDB({ name, create: false, ...binary });
      if (db === undefined) problems.push({ name, problem: "the package lmdb cannot open it" });
      else databases.set(name, db);
    }
  }
  for (const name of wanted ?? [])
    if (name !== "" && !databases.has(name)) databases.set(name, root.openDB({ name, ...binary }) as LmdbDb);
  databases.set(reserved, root.openDB({ name: recordsName, ...binary }) as LmdbDb);
  return { databases, problems };
}

/**
 * Read whole before any is opened: opening one begins a transaction of its own. Keys alone, and values only where a key may be a name:
 * the root may be full of rows, and these may be huge.
 */
function named(root: LmdbRoot): readonly NamedDatabase[] {
  const names: Uint8Array[] = [];
  for (const key of root.getKeys({ start: lowestKey })) if (mayBeName(key)) names.push(key);
  const found: NamedDatabase[] = [];
  for (const key of names) {
    const value = root.getBinary(key);
    const database = value === undefined ? undefined : namedDatabase(key, value);
    if (database !== undefined) found.push(database);
    if (value !== undefined) giveBack(value);
  }
  return found;
}

import { mkdirSync, readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { type Clock, CutoverError, systemClock } from "../../core/index.ts";
import { refuseOptions } from "../capture-options.ts";
import { CapturedStore } from "../capture-store.ts";
import { FilesEngine, ownFolder } from "./files-engine.ts";
import type { StrangeFile } from "./files-folder.ts";
import { goodFolder, inNames } from "./files-names.ts";
import { demand, storeError, whatIsAt, wrongKind } from "./place.ts";

export interface FilesStoreOptions {
  /** Makes the folder when there is none. Default false. */
  readonly create?: boolean;
  /** Folders that are made when they are not there; `""` is the folder itself. Default: it and the folders in it. */
  readonly collections?: readonly string[];
  readonly clock?: Clock;
}

/** A folder of JSON files as source and target. */
export class FilesStore extends CapturedStore {
  readonly #engine: FilesEngine;

  constructor(engine: FilesEngine, clock: Clock) {
    super(engine, clock);
    this.#engine = engine;
  }

  /** Files that are no row, and rows that are empty or no JSON: these are moved as the bytes they are. Reads everything. */
  strange(): Promise<readonly StrangeFile[]> {
    return this.#engine.strange();
  }
}

/**
 * Opens a folder of files: one file a row, named by its key and `.json`, each folder in it a collection. Values are the
 * bytes of the files. A file system tells nobody of writes: captured, fenced and told of is what goes through
 * `captureWriter` in the process that has it open; other programs have to be still while it moves. A scan is no snapshot,
 * each batch is.
 * @throws CUTOVER_DATA_MISSING, CUTOVER_DATA_LOCKED, CUTOVER_DATA_FORMAT, CUTOVER_DATA_DENIED, CUTOVER_DATA_COLLECTION
 *
 * @example
 * await using store = await openFiles("data/orders");
 * for (const { path, reason } of await store.strange()) …
 */
export async function openFiles(path: string, options: FilesStoreOptions = {}): Promise<FilesStore> {
  const { create = false, collections, clock = systemClock, ...unknown } = options;
  refuseOptions("openFiles", unknown);
  const name = `files:${path}`;
  const found = whatIsAt(path, name);
  if (found === "file") throw wrongKind(name, "a folder of files", "a file");
  for (const collection of collections ?? [])
    if (collection !== "" && !goodFolder(collection))
      throw new CutoverError("CUTOVER_DATA_COLLECTION", {
        message: `expected names of folders (${inNames}), found "${collection}"`,
        place: name,
      });
  demand(found, path, name, create);
  let release: (() => void) | undefined;
  try {
    mkdirSync(join(path, ownFolder, "records"), { recursive: true });
    release = lock(join(path, ownFolder, "lock"), name);
    const there = readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
    const all = new Map(
      ["", ...there.filter(goodFolder), ...(collections ?? [])].map((folder) => [folder, join(path, folder)]),
    );
    for (const folder of all.values()) mkdirSync(folder, { recursive: true });
    const strangers = there.filter((folder) => !goodFolder(folder) && !folder.startsWith("."));
    const engine = new FilesEngine(name, path, { collections: all, strangers }, release);
    return (await new FilesStore(engine, clock).check()) as FilesStore;
  } catch (error) {
    release?.();
    throw storeError(error, name);
  }
}

/** Held by a transaction of SQLite: the operating system ends it with the process, so no lock is left behind. */
function lock(path: string, name: string): () => void {
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    throw new CutoverError("CUTOVER_DATA_LOCKED", {
      message: `expected a folder that no other process moves, found ${path} held by one`,
      place: name,
      cause: error,
    });
  }
  return () => db.isOpen && db.close();
}

import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { DataStore } from "../connector.ts";
import { lookAtFiles } from "../connectors/files-look.ts";
import { storeError, whatIsAt } from "../connectors/place.ts";
import { missingTable } from "../connectors/sqlite-connection.ts";
import { requireWritable } from "../disk.ts";
import { openDataStore, readStoreAddress } from "../open-data-store.ts";

/** What can be asked of a target before anything is written. */
export type LookedAt = Pick<DataStore, "name" | "collections" | "scan"> &
  Partial<Pick<DataStore, "checkpoint" | "refusal">> &
  AsyncDisposable;

export interface TargetLook extends AsyncDisposable {
  readonly name: string;
  /** Kind of store that is made by opening it, with its collections; undefined: tables, and what others have open. */
  readonly made: "leveldb" | "lmdb" | "files" | undefined;
  /** Undefined: there is none yet. */
  readonly store: LookedAt | undefined;
  /** Where it lies on a disk of this machine, as an absolute path. */
  readonly path: string | undefined;
}

/**
 * Looks at the store that an address names as somebody who would write to it: what is there, and whether it may be written. Makes
 * nothing, neither a store nor a collection nor a folder in it.
 * @throws what opening it to be written would: CUTOVER_DATA_ADDRESS, CUTOVER_DATA_FORMAT, CUTOVER_DATA_LOCKED, CUTOVER_DATA_DENIED,
 * CUTOVER_DATA_UNAVAILABLE; CUTOVER_DATA_COLLECTION for a new file that would have no tables
 */
export async function lookAtTarget(address: string, names: readonly string[]): Promise<TargetLook> {
  const { scheme, where, name } = readStoreAddress(address);
  const made = scheme === "leveldb" || scheme === "lmdb" || scheme === "files" ? scheme : undefined;
  if (made === undefined && scheme !== "sqlite")
    return lookOf(name, undefined, await openDataStore(address), undefined);
  await requireWritable(where).catch((error: unknown) => {
    throw storeError(error, name);
  });
  const found = whatIsAt(where, name);
  const [table] = names;
  // A file that is made has no tables, and whoever needs some would be refused.
  if (found === "nothing" && made === undefined && table !== undefined) throw missingTable(name, table);
  if (found === "nothing" || (found === "folder" && isBare(made, where, name)))
    return lookOf(name, made, undefined, where);
  // Without records of ours nobody moves it: it can be looked at as it lies there. To open it would make them.
  const files = made === "files" ? lookAtFiles(where, names) : undefined;
  if (files !== undefined) return lookOf(name, made, files, where);
  // Sublevels are seen by name alone; other stores would make what is named.
  const store = await openDataStore(address, made === "leveldb" ? { collections: names } : {});
  return lookOf(name, made, store, where);
}

const lookOf = (
  name: string,
  made: TargetLook["made"],
  store: LookedAt | undefined,
  where: string | undefined,
): TargetLook => ({
  name,
  made,
  store,
  path: where === undefined ? undefined : resolve(where),
  [Symbol.asyncDispose]: async () => await store?.[Symbol.asyncDispose](),
});

/** A folder that a database of this kind would be made in. */
function isBare(made: TargetLook["made"], where: string, name: string): boolean {
  try {
    if (made === "lmdb") return !existsSync(join(where, "data.mdb"));
    return made === "leveldb" && readdirSync(where).length === 0;
  } catch (error) {
    throw storeError(error, name);
  }
}

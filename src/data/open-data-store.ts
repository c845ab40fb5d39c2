import { type Clock, CutoverError, nameOneOf, sqliteAddressProblem } from "../core/index.ts";
import { refuseOptions } from "./capture-options.ts";
import type { DataStore } from "./connector.ts";
import { openFiles } from "./connectors/files.ts";
import { openLevelDb } from "./connectors/leveldb.ts";
import { openLmdb } from "./connectors/lmdb.ts";
import { readAddress } from "./connectors/postgres/address.ts";
import { openPostgresData } from "./connectors/postgres/open.ts";
import { openSqlite } from "./connectors/sqlite.ts";
import { connectData, readDoorAddress } from "./door/connect-data.ts";

export interface OpenDataStoreOptions {
  /** Makes the store when there is none, as for a target. Default false. */
  readonly create?: boolean;
  /** Collections the store is to have; those of a key-value store or folder are made. Default: what is there. */
  readonly collections?: readonly string[];
  readonly clock?: Clock;
}

type Open = (where: string, options: OpenDataStoreOptions) => Promise<DataStore>;

/** One line a kind of store: how its address begins, an example, and what opens the rest of it. */
const kinds: Readonly<Record<string, { readonly example: string; readonly open: Open }>> = {
  leveldb: { example: "leveldb:PATH", open: openLevelDb },
  lmdb: { example: "lmdb:PATH", open: openLmdb },
  sqlite: { example: "sqlite:FILE", open: openSqlite },
  files: { example: "files:DIR", open: openFiles },
  door: { example: "door:PATH#NAME", open: openDoor },
  postgres: { example: "postgres://…", open: (where, options) => openPostgres(`postgres:${where}`, options) },
  postgresql: {
    example: "postgresql://…",
    open: (where, options) => openPostgres(`postgresql:${where}`, options),
  },
};

/** Databases and tables are made by their own tools: with `create` too they have to be there. */
function openPostgres(address: string, { collections, clock }: OpenDataStoreOptions): Promise<DataStore> {
  return openPostgresData(address, {
    ...(collections === undefined ? {} : { collections }),
    ...(clock === undefined ? {} : { clock }),
  });
}

/** What an application has open is there already: with `create` too its collections have to be. */
function openDoor(where: string, { collections, clock }: OpenDataStoreOptions): Promise<DataStore> {
  return connectData(`door:${where}`, {
    ...(collections === undefined ? {} : { collections }),
    ...(clock === undefined ? {} : { clock }),
  });
}

/**
 * Opens the store an address names: `leveldb:PATH`, `lmdb:PATH`, `sqlite:FILE`, `files:DIR`, `postgres://…`;
 * `door:PATH#NAME` for one that an application serves (`serveData`).
 * @throws CUTOVER_DATA_ADDRESS for another text; what the connector throws: CUTOVER_DATA_MISSING, CUTOVER_DATA_FORMAT,
 * CUTOVER_DATA_LOCKED, CUTOVER_DATA_DENIED, CUTOVER_DATA_UNAVAILABLE, CUTOVER_DRIVER_MISSING
 *
 * @example
 * await using store = await openDataStore("leveldb:data/old");
 */
export async function openDataStore(address: string, options: OpenDataStoreOptions = {}): Promise<DataStore> {
  const { create, collections, clock, ...unknown } = options;
  refuseOptions("openDataStore", unknown);
  const { kind, where } = readKind(address);
  return kind.open(where, {
    ...(create === undefined ? {} : { create }),
    ...(collections === undefined ? {} : { collections }),
    ...(clock === undefined ? {} : { clock }),
  });
}

/**
 * Reads an address without opening anything: the scheme, what stands behind it, and the name the store will have, which shows
 * no user and no password.
 * @throws CUTOVER_DATA_ADDRESS
 */
export function readStoreAddress(address: string): {
  readonly scheme: string;
  readonly where: string;
  readonly name: string;
} {
  const { scheme, where } = readKind(address);
  if (scheme === "door") readDoorAddress(where);
  return { scheme, where, name: scheme.startsWith("postgres") ? readAddress(address).name : address };
}

function readKind(address: string): {
  readonly kind: { readonly open: Open };
  readonly scheme: string;
  readonly where: string;
} {
  const colon = address.indexOf(":");
  const scheme = colon < 0 ? "" : address.slice(0, colon);
  const kind = Object.hasOwn(kinds, scheme) ? kinds[scheme] : undefined;
  if (kind === undefined) throw wrongAddress(scheme);
  const where = address.slice(colon + 1);
  if (where === "")
    throw new CutoverError("CUTOVER_DATA_ADDRESS", {
      message: `expected ${kind.example}, found "${address}", which does not say where`,
      place: address,
    });
  const problem = scheme === "sqlite" ? sqliteAddressProblem(where) : undefined;
  if (problem !== undefined) throw new CutoverError("CUTOVER_DATA_ADDRESS", problem);
  return { kind, scheme, where };
}

function wrongAddress(scheme: string): CutoverError {
  const examples = Object.values(kinds).map(({ example }) => example);
  // A path or a password may stand behind the colon: only what names the kind is shown.
  const found = scheme === "" ? "a text without a kind of store before a colon" : `"${scheme}:"`;
  return new CutoverError("CUTOVER_DATA_ADDRESS", {
    message: `expected an address of a store (${examples.join(", ")}), found ${found}`,
    remedy: nameOneOf(scheme, Object.keys(kinds), "write it as one of these"),
  });
}

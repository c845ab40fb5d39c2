import { statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import {
  asError,
  type Clock,
  CutoverError,
  hasCode,
  isCutoverError,
  type Log,
  processSpace,
  silentLog,
  sleep,
} from "../core/index.ts";
import {
  openSqliteStore,
  openStore as openAddress,
  ownFolder,
  type Ownership,
  readOwner,
  type Store,
} from "../store/index.ts";
import type { RunView } from "../report/index.ts";
import { OwnerClient } from "./owner-client.ts";
import type { SharedStore, StoreAddress } from "./store-place.ts";

/** How long a command waits for another that holds the folder only for a moment. */
const momentMs = 3_000;

export interface StorePlace extends StoreAddress {
  readonly clock: Clock;
  readonly pid: number;
  readonly version: string;
}

/** The store for people: its folder, or its address without a password. */
export const shownStore = ({ store, shared }: StoreAddress): string => shared?.shown ?? store;

export const databaseOf = (store: string): string => join(store, "cutover.db");
export const routesFileOf = (store: string): string => join(store, "routes.json");

/**
 * True when there is a record; a question or decision never makes one.
 * @throws CUTOVER_STORE_UNAVAILABLE when that cannot be told: the folder is a file, or may not be read
 */
export function hasStore(place: StorePlace): boolean {
  // Whether a server answers is found out by asking it.
  if (place.shared !== undefined) return !isMissingFile(place.shared.url);
  try {
    const folder = statSync(place.store, { throwIfNoEntry: false });
    if (folder?.isDirectory() === false) throw unavailable(place, "a file");
    return statSync(databaseOf(place.store), { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw isCutoverError(error) ? error : unavailable(place, asError(error).message);
  }
}

/** A file without a byte is none yet: opening it would make one of it. */
const isMissingFile = (url: string): boolean =>
  url.startsWith("sqlite:") && !statSync(url.slice("sqlite:".length), { throwIfNoEntry: false })?.size;

const unavailable = (place: StorePlace, found: string): CutoverError =>
  new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message: `expected a folder that can be read, found: ${found}`,
    place: place.store,
  });

/** The owner that answers for the store; undefined when nobody owns it, or only for the moment of a command. */
export function findOwner(place: StorePlace): OwnerClient | undefined {
  if (place.shared !== undefined) return undefined;
  const owner = readOwner(place.store);
  if (owner?.socket === null || owner?.socket === undefined) return undefined;
  return new OwnerClient({ ...owner, socket: owner.socket });
}

/**
 * The owner to hand a decision to. A run that has just begun holds the folder some moments before it answers, and a
 * command holds it without ever answering: both are waited for, three seconds at most.
 */
export async function awaitOwner(place: StorePlace): Promise<OwnerClient | undefined> {
  if (place.shared !== undefined) return undefined;
  const until = place.clock.monotonic() + momentMs;
  while (readOwner(place.store)?.socket === null && place.clock.monotonic() < until)
    await sleep(place.clock, 20);
  return findOwner(place);
}

/**
 * Reads the record without owning it: SQLite lets readers stand beside the owner. Undefined when there is no store
 * yet; a question makes none.
 */
export async function readStore<T>(
  place: StorePlace,
  read: (store: Store) => Promise<T>,
): Promise<T | undefined> {
  if (!hasStore(place)) return undefined;
  await using store = await openFound(place);
  return store === undefined ? undefined : await read(store);
}

/** A server tells only when it is asked whether there is a store. */
async function openFound(place: StorePlace): Promise<Store | undefined> {
  const { shared } = place;
  if (shared === undefined) {
    const path = databaseOf(place.store);
    return openSqliteStore({ path, clock: place.clock, look: true });
  }
  try {
    return await openShared(shared, place, { log: silentLog, make: false, look: true });
  } catch (error) {
    const missing = hasCode(error, "CUTOVER_STORE_UNAVAILABLE") && error.details["missing"] === true;
    if (missing) return undefined;
    throw error;
  }
}

/** Opens the store without owning it, making it when it is missing: for workers and servers. */
export function openBeside(place: StorePlace, log: Log): Promise<Store> {
  const { shared, clock } = place;
  return shared === undefined
    ? openSqliteStore({ path: databaseOf(place.store), clock, log })
    : openShared(shared, place, { log, make: true });
}

/** Opens a store that nobody owns. */
function openShared(
  { url }: SharedStore,
  { clock }: StorePlace,
  options: { readonly log: Log; readonly make: boolean; readonly look?: boolean },
): Promise<Store> {
  return openAddress(url, { clock, ...options });
}

/** One run as the record tells it, for commands that do not carry it. */
export async function viewRecorded(place: StorePlace, store: Store, run: string): Promise<RunView> {
  const { buildRunView } = await import("../report/index.ts");
  return await buildRunView(store, run, {
    at: store.clock.now(),
    nobodyCarries:
      place.shared === undefined
        ? findOwner(place) === undefined
        : (await carriedBy(place, store, run)) === undefined,
  });
}

/** Who carries a run of a shared store, by its lease; undefined when nobody does. */
export async function carriedBy(place: StorePlace, store: Store, run: string): Promise<string | undefined> {
  const lease = await store.runs.lease(run);
  if (lease === undefined || lease.until <= store.clock.now()) return undefined;
  return carrierOf(place).isDead(lease.owner) ? undefined : lease.owner;
}

/** Owns the folder for the length of `write`; a shared store needs no owner, and a decision makes none. */
export async function ownStore<T>(place: StorePlace, write: (store: Store) => Promise<T>): Promise<T> {
  if (place.shared !== undefined) {
    await using store = await openShared(place.shared, place, { log: silentLog, make: false });
    return await write(store);
  }
  await using _ownership = await takeFolder(place);
  await using store = await openStore(place, silentLog);
  return await write(store);
}

/**
 * Takes the folder. A holder without a socket is a command that ends in a moment: it is waited for.
 * @throws CUTOVER_STORE_OWNED naming the process that holds it
 */
export async function takeFolder(place: StorePlace): Promise<Ownership> {
  const { clock, pid, version } = place;
  const until = clock.monotonic() + momentMs;
  for (;;) {
    try {
      return await ownFolder(place.store, { pid, version, clock, socket: null });
    } catch (error) {
      const passing = hasCode(error, "CUTOVER_STORE_OWNED") && error.details["socket"] === null;
      if (!passing || clock.monotonic() >= until) throw error;
      await sleep(clock, 25);
    }
  }
}

export function openStore(place: StorePlace, log: Log): Promise<Store> {
  if (place.shared !== undefined) return openShared(place.shared, place, { log, make: true });
  return openSqliteStore({
    path: databaseOf(place.store),
    clock: place.clock,
    routesFile: routesFileOf(place.store),
    log,
  });
}

/**
 * This process as a carrier of runs. Whoever holds the folder's lock knows that every other owner of this machine is
 * gone; of a shared store only those are, whose process is not there any more. Their leases need not be waited for.
 */
export function carrierOf({ pid, clock, shared }: StorePlace): {
  owner: string;
  isDead: (owner: string) => boolean;
} {
  const machine = `${shared === undefined ? hostname() : processSpace()}:`;
  return {
    owner: `${machine}${pid}:${clock.now()}`,
    isDead: (owner) =>
      owner.startsWith(machine) &&
      (shared === undefined || !isRunning(owner.slice(machine.length).split(":")[0])),
  };
}

/** A process number that was given anew counts as running: then the lease is waited for. */
function isRunning(pid: string | undefined): boolean {
  if (pid === undefined || !/^\d+$/.test(pid)) return true;
  try {
    return process.kill(Number(pid), 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/**
 * A server tells only when it is asked whether there is a record, and opening its store to carry runs would make one.
 * @param missing what is said when there is none
 * @throws CUTOVER_RUN_NOT_FOUND then, unless something else is said
 */
export async function needRecord(
  place: StorePlace,
  missing: (place: StorePlace) => CutoverError = noRuns,
): Promise<void> {
  const found =
    place.shared === undefined
      ? hasStore(place)
      : (await readStore(place, () => Promise.resolve(true))) !== undefined;
  if (!found) throw missing(place);
}

/**
 * For questions about all that a store holds, where there is none.
 * @param besides how else one comes about, at the end of the remedy
 */
export function noStore(place: StorePlace, expected = "a store", besides = ""): CutoverError {
  return new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message: `expected ${expected}, found none`,
    place: shownStore(place),
    remedy: `name it: --store sqlite:FILE, --store postgres://…, or the folder of a migration${besides}`,
  });
}

/** For questions about runs where there is no store: there are none. */
export function noRuns(place: StorePlace): CutoverError {
  return new CutoverError("CUTOVER_RUN_NOT_FOUND", {
    message: "expected a run, found none in this store",
    place: shownStore(place),
    remedy: "begin one with `cutover run`, or name another store with --store",
  });
}

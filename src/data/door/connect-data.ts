import { type Clock, CutoverError, systemClock } from "../../core/index.ts";
import { refuseOptions } from "../capture-options.ts";
import type { DataStore } from "../connector.ts";
import { DoorLink } from "./door-link.ts";
import { DoorStore } from "./door-store.ts";
import { checkSocketPath } from "./socket-place.ts";

export interface ConnectDataOptions {
  /** How long calls are tried again when the application went away, milliseconds; default 10,000. 0: not at all. */
  readonly retryMs?: number;
  /** Collections the store has to have; others are refused at once. Default: whatever is there. */
  readonly collections?: readonly string[];
  readonly clock?: Clock;
  /** Spreads those who come again after an outage; default `Math.random`. */
  readonly random?: () => number;
}

const scheme = "door:";

/** Path and name of the store in `PATH` or `PATH#NAME`. @throws CUTOVER_DATA_ADDRESS */
export function readDoorAddress(where: string): {
  readonly path: string;
  readonly store: string | undefined;
} {
  const mark = where.indexOf("#");
  const path = mark < 0 ? where : where.slice(0, mark);
  const store = mark < 0 ? undefined : where.slice(mark + 1);
  checkSocketPath(path, `${scheme}${where}`);
  if (store === "")
    throw new CutoverError("CUTOVER_DATA_ADDRESS", {
      message: `expected the name of a store behind the "#", found nothing`,
      place: `${scheme}${where}`,
      remedy: "leave the # out when the door has one store",
    });
  return { path, store };
}

/**
 * Opens a store that another process serves by `serveData`: source, target and reader like every other, over its socket.
 *
 * While the application is away, calls wait and are asked again, up to `retryMs`. A log goes on where it stood. A scan in
 * the middle and a snapshot end with CUTOVER_DATA_UNAVAILABLE.
 * @throws CUTOVER_DATA_ADDRESS, also for a name the door does not have; CUTOVER_DATA_UNAVAILABLE when nobody answers;
 * CUTOVER_DATA_DENIED; CUTOVER_DATA_FORMAT when something else listens there; CUTOVER_DATA_COLLECTION
 *
 * @example
 * await using old = await connectData("door:run/orders.sock#old");
 */
export async function connectData(address: string, options: ConnectDataOptions = {}): Promise<DataStore> {
  const {
    retryMs = 10_000,
    collections = [],
    clock = systemClock,
    random = Math.random,
    ...unknown
  } = options;
  refuseOptions("connectData", unknown);
  if (typeof retryMs !== "number" || !(retryMs >= 0))
    throw new CutoverError("CUTOVER_DATA_OPTIONS", {
      message: `retryMs: expected a number from 0 on, found ${String(retryMs)}`,
      place: "connectData",
    });
  if (typeof address !== "string" || !address.startsWith(scheme))
    throw new CutoverError("CUTOVER_DATA_ADDRESS", {
      message: "expected door:PATH or door:PATH#NAME, found another text",
      place: "connectData",
      remedy: "write door: and the path of the socket that `serveData` was given",
    });
  const { path, store } = readDoorAddress(address.slice(scheme.length));
  const link = new DoorLink({ path, store, place: address, retryMs, clock, random });
  const { welcome } = await link.connected();
  const opened = new DoorStore(address, link, welcome);
  try {
    await demandCollections(opened, collections);
    return opened;
  } catch (error) {
    link.close();
    throw error;
  }
}

async function demandCollections(store: DataStore, wanted: readonly string[]): Promise<void> {
  if (wanted.length === 0) return;
  const there = new Set((await store.collections()).map(({ name }) => name));
  const missing = wanted.find((name) => !there.has(name));
  if (missing === undefined) return;
  throw new CutoverError("CUTOVER_DATA_COLLECTION", {
    message: `expected a store with the collection "${missing}", found one without it`,
    place: store.name,
    details: { collection: missing },
    remedy: "let the application open its store with this collection; a door makes none",
  });
}

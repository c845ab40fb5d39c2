import { createServer, type Server } from "node:net";
import { type Clock, CutoverError, type Log, silentLog, systemClock } from "../../core/index.ts";
import { refuseOptions } from "../capture-options.ts";
import type { ChunkLimit, DataStore } from "../connector.ts";
import { ServedConnection } from "./served-connection.ts";
import { ServedStore, type Serving } from "./served-store.ts";
import { checkSocketPath, listenAt } from "./socket-place.ts";

export interface DataDoorOptions {
  /** Path of the socket, at most 100 bytes. Whoever may enter its folder and is the same user can reach the data. */
  readonly socket: string;
  /** Connections at a time; default 16. More are refused. */
  readonly connections?: number;
  /**
   * Most that is read from a store in one piece, whatever a client asks for; default 10,000 rows and 4 MiB. A store whose reading
   * would hold up the application gives fewer rows by itself.
   */
  readonly chunk?: Partial<ChunkLimit>;
  /** Bytes of one call at most, e.g. of a write with all its rows; default 256 MiB. */
  readonly largestCall?: number;
  /** Told of connections that were refused. Default: nobody. */
  readonly log?: Log;
  readonly clock?: Clock;
}

/** A door to the stores of this process. Disposing of it closes it; the stores stay open. */
export interface DataDoor extends AsyncDisposable {
  /** `door:` and the path of the socket: what `connectData` and `openDataStore` take. */
  readonly address: string;
  /** Clients that are connected now. */
  readonly connections: number;
  /** The door alone does not keep the process alive any more. */
  unref(): void;
}

const defaultChunk: ChunkLimit = { rows: 10_000, bytes: 4_194_304 };
const defaultLargestCall = 268_435_456;
/** How long closing waits for calls that run. */
const closeWithinMs = 5_000;
const bufferBytes = 524_288;

/**
 * Serves stores that this process has open to another process of the same machine and user: a LevelDB is open in one process
 * only, and while it serves a migration there it goes on serving its application here. What is asked runs in pieces, a few
 * at a time, so that the application is not held up.
 *
 * `stores` is one store, or several by name: `{ old: level, new: lmdb }` are `door:PATH#old` and `door:PATH#new`.
 * @throws CUTOVER_DATA_OPTIONS; CUTOVER_DATA_LOCKED when another process serves at the path; CUTOVER_DATA_ADDRESS when
 * something else lies there; CUTOVER_DATA_DENIED
 *
 * @example
 * const store = await openLevelDb("data/orders");
 * await using door = await serveData(store, { socket: "run/orders.sock" });
 */
export async function serveData(
  stores: DataStore | Readonly<Record<string, DataStore>>,
  options: DataDoorOptions,
): Promise<DataDoor> {
  const serving = readOptions(stores, options);
  const { socket, connections: most = 16 } = options;
  const clients = new Set<ServedConnection>();
  const server = createServer({ highWaterMark: bufferBytes, allowHalfOpen: true }, (one) => {
    const client = new ServedConnection(one, serving);
    clients.add(client);
    void client.ended.then(() => clients.delete(client));
    if (clients.size > most) client.refuse(tooMany(serving.place, most));
  });
  const remove = await listenAt(server, socket, serving.place);
  server.on("error", (error) => serving.log.error("the data door", { why: error.message }));
  let closing: Promise<void> | undefined;
  return {
    address: serving.place,
    get connections() {
      return clients.size;
    },
    unref: () => server.unref(),
    [Symbol.asyncDispose]: () => (closing ??= close(server, clients, serving.place, remove)),
  };
}

async function close(
  server: Server,
  clients: ReadonlySet<ServedConnection>,
  place: string,
  remove: () => void,
): Promise<void> {
  remove();
  const closed = new Promise((resolve) => server.close(resolve));
  const why = new CutoverError("CUTOVER_DATA_UNAVAILABLE", {
    message: "expected an open door to data, found that its application closed it",
    place,
    remedy: "start the application that serves the door, then resume",
  });
  await Promise.all([...clients].map((client) => client.end(why, closeWithinMs)));
  await closed;
}

function tooMany(place: string, most: number): CutoverError {
  return new CutoverError("CUTOVER_DATA_UNAVAILABLE", {
    message: `expected at most ${most} connections at a time, found one more`,
    place,
    remedy: "close stores that are not used, or let `serveData` take more by `connections`",
  });
}

function readOptions(
  stores: DataStore | Readonly<Record<string, DataStore>>,
  options: DataDoorOptions,
): Serving {
  const { socket, connections = 16, chunk = {}, largestCall = defaultLargestCall } = options;
  const { log = silentLog, clock = systemClock } = options;
  const { socket: _1, connections: _2, chunk: _3, largestCall: _4, log: _5, clock: _6, ...unknown } = options;
  refuseOptions("serveData", unknown);
  if (typeof socket !== "string") throw wrong("socket", "the path of a socket", socket);
  const place = `door:${socket}`;
  checkSocketPath(socket, place);
  if (socket.includes("#")) throw wrong("socket", 'a path without "#"', socket);
  const { rows = defaultChunk.rows, bytes = defaultChunk.bytes, ...others } = chunk;
  refuseOptions("serveData, chunk", others);
  for (const [name, value, least] of [
    ["connections", connections, 1],
    ["chunk.rows", rows, 1],
    ["chunk.bytes", bytes, 1],
    ["largestCall", largestCall, 65_536],
  ] as const)
    if (!Number.isSafeInteger(value) || value < least)
      throw wrong(name, `a whole number from ${least} on`, value);
  const named = isStore(stores) ? { "": stores } : stores;
  const served = new Map<string, ServedStore>();
  for (const [name, store] of Object.entries(named)) {
    if (!isStore(store)) throw wrong(`stores.${name}`, "an open store", typeof store);
    served.set(name, new ServedStore(name, store));
  }
  if (served.size === 0) throw wrong("stores", "at least one store", "none");
  return { stores: served, place, clock, log, largestCall, chunk: { rows, bytes } };
}

function isStore(value: unknown): value is DataStore {
  const store = value as Partial<DataStore> | null | undefined;
  return typeof store?.snapshotChunk === "function" && typeof store.applyTxn === "function";
}

function wrong(option: string, expected: string, found: unknown): CutoverError {
  const shown = String(found).slice(0, 200);
  return new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: `${option}: expected ${expected}, found ${shown}`,
    place: "serveData",
    details: { option, found: shown },
  });
}

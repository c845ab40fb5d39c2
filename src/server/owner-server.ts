import { chmod, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type Clock, CutoverError, type Log } from "../core/index.ts";
import { RouteFeed, type Store } from "../store/index.ts";
import type { CarriedRun, ServerContext } from "./call.ts";
import { Doors } from "./doors.ts";
import { answer } from "./router.ts";
import { socketPath } from "./socket-path.ts";

export interface OwnerServerOptions {
  readonly store: Store;
  /** Folder of the store; the socket lies in it (see `socketPath`). */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly pid: number;
  readonly version: string;
  /** The run with this id, while this process carries it. */
  readonly run: (id: string) => CarriedRun | undefined;
  /** Shared with the engine, which asks it what applications declared. Default: a new one. */
  readonly doors?: Doors;
}

export interface OwnerServer extends AsyncDisposable {
  readonly socket: string;
  readonly doors: Doors;
  /** Ends streams, lets answers under way finish for half a second, removes the socket. Idempotent. */
  close(): Promise<void>;
}

/**
 * Answers for the owner of a store on a Unix socket that only this user can open. The caller holds the folder's
 * lock, so a socket file already there belongs to a process that is gone and is replaced.
 * @throws CUTOVER_STORE_UNAVAILABLE when the socket cannot be made.
 */
export async function createOwnerServer(options: OwnerServerOptions): Promise<OwnerServer> {
  const socket = socketPath(options.dir);
  const doors = options.doors ?? new Doors(options.clock);
  const context: ServerContext = {
    store: options.store,
    clock: options.clock,
    log: options.log,
    doors,
    pid: options.pid,
    version: options.version,
    run: options.run,
    streams: new Set(),
    // Nobody else writes into the store of an owner.
    feed: new RouteFeed(options.store, { clock: options.clock, lookMs: null }),
    alone: (write) => write(options.store),
    declared: undefined,
    decide: undefined,
    nobodyCarries: undefined,
  };
  const server = createServer(
    { maxHeaderSize: 16 * 1024, requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 30_000 },
    (request, response) => void answer(context, request, response),
  );
  await rm(socket, { force: true });
  await listen(server, socket);
  await chmod(socket, 0o600);

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= shut(server, context, socket));
  return { socket, doors, close, [Symbol.asyncDispose]: close };
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void =>
      reject(
        new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
          message: `expected to listen on ${socket}, found ${cause.code ?? cause.message}`,
          place: socket,
          cause,
        }),
      );
    server.once("error", failed);
    server.listen(socket, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

async function shut(server: Server, context: ServerContext, socket: string): Promise<void> {
  for (const stream of context.streams) stream.end();
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const impatient = context.clock.after(500, () => server.closeAllConnections());
  await ended;
  impatient.cancel();
  await rm(socket, { force: true });
}

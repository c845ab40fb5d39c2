import { chmod, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Clock, CutoverError, type Log } from "../core/index.ts";
import type { Store } from "../store/index.ts";
import { readBody, sendError, sendJson, toCutoverError } from "./answer.ts";
import type { CarriedRun, Handler, ServerContext } from "./call.ts";
import { declareRoutes, recordIntervals, recordMismatches, streamRoutes } from "./door-calls.ts";
import { Doors } from "./doors.ts";
import { health, readEvents, verifyChain } from "./record-calls.ts";
import { changeRoute, listRoutes } from "./route-calls.ts";
import {
  approveRun,
  continueRun,
  listRuns,
  pauseRun,
  rollbackRun,
  settleStep,
  showRun,
  streamRun,
} from "./run-calls.ts";
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

/** `METHOD path`, with `*` for one variable part. */
const calls: Readonly<Record<string, Handler>> = {
  "GET /v1/health": health,
  "GET /v1/routes": listRoutes,
  "GET /v1/routes/stream": streamRoutes,
  "POST /v1/routes/*": changeRoute,
  "POST /v1/doors": declareRoutes,
  "POST /v1/intervals": recordIntervals,
  "POST /v1/mismatches": recordMismatches,
  "GET /v1/runs": listRuns,
  "GET /v1/runs/*": showRun,
  "GET /v1/runs/*/stream": streamRun,
  "POST /v1/runs/*/pause": pauseRun,
  "POST /v1/runs/*/continue": continueRun,
  "POST /v1/runs/*/approve": approveRun,
  "POST /v1/runs/*/rollback": rollbackRun,
  "POST /v1/runs/*/settle": settleStep,
  "GET /v1/events": readEvents,
  "GET /v1/audit": verifyChain,
};

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

async function answer(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const { handler, name, query } = find(request);
    const value = await handler(context, { request, response, name, query, body: () => readBody(request) });
    if (value !== undefined) sendJson(response, value);
  } catch (thrown) {
    const error = toCutoverError(thrown);
    if (error.code === "CUTOVER_INTERNAL") {
      context.log.error("a request failed", { url: request.url ?? "", reason: error.message });
    }
    // What is left of an over-long body is not read; the connection ends with the answer.
    if (!request.complete) response.setHeader("connection", "close");
    sendError(response, error);
  }
}

function find(request: IncomingMessage): { handler: Handler; name: string; query: URLSearchParams } {
  const { pathname, searchParams: query } = readUrl(request);
  const method = request.method ?? "GET";
  const exact = calls[`${method} ${pathname}`];
  if (exact !== undefined) return { handler: exact, name: "", query };
  const match = /^(\/v1\/[a-z]+\/)([^/]+)(\/[a-z]+)?$/.exec(pathname);
  const handler = match === null ? undefined : calls[`${method} ${match[1]}*${match[3] ?? ""}`];
  if (handler === undefined || match === null) {
    throw new CutoverError("CUTOVER_REQUEST_UNKNOWN", {
      message: `expected a call of the owner, found ${method} ${pathname.slice(0, 200)}`,
    });
  }
  return { handler, name: decode(match[2] ?? ""), query };
}

function readUrl(request: IncomingMessage): URL {
  try {
    return new URL(request.url ?? "/", "http://owner");
  } catch (cause) {
    throw new CutoverError("CUTOVER_REQUEST_INVALID", { message: "expected a URL, found none", cause });
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new CutoverError("CUTOVER_REQUEST_INVALID", {
      message: `expected a percent-encoded name, found ${part.slice(0, 60)}`,
      place: "path",
      cause,
    });
  }
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

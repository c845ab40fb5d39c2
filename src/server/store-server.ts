import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Clock, CutoverError, type Log, type Timer } from "../core/index.ts";
import type { Decision } from "../engine/index.ts";
import {
  declarationLifeMs,
  distinctDeclarations,
  registerRoutes,
  RouteFeed,
  type Store,
} from "../store/index.ts";
import { Access, isLoopback, readToken } from "./access.ts";
import { sendError, toCutoverError } from "./answer.ts";
import type { ServerContext } from "./call.ts";
import { Doors } from "./doors.ts";
import { MetricsPage } from "./metrics-page.ts";
import { openMetricsType } from "./open-metrics.ts";
import { relay } from "./relay.ts";
import { answer, readUrl } from "./router.ts";

/** How long the answer to "who owns the folder?" is used again, and how often it is asked while streams are open. */
const ownerLookMs = 250;
/** More are refused by the system's queue: a process has descriptors for so many and some left for the store. */
const mostConnections = 20_000;

export interface StoreServerOptions {
  /** Address to listen on. Anything but this machine's loopback asks for a token. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** At least 16 visible ASCII characters; without it decisions are refused. */
  readonly token?: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly pid: number;
  readonly version: string;
  /** Socket of the process that owns the folder now; undefined while nobody does, and always for a shared store. */
  readonly owner: () => string | undefined;
  /** Runs a write that only the owner of the store may do. */
  readonly alone: ServerContext["alone"];
  readonly decide: (run: string, decision: Decision) => Promise<unknown>;
  readonly nobodyCarries: (run: string) => Promise<boolean>;
  /** Told when a door begins or ends to follow, and when another process comes to own the folder or leaves it. */
  readonly onChange?: (change: ServerChange) => void;
}

export type ServerChange =
  | { readonly type: "door"; readonly door: string; readonly connected: boolean; readonly doors: number }
  | { readonly type: "owner"; readonly socket: string | null };

export interface StoreServer extends AsyncDisposable {
  /** `http://127.0.0.1:4170` */
  readonly url: string;
  readonly port: number;
  /** Doors that follow now. */
  doors(): number;
  /** Ends streams, lets answers under way finish for half a second. Idempotent. */
  close(): Promise<void>;
}

/**
 * Answers on TCP the calls that the owner of a store answers on its socket. It owns nothing itself: while a process owns
 * the folder every call is handed to it, otherwise the answer comes from the record. When that changes the streams are
 * ended; doors connect again and find the one who answers now.
 * @throws CUTOVER_TOKEN_REQUIRED for an address beyond this machine without a token, CUTOVER_PORT_IN_USE,
 *   CUTOVER_LISTEN_FAILED
 */
export async function createStoreServer(options: StoreServerOptions): Promise<StoreServer> {
  const token = options.token === undefined ? undefined : readToken(options.token, "token");
  if (token === undefined && !isLoopback(options.host)) throw unguarded(options.host);
  const answering = new Answering(options, new Access(token));
  const server = createServer(
    { maxHeaderSize: 16 * 1024, requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 30_000 },
    (request, response) => void answering.take(request, response),
  );
  server.maxConnections = mostConnections;
  await listen(server, options.host, options.port);
  const { port } = server.address() as AddressInfo;
  const shown = options.host.includes(":") ? `[${options.host.replace(/^\[|\]$/g, "")}]` : options.host;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= answering.shut(server));
  return {
    port,
    url: `http://${shown}:${port}`,
    doors: () => answering.following,
    close,
    [Symbol.asyncDispose]: close,
  };
}

class Answering {
  readonly #options: StoreServerOptions;
  readonly #access: Access;
  readonly #context: ServerContext;
  readonly #open = new Set<ServerResponse>();
  readonly #metrics: MetricsPage;
  #owner: string | undefined;
  #ownerSeenAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #repeating: Timer | undefined;
  following = 0;

  constructor(options: StoreServerOptions, access: Access) {
    this.#options = options;
    this.#access = access;
    this.#metrics = new MetricsPage(options.store, options.version, options.clock);
    this.#context = {
      store: options.store,
      clock: options.clock,
      log: options.log,
      doors: new Doors(options.clock),
      pid: options.pid,
      version: options.version,
      run: () => undefined,
      streams: new Set(),
      feed: new RouteFeed(options.store, { clock: options.clock }),
      alone: options.alone,
      // Other processes must know a route to set it, and they know the record alone.
      declared: async (declarations) => {
        const known = new Set((await options.store.routes.list()).map(({ route }) => route));
        const fresh = declarations.filter(({ route }) => !known.has(route));
        if (fresh.length > 0) await options.alone((store) => registerRoutes(store, fresh));
        await options.store.routes.declare(distinctDeclarations(declarations));
      },
      decide: options.decide,
      nobodyCarries: options.nobodyCarries,
    };
    this.#watchOwner();
    this.#repeatDeclarations();
  }

  async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A caller that goes away in the middle of an answer is no error of ours.
    response.on("error", () => {});
    try {
      const { pathname, searchParams } = readUrl(request);
      this.#access.admit(request, pathname);
      if (pathname === "/metrics" && request.method === "GET") {
        const page = await this.#metrics.read(this.following);
        response.writeHead(200, { "content-type": openMetricsType, "cache-control": "no-store" });
        response.end(page);
        return;
      }
      // Asked first: a change of owner ends the streams that are open by then.
      const owner = this.#ownerNow();
      if (pathname === "/v1/routes/stream") this.#count(response, searchParams.get("door") ?? "");
      if (pathname.endsWith("/stream")) {
        this.#open.add(response);
        response.on("close", () => this.#open.delete(response));
      }
      if (owner === undefined) await answer(this.#context, request, response);
      else await relay(owner, request, response);
    } catch (thrown) {
      const error = toCutoverError(thrown);
      if (error.code === "CUTOVER_OWNER_UNREACHABLE") this.#ownerSeenAt = Number.NEGATIVE_INFINITY;
      if (error.code === "CUTOVER_INTERNAL")
        this.#options.log.error("a request failed", { url: request.url ?? "", reason: error.message });
      if (response.destroyed) return;
      if (!response.headersSent) {
        if (error.code === "CUTOVER_TOKEN_REQUIRED") response.setHeader("www-authenticate", "Bearer");
        // A body that is not wanted is not read: the connection ends with the answer.
        if (!request.complete) response.setHeader("connection", "close");
      }
      sendError(response, error);
    }
  }

  async shut(server: Server): Promise<void> {
    this.#timer?.cancel();
    this.#repeating?.cancel();
    for (const stream of this.#context.streams) stream.end();
    const ended = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const response of this.#open) response.end();
    server.closeIdleConnections();
    const impatient = this.#options.clock.after(500, () => server.closeAllConnections());
    await ended;
    impatient.cancel();
  }

  #count(response: ServerResponse, door: string): void {
    const tell = (connected: boolean): void => {
      this.following += connected ? 1 : -1;
      this.#options.onChange?.({ type: "door", door, connected, doors: this.following });
    };
    tell(true);
    response.on("close", () => tell(false));
  }

  #ownerNow(): string | undefined {
    const now = this.#options.clock.monotonic();
    if (now - this.#ownerSeenAt < ownerLookMs) return this.#owner;
    const owner = this.#options.owner();
    this.#ownerSeenAt = now;
    if (owner !== this.#owner) {
      this.#owner = owner;
      // Whoever follows follows the wrong one now. Streams of an owner that left have ended with it, most often.
      for (const response of this.#open) response.end();
      this.#options.onChange?.({ type: "owner", socket: owner ?? null });
    }
    return owner;
  }

  /** The record forgets what is not repeated, so that it forgets doors that are gone, and this server when it is. */
  #repeatDeclarations(): void {
    const { store, clock, log } = this.#options;
    this.#repeating = clock.after(declarationLifeMs / 3, () => {
      const living = distinctDeclarations(this.#context.doors.declarations());
      if (living.length > 0)
        store.routes
          .declare(living)
          .catch((error: unknown) =>
            log.warn(`declarations of doors were not kept: ${toCutoverError(error).message}`),
          );
      this.#repeatDeclarations();
    });
    this.#repeating.unref();
  }

  #watchOwner(): void {
    this.#timer = this.#options.clock.after(ownerLookMs, () => {
      this.#ownerNow();
      this.#watchOwner();
    });
    this.#timer.unref();
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => reject(notListening(host, port, cause));
    server.once("error", failed);
    server.listen({ host: host.replace(/^\[|\]$/g, ""), port }, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

function notListening(host: string, port: number, cause: NodeJS.ErrnoException): CutoverError {
  const place = `${host}:${port}`;
  if (cause.code === "EADDRINUSE") {
    return new CutoverError("CUTOVER_PORT_IN_USE", {
      message: `expected port ${port} of ${host} to be free, found another process on it`,
      details: { host, port },
      place,
      cause,
    });
  }
  return new CutoverError("CUTOVER_LISTEN_FAILED", {
    message: `expected to listen on ${place}, found ${cause.code ?? cause.message}`,
    details: { host, port },
    place,
    cause,
  });
}

const unguarded = (host: string): CutoverError =>
  new CutoverError("CUTOVER_TOKEN_REQUIRED", {
    message: `expected a token to listen on ${host}, which other machines can reach; found none`,
    place: host,
    remedy:
      "give one with --token-file FILE or CUTOVER_TOKEN, or leave out --host to listen on this machine alone",
  });

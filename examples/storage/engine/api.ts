import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { pid, resourceUsage } from "node:process";
import { CutoverError, isCutoverError, type JsonObject } from "cutover";
import type { MemoryEngine, Wish } from "./engine.ts";
import { readLayer } from "./memory.ts";
import { compareReads } from "./reads.ts";

/** What `GET /health` says. */
export interface Health {
  readonly pid: number;
  readonly side: "old" | "new";
  readonly epoch: number;
  readonly processors: number;
  readonly cacheEntries: number;
  readonly feed: boolean;
  readonly waiting: number;
  readonly longestWaitMs: number;
  readonly writeP50Ms: number | null;
  readonly writeP99Ms: number | null;
  readonly recallP99Ms: number | null;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly errors: readonly string[];
}

/** Answers at a Unix socket: `/remember`, `/forget`, `/recall`, `/reload`, `/health`, `/compare-reads`, `/witness`, `/feed`. */
export async function serveApi(engine: MemoryEngine, socket: string): Promise<AsyncDisposable> {
  const listeners = new Set<ServerResponse>();
  engine.onRemembered = (keys) => {
    for (const each of listeners) each.write(`${JSON.stringify({ keys })}\n`);
  };
  const server = createServer((request, response) => {
    if (request.url === "/feed" && engine.integration?.feed === true) {
      listeners.add(response);
      response.on("close", () => listeners.delete(response));
      response.writeHead(200, { "content-type": "application/x-ndjson" }).flushHeaders();
      return;
    }
    answer(engine, request).then(
      (body) => reply(response, 200, body),
      (error: unknown) => {
        engine.noteError(error);
        if (isCutoverError(error))
          reply(response, error.exitCode === 2 ? 400 : 503, { error: error.toJSON() });
        else reply(response, 500, { error: { message: String(error) } });
      },
    );
  });
  // Left behind by a process that was killed: whoever is to be the only one has the LevelDB open by now.
  rmSync(socket, { force: true });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(socket, resolve));
  return {
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        for (const each of listeners) each.end();
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

async function answer(engine: MemoryEngine, request: IncomingMessage): Promise<JsonObject> {
  const url = new URL(request.url ?? "/", "http://engine");
  switch (`${request.method} ${url.pathname}`) {
    case "POST /remember":
      return { ...(await engine.remember(wishIn(await bodyOf(request)))) };
    case "POST /forget": {
      const { layer, id } = wishIn({ text: "", weight: 0, write: 0, ...(await bodyOf(request)) });
      return { forgotten: `${layer}:${id}`, side: await engine.forget(layer, id) };
    }
    case "GET /recall": {
      const found = await engine.recall(
        readLayer(url.searchParams.get("layer") ?? ""),
        url.searchParams.get("id") ?? "",
      );
      return { memory: found === undefined ? null : { ...found, at: String(found.at) } };
    }
    case "POST /reload":
      await engine.reload();
      return {};
    case "POST /witness": {
      const { side, epoch } = await bodyOf(request);
      await engine.witness({ side: side === "new" ? "new" : "old", epoch: Number(epoch) });
      return {};
    }
    case "GET /compare-reads":
      return await compareReads(engine, Number(url.searchParams.get("reads") ?? 1_000));
    case "GET /health":
      return { ...healthOf(engine) };
    default:
      throw new CutoverError("CUTOVER_CLI_USAGE", {
        message: `expected a call that the engine knows, found ${request.method} ${url.pathname}`,
      });
  }
}

function healthOf(engine: MemoryEngine): Health {
  const { side, epoch } = engine.follower.standing;
  const { waiting, longestWaitMs } = engine.follower.counts;
  const { userCPUTime, systemCPUTime } = resourceUsage();
  return {
    pid,
    side,
    epoch,
    processors: engine.processors.version,
    cacheEntries: engine.settings.cache.entries,
    feed: engine.integration?.feed === true,
    waiting,
    longestWaitMs,
    writeP50Ms: engine.writeMs.at(0.5) ?? null,
    writeP99Ms: engine.writeMs.at(0.99) ?? null,
    recallP99Ms: engine.recallMs.at(0.99) ?? null,
    cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    rssBytes: process.memoryUsage.rss(),
    errors: engine.errors,
  };
}

function wishIn(body: Partial<Record<string, unknown>>): Wish {
  const { layer, id, write, text, weight } = body;
  const good =
    typeof id === "string" &&
    /^[a-z]+-\d{1,12}$/.test(id) &&
    Number.isSafeInteger(write) &&
    typeof text === "string" &&
    typeof weight === "number";
  if (!good)
    throw new CutoverError("CUTOVER_QUEUE_INVALID", {
      message: `expected { layer, id, write, text, weight } with an id such as live-00000007, found ${JSON.stringify(body).slice(0, 200)}`,
    });
  return { layer: readLayer(String(layer)), id, write: write as number, text, weight };
}

async function bodyOf(request: IncomingMessage): Promise<Partial<Record<string, unknown>>> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString("utf8")) as Partial<Record<string, unknown>>;
}

function reply(response: ServerResponse, code: number, body: JsonObject): void {
  response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
}

import type { IncomingMessage, ServerResponse } from "node:http";
import { CutoverError } from "../core/index.ts";
import { readBody, sendError, sendJson, toCutoverError } from "./answer.ts";
import type { Handler, ServerContext } from "./call.ts";
import { showCoverage } from "./coverage-calls.ts";
import { declareRoutes, recordIntervals, recordMismatches } from "./door-calls.ts";
import { health, readEvents, verifyChain } from "./record-calls.ts";
import { changeRoute, listRoutes } from "./route-calls.ts";
import { streamRoutes } from "./route-stream.ts";
import {
  approveRun,
  continueRun,
  fireTrigger,
  liftTrigger,
  listRuns,
  pauseRun,
  rollbackRun,
  settleStep,
  showRun,
  streamRun,
} from "./run-calls.ts";

/** `METHOD path`, with `*` for one variable part. */
const calls: Readonly<Record<string, Handler>> = {
  "GET /v1/health": health,
  "GET /v1/routes": listRoutes,
  "GET /v1/routes/stream": streamRoutes,
  "POST /v1/routes/*": changeRoute,
  "GET /v1/routes/*/coverage": showCoverage,
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
  "POST /v1/runs/*/trigger": fireTrigger,
  "POST /v1/runs/*/lift": liftTrigger,
  "GET /v1/events": readEvents,
  "GET /v1/audit": verifyChain,
};

/** Answers one request from the store: with its value, its stream, or the error as JSON. Never throws. */
export async function answer(
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

/** @throws CUTOVER_REQUEST_INVALID */
export function readUrl(request: IncomingMessage): URL {
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

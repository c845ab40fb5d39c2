import type { IncomingMessage, ServerResponse } from "node:http";
import { asError, CutoverError, type ErrorCode, isCutoverError } from "../core/index.ts";

/** Largest request body: 2,000 intervals with busy histograms stay below it. */
export const bodyLimit: number = 4 * 1024 * 1024;

/** HTTP status by code, where the exit code does not say it well. */
const statuses: Partial<Record<ErrorCode, number>> = {
  CUTOVER_RUN_NOT_FOUND: 404,
  CUTOVER_ROUTE_UNKNOWN: 404,
  CUTOVER_REQUEST_UNKNOWN: 404,
  CUTOVER_REQUEST_TOO_LARGE: 413,
  CUTOVER_TOKEN_REQUIRED: 401,
  CUTOVER_RUN_STATE: 409,
  CUTOVER_APPROVAL_INVALID: 409,
  CUTOVER_STORE_FULL: 507,
};

/** HTTP status by exit code: wrong use 400, held or owned 409, store trouble 503, anything else 500. */
const byExit: Readonly<Record<number, number>> = { 2: 400, 3: 409, 4: 409, 5: 409, 6: 503, 7: 409 };

/** Any thrown value as the error that is sent; what is not ours becomes CUTOVER_INTERNAL. */
export function toCutoverError(thrown: unknown): CutoverError {
  if (isCutoverError(thrown)) return thrown;
  const error = asError(thrown);
  return new CutoverError("CUTOVER_INTERNAL", { message: error.message, cause: error });
}

export function sendError(response: ServerResponse, error: CutoverError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const status = statuses[error.code] ?? byExit[error.exitCode] ?? 500;
  sendJson(response, { error: error.toJSON() }, status);
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
  });
  response.end(body);
}

/**
 * The request's body as JSON.
 * @throws CUTOVER_REQUEST_TOO_LARGE over 4 MiB, CUTOVER_REQUEST_INVALID when it is no JSON.
 */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const bytes = await readBytes(request);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new CutoverError("CUTOVER_REQUEST_INVALID", {
      message: `expected a body of JSON in UTF-8, found ${bytes.length === 0 ? "nothing" : `${bytes.length} bytes that are not`}`,
      place: "body",
      cause,
    });
  }
}

/**
 * The request's body as it came. Not `for await`: leaving that loop early would destroy the connection before the
 * refusal is sent.
 * @throws CUTOVER_REQUEST_TOO_LARGE over 4 MiB.
 */
export function readBytes(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= bodyLimit) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      reject(
        new CutoverError("CUTOVER_REQUEST_TOO_LARGE", {
          message: `expected a body of at most ${bodyLimit} bytes, found more`,
          details: { limit: bodyLimit },
        }),
      );
    });
    request.on("end", () => resolve(Buffer.concat(chunks)));
    request.on("error", reject);
  });
}

import type { IncomingMessage } from "node:http";
import { CutoverError, errorCatalog, type ErrorCode, type JsonObject } from "../core/index.ts";
import type { Owner } from "../store/index.ts";

/** An owner that says nothing for this long is not answering. */
const patienceMs = 10_000;

/** Speaks to the process that owns the store, over its Unix socket. */
export class OwnerClient {
  readonly owner: Owner & { readonly socket: string };

  constructor(owner: Owner & { readonly socket: string }) {
    this.owner = owner;
  }

  get<T>(path: string): Promise<T> {
    return this.#call<T>("GET", path);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.#call<T>("POST", path, body);
  }

  /** NDJSON messages until the owner ends the stream or `signal` aborts. */
  async *stream<T>(path: string, signal: AbortSignal): AsyncGenerator<T> {
    const response = await this.#open("GET", path, undefined, signal);
    if (response.statusCode !== 200) throw refused(await readAll(response));
    let rest = "";
    response.setEncoding("utf8");
    try {
      for await (const chunk of response as AsyncIterable<string>) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) if (line !== "") yield JSON.parse(line) as T;
      }
    } catch (error) {
      // The owner ended or was killed in the middle of a line: the stream is over, the record tells the rest.
      if (!signal.aborted && (error as NodeJS.ErrnoException).code !== "ECONNRESET") throw this.#lost(error);
    }
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.#open(method, path, body, AbortSignal.timeout(patienceMs));
    const text = await readAll(response);
    if (response.statusCode !== 200) throw refused(text);
    return JSON.parse(text) as T;
  }

  #open(method: string, path: string, body: unknown, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      // An `import` of node:http evaluates all its exports, WebSocket too: 60 ms that no start should pay.
      const { request } = process.getBuiltinModule("node:http");
      const sent = body === undefined ? "" : JSON.stringify(body);
      const headers =
        sent === "" ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(sent) };
      const outgoing = request(
        { socketPath: this.owner.socket, method, path, headers, signal, agent: false },
        resolve,
      );
      outgoing.on("error", (cause) => reject(this.#lost(cause)));
      outgoing.end(sent);
    });
  }

  #lost(cause: unknown): CutoverError {
    const { pid, socket } = this.owner;
    return new CutoverError("CUTOVER_OWNER_UNREACHABLE", {
      message: `expected an answer from process ${pid ?? "?"} on ${socket}, found ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`,
      details: { pid, socket },
      cause,
    });
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  response.setEncoding("utf8");
  let text = "";
  for await (const chunk of response as AsyncIterable<string>) text += chunk;
  return text;
}

/** The owner's refusal as the error it threw. */
function refused(text: string): CutoverError {
  const { error } = JSON.parse(text) as {
    readonly error: {
      readonly code: string;
      readonly message: string;
      readonly details?: JsonObject;
      readonly place?: string;
      readonly remedy?: string;
    };
  };
  const known = Object.hasOwn(errorCatalog, error.code);
  return new CutoverError(known ? (error.code as ErrorCode) : "CUTOVER_INTERNAL", {
    message: known ? error.message : `${error.code}: ${error.message}`,
    ...(error.details === undefined ? {} : { details: error.details }),
    ...(error.place === undefined ? {} : { place: error.place }),
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
  });
}

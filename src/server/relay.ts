import { type IncomingMessage, request as open, type ServerResponse } from "node:http";
import { CutoverError } from "../core/index.ts";
import { readBytes } from "./answer.ts";

/** An owner that has not begun to answer by then is not answering; a decision may take it 20 s. */
const answerWithin = 60_000;

/**
 * Hands a request to the owner of the folder on its socket and its answer back, streams included. A reader that takes
 * nothing holds the owner's stream up, never memory of this process.
 * @throws CUTOVER_OWNER_UNREACHABLE before anything was answered; later a broken answer is broken off
 */
export async function relay(
  socket: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = request.method === "GET" || request.method === "HEAD" ? undefined : await readBytes(request);
  const { date } = request.headers;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = open(
      {
        socketPath: socket,
        method: request.method,
        path: request.url,
        agent: false,
        // Nothing else of the caller's is handed on: the token is for this server. When it was sent tells its clock.
        headers: {
          ...(body === undefined
            ? {}
            : { "content-type": "application/json", "content-length": body.length }),
          ...(date === undefined ? {} : { date }),
        },
      },
      (incoming) => {
        outgoing.setTimeout(0);
        resolve(incoming);
      },
    );
    outgoing.setTimeout(answerWithin, () => outgoing.destroy(new Error("no answer within 60 s")));
    outgoing.on("error", (cause) => reject(unreachable(socket, cause)));
    response.on("close", () => outgoing.destroy());
    outgoing.end(body);
  });
  const type = answer.headers["content-type"];
  response.writeHead(answer.statusCode ?? 502, {
    "cache-control": "no-store",
    ...(type === undefined ? {} : { "content-type": type }),
  });
  response.flushHeaders();
  answer.on("error", () => response.destroy());
  answer.on("close", () => {
    if (!answer.complete) response.destroy();
  });
  answer.pipe(response);
}

const unreachable = (socket: string, cause: Error): CutoverError =>
  new CutoverError("CUTOVER_OWNER_UNREACHABLE", {
    message: `expected an answer from the owner of the store on ${socket}, found ${(cause as NodeJS.ErrnoException).code ?? cause.message}`,
    place: socket,
    cause,
  });

import { Agent, request } from "node:http";
import { CutoverError } from "../../core/index.ts";

/** Longest line taken from the stream, characters: far above thousands of routes. */
const longestLine = 16_000_000;
const answerWithin = 5_000;

/** HTTP to the owner of a store over its Unix socket. No socket of it keeps the process alive. */
export class OwnerCalls {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /**
   * Posts JSON; resolves with the status once the answer is there.
   * Rejects when the owner cannot be reached or does not answer within 5 s.
   */
  post(path: string, body: unknown): Promise<number> {
    return new Promise((resolve, reject) => {
      const call = request(
        {
          socketPath: this.#socketPath,
          path,
          method: "POST",
          agent: this.#agent,
          headers: { "content-type": "application/json" },
          timeout: answerWithin,
        },
        (response) => {
          response.resume();
          response.on("end", () => resolve(response.statusCode ?? 0));
          response.on("error", reject);
        },
      );
      call.on("socket", (socket) => socket.unref());
      call.on("timeout", () => call.destroy(unreachable(this.#socketPath, "no answer within 5 s")));
      call.on("error", reject);
      call.end(JSON.stringify(body));
    });
  }

  /** Follows a stream of JSON lines. `ended` is called exactly once; the returned function ends it. */
  follow(
    path: string,
    on: {
      readonly opened: () => void;
      readonly line: (value: unknown) => void;
      readonly ended: (error?: CutoverError) => void;
    },
  ): () => void {
    let over = false;
    const end = (error?: CutoverError): void => {
      if (over) return;
      over = true;
      call.destroy();
      on.ended(error);
    };
    const call = request({ socketPath: this.#socketPath, path, agent: false }, (response) => {
      if (response.statusCode !== 200) {
        return end(unreachable(this.#socketPath, `status ${response.statusCode} for ${path}`));
      }
      on.opened();
      response.setEncoding("utf8");
      let rest = "";
      response.on("data", (chunk: string) => {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          if (over) return;
          if (line.trim() === "") continue;
          let value: unknown;
          try {
            value = JSON.parse(line);
          } catch {
            return end(unreachable(this.#socketPath, "a line that is not JSON"));
          }
          on.line(value);
        }
        if (rest.length > longestLine) end(unreachable(this.#socketPath, "an endless line"));
      });
      response.on("end", () => end());
      response.on("error", () => end());
      response.on("close", () => end());
    });
    call.on("socket", (socket) => socket.unref());
    call.on("error", () => end());
    call.end();
    return end;
  }

  close(): void {
    this.#agent.destroy();
  }
}

function unreachable(socket: string, found: string): CutoverError {
  return new CutoverError("CUTOVER_OWNER_UNREACHABLE", {
    message: `expected the owner of the store to answer, found ${found}`,
    place: socket,
  });
}

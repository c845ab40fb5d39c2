import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { type Clock, CutoverError } from "../../core/index.ts";
import { type ServerAddress, shownAddress } from "./server-address.ts";

/** Longest line taken from the stream, characters: far above thousands of routes. */
const longestLine = 16_000_000;
const answerWithin = 5_000;

/** What is used of `node:http` and `node:https`. */
type Transport = Pick<typeof import("node:http"), "request" | "Agent">;

/** HTTP to the server of a store. No socket of it keeps the process alive. */
export class ServerCalls {
  readonly #address: ServerAddress;
  readonly #clock: Clock;
  readonly #transport: Transport;
  readonly #agent: HttpAgent;

  constructor(address: ServerAddress, clock: Clock, transport: Transport) {
    this.#address = address;
    this.#clock = clock;
    this.#transport = transport;
    this.#agent = new transport.Agent({ keepAlive: true, maxSockets: 1 });
  }

  /**
   * Posts JSON; resolves with the status once the answer is there.
   * Rejects when the server cannot be reached or has not answered within 5 s.
   */
  post(path: string, body: unknown): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = JSON.stringify(body);
      const call = this.#transport.request(
        {
          ...this.#target(path),
          method: "POST",
          agent: this.#agent,
          headers: {
            ...this.#headers(),
            "content-type": "application/json",
            "content-length": Buffer.byteLength(sent),
            // What it says of times is by this clock, which may be wrong.
            date: new Date(this.#clock.now()).toUTCString(),
          },
        },
        (response) => {
          response.resume();
          response.on("end", () => {
            limit.cancel();
            resolve(response.statusCode ?? 0);
          });
          response.on("error", reject);
        },
      );
      // Over all: a server that answers by drops would hold up all that is measured meanwhile.
      const limit = this.#clock.after(answerWithin, () =>
        call.destroy(this.#unreachable("no answer within 5 s")),
      );
      limit.unref();
      call.on("socket", (socket) => socket.unref());
      call.on("error", reject);
      call.on("close", () => {
        limit.cancel();
        reject(this.#unreachable("a broken answer"));
      });
      call.end(sent);
    });
  }

  /** Follows a stream of JSON lines. `ended` is called exactly once; the returned function ends it. */
  follow(
    path: string,
    on: {
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
    const call = this.#transport.request(
      { ...this.#target(path), headers: this.#headers(), agent: false },
      (response) => {
        if (response.statusCode !== 200) return end(this.#refused(response.statusCode ?? 0, path));
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
              return end(this.#unreachable("a line that is not JSON"));
            }
            on.line(value);
          }
          if (rest.length > longestLine) end(this.#unreachable("an endless line"));
        });
        response.on("end", () => end());
        response.on("error", () => end());
        response.on("close", () => end());
      },
    );
    call.on("socket", (socket) => socket.unref());
    call.on("error", (cause: NodeJS.ErrnoException) => end(this.#lost(cause)));
    call.end();
    return end;
  }

  close(): void {
    this.#agent.destroy();
  }

  #target(path: string): object {
    if ("socketPath" in this.#address) return { socketPath: this.#address.socketPath, path };
    const { host, port, base } = this.#address;
    return { host, port, path: `${base}${path}` };
  }

  #headers(): Readonly<Record<string, string>> {
    const token = "token" in this.#address ? this.#address.token : undefined;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  #refused(status: number, path: string): CutoverError {
    const where = path.replace(/\?.*$/, "");
    if (status !== 401 && status !== 403) return this.#unreachable(`status ${status} for ${where}`);
    return new CutoverError("CUTOVER_TOKEN_REQUIRED", {
      message: `expected the server to take this door's token, found status ${status} for ${where}`,
      details: { status },
      place: shownAddress(this.#address),
    });
  }

  /** An owner that is gone leaves its address behind: that is no trouble. A URL that nobody answers at is. */
  #lost(cause: NodeJS.ErrnoException): CutoverError | undefined {
    return "socketPath" in this.#address ? undefined : this.#unreachable(cause.code ?? cause.message);
  }

  #unreachable(found: string): CutoverError {
    return new CutoverError("CUTOVER_OWNER_UNREACHABLE", {
      message: `expected the ${"socketPath" in this.#address ? "owner of the store" : "server of the store"} to answer, found ${found}`,
      place: shownAddress(this.#address),
      ...("socketPath" in this.#address
        ? {}
        : {
            remedy:
              "look whether `cutover serve` runs there and can be reached; stages stay as they are meanwhile",
          }),
    });
  }
}

/** Opens calls to an address. `node:https` is loaded only where it is spoken. */
export async function openCalls(address: ServerAddress, clock: Clock): Promise<ServerCalls> {
  const secure = "secure" in address && address.secure;
  const transport = secure ? await import("node:https") : { request: httpRequest, Agent: HttpAgent };
  return new ServerCalls(address, clock, transport as Transport);
}

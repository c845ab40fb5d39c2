import type { ServerResponse } from "node:http";
import type { Clock, Timer } from "../core/index.ts";

/** A reader that takes nothing for this long is cut off; it reconnects and starts from the present state. */
const stuckMs = 10_000;

/**
 * An NDJSON answer that never buffers more than one message beyond the socket's own buffer. `pull` is asked for
 * what is due whenever the reader can take more; it merges what happened meanwhile, so a slow reader sees fewer,
 * newer messages and costs no memory.
 */
export class NdjsonStream {
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  readonly #pull: () => unknown;
  #blocked = false;
  #stuck: Timer | undefined;
  #closed = false;

  /** @param pull the next message, or undefined when there is nothing to say */
  constructor(response: ServerResponse, clock: Clock, pull: () => unknown) {
    this.#response = response;
    this.#clock = clock;
    this.#pull = pull;
    response.writeHead(200, {
      "content-type": "application/x-ndjson",
      "cache-control": "no-store",
    });
    response.flushHeaders();
    response.on("drain", () => {
      this.#blocked = false;
      this.#stuck?.cancel();
      this.wake();
    });
    response.on("close", () => {
      this.#closed = true;
      this.#stuck?.cancel();
    });
    // A reader that goes away in the middle of a write is no error of ours.
    response.on("error", () => {});
  }

  /** Something happened: writes what is due, as far as the reader takes it. */
  wake(): void {
    while (!this.#blocked && !this.#closed) {
      const message = this.#pull();
      if (message === undefined) return;
      if (this.#response.write(`${JSON.stringify(message)}\n`)) continue;
      this.#blocked = true;
      this.#stuck = this.#clock.after(stuckMs, () => this.#response.destroy());
      this.#stuck.unref();
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  end(): void {
    if (!this.#closed) this.#response.end();
  }
}

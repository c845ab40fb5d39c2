import type { Socket } from "node:net";

/** Writes messages to a socket no faster than the other end reads them. */
export class Outbox {
  readonly #socket: Socket;
  #drained: PromiseWithResolvers<void> | undefined;
  #closed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("drain", () => this.#release());
  }

  /**
   * Resolves when there is room for more. The parts of one message go out together.
   * @throws (rejects) once the socket is closed
   */
  async send(parts: Iterable<Uint8Array>): Promise<void> {
    if (this.#closed || this.#socket.destroyed) throw new Error("the connection has ended");
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
    await this.emptied();
  }

  /** Resolves when all was handed to the system, or nothing ever will. */
  async emptied(): Promise<void> {
    if (this.#closed || !this.#socket.writableNeedDrain) return;
    this.#drained ??= Promise.withResolvers<void>();
    await this.#drained.promise;
  }

  close(): void {
    this.#closed = true;
    this.#release();
  }

  #release(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }
}

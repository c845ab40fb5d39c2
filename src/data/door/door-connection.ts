import { Socket, type SocketConstructorOpts } from "node:net";
import { asError, type Clock, type CutoverError, type Timer } from "../../core/index.ts";
import { storeError } from "../connectors/place.ts";
import {
  decodeError,
  decodeWelcome,
  encodeHello,
  type Operation,
  operations,
  type Welcome,
} from "./calls.ts";
import { FrameReader, framesOf, type FrameType, type Message } from "./frames.ts";
import { unavailable } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { damaged, Packer, Unpacker } from "./packing.ts";

/** Bytes of parts that a stream may have on the way. Twice as much was no faster. */
const windowBytes = 1_048_576;
/** Of one answer: as much as a store can hold in one transaction and we in one buffer. */
const largestAnswer = 1_073_741_824;
/** The types leave out what every stream takes. */
const buffered: SocketConstructorOpts & { readonly highWaterMark: number } = { highWaterMark: 524_288 };
const greetingMs = 5_000;
/** How long a call that was given up is waited for, so that what comes after it does not overtake it. */
const letGoMs = 2_000;

/** Who waits for the answers to one call. */
interface Waiting {
  part(payload: Buffer): void;
  done(payload: Buffer): void;
  failed(error: Error): void;
}

/** A call and what it says. */
export interface Asked {
  readonly operation: Operation;
  /** Writes the fields; left out for a call without any. */
  readonly pack?: (out: Packer) => unknown;
  /** About how many bytes that takes. */
  readonly size?: number;
}

export interface CallOptions {
  /** Told of each part of the answer. */
  readonly part?: (payload: Buffer) => void;
  /** Gives the call up: the answer is still waited for, as it may have been done. */
  readonly signal?: AbortSignal;
}

/** One connection to a door. It ends once and for all; `DoorLink` opens another. */
export class DoorConnection {
  readonly welcome: Welcome;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #place: string;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #lost: CutoverError | undefined;

  private constructor(socket: Socket, place: string, clock: Clock, welcome: Welcome) {
    this.#socket = socket;
    this.#outbox = new Outbox(socket);
    this.#place = place;
    this.#clock = clock;
    this.welcome = welcome;
    socket.unref();
  }

  /** @throws CUTOVER_DATA_UNAVAILABLE, CUTOVER_DATA_DENIED, CUTOVER_DATA_FORMAT, CUTOVER_DATA_ADDRESS */
  static open(
    path: string,
    options: { readonly store: string | undefined; readonly place: string; readonly clock: Clock },
  ): Promise<DoorConnection> {
    const { store, place, clock } = options;
    return new Promise((resolve, reject) => {
      const socket = new Socket({ ...buffered });
      const frames = new FrameReader(place, largestAnswer);
      let open: DoorConnection | undefined;
      const end = (error: Error): void => {
        timer.cancel();
        reject(error);
        if (open !== undefined) open.#end(error);
        socket.destroy();
      };
      const timer = clock.after(greetingMs, () =>
        end(unavailable(place, `no greeting within ${greetingMs / 1_000} s`)),
      );
      socket.connect(path, () => {
        for (const part of framesOf("hello", 0, encodeHello(store))) socket.write(part);
      });
      socket.on("data", (chunk: Buffer) => {
        try {
          for (const message of frames.read(chunk)) {
            if (open !== undefined) open.#take(message);
            else if (message.type === "error") throw decodeError(message.payload, place);
            else {
              if (message.type !== "welcome") throw damaged(place, "no greeting");
              timer.cancel();
              const welcome = decodeWelcome(new Unpacker(message.payload, place), place);
              open = new DoorConnection(socket, place, clock, welcome);
              resolve(open);
            }
          }
        } catch (error) {
          end(asError(error));
        }
      });
      socket.on("error", (error: NodeJS.ErrnoException) => end(connectError(error, path, place)));
      socket.on("close", () => end(unavailable(place, "its connection ended")));
    });
  }

  /** Whether it can still be used. */
  get isOpen(): boolean {
    return this.#lost === undefined;
  }

  /**
   * Sends a call and resolves with its result. With a signal that aborts it rejects with the signal's reason once the server has
   * let go of the call, or is not waited for any longer.
   */
  call(asked: Asked, options: CallOptions = {}): Promise<Buffer> {
    const { part = () => {}, signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(asError(signal.reason));
      let late: Timer | undefined;
      let number = 0;
      const giveUp = (): void => {
        this.#send("cancel", number);
        // A server that hangs may do it later: only an ended connection keeps it from that.
        late = this.#clock.after(letGoMs, () => this.#socket.destroy());
      };
      const over = (): void => {
        late?.cancel();
        signal?.removeEventListener("abort", giveUp);
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      number = this.#begin(asked, undefined, {
        part,
        done: (payload) => {
          over();
          resolve(payload);
        },
        failed: (error) => {
          over();
          reject(signal?.aborted === true ? asError(signal.reason) : error);
        },
      });
    });
  }

  /** Sends a call whose parts are read one by one: the server sends no more than the window holds. */
  async *stream(asked: Asked, signal: AbortSignal | undefined): AsyncGenerator<Buffer, void, void> {
    signal?.throwIfAborted();
    const parts: Buffer[] = [];
    let end: { readonly error?: Error } | undefined;
    let wake = (): void => {};
    const number = this.#begin(asked, windowBytes, {
      part: (payload) => {
        parts.push(payload);
        wake();
      },
      done: () => {
        end = {};
        wake();
      },
      failed: (error) => {
        end = { error };
        wake();
      },
    });
    const stop = (): void => wake();
    signal?.addEventListener("abort", stop, { once: true });
    let taken = 0;
    try {
      for (;;) {
        signal?.throwIfAborted();
        const part = parts.shift();
        if (part !== undefined) {
          yield part;
          taken += part.length;
          if (taken < windowBytes / 4) continue;
          this.#send("credit", number, new Packer(4).word(taken).done());
          taken = 0;
        } else if (end !== undefined) {
          if (end.error !== undefined) throw end.error;
          return;
        } else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      signal?.removeEventListener("abort", stop);
      if (this.#waiting.delete(number)) {
        this.#send("cancel", number);
        this.#rest();
      }
    }
  }

  close(): void {
    this.#end(unavailable(this.#place, "its connection closed from here"));
    this.#socket.destroySoon();
  }

  #begin({ operation, pack, size = 64 }: Asked, credit: number | undefined, waiting: Waiting): number {
    // Numbers come again after 2³² calls; those that are still open are passed over.
    do this.#last = (this.#last % 0xffff_ffff) + 1;
    while (this.#waiting.has(this.#last));
    const number = this.#last;
    if (this.#lost !== undefined) {
      waiting.failed(this.#lost);
      return number;
    }
    if (this.#waiting.size === 0) this.#socket.ref();
    this.#waiting.set(number, waiting);
    const out = new Packer(size + 5).byte(operations[operation]);
    if (credit !== undefined) out.word(credit);
    pack?.(out);
    this.#send("call", number, out.done());
    return number;
  }

  #take({ type, call, payload }: Message): void {
    if (type === "ping") return this.#send("pong", 0);
    if (type === "error" && call === 0) throw decodeError(payload, this.#place);
    if (type !== "part" && type !== "result" && type !== "error")
      throw damaged(this.#place, `a message "${type}" in the wrong place`);
    // What was given up may still be answered.
    const waiting = this.#waiting.get(call);
    if (waiting === undefined) return;
    if (type === "part") return waiting.part(payload);
    this.#waiting.delete(call);
    this.#rest();
    if (type === "result") waiting.done(payload);
    else waiting.failed(decodeError(payload, this.#place));
  }

  /** A connection that nobody waits for does not keep the process alive. */
  #rest(): void {
    if (this.#waiting.size === 0) this.#socket.unref();
  }

  #send(type: FrameType, call: number, payload: Uint8Array = Buffer.alloc(0)): void {
    // An end of the connection is told to those who wait by `#end`.
    this.#outbox.send(framesOf(type, call, payload)).catch(() => {});
  }

  #end(error: Error): void {
    if (this.#lost !== undefined) return;
    this.#lost = storeError(error, this.#place);
    this.#outbox.close();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) one.failed(this.#lost);
  }
}

function connectError(error: NodeJS.ErrnoException, path: string, place: string): CutoverError {
  if (error.code === "ENOENT") return unavailable(place, `nothing at ${path}`, error);
  if (error.code === "ECONNREFUSED") return unavailable(place, `nobody who listens at ${path}`, error);
  if (error.code === "EACCES" || error.code === "EPERM") return storeError(error, place);
  if (error.code === "ECONNRESET" || error.code === "EPIPE")
    return unavailable(place, "its connection ended", error);
  return unavailable(place, error.message, error);
}

import type { Readable } from "node:stream";
import type { Stream } from "./stream-kind.ts";

/** Chunks read before others get their turn: a stream that is always ready would otherwise stop the process. */
const perTurn = 32;

export interface StreamReader {
  event(chunk: unknown): void;
  ended(): void;
  failed(error: unknown): void;
}

/** Reads a stream that nobody waits for. Of `ended` and `failed` one is called at most once, neither after `stop`. */
export class StreamReading {
  readonly #source: Source;
  #open = true;

  constructor(stream: Stream) {
    this.#source = sourceOf(stream);
  }

  async run(reader: StreamReader): Promise<void> {
    try {
      for (let read = 1; this.#open; read++) {
        const { done, value } = await this.#source.next();
        if (!this.#open) return;
        if (done === true) {
          this.#open = false;
          return reader.ended();
        }
        reader.event(value);
        if (read % perTurn === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      if (!this.#open) return;
      this.#open = false;
      reader.failed(error);
    }
  }

  /** Lets go of the stream, as a reader does that wants no more. */
  stop(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#source.stop();
  }
}

interface Source {
  next(): PromiseLike<{ readonly done?: boolean | undefined; readonly value?: unknown }>;
  stop(): void;
}

function sourceOf(stream: Stream): Source {
  if (stream.kind === "web") return webSource(stream.value);
  if (stream.kind === "response") return webSource(stream.body);
  const iterator = stream.value[Symbol.asyncIterator]();
  const leave = (): void => {
    // A generator that hangs never takes its `return`; nobody waits for it.
    void Promise.resolve(iterator.return?.()).catch(() => {});
  };
  const next = (): Promise<IteratorResult<unknown>> => Promise.resolve(iterator.next());
  return stream.kind === "readable"
    ? { next, stop: () => destroy(stream.value) }
    : { next, stop: quietly(leave) };
}

function webSource(stream: ReadableStream<unknown>): Source {
  const reader = stream.getReader();
  return { next: () => reader.read(), stop: () => void reader.cancel().catch(() => {}) };
}

function destroy(stream: Readable): void {
  stream.on("error", () => {});
  stream.destroy();
}

const quietly = (act: () => void) => (): void => {
  try {
    act();
  } catch {
    // A `return` of the new side that throws concerns nobody any more.
  }
};

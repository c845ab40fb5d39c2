import type { Readable } from "node:stream";
import type { Stream } from "./stream-kind.ts";

/** Hears what the reader of a stream sees. Of `ended`, `failed` and `stopped` exactly one is called, once, and last. */
export interface StreamListener {
  /** The reader asked for the next event and waits. Not known of Node's streams. */
  asked(): void;
  /** Called before the reader gets it. */
  event(chunk: unknown): void;
  ended(): void;
  failed(error: unknown): void;
  /** The reader wants no more. */
  stopped(): void;
  /**
   * Asked before `failed` when nothing was read yet: the stream to read instead, if there is one. It is not listened
   * to. Not asked for Node's streams and responses, which have begun with their first byte or status.
   */
  instead?(error: unknown): Promise<AsyncIterable<unknown>> | undefined;
}

/**
 * Listens to a stream while its reader reads it at its own pace: nothing is read ahead, kept back or buffered, and the
 * reader's early end reaches the source. Iterables and Node's streams stay the same objects (what listens is an own
 * member of the object, taken away at the end); a `ReadableStream` and a `Response`, which native code reads past any
 * such member, become new ones around the old.
 *
 * @returns what the reader gets instead; undefined when the stream is listened to already (an answer given twice)
 */
export function tap(stream: Stream, listener: StreamListener): unknown {
  switch (stream.kind) {
    case "iterable":
      return tapIterable(stream.value, listener);
    case "readable":
      return tapReadable(stream.value, listener);
    case "web":
      return tapWeb(stream.value, listener);
    case "response":
      return tapResponse(stream.value, tapWeb(stream.body, withoutInstead(listener)));
  }
}

/** The status was given already: no other answer can take the place of this one. */
const withoutInstead = (listener: StreamListener): StreamListener => ({
  asked: () => listener.asked(),
  event: (chunk) => listener.event(chunk),
  ended: () => listener.ended(),
  failed: (error) => listener.failed(error),
  stopped: () => listener.stopped(),
});

const tapped = new WeakSet<object>();

/** Puts an own, invisible member over what the object inherits or has; the answer takes it away again. */
function cover(object: object, name: PropertyKey, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(object, name);
  Object.defineProperty(object, name, { value, enumerable: false, configurable: true, writable: true });
  return () => {
    if (before === undefined) Reflect.deleteProperty(object, name);
    else Object.defineProperty(object, name, before);
  };
}

type Step = (...args: unknown[]) => unknown;

function tapIterable(source: AsyncIterable<unknown>, listener: StreamListener): unknown {
  if (tapped.has(source)) return undefined;
  const begin = source[Symbol.asyncIterator].bind(source);
  // A generator is its own iterator, and its `next` may be called without ever asking for one.
  if (typeof (source as Partial<AsyncIterator<unknown>>).next === "function") {
    tapped.add(source);
    tapIterator(source as unknown as AsyncIterator<unknown>, listener, () => tapped.delete(source));
    return source;
  }
  tapped.add(source);
  const uncover = cover(source, Symbol.asyncIterator, () => {
    // Only the first reading is heard; a second one would be another stream.
    uncover();
    tapped.delete(source);
    const iterator = begin();
    if (Object.isExtensible(iterator)) tapIterator(iterator, listener, () => {});
    else listener.stopped();
    return iterator;
  });
  return source;
}

function tapIterator(iterator: AsyncIterator<unknown>, listener: StreamListener, free: () => void): void {
  const over: (() => void)[] = [];
  let open = true;
  let seen = false;
  let other: AsyncIterator<unknown> | undefined;
  const close = (tell: () => void): void => {
    open = false;
    for (const undo of over.splice(0)) undo();
    free();
    tell();
  };
  const failed = async (error: unknown): Promise<unknown> => {
    const instead = seen ? undefined : listener.instead?.(error);
    if (instead === undefined) {
      close(() => listener.failed(error));
      throw error;
    }
    // The members stay: through them the reader reaches the stream that goes on in place of this one.
    open = false;
    free();
    const stream = await instead;
    // An answer that is no stream cannot go on where one was promised.
    if (typeof stream?.[Symbol.asyncIterator] !== "function") throw error;
    other = stream[Symbol.asyncIterator]();
    return other.next();
  };
  const watched = (name: "next" | "return" | "throw", step: Step): Step => {
    const last = name === "next" ? "ended" : "stopped";
    return (...args) => {
      if (other !== undefined) return relay(other, name, args);
      if (!open) return step(...args);
      listener.asked();
      let result: unknown;
      try {
        result = step(...args);
      } catch (error) {
        return failed(error);
      }
      return Promise.resolve(result).then(
        (found) => {
          if (!open) return found;
          const { done, value } = found as IteratorResult<unknown>;
          if (done === true) close(() => listener[last]());
          else {
            seen = true;
            listener.event(value);
          }
          return found;
        },
        (error: unknown) => {
          if (!open) throw error;
          if (name === "next") return failed(error);
          // What the reader threw into a generator comes back out of it.
          close(() => (error === args[0] ? listener.stopped() : listener.failed(error)));
          throw error;
        },
      );
    };
  };
  const own = (name: "next" | "return" | "throw"): Step | undefined =>
    (iterator[name] as Step | undefined)?.bind(iterator);
  const [next, stop, fail] = [own("next"), own("return"), own("throw")];
  over.push(cover(iterator, "next", watched("next", next ?? noReturn)));
  // Without a `return` a reader that leaves tells nobody; one that does nothing else changes nothing for it.
  over.push(cover(iterator, "return", watched("return", stop ?? noReturn)));
  if (fail !== undefined) over.push(cover(iterator, "throw", watched("throw", fail)));
}

const noReturn: Step = async (value) => ({ done: true, value });

function relay(
  to: AsyncIterator<unknown>,
  name: "next" | "return" | "throw",
  args: readonly unknown[],
): unknown {
  const step = to[name] as Step | undefined;
  if (step !== undefined) return step.apply(to, args as unknown[]);
  return name === "throw" ? Promise.reject(args[0]) : noReturn(...args);
}

/**
 * Every chunk that leaves a Node stream, in whichever way it is read, passes `emit("data")` once. A listener would make
 * the stream flow, or silence an error nobody handles; watching `emit` does neither.
 */
function tapReadable(source: Readable, listener: StreamListener): unknown {
  if (tapped.has(source)) return undefined;
  tapped.add(source);
  let open = true;
  const close = (tell: () => void): void => {
    if (!open) return;
    open = false;
    for (const undo of over) undo();
    tapped.delete(source);
    tell();
  };
  const emit = source.emit.bind(source) as (name: string | symbol, ...args: unknown[]) => boolean;
  const unshift = source.unshift.bind(source) as (...args: unknown[]) => void;
  const over = [
    cover(source, "emit", (name: string | symbol, ...args: unknown[]): boolean => {
      if (name === "data") listener.event(args[0]);
      else if (name === "end") close(() => listener.ended());
      else if (name === "error")
        close(() => (hasLeft(args[0]) ? listener.stopped() : listener.failed(args[0])));
      else if (name === "close") close(() => listener.stopped());
      return emit(name, ...args);
    }),
    // What is put back comes again: from there on nothing is known.
    cover(source, "unshift", (...args: unknown[]): void => {
      if (args[0] !== null) close(() => listener.stopped());
      unshift(...args);
    }),
  ];
  return source;
}

/** `for await` that is left before the end destroys the stream with this error. */
const hasLeft = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === "ABORT_ERR";

function tapWeb(source: ReadableStream<unknown>, listener: StreamListener): ReadableStream<unknown> {
  const bytes = isByteStream(source);
  let reader: {
    read(): Promise<{ done: boolean; value?: unknown }>;
    cancel(reason: unknown): Promise<unknown>;
  } = source.getReader();
  let open = true;
  let seen = false;
  const close = (tell?: () => void): void => {
    if (open) tell?.();
    open = false;
  };
  const read = async (): Promise<{ done: boolean; value?: unknown }> => {
    try {
      return await reader.read();
    } catch (error) {
      const instead = seen || !open ? undefined : listener.instead?.(error);
      if (instead === undefined) throw error;
      close();
      reader = readerOf(await instead);
      return reader.read();
    }
  };
  const pull = async (controller: {
    enqueue(chunk: unknown): void;
    close(): void;
    readonly byobRequest?: { respond(bytes: number): void } | null;
  }): Promise<void> => {
    if (open) listener.asked();
    try {
      const { done, value } = await read();
      if (done) {
        close(() => listener.ended());
        controller.close();
        // A reader that brought its own buffer is answered with nothing in it.
        controller.byobRequest?.respond(0);
        return;
      }
      seen = true;
      if (open) listener.event(value);
      controller.enqueue(value);
    } catch (error) {
      close(() => listener.failed(error));
      throw error;
    }
  };
  const cancel = async (reason: unknown): Promise<void> => {
    close(() => listener.stopped());
    await reader.cancel(reason);
  };
  // Nothing is pulled before it is asked for: the source keeps its own buffer, and no second one is put behind it.
  return bytes
    ? new ReadableStream({ type: "bytes", pull, cancel }, { highWaterMark: 0 })
    : new ReadableStream<unknown>({ pull, cancel }, { highWaterMark: 0 });
}

function readerOf(stream: AsyncIterable<unknown>): ReadableStreamDefaultReader<unknown> {
  return (stream instanceof ReadableStream ? stream : ReadableStream.from(stream)).getReader();
}

/** Only a stream of bytes gives a reader that brings its own buffer; the stream itself does not tell. */
function isByteStream(source: ReadableStream<unknown>): boolean {
  try {
    (source as ReadableStream<Uint8Array>).getReader({ mode: "byob" }).releaseLock();
    return true;
  } catch {
    return false;
  }
}

function tapResponse(source: Response, body: ReadableStream<unknown>): Response {
  const { status, statusText, headers, url, redirected, type } = source;
  const response = new Response(body as ReadableStream<Uint8Array>, { status, statusText, headers });
  for (const [name, value] of Object.entries({ url, redirected, type }))
    Object.defineProperty(response, name, { value, configurable: true });
  return response;
}

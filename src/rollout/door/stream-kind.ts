import { Duplex, Readable } from "node:stream";

/** Answers that go on after they were given. */
export type Stream =
  | { readonly kind: "iterable"; readonly value: AsyncIterable<unknown> }
  | { readonly kind: "readable"; readonly value: Readable }
  | { readonly kind: "web"; readonly value: ReadableStream<unknown> }
  | { readonly kind: "response"; readonly value: Response; readonly body: ReadableStream<unknown> };

/** Could this answer be a stream? Asked of every answer, so it must cost next to nothing. */
export function mayStream(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  try {
    return Symbol.asyncIterator in value || "bodyUsed" in value;
  } catch {
    return false; // a proxy that lets nobody look is handed on
  }
}

/**
 * The stream that an answer is, or undefined: then it is an answer like others. Left alone are streams that somebody
 * reads already, subclasses of `ReadableStream`, and duplex streams, which are connections and not answers.
 */
export function streamOf(value: unknown): Stream | undefined {
  try {
    if (!mayStream(value)) return undefined;
    if (value instanceof Readable) {
      const usable = !(value instanceof Duplex) && !value.destroyed && !value.readableEnded;
      return usable ? { kind: "readable", value } : undefined;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === ReadableStream.prototype) {
      const web = value as ReadableStream<unknown>;
      return web.locked ? undefined : { kind: "web", value: web };
    }
    if (value instanceof ReadableStream) return undefined;
    if (Symbol.asyncIterator in value) {
      const iterable = value as AsyncIterable<unknown>;
      return typeof iterable[Symbol.asyncIterator] === "function" && Object.isExtensible(value)
        ? { kind: "iterable", value: iterable }
        : undefined;
    }
    if (prototype !== Response.prototype) return undefined;
    const response = value as Response;
    const usable =
      response.body !== null && !response.bodyUsed && !response.body.locked && response.status >= 200;
    return usable ? { kind: "response", value: response, body: response.body } : undefined;
  } catch {
    return undefined; // a proxy or getter that throws: whatever it is, it is handed on as it is
  }
}

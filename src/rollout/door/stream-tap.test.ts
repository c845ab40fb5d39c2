import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Stream, streamOf } from "./stream-kind.ts";
import { type StreamListener, tap } from "./stream-tap.ts";

function listening(value: unknown) {
  const heard: unknown[] = [];
  const listener: StreamListener = {
    asked: () => {},
    event: (chunk) => heard.push(chunk instanceof Uint8Array ? Buffer.from(chunk).toString() : chunk),
    ended: () => heard.push("ended"),
    failed: (error) => heard.push(`failed: ${String((error as Error).message)}`),
    stopped: () => heard.push("stopped"),
  };
  const given = tap(streamOf(value) as Stream, listener);
  return { given, heard };
}

async function* numbers(log: string[] = []): AsyncGenerator<number, string> {
  try {
    for (let i = 1; i <= 3; i++) {
      log.push(`made ${i}`);
      yield i;
    }
    return "sum";
  } finally {
    log.push("closed");
  }
}

const all = async (stream: unknown): Promise<unknown[]> => {
  const read: unknown[] = [];
  for await (const chunk of stream as AsyncIterable<unknown>)
    read.push(chunk instanceof Uint8Array ? Buffer.from(chunk).toString() : chunk);
  return read;
};

/** The same three events in every form an answer may have. */
const forms: Readonly<Record<string, (fail?: Error) => unknown>> = {
  "an async generator": (fail) =>
    (async function* () {
      yield "a";
      yield "b";
      if (fail !== undefined) throw fail;
      yield "c";
    })(),
  "an iterable that is no iterator": (fail) => ({
    [Symbol.asyncIterator]: () => (forms["an async generator"] as (e?: Error) => AsyncGenerator)(fail),
  }),
  "a ReadableStream": (fail) => {
    const left = ["a", "b", "c"];
    return new ReadableStream(
      {
        pull(controller) {
          if (left.length === 1 && fail !== undefined) return controller.error(fail);
          const next = left.shift();
          if (next === undefined) controller.close();
          else controller.enqueue(next);
        },
      },
      { highWaterMark: 0 },
    );
  },
  "a ReadableStream of bytes": (fail) => {
    const left = ["a", "b", "c"];
    return new ReadableStream({
      type: "bytes",
      pull(controller) {
        if (left.length === 1 && fail !== undefined) return controller.error(fail);
        const next = left.shift();
        if (next === undefined) controller.close();
        else controller.enqueue(new Uint8Array(Buffer.from(next)));
        if (next === undefined) controller.byobRequest?.respond(0);
      },
    });
  },
  "a stream of Node": (fail) =>
    Readable.from(
      (async function* () {
        yield "a";
        yield "b";
        if (fail !== undefined) throw fail;
        yield "c";
      })(),
      { objectMode: false, encoding: "utf8" },
    ),
};

describe.each(Object.entries(forms))("%s that is listened to", (name, make) => {
  test("gives its reader what it would have given, and ends as it would have", async () => {
    const { given, heard } = listening(make());
    expect(await all(given)).toEqual(["a", "b", "c"]);
    expect(heard).toEqual(["a", "b", "c", "ended"]);
  });

  test("fails for its reader as it would have", async () => {
    const error = new Error("broken");
    const { given, heard } = listening(make(error));
    await expect(all(given)).rejects.toThrow("broken");
    expect(heard).toEqual(["a", "b", "failed: broken"]);
  });

  test("is let go of by its source when the reader stops", async () => {
    const { given, heard } = listening(make());
    for await (const chunk of given as AsyncIterable<unknown>) {
      expect(String(chunk).length).toBeGreaterThan(0);
      break;
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard.at(-1)).toBe("stopped");
    expect(heard.length).toBeLessThanOrEqual(3);
  });

  test("is the same object, where no native code reads past it", () => {
    const made = make();
    const { given } = listening(made);
    if (!name.includes("ReadableStream")) expect(given).toBe(made);
    expect(Object.getPrototypeOf(given)).toBe(Object.getPrototypeOf(made));
    expect(Object.keys(given as object)).toEqual(Object.keys(made as object));
  });
});

test("a generator is never asked before its reader asks, and gets what the reader sends, throws and returns", async () => {
  const log: string[] = [];
  const { given, heard } = listening(numbers(log));
  const generator = given as AsyncGenerator<number, string>;
  await new Promise((resolve) => setImmediate(resolve));
  expect(log).toEqual([]);
  expect(await generator.next()).toEqual({ done: false, value: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  expect(log).toEqual(["made 1"]);
  expect(await generator.return("enough")).toEqual({ done: true, value: "enough" });
  expect(log).toEqual(["made 1", "closed"]);
  expect(heard).toEqual([1, "stopped"]);
  expect(Object.getOwnPropertyNames(generator)).toEqual([]);
});

test("what a reader throws into a generator comes back to it, and is no failure of the stream", async () => {
  const { given, heard } = listening(numbers());
  const generator = given as AsyncGenerator<number>;
  await generator.next();
  const error = new Error("mine");
  await expect(generator.throw(error)).rejects.toBe(error);
  expect(heard).toEqual([1, "stopped"]);
});

test("the value that a generator returns reaches its reader", async () => {
  const { given } = listening(numbers());
  const generator = given as AsyncGenerator<number, string>;
  for (let i = 0; i < 3; i++) await generator.next();
  expect(await generator.next()).toEqual({ done: true, value: "sum" });
});

test("a ReadableStream is read no further than its reader reads, and told why the reader left", async () => {
  let pulled = 0;
  let reason: unknown;
  const source = new ReadableStream(
    {
      pull: (controller) => controller.enqueue(++pulled),
      cancel: (why) => void (reason = why),
    },
    { highWaterMark: 0 },
  );
  const { given } = listening(source);
  const reader = (given as ReadableStream<number>).getReader();
  await new Promise((resolve) => setImmediate(resolve));
  expect(pulled).toBe(0);
  expect(await reader.read()).toEqual({ done: false, value: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  expect(pulled).toBe(1);
  await reader.cancel("had enough");
  expect(reason).toBe("had enough");
});

test("a stream of bytes still fills the buffer that its reader brings", async () => {
  const { given, heard } = listening(forms["a ReadableStream of bytes"]?.());
  const reader = (given as ReadableStream<Uint8Array>).getReader({ mode: "byob" });
  const read: string[] = [];
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(8));
    if (done) break;
    read.push(Buffer.from(value).toString());
  }
  expect(read).toEqual(["a", "b", "c"]);
  expect(heard).toEqual(["a", "b", "c", "ended"]);
});

test("a stream of Node is not set flowing, and its error still stops a process that does not handle it", async () => {
  const source = forms["a stream of Node"]?.() as Readable;
  const { heard } = listening(source);
  await new Promise((resolve) => setImmediate(resolve));
  expect(source.readableFlowing).toBe(null);
  expect(source.listenerCount("error") + source.listenerCount("data")).toBe(0);
  expect(heard).toEqual([]);
  source.destroy();
});

test.each([
  ["by events", (source: Readable, read: string[]) => source.on("data", (chunk) => read.push(String(chunk)))],
  [
    "by hand",
    (source: Readable, read: string[]) =>
      source.on("readable", () => {
        for (
          let chunk = source.read() as string | null;
          chunk !== null;
          chunk = source.read() as string | null
        )
          read.push(chunk);
      }),
  ],
])("every chunk of a stream of Node is heard once, read %s", async (_, consume) => {
  const source = forms["a stream of Node"]?.() as Readable;
  const { heard } = listening(source);
  const read: string[] = [];
  consume(source, read);
  await new Promise((resolve) => source.on("close", resolve));
  expect(read.join("")).toBe("abc");
  expect(heard.slice(0, -1).join("")).toBe("abc");
  expect(heard.at(-1)).toBe("ended");
});

test("a Response keeps status, headers, address and body", async () => {
  const source = new Response("hello", { status: 201, statusText: "Made", headers: { "x-id": "7" } });
  Object.defineProperty(source, "url", { value: "http://localhost/a" });
  const { given, heard } = listening(source);
  const response = given as Response;
  expect([
    response.status,
    response.statusText,
    response.headers.get("x-id"),
    response.url,
    response.ok,
  ]).toEqual([201, "Made", "7", "http://localhost/a", true]);
  expect(await response.text()).toBe("hello");
  expect(heard).toEqual(["hello", "ended"]);
});

test("an object given as an answer twice is listened to once", async () => {
  const shared = numbers();
  const first = listening(shared);
  expect(listening(shared).given).toBeUndefined();
  expect(await all(first.given)).toEqual([1, 2, 3]);
});

test("an iterable that is read again and again is heard the first time, and left as it was", async () => {
  const shared = forms["an iterable that is no iterator"]?.() as object;
  const { heard } = listening(shared);
  expect(await all(shared)).toEqual(["a", "b", "c"]);
  expect(await all(shared)).toEqual(["a", "b", "c"]);
  expect(heard).toEqual(["a", "b", "c", "ended"]);
  expect(Reflect.ownKeys(shared)).toEqual([Symbol.asyncIterator]);
});

test("plain answers, streams in use and hostile objects are no streams to listen to", () => {
  const locked = new ReadableStream();
  locked.getReader();
  const hostile = new Proxy(
    {},
    {
      has: () => {
        throw new Error("no");
      },
    },
  );
  for (const value of [
    null,
    1,
    "a",
    {},
    [],
    new Map(),
    locked,
    hostile,
    Object.freeze(numbers()),
    new Response(null),
  ])
    expect(streamOf(value)).toBeUndefined();
});

test("any sequence of events passes unchanged, whatever its reader does in between", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.anything()), fc.array(fc.boolean()), async (events, pauses) => {
      const source = (async function* () {
        for (const event of events) yield event;
      })();
      const { given, heard } = listening(source);
      const read: unknown[] = [];
      for await (const event of given as AsyncIterable<unknown>) {
        read.push(event);
        if (pauses[read.length] === true) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(read).toEqual(events);
      expect(heard.length).toBe(events.length + 1);
    }),
    { numRuns: 50 },
  );
});

import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Interval, MismatchSample, Stage } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { memoryLink } from "./memory-link.ts";
import type { RouteOptions } from "./options.ts";
import { createRollout } from "./rollout.ts";

type Answers = (input: string) => unknown;

/** A route whose sides answer with streams, and everything that can be seen of it. */
function open(options: Omit<RouteOptions<Answers>, "key">, stage: Stage = "shadow", share = 0) {
  const link = memoryLink();
  const clock = new ManualClock();
  const errors: string[] = [];
  const rollout = createRollout({
    link,
    clock,
    state: [{ route: "r", stage, share }],
    onError: (error) => errors.push(error.message),
  });
  const fn = rollout.route<Answers>("r", {
    key: (input) => input,
    effects: "none",
    deadline: 1_000,
    ...options,
  });
  const sum = (read: (interval: Interval) => number): number => {
    rollout.flush();
    return link.intervals.reduce((total, interval) => total + read(interval), 0);
  };
  const counts = () => ({
    compared: sum((i) => i.compared),
    mismatches: sum((i) => i.mismatches),
    partial: sum((i) => i.partial ?? 0),
    skipped: sum((i) => i.shadow.skipped),
  });
  const sides = () => ({
    old: [sum((i) => i.old.calls), sum((i) => i.old.errors)],
    new: [sum((i) => i.new.calls), sum((i) => i.new.errors)],
    failedOver: sum((i) => i.failedOver),
  });
  const differences = (): MismatchSample["differences"] => {
    rollout.flush();
    return link.samples.flatMap((sample) => sample.differences);
  };
  return { fn, clock, link, errors, rollout, sum, counts, sides, differences };
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve));
};

async function* stream(events: readonly unknown[], fail?: Error): AsyncGenerator<unknown> {
  for (const event of events) yield event;
  if (fail !== undefined) throw fail;
}

const web = (chunks: readonly unknown[]): ReadableStream<unknown> => ReadableStream.from(chunks);
const sse = (text: string, headers: Record<string, string> = {}): Response =>
  new Response(text, { headers: { "content-type": "text/event-stream; charset=utf-8", ...headers } });

const read = async (answer: unknown): Promise<unknown[]> => {
  const seen: unknown[] = [];
  const source = answer instanceof Response ? answer.body : answer;
  for await (const event of source as AsyncIterable<unknown>) seen.push(event);
  return seen;
};

/** Calls once, reads everything, waits for the comparison. */
async function once(route: ReturnType<typeof open>): Promise<unknown[]> {
  const seen = await read(await route.fn("a"));
  await turns();
  return seen;
}

describe("a streamed answer in shadow", () => {
  test("is compared event by event, and a field that differs is found at its event", async () => {
    const route = open({
      old: () => stream([{ id: 1 }, { id: 2, at: "x" }]),
      new: () => stream([{ id: 1 }, { id: 3, at: "y" }]),
      ignore: ["at"],
    });
    expect(await once(route)).toEqual([{ id: 1 }, { id: 2, at: "x" }]);
    expect(route.counts()).toEqual({ compared: 1, mismatches: 1, partial: 0, skipped: 0 });
    expect(route.differences()).toEqual([{ path: "events.1.id", old: "2", new: "3" }]);
  });

  test("is found different when an event is missing, added or out of order", async () => {
    for (const events of [[1, 2], [1, 2, 3, 4], [1, 3, 2], []]) {
      const route = open({ old: () => stream([1, 2, 3]), new: () => stream(events) });
      await once(route);
      expect(route.counts()).toMatchObject({ compared: 1, mismatches: 1 });
    }
  });

  test("may have its events in any order, where that is declared", async () => {
    const shuffled = (events: unknown[]) =>
      open({
        old: () => stream([{ n: 1 }, { n: 2 }, { n: 3 }]),
        new: () => stream(events),
        stream: { order: "any" },
      });
    const same = shuffled([{ n: 3 }, { n: 1 }, { n: 2 }]);
    await once(same);
    expect(same.counts()).toMatchObject({ compared: 1, mismatches: 0 });
    const other = shuffled([{ n: 3 }, { n: 1 }, { n: 4 }]);
    await once(other);
    expect(other.counts()).toMatchObject({ compared: 1, mismatches: 1 });
    expect(other.differences()).toEqual([{ path: "events.2.n", old: "2", new: "4" }]);
  });

  test("is compared to the error in its midst", async () => {
    const route = open({
      old: () => stream([1], new Error("old broke")),
      new: () => stream([1], new Error("new broke")),
    });
    await expect(read(route.fn("a"))).rejects.toThrow("old broke");
    await turns();
    expect(route.differences()).toEqual([{ path: "error.message", old: '"old broke"', new: '"new broke"' }]);
    const alone = open({ old: () => stream([1]), new: () => stream([1], new Error("new broke")) });
    await once(alone);
    expect(alone.differences().map(({ path }) => path)).toEqual(["error"]);
    expect(alone.sum((i) => i.shadow.errors)).toBe(1);
  });

  test("differs from an answer that is no stream", async () => {
    const route = open({ old: () => stream([1]), new: () => 1 });
    await once(route);
    expect(route.counts()).toMatchObject({ compared: 1, mismatches: 1 });
  });

  test("is compared as far as the caller read, and that is said", async () => {
    const route = open({ old: () => stream([1, 2, 3, 4]), new: () => stream([1, 2, 9, 9]) });
    for await (const event of route.fn("a") as AsyncIterable<number>) if (event === 2) break;
    await turns();
    expect(route.counts()).toEqual({ compared: 1, mismatches: 0, partial: 1, skipped: 0 });
    const wrong = open({ old: () => stream([1, 2, 3, 4]), new: () => stream([1]) });
    for await (const event of wrong.fn("a") as AsyncIterable<number>) if (event === 2) break;
    await turns();
    expect(wrong.counts()).toEqual({ compared: 1, mismatches: 1, partial: 1, skipped: 0 });
  });

  test("proves nothing when the caller read nothing of it", async () => {
    const route = open({ old: () => stream([1, 2]), new: () => stream([9]) });
    const answer = route.fn("a") as AsyncGenerator;
    await answer.return(undefined);
    await turns();
    expect(route.counts()).toEqual({ compared: 0, mismatches: 0, partial: 0, skipped: 1 });
  });

  test("that never ends is compared as far as it was read, and its shadow is let go of", async () => {
    let closed = 0;
    const forever = async function* (): AsyncGenerator<number> {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        closed++;
      }
    };
    const route = open({ old: forever, new: forever });
    for await (const event of route.fn("a") as AsyncIterable<number>) if (event === 5) break;
    await turns();
    expect(closed).toBe(2);
    expect(route.counts()).toMatchObject({ compared: 1, mismatches: 0, partial: 1 });
  });

  test("longer than the bounds is compared in its beginning, and reaches the caller whole", async () => {
    const many = Array.from({ length: 50 }, (_, i) => i);
    const route = open({
      old: () => stream(many),
      new: () => stream([...many.slice(0, 20), "other"]),
      stream: { events: 10 },
    });
    expect(await once(route)).toEqual(many);
    expect(route.counts()).toEqual({ compared: 1, mismatches: 0, partial: 1, skipped: 0 });
    const exact = open({ old: () => stream([1, 2]), new: () => stream([1, 2]), stream: { events: 2 } });
    await once(exact);
    expect(exact.counts()).toEqual({ compared: 1, mismatches: 0, partial: 0, skipped: 0 });
  });

  test("whose shadow hangs in its midst counts as a time-out and frees its place", async () => {
    const route = open({
      old: () => stream([1, 2]),
      new: async function* () {
        yield 1;
        await new Promise(() => {});
      },
      shadowConcurrency: 1,
    });
    await once(route);
    await route.clock.advance(2_001);
    expect(route.sum((i) => i.shadow.timeouts)).toBe(1);
    expect(route.counts()).toMatchObject({ compared: 0, skipped: 0 });
    await once(route);
    expect(route.counts()).toMatchObject({ skipped: 0 });
  });

  test("that its caller never reads holds a place only as long as a shadow may take", async () => {
    const route = open({ old: () => stream([1]), new: () => stream([1]), shadowConcurrency: 1 });
    void route.fn("a");
    await turns();
    await once(route);
    expect(route.counts()).toMatchObject({ compared: 0, skipped: 1 });
    await route.clock.advance(2_001);
    await once(route);
    expect(route.counts()).toMatchObject({ compared: 1, mismatches: 0 });
  });

  test("is recorded as it was, though the caller changes what it got", async () => {
    const route = open({ old: () => stream([{ n: [1] }]), new: () => stream([{ n: [1] }]) });
    for await (const event of route.fn("a") as AsyncIterable<{ n: number[] }>) event.n.push(2);
    await turns();
    expect(route.counts()).toMatchObject({ compared: 1, mismatches: 0 });
  });

  test("sees the normaliser as its list of events", async () => {
    const normalize = (facts: unknown): unknown => (facts as { events: unknown[] }).events.length;
    const route = open({ old: () => stream([1, 2]), new: () => stream([3, 4]), normalize });
    await once(route);
    expect(route.counts()).toMatchObject({ compared: 1, mismatches: 0 });
  });
});

describe("text and bytes", () => {
  test("however they are cut, they are compared as one", async () => {
    const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.infiniteStream(fc.integer({ min: 1, max: 7 })), async (chunks, cuts) => {
        const whole = Buffer.concat(chunks);
        const other: Uint8Array[] = [];
        for (let at = 0; at < whole.length;) {
          const length = cuts.next().value as number;
          other.push(new Uint8Array(whole.subarray(at, at + length)));
          at += length;
        }
        const route = open({ old: () => web(chunks), new: () => stream(other) });
        await once(route);
        expect(route.counts()).toMatchObject({ compared: 1, mismatches: 0 });
        const spoiled = Buffer.concat([whole, Buffer.from("x")]);
        const longer = open({
          old: () => web(chunks.length === 0 ? [Buffer.from("y")] : chunks),
          new: () => web([spoiled]),
        });
        await once(longer);
        expect(longer.counts()).toMatchObject({ compared: 1, mismatches: 1 });
      }),
      { numRuns: 25 },
    );
  });

  test("of a stream of Node are compared, and the caller's pipe is not slowed", async () => {
    const route = open({
      old: () => Readable.from(["hel", "lo"], { objectMode: false }),
      new: () => Readable.from(["hello"], { objectMode: false }),
    });
    expect(Buffer.concat((await once(route)) as Buffer[]).toString()).toBe("hello");
    expect(route.counts()).toMatchObject({ compared: 1, mismatches: 0 });
  });

  test("of a long text only the part around the first difference is kept, without secrets", async () => {
    const text = (end: string): string => `${"a".repeat(1_000)} "token": "abcdef", state: ${end}`;
    const route = open({ old: () => web([text("open")]), new: () => web([text("shut")]) });
    await once(route);
    const [difference] = route.differences();
    expect(difference?.path).toBe("text");
    expect(difference?.old).toContain("state: open");
    expect(difference?.new).toContain("state: shut");
    expect(JSON.stringify(difference)).not.toContain("abcdef");
  });
});

describe("server-sent events", () => {
  const event = (data: unknown): string => `event: price\nid: 1\ndata: ${JSON.stringify(data)}\n\n`;

  test("are compared by event, data and id, their JSON field by field", async () => {
    const route = open({
      old: () => sse(`: hello\n\n${event({ n: 1, at: 5 })}${event({ n: 2, at: 6 })}`),
      new: () => sse(`${event({ n: 1, at: 7 })}: still here\n\n${event({ n: 3, at: 8 })}`),
      ignore: ["at"],
    });
    await once(route);
    expect(route.differences()).toEqual([{ path: "events.1.data.n", old: "2", new: "3" }]);
  });

  test("differ in status and headers too, where those say something", async () => {
    const route = open({
      old: () => sse(event(1), { "x-region": "eu", date: "today" }),
      new: () => sse(event(1), { "x-region": "us", date: "tomorrow" }),
    });
    await once(route);
    expect(route.differences().map(({ path }) => path)).toEqual(["headers.x-region"]);
  });

  test("that break off in the middle of an event differ from whole ones", async () => {
    const route = open({ old: () => sse(event(1)), new: () => sse(event(1).slice(0, -2)) });
    await once(route);
    expect(route.counts()).toMatchObject({ compared: 1, mismatches: 1 });
  });

  test("are read by the declared format where nothing says what the text is", async () => {
    const route = open({
      old: () => web([event({ a: 1, b: 2 })]),
      new: () => web([event({ b: 2, a: 1 })]),
      stream: { format: "sse" },
    });
    await once(route);
    expect(route.counts()).toMatchObject({ compared: 1, mismatches: 0 });
  });

  test("of a JSON response the content counts, not how it is written", async () => {
    const json = (text: string): Response =>
      new Response(text, { headers: { "content-type": "application/json" } });
    const route = open({ old: () => json('{"a":1,"b":[2]}'), new: () => json('{ "b": [3], "a": 1 }') });
    await once(route);
    expect(route.differences()).toEqual([{ path: "events.0.b.0", old: "2", new: "3" }]);
  });
});

describe("a streamed answer is counted", () => {
  test("when it ends, with the time to its first event", async () => {
    const route = open({ old: () => stream([1, 2]), new: () => stream([]) }, "off");
    const answer = route.fn("a") as AsyncGenerator;
    await route.clock.advance(50);
    await answer.next();
    expect(route.sides().old).toEqual([0, 0]);
    await route.clock.advance(5_000);
    await answer.next();
    await answer.next();
    expect(route.sides().old).toEqual([1, 0]);
    const latency = route.link.intervals.flatMap((interval) => interval.old.latency);
    expect(latency).toHaveLength(1);
    const bound = 0.01 * 1.08 ** (latency[0]?.[0] ?? 0);
    expect(bound / 50).toBeGreaterThan(0.9);
    expect(bound / 50).toBeLessThan(1.1);
  });

  test.each(["complete", "rampdown", "live"] as const)(
    "as an error of the new side at %s when it breaks",
    async (stage) => {
      const route = open(
        { old: () => stream([1]), new: () => stream([1], new Error("mid")), idempotent: true },
        stage,
        100,
      );
      await expect(read(await route.fn("a"))).rejects.toThrow("mid");
      await turns();
      expect(route.sides()).toMatchObject({ new: [1, 1], failedOver: 0 });
    },
  );

  test("as answered when the caller stops early", async () => {
    const route = open({ old: () => stream([1]), new: async () => stream([1, 2]) }, "live", 100);
    for await (const _ of (await route.fn("a")) as AsyncIterable<unknown>) break;
    expect(route.sides().new).toEqual([1, 0]);
  });

  test("as answered when nobody reads it as a stream within the deadline, since it may be used otherwise", async () => {
    const cursor = () => ({ [Symbol.asyncIterator]: () => stream([1]), toArray: () => [1] });
    const route = open({ old: cursor, new: cursor }, "complete");
    const answer = route.fn("a") as ReturnType<typeof cursor>;
    expect(answer.toArray()).toEqual([1]);
    expect(route.sides().new).toEqual([0, 0]);
    await route.clock.advance(1_001);
    expect(route.sides().new).toEqual([1, 0]);
    expect(await read(answer)).toEqual([1]);
    expect(route.sides().new).toEqual([1, 0]);
  });

  test("as failed when the caller waits for an event longer than the deadline, once", async () => {
    let give: (value: number) => void = () => {};
    const route = open(
      {
        old: () => stream([1]),
        new: async function* () {
          yield 1;
          yield await new Promise<number>((resolve) => (give = resolve));
        },
      },
      "live",
      100,
    );
    const answer = route.fn("a") as AsyncGenerator;
    await answer.next();
    await route.clock.advance(60_000);
    expect(route.sides().new).toEqual([0, 0]);
    const waiting = answer.next();
    await route.clock.advance(1_001);
    expect(route.sides().new).toEqual([1, 1]);
    give(2);
    expect(await waiting).toEqual({ done: false, value: 2 });
    expect(await answer.next()).toEqual({ done: true, value: undefined });
    expect(route.sides().new).toEqual([1, 1]);
  });
});

describe("fail-over of a stream", () => {
  test.each([
    ["generators", () => stream(["old"]), () => stream([], new Error("new"))],
    [
      "ReadableStreams",
      () => web(["old"]),
      () => new ReadableStream({ pull: (controller) => controller.error(new Error("new")) }),
    ],
    ["promises of generators", async () => stream(["old"]), async () => stream([], new Error("new"))],
  ])("before its first event the old side answers: %s", async (_, old, candidate) => {
    const route = open({ old, new: candidate, idempotent: true }, "live", 100);
    expect(await read(await route.fn("a"))).toEqual(["old"]);
    expect(route.sides()).toEqual({ old: [0, 0], new: [1, 1], failedOver: 1 });
  });

  test("an expected error, and one of a call that must not be repeated, reach the caller", async () => {
    const broken = () => stream([], new Error("new"));
    const expected = open(
      { old: () => stream(["old"]), new: broken, idempotent: true, expected: () => true },
      "live",
      100,
    );
    await expect(read(expected.fn("a"))).rejects.toThrow("new");
    expect(expected.sides()).toMatchObject({ new: [1, 0], failedOver: 0 });
    const once = open({ old: () => stream(["old"]), new: broken }, "live", 100);
    await expect(read(once.fn("a"))).rejects.toThrow("new");
    expect(once.sides()).toMatchObject({ new: [1, 1], failedOver: 0 });
  });

  test("an early end reaches the old side's stream that took over", async () => {
    let closed = false;
    const route = open(
      {
        old: async function* () {
          try {
            yield 1;
            yield 2;
          } finally {
            closed = true;
          }
        },
        new: () => stream([], new Error("new")),
        idempotent: true,
      },
      "live",
      100,
    );
    for await (const event of route.fn("a") as AsyncIterable<number>) {
      expect(event).toBe(1);
      break;
    }
    expect(closed).toBe(true);
  });
});

test("a second write that answers with a stream is read to its end, since it may act while it is read", async () => {
  const acted: number[] = [];
  const route = open(
    {
      old: () => stream([1]),
      new: async function* () {
        for (let i = 0; i < 3; i++) {
          acted.push(i);
          yield i;
        }
      },
      effects: "writes",
    },
    "dualwrite",
  );
  await once(route);
  expect(acted).toEqual([0, 1, 2]);
});

test("options of streams that make no sense are refused", () => {
  const bad = [
    { format: "xml" },
    { order: "some" },
    { events: 0 },
    { bytes: 1.5 },
    { event: 1 },
    [],
  ] as unknown[];
  for (const given of bad)
    expect(() => open({ old: () => 1, new: () => 1, stream: given as object })).toThrow(/stream/);
});

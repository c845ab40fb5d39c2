import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compare } from "./compare.ts";
import { parseServerSent } from "./server-sent.ts";
import { pairStreams, type StreamPair } from "./stream-facts.ts";
import { type StreamFormat, type StreamRecord } from "./stream-record.ts";

const record = (
  chunks: readonly unknown[],
  end: StreamRecord["end"] = "whole",
  format: StreamFormat = "events",
): StreamRecord => ({ format, chunks, end, ...(end === "failed" ? { error: { message: "broken" } } : {}) });

const differences = (pair: StreamPair): readonly string[] =>
  compare(pair.old, pair.new).differences.map(({ path }) => path);

/** A text cut into pieces of these lengths, again and again; as text or as bytes. */
function cut(text: string, lengths: readonly number[], bytes: boolean): readonly unknown[] {
  const whole = bytes ? new Uint8Array(Buffer.from(text)) : text;
  const pieces: unknown[] = [];
  for (let at = 0, i = 0; at < whole.length; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    pieces.push(whole.slice(at, at + length));
    at += length;
  }
  return pieces;
}

const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

describe("two records of streams", () => {
  test("of the same events are equal however much of each was seen, and prove something if anything was", () => {
    const end = fc.constantFrom<"whole" | "part">("whole", "part");
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.nat(), fc.nat(), end, end, (events, a, b, endA, endB) => {
        const seen = (count: number, how: "whole" | "part") =>
          how === "whole" ? record(events) : record(events.slice(0, count % (events.length + 1)), "part");
        const pair = pairStreams(seen(a, endA), seen(b, endB));
        expect(differences(pair)).toEqual([]);
        expect(pair.whole).toBe(endA === "whole" && endB === "whole");
        const shortest = Math.min(
          endA === "part" ? a % (events.length + 1) : Number.POSITIVE_INFINITY,
          endB === "part" ? b % (events.length + 1) : Number.POSITIVE_INFINITY,
        );
        expect(pair.seen).toBe(shortest > 0);
      }),
    );
  });

  test("that differ in one event are found different if and only if that event was seen", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(), fc.nat(), (length, changed, seen) => {
        const at = changed % length;
        const shown = seen % (length + 1);
        const events = Array.from({ length }, (_, i) => ({ i }));
        const other = events.map((event, i) => (i === at ? { i: -1 } : event));
        const pair = pairStreams(record(events.slice(0, shown), "part"), record(other));
        expect(differences(pair)).toEqual(at < shown ? [`events.${at}.i`] : []);
      }),
    );
  });

  test("differ when one ended, or broke, before what was seen of the other", () => {
    expect(differences(pairStreams(record([1, 2, 3], "part"), record([1, 2])))).toEqual(["events.length"]);
    expect(differences(pairStreams(record([1, 2, 3], "part"), record([1, 2], "failed")))).toEqual([
      "events.length",
      "error",
    ]);
    expect(differences(pairStreams(record([1, 2], "part"), record([1, 2], "failed")))).toEqual([]);
    expect(differences(pairStreams(record([1], "failed"), record([1], "failed")))).toEqual([]);
    expect(differences(pairStreams(record([1], "failed"), record([1])))).toEqual(["error"]);
  });
});

describe("texts", () => {
  const line = fc.string({ unit: "grapheme" }).map((text) => text.replace(/[\r\n\0\uFEFF]/g, ""));

  test("of server-sent events give the same events however they are cut and their lines end", () => {
    const event = fc.record({ data: fc.array(line, { minLength: 1, maxLength: 3 }), id: line, name: line });
    const ends = fc.constantFrom("\n", "\r\n", "\r");
    fc.assert(
      fc.property(fc.array(event), ends, lengths, fc.boolean(), (events, end, sizes, bytes) => {
        const text = events
          .map(({ data, id, name }) =>
            [`: comment`, `event: ${name}`, ...data.map((part) => `data: ${part}`), `id: ${id}`, "", ""].join(
              end,
            ),
          )
          .join("");
        const expected = parseServerSent(text);
        expect(expected.rest).toBe("");
        expect(expected.events.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
        const pieces = record(cut(text, sizes, bytes), "whole", "sse");
        const pair = pairStreams(pieces, record([text], "whole", "sse"));
        expect(differences(pair)).toEqual([]);
        expect(pair.old.events).toHaveLength(events.length);
      }),
    );
  });

  test("cut within a character are whole again, and a part never ends in half a character", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), lengths, fc.nat(), (text, sizes, seen) => {
        const pieces = cut(text, sizes, true);
        expect(pairStreams(record(pieces, "whole", "text"), record([text], "whole", "text")).old.text).toBe(
          text,
        );
        const some = pieces.slice(0, seen % (pieces.length + 1));
        const pair = pairStreams(record(some, "part", "text"), record([text], "whole", "text"));
        expect(differences(pair)).toEqual([]);
      }),
    );
  });

  test("that are no text are compared as bytes, to the last one", () => {
    const one = record([new Uint8Array([0xff, 0xfe, 1])], "whole", "text");
    const same = record([new Uint8Array([0xff]), new Uint8Array([0xfe, 1])], "whole", "text");
    const other = record([new Uint8Array([0xff, 0xfe, 2])], "whole", "text");
    expect(differences(pairStreams(one, same))).toEqual([]);
    expect(differences(pairStreams(one, other))).toEqual(["text"]);
  });

  test("of lines are compared line by line, JSON by content, and a last half line of a part says nothing", () => {
    const lines = (text: string, end: "whole" | "part" = "whole") => record([text], end, "lines");
    expect(differences(pairStreams(lines('{"a":1,"b":2}\nx\n'), lines('{"b":2,"a":1}\r\nx\n')))).toEqual([]);
    expect(differences(pairStreams(lines("a\nb"), lines("a\nc")))).toEqual(["rest"]);
    expect(differences(pairStreams(lines("a\nb", "part"), lines("a\nc\n")))).toEqual([]);
  });

  test("of JSON prove nothing in part", () => {
    expect(pairStreams(record(['{"a":'], "part", "json"), record(['{"a":1}'], "whole", "json")).seen).toBe(
      false,
    );
  });
});

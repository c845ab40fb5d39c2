import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readInput, writeInput } from "./journal-input.ts";
import { readRecord, writeLine, type WriteRecord } from "./journal-record.ts";

const record: WriteRecord = {
  t: "write",
  id: "i",
  operation: "o",
  key: "k",
  first: "old",
  epoch: 1,
  salt: "s",
};

/** The input as a journal gives it back; undefined when it cannot hold it. */
function roundTrip(args: readonly unknown[]): readonly unknown[] | undefined {
  const written = writeInput(args);
  if (written === undefined) return undefined;
  const line =
    "v8" in written ? writeLine({ ...record, ...written }, undefined) : writeLine(record, written.json);
  const read = readRecord(line.slice(0, -1));
  return read?.t === "write" ? readInput(read) : undefined;
}

describe("an input in a journal", () => {
  test("comes back the same, or is not taken at all", () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
      withUnicodeString: true,
    });
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 3 }), (args) => {
        const back = roundTrip(args);
        if (back !== undefined) expect(isDeepStrictEqual(back, args)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test("may be all that is plain data", () => {
    const args = [
      { id: "1", at: new Date(3), tags: new Set(["a"]), n: 10n, raw: Buffer.from("x"), no: undefined },
    ];
    expect(roundTrip(args)).toStrictEqual(args);
    expect(roundTrip([])).toEqual([]);
    expect(roundTrip([undefined, Number.NaN])).toEqual([undefined, Number.NaN]);
  });

  test("is not taken with anything in it that would come back as something else", () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    class Model {
      readonly id = 1;
    }
    const thrower = Object.defineProperty({}, "x", {
      enumerable: true,
      get: () => {
        throw new Error("no");
      },
    });
    for (const value of [
      () => {},
      Symbol("s"),
      cycle,
      new Model(),
      { toJSON: () => 1 },
      new Error("e"),
      thrower,
      new URL("http://x"),
    ]) {
      expect(writeInput([{ deep: [value] }])).toBeUndefined();
    }
  });

  test("a line with a changed letter is not read", () => {
    const line = writeLine(record, '["abc"]').slice(0, -1);
    expect(readRecord(line)).toMatchObject({ json: ["abc"] });
    for (let at = 0; at < line.length; at++) {
      expect(
        readRecord(`${line.slice(0, at)}${line[at] === "7" ? "8" : "7"}${line.slice(at + 1)}`),
      ).toBeUndefined();
    }
  });
});

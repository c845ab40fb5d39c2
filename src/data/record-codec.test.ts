import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyText } from "./bytes.ts";
import { decodeKey, encodeKey, type KeyValue } from "./key-codec.ts";
import { decodeRecord, encodeRecord, type RecordValue, TextBytes } from "./record-codec.ts";

describe("a row as bytes", () => {
  test("comes back with every type as it was", () => {
    const row: RecordValue[] = [
      null,
      0n,
      -(2n ** 63n),
      2n ** 63n - 1n,
      1_700_000_000_123_456_789n,
      1,
      -0,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
      5e-324,
      true,
      false,
      "",
      "text \u0000 ä \u{1f680} \ufeff",
      "\ufeffmark",
      new TextBytes(Buffer.from([0xff, 0x00, 0xfe])),
      Buffer.alloc(0),
      Buffer.from([0, 255]),
    ];
    expect(decodeRecord(encodeRecord(row))).toEqual(row);
    expect(decodeRecord(encodeRecord([]))).toEqual([]);
  });

  test("refuses what it could not give back", () => {
    expect(() => encodeRecord([2n ** 63n])).toThrow(/more than 64 bits/);
    expect(() => encodeRecord([undefined as never])).toThrow(/type undefined in column 1/);
    const whole = encodeRecord(["text", 1n]);
    for (const broken of [Buffer.alloc(0), Buffer.from([9]), whole.subarray(0, 4), Buffer.from([1, 77])])
      expect(() => decodeRecord(broken)).toThrow(/expected a record of format 1/);
  });
});

const rank = (value: KeyValue): number => {
  if (value === null) return 0;
  if (typeof value === "bigint" || typeof value === "number") return 1;
  return value instanceof Uint8Array ? 3 : 2;
};
const bytesOf = (value: KeyValue): Buffer => Buffer.from(value as string | Uint8Array);
function compareColumn(a: KeyValue, b: KeyValue): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (a === null || b === null) return 0;
  // JavaScript compares a bigint with a number by their exact values.
  if (rank(a) === 1) return (a as bigint) < (b as number) ? -1 : (a as bigint) > (b as number) ? 1 : 0;
  return Buffer.compare(bytesOf(a), bytesOf(b));
}

describe("a key as bytes", () => {
  const edge = fc.constantFrom<KeyValue>(
    2n ** 53n,
    2n ** 53n + 1n,
    9_007_199_254_740_994,
    2n ** 63n - 1n,
    9.223372036854775e18,
    2 ** 63,
    -(2n ** 63n),
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    0n,
    -0,
    0.5,
    -0.5,
    "",
    "\u0000",
    "a\u0000",
    "a",
  );
  const column: fc.Arbitrary<KeyValue> = fc.oneof(
    edge,
    fc.constant(null),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.double({ noNaN: true }),
    fc.string({ unit: "binary", maxLength: 4 }),
    fc.uint8Array({ maxLength: 4 }),
  );

  test("orders as its columns do: NULL, numbers by value, text by bytes, binary", () => {
    fc.assert(
      fc.property(
        fc.array(column, { minLength: 2, maxLength: 2 }),
        fc.array(column, { maxLength: 2 }),
        (a, b) => {
          const wanted =
            compareColumn(a[0] ?? null, b[0] ?? null) || compareColumn(a[1] ?? null, b[1] ?? null);
          if (b.length < 2) return;
          expect(Math.sign(Buffer.compare(encodeKey(a), encodeKey(b)))).toBe(Math.sign(wanted));
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test("comes back as it was; whole numbers as integers", () => {
    fc.assert(
      fc.property(fc.array(column, { maxLength: 3 }), (key) => {
        const again = decodeKey(encodeKey(key));
        expect(again.length).toBe(key.length);
        for (const [index, value] of again.entries())
          expect(compareColumn(value, key[index] ?? null)).toBe(0);
      }),
      { numRuns: 3_000 },
    );
  });

  test("of other bytes is refused", () => {
    for (const bytes of [[1], [0x10, 0], [0x20, 0x61], [0x20, 0x61, 0], [0x30, 0, 7]])
      expect(() => decodeKey(Uint8Array.from(bytes))).toThrow(/expected the key of a table's row/);
  });
});

describe("a key as people read it", () => {
  test.each<[string, string, Uint8Array]>([
    ["that is text", '"user:7"', Buffer.from("user:7")],
    ["of a table", "(7)", encodeKey([7n])],
    [
      "of several columns",
      '(-9223372036854775808, 1.5, "ä\\n", 0x00ff)',
      encodeKey([-(2n ** 63n), 1.5, "ä\n", Buffer.from([0, 255])]),
    ],
    ["with a long text", `("${"x".repeat(64)}…")`, encodeKey(["x".repeat(900)])],
    ["of other bytes", "0x00ff20", Buffer.from([0, 255, 32])],
    [
      "that only begins like a number of a table",
      "0x1001020304050607080910",
      Buffer.from("1001020304050607080910", "hex"),
    ],
    ["of a byte that stands for NULL", "0x05", Buffer.from([5])],
    ["without bytes", "0x", Buffer.alloc(0)],
  ])("%s is shown as %s", (_, shown, key) => {
    expect(keyText(key)).toBe(shown);
  });
});

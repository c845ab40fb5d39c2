import fc from "fast-check";
import { expect, test } from "vitest";
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";

const key = fc.uint8Array({ maxLength: 20 });
const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const maybeKey = fc.option(key, { nil: undefined });
const checkpoints: fc.Arbitrary<Checkpoint> = fc.record({
  ranges: fc.array(
    fc.record({ collection: fc.string(), after: key, upTo: key }, { requiredKeys: ["collection"] }),
  ),
  position: fc.string({ unit: "binary-ascii" }),
  place: fc.record({ range: count, after: maybeKey }),
  counts: fc.record({
    rows: count,
    bytes: count,
    changes: count,
    dropped: count,
    outside: count,
    aside: count,
  }),
  window: fc.record({
    entries: fc.array(fc.record({ range: count, key, tx: fc.nat().map(String) })),
    transactions: fc.array(fc.nat().map(String)),
    upTo: fc.option(fc.nat().map(String), { nil: undefined }),
  }),
});
/** Bytes as hex: what they are wrapped in does not matter. */
const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, plain(of)]));
};

test("a checkpoint comes back as it was saved", () => {
  fc.assert(
    fc.property(checkpoints, (checkpoint) => {
      expect(plain(decodeCheckpoint(encodeCheckpoint(checkpoint)))).toEqual(plain(checkpoint));
    }),
  );
});

test("a checkpoint that was cut, lengthened or comes from a newer version is refused", () => {
  const counts = { rows: 300, bytes: 1, changes: 1, dropped: 0, outside: 0, aside: 0 };
  const window = { entries: [{ range: 0, key: Buffer.from("k"), tx: "7" }], transactions: ["8"], upTo: "9" };
  const place = { range: 0, after: Buffer.from("j") };
  const bytes = encodeCheckpoint({ ranges: [{ collection: "" }], position: "7", place, counts, window });
  const refused = expect.objectContaining({ code: "CUTOVER_DATA_FORMAT" });
  for (let length = 0; length < bytes.length; length++) {
    expect(() => decodeCheckpoint(bytes.subarray(0, length))).toThrow(refused);
  }
  expect(() => decodeCheckpoint(Buffer.concat([bytes, Buffer.from([0])]))).toThrow(refused);
  expect(() => decodeCheckpoint(Buffer.from(bytes).fill(2, 4, 5))).toThrow(/version 1, found version 2/);
  expect(() => decodeCheckpoint(Buffer.from("other"))).toThrow(refused);
});

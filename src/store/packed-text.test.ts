import fc from "fast-check";
import { expect, test } from "vitest";
import { packText, unpackText } from "./packed-text.ts";

test("a long text comes back to the letter, whatever is in it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), fc.nat(800), (some, more) => {
      const text = some + "ä€😀".repeat(more) + some;
      const packed = packText(text);
      if (packed === undefined) expect(text.length).toBeLessThan(2_000);
      else expect(unpackText(packed)).toBe(text);
    }),
  );
});

test("a text is packed from 2,000 characters on, up to 64 million, and is smaller then", () => {
  expect(packText("x".repeat(1_999))).toBeUndefined();
  expect(packText("x".repeat(2_000))?.length).toBeLessThan(100);
  expect(packText("x".repeat(2 ** 26 + 1))).toBeUndefined();
});

test("bytes that are no packed text, or not all of it, are refused", () => {
  const packed = packText(JSON.stringify(Array.from({ length: 2_000 }, (_, n) => n))) as Uint8Array;
  for (const bytes of [new Uint8Array(0), Buffer.from("plain"), packed.subarray(0, packed.length / 2)])
    expect(() => unpackText(bytes)).toThrow();
});

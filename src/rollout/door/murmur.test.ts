import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { murmur3, prefixDivider, prefixHasher } from "./murmur.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("murmur3", () => {
  // Vectors of the reference implementation (SMHasher's MurmurHash3_x86_32), as widely published.
  test.each([
    ["", 0, 0x00000000],
    ["", 1, 0x514e28b7],
    ["", 0xffffffff, 0x81f16f39],
    ["test", 0, 0xba6bd213],
    ["test", 0x9747b28c, 0x704b81dc],
    ["Hello, world!", 0, 0xc0363e43],
    ["Hello, world!", 0x9747b28c, 0x24884cba],
    ["The quick brown fox jumps over the lazy dog", 0, 0x2e4ff723],
    ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
    ["aaaa", 0x9747b28c, 0x5a97808a],
    ["aaa", 0x9747b28c, 0x283e0130],
    ["aa", 0x9747b28c, 0x5d211726],
    ["a", 0x9747b28c, 0x7fa09ea6],
    ["ππππππππ", 0x9747b28c, 0xd58063c1],
  ])("gives the reference value for %j with seed %i", (text, seed, hash) => {
    expect(murmur3(bytes(text), seed)).toBe(hash);
  });

  test("gives the reference value for bytes above 127", () => {
    expect(murmur3(new Uint8Array([0xff, 0xff, 0xff, 0xff]))).toBe(0x76293b50);
    expect(murmur3(new Uint8Array([0x21, 0x43, 0x65, 0x87]))).toBe(0xf55b516b);
    expect(murmur3(new Uint8Array([0x21]))).toBe(0x72661cf4);
  });

  test("hashes prefix and text as one, wherever the prefix ends and whatever letters the text has", () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.uuid());
    fc.assert(
      fc.property(text, text, fc.nat(), (prefix, key, seed) => {
        expect(prefixHasher(prefix, seed)(key)).toBe(murmur3(bytes(prefix + key), seed));
      }),
    );
  });

  test("tells which of a million parts of all hashes a text falls into, the parts at both ends among them", () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.uuid());
    fc.assert(
      fc.property(text, text, (prefix, key) => {
        const hash = murmur3(bytes(prefix + key));
        expect(prefixDivider(prefix, 1_000_000)(key)).toBe(Math.floor((hash * 1_000_000) / 2 ** 32));
      }),
    );
    const parts = prefixDivider("salt:", 4);
    const found = new Set(Array.from({ length: 200 }, (_, i) => parts(`key-${i}`)));
    expect(found).toEqual(new Set([0, 1, 2, 3]));
  });
});

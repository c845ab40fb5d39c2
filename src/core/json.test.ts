import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, sha256 } from "./index.ts";

test("canonical JSON does not depend on the order of keys", () => {
  expect(canonicalJson({ b: 1, a: [true, null, "ü"] })).toBe('{"a":[true,null,"ü"],"b":1}');
  expect(canonicalJson({ a: [true, null, "ü"], b: 1 })).toBe(canonicalJson({ b: 1, a: [true, null, "ü"] }));
});

test("members that are undefined or functions are left out, like JSON does", () => {
  expect(canonicalJson({ a: undefined, b: () => 1, c: 2 })).toBe('{"c":2}');
  expect(canonicalJson([undefined, 1])).toBe("[null,1]");
});

test("every JSON value survives canonical JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("SHA-256 is the one of FIPS 180-4", () => {
  expect(sha256("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

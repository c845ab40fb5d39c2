import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalForm, canonicalJson, sha256 } from "./index.ts";

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

const sortedByKey = (given: object): unknown =>
  Object.fromEntries(Object.entries(given).sort(([a], [b]) => (a < b ? -1 : 1)));

/** The rule itself, without a thought for speed. */
function byTheRule(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(byTheRule).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  const sorted = members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, member]) => `${JSON.stringify(key)}:${byTheRule(member)}`).join(",")}}`;
}

test("canonical JSON follows its rule, whichever keys stand in order already", () => {
  const key = fc.oneof(fc.string(), fc.constantFrom("a", "b", "10", "9", "__proto__", ""));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.jsonValue({ maxDepth: 0 }),
      fc.constant(undefined),
      fc.array(tie("value")),
      fc.dictionary(key, tie("value")),
      fc.dictionary(key, tie("value")).map((given) => sortedByKey(given)),
    ),
  }));
  fc.assert(
    fc.property(value, (given) => {
      expect(canonicalJson(given)).toBe(byTheRule(given));
    }),
  );
});

test("a value that says itself how it is written is asked, wherever it stands", () => {
  const at = new Date(0);
  expect(canonicalJson({ a: [{ at }] })).toBe('{"a":[{"at":"1970-01-01T00:00:00.000Z"}]}');
});

test("SHA-256 is the one of FIPS 180-4", () => {
  expect(sha256("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("the canonical form of a value is the value, with keys in order, and itself when they are", () => {
  const sorted = { a: [{ b: 1, c: 2 }], d: "e" };
  expect(canonicalForm(sorted)).toBe(sorted);
  expect(JSON.stringify(canonicalForm({ d: "e", a: [{ c: 2, b: 1 }] }))).toBe(JSON.stringify(sorted));
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(canonicalJson(canonicalForm(value))).toBe(canonicalJson(value));
    }),
  );
  // A key that plain objects treat in a way of their own.
  const strange = JSON.parse('{"b":1,"__proto__":{"z":1,"a":2},"9":0,"10":0}') as object;
  expect(canonicalJson(canonicalForm(strange))).toBe(canonicalJson(strange));
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plainJson } from "./plain-json.ts";

const circle: { self?: unknown } = {};
circle.self = circle;

const nested = (levels: number): unknown => Array.from({ length: levels }).reduce((inside) => [inside], null);

describe("what is stored as JSON", () => {
  test("any JSON value passes as it is", () => {
    const strange = JSON.parse('{"__proto__":{"a":1},"9":0,"":null}') as unknown;
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(plainJson(value, "payload", 2 ** 20)).toStrictEqual(value);
        expect(JSON.stringify(plainJson(value, "payload", 2 ** 20))).toBe(JSON.stringify(value));
      }),
      { examples: [[strange as never]] },
    );
  });

  test("what is done to the value afterwards does not reach it", () => {
    const given = { list: [{ n: 1 }], inner: { n: 1 } };
    const kept = plainJson(given, "payload", 1_000);
    given.inner.n = 2;
    given.list[0]!.n = 2;
    given.list.push({ n: 3 });
    expect(kept).toEqual({ list: [{ n: 1 }], inner: { n: 1 } });
  });

  test("nothing at all is null, and undefined members are left out by JSON as usual", () => {
    expect(plainJson(undefined, "payload", 100)).toBe(null);
    expect(JSON.stringify(plainJson({ a: undefined, b: 1 }, "payload", 100))).toBe('{"b":1}');
  });

  test.each([
    [{ at: new Date(0) }, "payload.at", "a Date"],
    [{ list: [1, Number.NaN] }, "payload.list[1]", "NaN"],
    [{ big: 1n }, "payload.big", "a bigint"],
    [{ f: () => 1 }, "payload.f", "a function"],
    [new Map(), "payload", "a Map"],
    [circle, "payload.self", "a circle"],
    // oxlint-disable-next-line no-sparse-arrays -- what is refused
    [[1, , 3], "payload[1]", "nothing"],
    [nested(501), "payload", "more"],
  ])("what JSON would change or lose is refused with its path: %#", (value, place, found) => {
    expect(() => plainJson(value, "payload", 1_000)).toThrow(
      expect.objectContaining({
        code: "CUTOVER_QUEUE_INVALID",
        place,
        message: expect.stringContaining(found),
      }),
    );
  });

  test("the limit counts bytes, not characters", () => {
    expect(plainJson("é".repeat(40), "payload", 82)).toHaveLength(40);
    expect(() => plainJson("é".repeat(40), "payload", 81)).toThrow("found 82 bytes");
  });
});

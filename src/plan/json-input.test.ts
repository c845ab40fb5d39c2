import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsonProblem } from "./json-input.ts";

describe("a step's input", () => {
  test("may be any JSON, and members left undefined", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => jsonProblem(value, "input") === undefined));
    expect(jsonProblem({ a: undefined }, "input")).toBeUndefined();
  });

  test.each<[unknown, string]>([
    [undefined, "expected `input` to be JSON, found undefined"],
    [Number.NaN, "expected `input` to be JSON, found NaN"],
    [10n, "expected `input` to be JSON, found 10"],
    [{ a: [1, () => 1] }, "expected `input.a[1]` to be JSON, found a function"],
    [{ a: new Map() }, "expected `input.a` to be JSON, found an instance of Map"],
    [[undefined], "expected `input[0]` to be JSON, found undefined"],
  ])("is refused where JSON would change it: %s", (value, message) => {
    expect(jsonProblem(value, "input")).toBe(message);
  });

  test("is refused when it refers to itself, but may hold one value twice", () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    expect(jsonProblem(circle, "input")).toBe(
      "expected `input.self` to be JSON, found a circle of references",
    );
    const shared = { a: 1 };
    expect(jsonProblem([shared, shared], "input")).toBeUndefined();
  });
});

import { expect, test } from "vitest";
import { findCycles } from "./cycle.ts";

const orders = (text: string): { id: string; after: string[] }[] =>
  text.split(" ").map((one) => {
    const [id = "", after = ""] = one.split(":");
    return { id, after: after === "" ? [] : after.split(",") };
  });

test.each([
  ["a b:a c:a,b", []],
  ["a:a", [["a"]]],
  ["a:c b:a c:b", [["a", "c", "b"]]],
  [
    "x:a a:b b:a c:d d:c e",
    [
      ["a", "b"],
      ["c", "d"],
    ],
  ],
  ["a:unknown b:a", []],
])("the rings of %s", (text, rings) => {
  expect(findCycles(orders(text), new Map())).toEqual(rings);
});

test("an id that is stored under another leads there", () => {
  expect(findCycles(orders("a:b2 b:a"), new Map([["b2", "b"]]))).toEqual([["a", "b"]]);
});

test("a chain of a hundred thousand is no ring, and no matter", () => {
  const chain = Array.from({ length: 100_000 }, (_, n) => ({
    id: `o${n}`,
    after: n === 0 ? [] : [`o${n - 1}`],
  }));
  expect(findCycles(chain, new Map())).toEqual([]);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findCycles, layerOf, topologicalOrder } from "./dependencies.ts";

const dependencies = (entries: Record<string, string[]>): Map<string, string[]> =>
  new Map(Object.entries(entries));

/** Any relation between up to 12 names, circles included. */
const anyRelation = fc
  .array(fc.array(fc.nat({ max: 11 }), { maxLength: 3 }), { maxLength: 12 })
  .map((rows) => new Map(rows.map((row, index) => [`n${index}`, row.map((other) => `n${other}`)])));

describe("order of things that come after each other", () => {
  test("among names that could come next, the one listed first comes first", () => {
    expect(topologicalOrder(dependencies({ d: ["b"], c: [], b: [], a: ["c", "b"] }))).toEqual([
      "c",
      "b",
      "d",
      "a",
    ]);
  });

  test("every name comes after all it depends on, and only names behind circles are missing", () => {
    fc.assert(
      fc.property(anyRelation, (after) => {
        const order = topologicalOrder(after);
        const position = new Map(order.map((name, index) => [name, index]));
        for (const name of order)
          for (const before of after.get(name) ?? [])
            if (after.has(before)) expect(position.get(before)).toBeLessThan(position.get(name) ?? -1);
        expect(order.length === after.size).toBe(findCycles(after).length === 0);
      }),
    );
  });

  test("a circle is a closed walk in the order of execution", () => {
    fc.assert(
      fc.property(anyRelation, (after) => {
        for (const path of findCycles(after)) {
          expect(path[0]).toBe(path.at(-1));
          expect(new Set(path).size).toBe(path.length - 1);
          for (const [index, name] of path.slice(1).entries()) expect(after.get(name)).toContain(path[index]);
        }
      }),
    );
  });

  test("two separate circles are both found, each by its shortest path", () => {
    const after = dependencies({ a: ["c"], b: ["a"], c: ["b"], x: ["x"], y: ["x"], z: [] });
    expect(findCycles(after)).toEqual([
      ["a", "b", "c", "a"],
      ["x", "x"],
    ]);
  });

  test("a layer is one more than the highest layer it waits for", () => {
    expect([...layerOf(dependencies({ a: [], b: ["a"], c: ["a"], d: ["c", "a"], e: [] }))]).toEqual([
      ["a", 0],
      ["b", 1],
      ["c", 1],
      ["d", 2],
      ["e", 0],
    ]);
  });

  test("10,000 names in a chain are ordered in well under a second", () => {
    const chain = new Map(
      Array.from({ length: 10_000 }, (_, index) => [`n${index}`, index === 0 ? [] : [`n${index - 1}`]]),
    );
    const began = performance.now();
    expect(topologicalOrder(chain)).toHaveLength(10_000);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

import { describe, expect, test } from "vitest";
import { type DataMap, imagesOf, type MapFunction } from "./map.ts";
import { mapped } from "./move/images.ts";

const row = { collection: "orders", key: Buffer.from("k"), value: Buffer.from("v") };
const asAny = (map: (row: unknown) => unknown): DataMap => ({ map: map as MapFunction });

describe("a map function", () => {
  test.each([
    ["returns a promise", (): unknown => Promise.resolve({ value: row.value }), "found a promise"],
    ["returns a promise that fails", (): unknown => Promise.reject(new Error("late")), "found a promise"],
    ["returns the bytes alone", (): unknown => row.value, "found something else"],
    ["returns a text", (): unknown => ({ value: "text" }), "found something else"],
    ["returns nothing", (): unknown => undefined, "found something else"],
  ])("that %s is refused with what to do, and the process lives on", async (_, map, found) => {
    const refused = (): unknown => imagesOf(asAny(map), row);
    expect(refused).toThrow(found);
    expect(refused).toThrow(
      expect.objectContaining({ code: "CUTOVER_DATA_OPTIONS", place: 'map of "orders"' }),
    );
    // A rejection that nobody waits for would fail this file.
    await new Promise((resolve) => setImmediate(resolve));
  });

  test("that throws sets its row aside with a reason people can read, however much it says", () => {
    const reasonOf = (thrown: unknown): string | undefined =>
      imagesOf(
        asAny(() => {
          throw thrown;
        }),
        row,
      ).aside;
    expect(reasonOf(new Error("no such state"))).toBe("no such state");
    expect(reasonOf("text")).toBe("text");
    expect(reasonOf(new Error(`cannot map ${"x".repeat(1_000_000)}`))).toMatch(/^cannot map x{989}…$/);
  });

  test("may make very many images of one row, at places of their own", async () => {
    const many = (count: number): DataMap => ({
      map: ({ value }) =>
        Array.from({ length: count }, (_, at) => ({ key: Buffer.from(`k${at % 60_000}`), value })),
    });
    const target = { get: () => Promise.resolve([]) };
    const before = { aside: false, now: 0 };
    const { rows } = await mapped(many(60_000), target).ofRows("orders", [row], before);
    // Beside them where they lie.
    expect(rows.length).toBe(60_001);
    await expect(async () => mapped(many(60_001), target).ofRows("orders", [row], before)).rejects.toThrow(
      "found two at one place",
    );
  });
});

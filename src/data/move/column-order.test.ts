import { describe, expect, test } from "vitest";
import type { Collection, Reader } from "../connector.ts";
import { requireColumnOrder } from "./column-order.ts";

const side = (name: string, tables: Readonly<Record<string, string>>): Reader => {
  const collections = Object.entries(tables).map(([table, columns]): Collection => ({
    name: table,
    columns: columns.split(" ").map((column) => ({ name: column, type: "text", key: 0, nullable: true })),
  }));
  return { name, collections: () => Promise.resolve(collections) } as Partial<Reader> as Reader;
};

describe("tables whose rows go over column by column", () => {
  test.each([
    ["the same columns", "id first last", "id first last"],
    ["columns with other names", "id first last", "id forename surname"],
    ["names in other cases", "ID first", "id First"],
    ["a column more in the end", "id first", "id first since"],
  ])("may have %s", async (_, old, young) => {
    const sides = [side("old", { t: old }), side("new", { u: young })] as const;
    await expect(requireColumnOrder(...sides, [["t", "u"]])).resolves.toBeUndefined();
  });

  test.each([
    ["two columns in each other's place", "id first last", "id last first", "first"],
    ["a column before them", "id first last", "id tenant first last", "first"],
  ])("may not have %s: both sides would agree on values in wrong columns", async (_, old, young, column) => {
    const sides = [side("old", { t: old, v: "a b" }), side("new", { u: young, v: "b a" })] as const;
    await expect(requireColumnOrder(...sides, [["t", "u"]])).rejects.toMatchObject({
      code: "CUTOVER_DATA_COLLECTION",
      place: "new",
      details: { collection: "u", column },
    });
  });

  test("are asked for alone: stores of bytes and other tables have no say", async () => {
    const bytes = { name: "kv", collections: () => Promise.resolve([{ name: "t" }]) };
    await expect(requireColumnOrder(side("old", { t: "a b" }), bytes, [["t", "t"]])).resolves.toBeUndefined();
  });
});

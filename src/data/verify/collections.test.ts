import { expect, test } from "vitest";
import type { Collection, Reader } from "../connector.ts";
import { chooseCollections } from "./collections.ts";

const reader = (all: readonly Collection[]): Reader =>
  ({ name: "store", collections: () => Promise.resolve(all) }) as Partial<Reader> as Reader;

test("all collections that cannot be moved are told at once, with those that can", async () => {
  const store = reader([
    { name: "logs", problem: "it has no primary key" },
    { name: "orders" },
    { name: "cache", problem: "it is unlogged" },
    { name: "items" },
  ]);
  await expect(chooseCollections(store, undefined)).rejects.toMatchObject({
    code: "CUTOVER_DATA_COLLECTION",
    message:
      'collection "logs" cannot be read row by row: it has no primary key; nor collection "cache": it is unlogged',
    remedy: "mend that (a table needs a primary key), or name only the others: orders,items",
    details: { collection: "logs", collections: ["logs", "cache"] },
  });
  expect((await chooseCollections(store, ["items", "orders"])).map(({ name }) => name)).toEqual([
    "items",
    "orders",
  ]);
});

test("of very many the first are named and the others counted", async () => {
  const many = Array.from({ length: 300 }, (_, at) => ({ name: `t${at}`, problem: "no key" }));
  await expect(chooseCollections(reader(many), undefined)).rejects.toMatchObject({
    message: expect.stringMatching(/collection "t9": no key; … 290 more$/),
    remedy: "mend that (a table needs a primary key)",
  });
});

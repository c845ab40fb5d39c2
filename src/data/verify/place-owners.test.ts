import { expect, test } from "vitest";
import { rowHash } from "../digest/row-hash.ts";
import { OwnerTable } from "./owner-table.ts";
import { PlaceHashes } from "./place-hashes.ts";
import { PlaceOwners } from "./place-owners.ts";

const at = (key: string, collection = ""): { collection: string; key: Uint8Array } => ({
  collection,
  key: Buffer.from(key),
});
const nothing = new Uint8Array();

async function owners(
  images: readonly (readonly [row: string, image: string])[],
  most?: number,
): Promise<PlaceOwners> {
  const hashes = new PlaceHashes(await rowHash(7n));
  const made = new PlaceOwners(most === undefined ? {} : { most });
  made.begin(hashes);
  for (const [row, image] of images)
    made.add({ ...at(image), value: nothing, from: at(row) }, hashes.key(at(image)));
  return made;
}
const only = (made: PlaceOwners, ...rows: readonly string[]): ReadonlySet<bigint> =>
  new Set(rows.map((row) => made.hash(at(row))));

test("a hundred thousand places tell whose they are, and those that nobody has are nobody's", async () => {
  const rows = Array.from({ length: 100_000 }, (_, n) => [`row${n}`, `image${n}`] as const);
  const made = await owners(rows);
  let [own, others, nobodys] = [0, 0, 0];
  for (let n = 0; n < 100_000; n += 97) {
    if (!made.isOthers(at(`image${n}`), only(made, `row${n}`))) own++;
    if (made.isOthers(at(`image${n}`), only(made, `row${n + 1}`))) others++;
    if (!made.isOthers(at(`nowhere${n}`), only(made, `row${n}`))) nobodys++;
  }
  expect([own, others, nobodys]).toEqual([1_031, 1_031, 1_031]);
});

test("a row that was looked at is where it was then, and not where it was read before", async () => {
  const made = await owners([["a", "x"]]);
  made.look(at("a"), [at("y"), at("z")]);
  expect(["x", "y", "z"].map((place) => made.isOthers(at(place), new Set()))).toEqual([false, true, true]);
  made.look(at("b"), [at("y")]);
  made.look(at("a"), []);
  expect(["x", "y", "z"].map((place) => made.isOthers(at(place), new Set()))).toEqual([false, true, false]);
});

test("places in two collections with one key are two places", async () => {
  const made = await owners([["a", "x"]]);
  expect(made.isOthers(at("x", "other"), new Set())).toBe(false);
});

test("a row with its image at its own key is told by the key, also in another collection", async () => {
  const made = await owners([]);
  made.add({ ...at("k", "new"), value: nothing, from: at("k", "old") }, made.hash(at("k", "new")));
  expect(made.isOthers(at("k", "new"), new Set())).toBe(false);
  expect(made.namesakes(at("other", "new"))).toEqual([at("other", "old")]);
  expect(made.namesakes(at("k"))).toEqual([]);
});

test("what is more than can be remembered is said to be, and nothing is told of it", async () => {
  const rows = Array.from({ length: 5 }, (_, n) => [`row${n}`, `image${n}`] as const);
  expect((await owners(rows, 5)).complete).toBe(true);
  const made = await owners(rows, 4);
  expect(made.complete).toBe(false);
  expect(made.isOthers(at("image1"), new Set())).toBe(false);
});

test("a table keeps several rows at one place, each once, and a hash of zero like any other", () => {
  const table = new OwnerTable();
  for (const each of [3n, 4n, 3n, 0n]) table.add(0n, each);
  table.add(1n << 63n, 9n);
  expect([[...table.rowsAt(0n)], [...table.rowsAt(1n << 63n)], [...table.rowsAt(5n)], table.size]).toEqual([
    [3n, 4n, 1n],
    [9n],
    [],
    4,
  ]);
});

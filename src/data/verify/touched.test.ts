import { expect, test } from "vitest";
import type { Change } from "../connector.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import { type DataMap, mapValues, noImage } from "../map.ts";
import { startMove } from "../move/move-data.ts";
import { asideRows, originalsOf } from "./kept-rows.ts";
import { Touched } from "./touched.ts";
import { verifyData } from "./verify.ts";
import { verifyTouched } from "./verify-touched.ts";

const random = (length: number): Uint8Array => new Uint8Array(length).fill(3);
const key = (index: number): Buffer => Buffer.from(`k${String(index).padStart(5, "0")}`);
const put = (index: number, text: string): Change => ({
  collection: "",
  key: key(index),
  value: Buffer.from(text),
});
type Store = ReturnType<typeof openMemoryStore>;
async function storeOf(count: number): Promise<Store> {
  const store = openMemoryStore();
  await store.write(Array.from({ length: count }, (_, index) => put(index, `value ${index}`)));
  return store;
}

/** Copies, verifies, writes `after`, drains at a fence, and gives what was touched since. */
async function crossing(
  source: Store,
  target: Store,
  touched: Touched,
  after: readonly Change[],
  map?: DataMap,
): Promise<void> {
  const watched = { source: touched.source(source), target: touched.target(target) };
  const move = startMove({ ...watched, job: "m", fence: 1, ...(map === undefined ? {} : { map }) });
  await move.copied;
  touched.begin();
  const base = await verifyData({ source, target, random, ...(map === undefined ? {} : { map }) });
  expect(base.equal).toBe(true);
  await source.write(after);
  move.stopAt(await source.fence(1, { signal: AbortSignal.timeout(10_000) }));
  await move.done;
}

test("at the cutover only what was touched since the verification is read again", async () => {
  const [source, target, touched] = [await storeOf(5_000), openMemoryStore(), new Touched()];
  await crossing(source, target, touched, [put(3, "x"), put(9_000, "new"), { ...put(4, ""), value: null }]);
  expect(await verifyTouched({ source, target, random, touched })).toEqual({
    equal: true,
    looked: 3,
    differences: [],
  });
});

test("a touched row that is wrong is found, and one that should be gone", async () => {
  const [source, target, touched] = [await storeOf(500), openMemoryStore(), new Touched()];
  await crossing(source, target, touched, [put(3, "x"), { ...put(4, ""), value: null }]);
  await target.lift(0);
  await target.write([put(3, "y"), put(4, "back again")]);
  const { equal, differences } = await verifyTouched({ source, target, random, touched });
  expect(equal).toBe(false);
  expect(differences.map(({ kind }) => kind).toSorted()).toEqual(["different", "extra"]);
});

test("when more was touched than is remembered, everything is read", async () => {
  const [source, target, touched] = [await storeOf(500), openMemoryStore(), new Touched({ limit: 2 })];
  await crossing(source, target, touched, [put(3, "x"), put(4, "y"), put(5, "z")]);
  const found = await verifyTouched({ source, target, random, touched });
  expect(found).toMatchObject({ equal: true, looked: 0, full: { equal: true } });
});

test("through a map, touched rows are compared by their images, and what is set aside is listed with its reason", async () => {
  const map = mapValues(({ value }) => {
    const text = Buffer.from(value).toString();
    if (text === "odd") throw noImage("odd has no image");
    return Buffer.from(text.toUpperCase());
  });
  const [source, target, touched] = [await storeOf(300), openMemoryStore(), new Touched()];
  await crossing(source, target, touched, [put(3, "x"), put(4, "odd")], map);
  expect(await verifyTouched({ source, target, random, touched, map })).toMatchObject({ equal: true });
  const listed = [];
  for await (const row of asideRows(target)) listed.push(row);
  expect(listed).toMatchObject([
    { collection: "", key: key(4), reason: "odd has no image", value: Buffer.from("odd") },
  ]);
});

test("rows that a map made alike come back each as it was, unless their image was changed since", async () => {
  const map = { ...mapValues(() => Buffer.from("same")), originals: true };
  const [source, target, touched] = [await storeOf(3), openMemoryStore(), new Touched()];
  await crossing(source, target, touched, [], map);
  const image = (index: number, text: string) => ({
    collection: "",
    key: key(index),
    value: Buffer.from(text),
  });
  const found = await originalsOf(target, map, [
    image(0, "same"),
    image(1, "changed"),
    image(2, "same"),
    image(9, "same"),
  ]);
  expect(found.map((row) => (row === undefined ? null : Buffer.from(row.value).toString()))).toEqual([
    "value 0",
    null,
    "value 2",
    null,
  ]);
});

import { describe, expect, test } from "vitest";
import type { Change, Reader, Row } from "../connector.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import { decodeAside, encodeAside, keptIn, keptKey, mapValues, noImage } from "../map.ts";
import { verifyData, type VerifyOptions } from "./verify.ts";

const random = (length: number): Uint8Array => new Uint8Array(length).fill(7);
const bytes = (text: string): Buffer => Buffer.from(text, "utf8");
const key = (index: number): Buffer => bytes(`user:${String(index).padStart(6, "0")}`);
const value = (index: number): string => `{"name":"n${index}","at":17000000000000000${index % 10}}`;

type Store = ReturnType<typeof openMemoryStore>;
const put = (index: number, text: string): Change => ({
  collection: "",
  key: key(index),
  value: bytes(text),
});
const drop = (index: number): Change => ({ collection: "", key: key(index), value: null });

async function storeOf(count: number, name = "memory"): Promise<Store> {
  const store = openMemoryStore({ name });
  await store.write(Array.from({ length: count }, (_, index) => put(index, value(index))));
  return store;
}

const look = (source: Reader, target: Reader, options: Partial<VerifyOptions> = {}) =>
  verifyData({ source, target, random, leafRows: 50, ...options });

describe("verification", () => {
  test("equal stores are equal, and one scan says so", async () => {
    const [source, target] = [await storeOf(1_234), await storeOf(1_234)];
    let read = 0;
    const found = await look(source, target, { onRead: (rows) => (read += rows) });
    expect(found).toMatchObject({ equal: true, leaves: 25, unequalLeaves: 0, differences: [] });
    expect(found.source.count).toBe(1_234);
    expect(found.source).toEqual(found.target);
    expect(read).toBe(2 * 1_234);
  });

  test.each<[string, readonly Change[], object]>([
    ["a flipped bit", [put(300, value(300).replace("n300", "n301"))], { different: 1 }],
    ["a dropped row", [drop(77)], { missing: 1 }],
    ["a dropped last row", [drop(999)], { missing: 1 }],
    [
      "a row too many in the middle",
      [{ collection: "", key: bytes("user:000010x"), value: bytes("x") }],
      { extra: 1 },
    ],
    ["rows behind the last one", [put(5_000, "x"), put(5_001, "y")], { extra: 2 }],
    ["a row before the first one", [{ collection: "", key: bytes("a"), value: bytes("x") }], { extra: 1 }],
    ["the values of two rows swapped", [put(3, value(4)), put(4, value(3))], { different: 2 }],
    ["the values of two far rows swapped", [put(3, value(904)), put(904, value(3))], { different: 2 }],
    ["a number that became a text", [put(20, value(20).replace(/(\d{18})/, '"$1"'))], { different: 1 }],
    [
      "a number rounded to a double",
      [put(21, value(21).replace("170000000000000001", "170000000000000000"))],
      { different: 1 },
    ],
    ["null for empty", [put(30, "")], { different: 1 }],
    ["another case", [put(31, value(31).toUpperCase())], { different: 1 }],
    ["a space at the end", [put(32, `${value(32)} `)], { different: 1 }],
    [
      "a key cut to its prefix",
      [drop(33), { collection: "", key: bytes("user:00003"), value: bytes(value(33)) }],
      { missing: 1, extra: 1 },
    ],
    [
      "a byte moved from value to key",
      [drop(40), { collection: "", key: bytes("user:000040{"), value: bytes(value(40).slice(1)) }],
      { missing: 1, extra: 1 },
    ],
    [
      "a row copied twice under another key",
      [{ collection: "", key: bytes("user:000050b"), value: bytes(value(50)) }],
      { extra: 1 },
    ],
  ])("finds %s", async (_, changes, counts) => {
    const [source, target] = [await storeOf(1_000), await storeOf(1_000)];
    await target.write(changes);
    const found = await look(source, target);
    expect(found.equal).toBe(false);
    expect(found.counts).toEqual({ missing: 0, extra: 0, different: 0, clash: 0, ...counts });
    expect(found.unexplained).toEqual([]);
    expect(found.differences).toHaveLength(
      found.counts.missing + found.counts.extra + found.counts.different,
    );
  });

  test.each([0, 1, 400])("%i differences are found by one scan of each side", async (count) => {
    const [source, target] = [await storeOf(1_000), await storeOf(1_000)];
    await target.write(Array.from({ length: count }, (_, at) => put(at * 2, "other")));
    let scans = 0;
    const counted = (store: Store): Reader => ({
      ...readerOf(store),
      scan: (range, options) => {
        scans++;
        return store.scan(range, options);
      },
    });
    let read = 0;
    const found = await look(counted(source), counted(target), { onRead: (rows) => (read += rows) });
    expect(found.counts.different).toBe(count);
    expect([scans, read]).toEqual([2, 2_000]);
    expect([found.leaves, found.unequalLeaves]).toEqual([20, Math.ceil(count / 25)]);
  });

  test("digests of both sides are those that each side has by itself, whatever differs", async () => {
    const [source, target] = [await storeOf(700), await storeOf(650)];
    await target.write([put(3, "other"), drop(4), put(9_000, "more")]);
    const found = await look(source, target);
    const [own, others] = [await look(source, source), await look(target, target)];
    expect([found.source, found.target]).toEqual([own.source, others.target]);
  });

  test("says where two values part, and how long they are", async () => {
    const [source, target] = [await storeOf(10), await storeOf(10)];
    await target.write([put(3, `${value(3)} `)]);
    const { differences } = await look(source, target);
    const { length } = value(3);
    expect(differences).toEqual([
      {
        collection: "",
        key: key(3),
        kind: "different",
        sourceBytes: length,
        targetBytes: length + 1,
        firstByte: length,
      },
    ]);
  });

  test("counts all differences and lists only as many as were asked for", async () => {
    const [source, target] = [await storeOf(3_000), openMemoryStore()];
    const found = await look(source, target, { limit: 5 });
    expect(found.counts.missing).toBe(3_000);
    expect(found.differences).toHaveLength(5);
    const back = await look(target, source, { limit: 5 });
    expect(back.counts.extra).toBe(3_000);
  });

  test("a collection that only one side has is missing or extra", async () => {
    const source = openMemoryStore({ collections: ["a", "b"] });
    const target = openMemoryStore({ collections: ["b", "c"] });
    await source.write([{ collection: "a", key: bytes("1"), value: bytes("x") }]);
    await target.write([{ collection: "c", key: bytes("1"), value: bytes("x") }]);
    expect((await look(source, target)).counts).toMatchObject({ missing: 1, extra: 1 });
    expect((await look(source, target, { collections: ["b"] })).equal).toBe(true);
    await expect(look(source, target, { collections: ["B"] })).rejects.toMatchObject({
      code: "CUTOVER_DATA_COLLECTION",
      remedy: expect.stringContaining('did you mean "b"') as string,
    });
  });

  test("what was only late does not count, and what stays wrong does", async () => {
    const [source, target] = [await storeOf(500), await storeOf(500)];
    await target.write([put(100, "old"), put(200, "wrong")]);
    // The move brings row 100 when it catches up; row 200 it has passed already.
    const caughtUp = (): Promise<void> => target.write([put(100, value(100))]);
    const found = await look(source, target, { caughtUp });
    expect(found).toMatchObject({ equal: false, arrived: 1, counts: { different: 1 } });
    expect(found.differences[0]?.key).toEqual(key(200));
  });

  test("a row that came and went again while it was looked at is not told as a difference", async () => {
    const [source, target] = [await storeOf(500), await storeOf(500)];
    await target.write([put(100, "old"), put(600, "came")]);
    let calls = 0;
    // The source has nothing there before and after; what the target shows is from in between, and goes as the move goes on.
    const caughtUp = async (): Promise<void> => {
      if (++calls === 2) await target.write([{ collection: "", key: key(600), value: null }]);
    };
    const found = await look(source, target, { caughtUp });
    expect(found).toMatchObject({
      equal: false,
      arrived: 1,
      unsettled: 0,
      counts: { extra: 0, different: 1 },
    });
  });

  test("a row that changes at every look is neither equal nor different", async () => {
    const [source, target] = [await storeOf(500), await storeOf(500)];
    let writes = 0;
    await target.write([put(100, "behind")]);
    const caughtUp = (): Promise<void> => source.write([put(100, `write ${writes++}`)]);
    const found = await look(source, target, { caughtUp });
    expect(found).toMatchObject({ equal: false, unsettled: 1, counts: { different: 0 } });
  });

  test("a store that shows a row in one scan and not in the next is an alarm, not a clean result", async () => {
    const [source, target] = [await storeOf(500), await storeOf(500)];
    let scans = 0;
    const lying: Reader = {
      name: "lying",
      collections: () => target.collections(),
      get: (collection, keys) => target.get(collection, keys),
      count: (range) => target.count(range),
      // Digests are taken by the first scan of every pair; the comparison sees another store.
      async *scan(range, options) {
        const hide = scans++ % 2 === 0;
        for await (const rows of target.scan(range, options))
          yield hide ? rows.filter((row: Row) => Buffer.compare(row.key, key(250)) !== 0) : rows;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    } as Reader;
    const found = await look(source, lying);
    expect(found.equal).toBe(false);
    expect(found.unexplained).toHaveLength(1);
    expect(found.unexplained[0]?.delta.count).toBe(1);
    expect(found.unexplained[0]?.found.count).toBe(0);
  });

  test("a store that gives its keys in another order is refused", async () => {
    const source = await storeOf(10);
    const wrong = {
      ...readerOf(source),
      async *scan() {
        yield [
          { key: bytes("b"), value: bytes("") },
          { key: bytes("a"), value: bytes("") },
        ];
      },
    } as unknown as Reader;
    await expect(look(source, wrong)).rejects.toMatchObject({ code: "CUTOVER_DATA_ORDER" });
  });

  test("a collection without a key is named instead of being read", async () => {
    const source = await storeOf(10);
    const wrong = {
      ...readerOf(source),
      collections: () => Promise.resolve([{ name: "log", problem: "it has no primary key" }]),
    };
    await expect(look(wrong, source)).rejects.toMatchObject({
      code: "CUTOVER_DATA_COLLECTION",
      message: expect.stringContaining("no primary key") as string,
    });
  });

  test("an option that nothing reads is refused", async () => {
    const source = await storeOf(1);
    const options = { source, target: source, random, colections: ["a"] };
    await expect(verifyData(options)).rejects.toMatchObject({
      code: "CUTOVER_DATA_OPTIONS",
      message: expect.stringContaining('"colections"') as string,
    });
  });

  test("stops when it is told to", async () => {
    const [source, target] = [await storeOf(5_000), await storeOf(5_000)];
    const stop = new AbortController();
    const found = look(source, target, {
      signal: stop.signal,
      onRead: () => stop.abort(new Error("enough")),
    });
    await expect(found).rejects.toThrow("enough");
  });
});

describe("verification through a map", () => {
  const upper = mapValues(({ value: old }) => {
    const text = Buffer.from(old).toString("utf8");
    if (text.includes('n13"')) throw noImage("thirteen has no image");
    return bytes(text.toUpperCase());
  });
  async function mapped(count: number): Promise<Store> {
    const store = openMemoryStore();
    const changes: Change[] = [];
    for (let index = 0; index < count; index++) {
      if (index !== 13) changes.push(put(index, value(index).toUpperCase()));
    }
    const row = { collection: "", key: key(13), value: bytes(value(13)) };
    const aside = { reason: "thirteen has no image", at: 1, value: row.value };
    changes.push({ collection: keptIn.aside, key: keptKey("", row), value: encodeAside(aside) });
    await store.applyTxn({ job: "copy", fence: 1, origin: "move", changes, rows: [] });
    return store;
  }

  test("f(old) equals new, with the rows set aside in quarantine", async () => {
    const found = await look(await storeOf(1_000), await mapped(1_000), { map: upper });
    expect(found).toMatchObject({ equal: true, aside: 1, unequalLeaves: 0 });
    expect(found.source.count).toBe(1_000);
  });

  test("finds rows that were copied without the map, left out, or are lost from quarantine", async () => {
    const [source, target] = [await storeOf(1_000), await mapped(1_000)];
    await target.write([put(500, value(500)), drop(600), put(2_000, "X")]);
    const lost = {
      collection: keptIn.aside,
      key: keptKey("", { collection: "", key: key(13) }),
      value: null,
    };
    await target.applyTxn({ job: "copy", fence: 1, origin: "move", changes: [lost], rows: [] });
    const found = await look(source, target, { map: upper });
    expect(found.counts).toEqual({ missing: 2, extra: 1, different: 1, clash: 0 });
    expect(found.differences.map(({ collection }) => collection).toSorted()).toEqual([
      "",
      "",
      "",
      keptIn.aside,
    ]);
  });

  test("images in another order and another collection are found where they belong", async () => {
    const source = await storeOf(2_000);
    const target = openMemoryStore({ collections: ["even", "odd"] });
    const back = (from: Uint8Array): Buffer => Buffer.from(from).reverse();
    const collection = (from: Uint8Array): string => ((from.at(-1) ?? 0) % 2 === 0 ? "even" : "odd");
    const map = {
      map: (row: Row) => ({ collection: collection(row.key), key: back(row.key), value: row.value }),
    };
    await target.write(
      Array.from({ length: 2_000 }, (_, index) => ({
        collection: collection(key(index)),
        key: back(key(index)),
        value: bytes(value(index)),
      })),
    );
    expect((await look(source, target, { map })).equal).toBe(true);
    await target.write([{ collection: "even", key: back(key(8)), value: null }]);
    await target.write([{ collection: "odd", key: back(key(8)), value: bytes(value(8)) }]);
    const found = await look(source, target, { map });
    expect(found.counts).toMatchObject({ missing: 1, extra: 1 });
  });

  test("two rows with one image are named: no copy could hold both", async () => {
    const source = await storeOf(100);
    const map = { map: (row: Row) => ({ key: row.key.subarray(0, 10), value: bytes("same") }) };
    const target = openMemoryStore();
    await target.write(
      Array.from({ length: 10 }, (_, index) => ({
        collection: "",
        key: key(index * 10).subarray(0, 10),
        value: bytes("same"),
      })),
    );
    expect((await look(source, target, { map })).counts.clash).toBe(10);
  });

  test("what a quarantine holds is the row as it was", async () => {
    const target = await mapped(20);
    const [kept] = await target.get(keptIn.aside, [keptKey("", { collection: "", key: key(13) })]);
    expect(Buffer.from(decodeAside(kept as Uint8Array).value).toString()).toBe(value(13));
  });
});

/** A reader that a test replaces calls of. */
const readerOf = (store: Reader): Reader => ({
  name: store.name,
  collections: () => store.collections(),
  get: (collection, keys) => store.get(collection, keys),
  count: (range) => store.count(range),
  scan: (range, options) => store.scan(range, options),
  [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
});

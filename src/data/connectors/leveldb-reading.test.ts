import { ClassicLevel } from "classic-level";
import fc from "fast-check";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { rowsOfBlock } from "../row-block.ts";
import type { LevelIterator, LevelRange, LevelSnapshot } from "./leveldb-driver.ts";
import { LevelReading } from "./leveldb-reading.ts";
import { openLevelDb } from "./leveldb.ts";

const dir = mkdtempSync(join(tmpdir(), "cutover-texts-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const text = fc.string({ unit: "binary", maxLength: 12 }).map((value) => Buffer.from(value, "utf8"));
/** Bytes that are text of some kind, and no valid UTF-8 in one way or another. */
const odd = fc.constantFrom(
  Buffer.from("\ufffd"),
  Buffer.from("\ufeffmark"),
  Buffer.from("a\0b"),
  Buffer.from("żółw 🐢"),
  Buffer.from([0xed, 0xa0, 0x80]), // half of a surrogate pair
  Buffer.from([0xed, 0xa0, 0xbd, 0xed, 0xb0, 0xa2]), // both halves, each for itself
  Buffer.from([0xc0, 0x80]), // zero, longer than need be
  Buffer.from([0xe2, 0x82]), // cut
  Buffer.from([0xf8, 0x88, 0x80, 0x80, 0x80]),
  Buffer.from([0x80]),
  Buffer.from([0xff]),
);
const bytes = fc.uint8Array({ maxLength: 12 }).map((value) => Buffer.from(value));
const hex = (keys: readonly Uint8Array[]): readonly string[] =>
  keys.map((key) => Buffer.from(key).toString("hex"));

test("keys come as the bytes that were written, whether all are text or some, or none", async () => {
  let no = 0;
  const keysOf = fc.oneof(
    fc.array(text, { minLength: 1, maxLength: 20 }),
    fc.array(fc.oneof(text, odd), { minLength: 1, maxLength: 20 }),
    fc.array(fc.oneof(bytes, odd), { minLength: 1, maxLength: 20 }),
  );
  await fc.assert(
    fc.asyncProperty(keysOf, async (given) => {
      const collections = ["", "sub"];
      await using store = await openLevelDb(join(dir, String(no++)), { create: true, collections });
      const keys = [...new Set(hex(given))].toSorted().map((key) => Buffer.from(key, "hex"));
      for (const collection of collections) {
        const own = keys.filter((key) => collection !== "" || !key.toString("latin1").startsWith("!sub"));
        await store.write(own.map((key) => ({ collection, key, value: key })));
        const found = [];
        for await (const rows of store.scan({ collection })) found.push(...rows);
        expect(hex(found.map(({ key }) => key))).toEqual(hex(own));
        expect(hex(found.map(({ value }) => value))).toEqual(hex(own));
        const [after, upTo] = [own[1], own.at(-2)];
        if (after === undefined || upTo === undefined) continue;
        const { rows } = await store.snapshotChunk({ collection, after, upTo }, { rows: 5, bytes: 1_000 });
        expect(hex(rows.map(({ key }) => key))).toEqual(hex(own.slice(2, -1).slice(0, 5)));
      }
    }),
    { numRuns: 60 },
  );
}, 120_000);

test("one key that is no text among many thousands is not lost, nor are those around it", async () => {
  await using store = await openLevelDb(join(dir, "many"), { create: true });
  const keys = Array.from({ length: 5_000 }, (_, at) => Buffer.from(`key ${String(at).padStart(5, "0")}`));
  keys.splice(3_333, 0, Buffer.concat([keys[3_332] as Buffer, Buffer.from([0xff])]));
  await store.write(keys.map((key) => ({ collection: "", key, value: Buffer.from("v") })));
  for (const rows of [10_000, 700]) {
    const found: Uint8Array[] = [];
    for (let end = false; !end;) {
      const after = found.at(-1);
      const chunk = await store.snapshotChunk(
        { collection: "", ...(after === undefined ? {} : { after }) },
        { rows, bytes: 1 << 22 },
      );
      found.push(...chunk.rows.map(({ key }) => key));
      end = chunk.end;
    }
    expect(hex(found)).toEqual(hex(keys));
  }
});

/** Gives keys as texts where that is asked for, as the thread that reads does. */
class Db extends ClassicLevel<Buffer, Buffer> {
  _iterator(given: LevelRange & { readonly textKeys?: boolean }): unknown {
    const general = ClassicLevel.prototype as unknown as Record<"_iterator", (options: object) => unknown>;
    return general._iterator.call(this, given.textKeys === true ? { ...given, keyEncoding: "utf8" } : given);
  }
}

type Pair = readonly [key: Buffer, value: Buffer];

async function opened(pairs: readonly Pair[], name: string): Promise<Db> {
  const db = new Db(join(dir, name), { keyEncoding: "buffer", valueEncoding: "buffer" });
  await db.open();
  await db.batch(pairs.map(([key, value]) => ({ type: "put", key, value })));
  return db;
}

/** Everything, block by block, and how values were asked for of the driver. */
async function readAll(db: Db, limit: { readonly rows: number; readonly bytes: number }) {
  const forms: string[] = [];
  const snapshot = db.snapshot();
  const stretches = [{ gte: Buffer.alloc(0), lt: Buffer.alloc(40, 0xff) }];
  const reading = new LevelReading(
    (how, textKeys) => {
      const { valueEncoding, values } = how as { readonly valueEncoding: string; readonly values?: boolean };
      if (values !== false && forms.at(-1) !== valueEncoding) forms.push(valueEncoding);
      return db.iterator({ ...how, textKeys } as object) as unknown as LevelIterator<unknown>;
    },
    {
      snapshot: snapshot as LevelSnapshot,
      stretches,
      prefix: Buffer.alloc(0),
      noText: { keys: false, values: false },
    },
    (key, how) => db.getSync(Buffer.from(key), how),
  );
  const found: string[] = [];
  for (let end = false; !end;) {
    const read = await reading.read(limit, false);
    ({ end } = read);
    if (read.block === undefined) continue;
    for (const { key, value } of rowsOfBlock(read.block)) found.push(hex([key, value]).join("="));
  }
  await reading.close();
  await snapshot.close();
  return { found, forms, noText: reading.noText };
}

const shown = (pairs: readonly Pair[]): readonly string[] =>
  [...new Map(pairs.map(([key, value]) => [key.toString("hex"), value.toString("hex")]))]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);

test("values come as the bytes that were written, whether they are text or not, short or long", async () => {
  let no = 0;
  const long = fc.constantFrom(
    Buffer.from("x".repeat(1_500)),
    Buffer.from("größe ".repeat(60)),
    Buffer.from("日本語 🐢 ".repeat(500)),
    Buffer.alloc(2_000, 0xe2),
    Buffer.alloc(70_000, "large "),
  );
  const run = fc
    .tuple(fc.oneof(text, odd, bytes, long), fc.integer({ min: 1, max: 60 }))
    .map(([value, times]) => Array.from({ length: times }, () => value));
  await fc.assert(
    fc.asyncProperty(
      fc.array(run, { minLength: 1, maxLength: 8 }),
      fc.oneof(text, odd),
      fc.constantFrom(
        { rows: 7, bytes: 1e6 },
        { rows: 10_000, bytes: 3_000 },
        { rows: 10_000, bytes: 786_432 },
      ),
      async (runs, oddKey, limit) => {
        const pairs = runs
          .flat()
          .map((value, at): Pair => [Buffer.from(`key ${String(at).padStart(5, "0")}`), value]);
        if (oddKey.length > 0) pairs.push([Buffer.concat([Buffer.from("key 00010"), oddKey]), oddKey]);
        await using db = await opened(pairs, `values-${no++}`);
        const { found } = await readAll(db, limit);
        expect(found).toEqual(shown(pairs));
      },
    ),
    { numRuns: 60 },
  );
}, 120_000);

test("values are read as texts while they are short, and as bytes from the first one on that is no text", async () => {
  const key = (at: number): Buffer => Buffer.from(`key ${String(at).padStart(6, "0")}`);
  const of = (count: number, from: number, value: Buffer): readonly Pair[] =>
    Array.from({ length: count }, (_, at) => [key(from + at), value]);
  const short = Buffer.from(`{"name":"${"plain ".repeat(20)}"}`);
  const pairs = [
    ...of(2_000, 0, short),
    ...of(300, 2_000, Buffer.alloc(3_000, "y")),
    ...of(12_000, 3_000, short),
  ];
  await using db = await opened(pairs, "forms");
  const limit = { rows: 10_000, bytes: 786_432 };
  const before = await readAll(db, limit);
  expect(before.found).toEqual(shown(pairs));
  expect(before.forms).toEqual(["utf8", "buffer", "utf8"]);
  const strange: Pair = [key(14_000), Buffer.from([0x7b, 0xff, 0x7d])];
  await db.put(...strange);
  const after = await readAll(db, limit);
  expect(after.found).toEqual(shown([...pairs, strange]));
  expect([after.forms, after.noText]).toEqual([
    ["utf8", "buffer", "utf8", "buffer"],
    { keys: false, values: true },
  ]);
});

import fc from "fast-check";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
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

import { expect, test } from "vitest";
import { hugeFrom } from "./huge-rows.ts";
import {
  BlockBuilder,
  blockOf,
  BlockRows,
  copyOf,
  type FoundRow,
  freeBlock,
  keyAt,
  rowsOfBlock,
} from "./row-block.ts";

const row = (key: string, value: string | Buffer) => ({ key: Buffer.from(key), value: Buffer.from(value) });
const shown = (
  rows: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[],
): readonly string[] =>
  rows.map(({ key, value }) => `${Buffer.from(key).toString("hex")}=${Buffer.from(value).toString("hex")}`);
const texts = (...keys: readonly string[]): readonly FoundRow[] =>
  keys.map((key) => [key, Buffer.from(`value of ${key}`)]);

test("a block gives the rows that were put into it, however large its areas have to become", () => {
  const rows = [row("", ""), row("a", "x".repeat(70_000)), row("b".repeat(20_000), "")];
  for (let at = 0; at < 3_000; at++) rows.push(row(`key ${at}`, `value ${at}`));
  const block = blockOf(rows);
  expect(block?.count).toBe(rows.length);
  expect(block === undefined ? [] : shown(rowsOfBlock(block))).toEqual(shown(rows));
  expect(blockOf([])).toBeUndefined();
});

test("keys and values that came as texts lie in a block as the bytes of those texts", () => {
  const builder = new BlockBuilder(0);
  const bytes = (text: string): Buffer => Buffer.from(text);
  expect(builder.addRows(texts("!s!plain", "!s!", "!s!ż", "!s!🐢"), 0, 4, 3)).toBeUndefined();
  expect(builder.addRows(texts("passed over", "!s!z"), 1, 2, 3)).toBeUndefined();
  const both = [
    ["!s!1", ""],
    ["!s!2", "größe 🐢"],
    ["!s!3", "x".repeat(70_000)],
  ] as const;
  expect(builder.addRows(both, 0, 3, 3)).toBeUndefined();
  expect(builder.addRows([[bytes("!s!4"), "text"]], 0, 1, 3)).toBeUndefined();
  expect(builder.addRows([[bytes("!s!5"), bytes("bytes")]], 0, 1, 3)).toBeUndefined();
  const expected = ["plain", "", "ż", "🐢", "z"].map((key) => row(key, `value of !s!${key}`));
  expected.push(
    row("1", ""),
    row("2", "größe 🐢"),
    row("3", "x".repeat(70_000)),
    row("4", "text"),
    row("5", "bytes"),
  );
  expect(shown(rowsOfBlock(builder.done() as NonNullable<ReturnType<typeof blockOf>>))).toEqual(
    shown(expected),
  );
});

test("a text with the sign for what cannot be read is not taken for its bytes, and nothing of its rows is taken", () => {
  const builder = new BlockBuilder();
  expect(builder.addRows(texts("a", "b\ufffd"), 0, 2, 0)).toBe("keys");
  expect(
    builder.addRows(
      [
        ["a", "1"],
        ["b", "\ufffd2"],
      ],
      0,
      2,
      0,
    ),
  ).toBe("values");
  expect(builder.done()).toBeUndefined();
});

test("the row that was added last can be looked at and taken back", () => {
  const builder = new BlockBuilder();
  for (const { key, value } of [row("a", "1"), row("b", "22"), row("c", "333")]) builder.add(key, value);
  expect(builder.lastSize).toBe(3);
  expect(builder.last().map((bytes) => Buffer.from(bytes).toString())).toEqual(["c", "333"]);
  builder.drop();
  expect([builder.count, builder.bytes, builder.lastSize]).toEqual([2, 5, 2]);
  builder.drop();
  builder.drop();
  expect([builder.count, builder.bytes]).toEqual([0, 0]);
  builder.add(Buffer.from("d"), Buffer.from("4"));
  expect(shown(rowsOfBlock(builder.done() as NonNullable<ReturnType<typeof blockOf>>))).toEqual(
    shown([row("d", "4")]),
  );
});

test("a huge value that has a buffer to itself is taken without a copy, one among others is copied", () => {
  const huge = new Uint8Array(hugeFrom).fill(1);
  const alone = new BlockBuilder();
  alone.add(Buffer.from("k"), huge);
  expect(alone.done()?.values.buffer).toBe(huge.buffer);
  const behind = new BlockBuilder();
  behind.add(Buffer.from("j"), Buffer.from("small"));
  behind.add(Buffer.from("k"), huge);
  expect(behind.done()?.values.buffer).not.toBe(huge.buffer);
});

test("a row that has no room beside others is told of and not copied, one alone always has room", () => {
  const builder = new BlockBuilder(16, 100);
  const large = new Uint8Array(200).fill(1);
  builder.add(Buffer.from("a"), large);
  expect(builder.isOver).toBe(false);
  builder.add(Buffer.from("b"), large);
  expect(builder.isOver).toBe(true);
  builder.drop();
  expect([builder.isOver, builder.count, builder.bytes]).toEqual([false, 1, 201]);
  expect(shown(rowsOfBlock(builder.done() as NonNullable<ReturnType<typeof blockOf>>))).toEqual(
    shown([{ key: Buffer.from("a"), value: large }]),
  );
});

test("a copied block is its own, whatever kind of bytes a huge value is", () => {
  for (const huge of [new Uint8Array(hugeFrom).fill(1), Buffer.alloc(hugeFrom, 1)]) {
    const block = copyOf([{ key: Buffer.from("k"), value: huge }]) as NonNullable<ReturnType<typeof copyOf>>;
    expect(block.values).toHaveLength(hugeFrom);
    freeBlock(block);
    expect(huge).toHaveLength(hugeFrom);
  }
});

test("of packed rows those that are not kept are gone, and only a block that is its owner's is given back", () => {
  const all = new BlockRows(blockOf([row("a", "1"), row("b", "2"), row("c", "3")]) as never, true);
  const kept = all.filter((key) => Buffer.from(key).toString() !== "b");
  expect(shown(kept?.rows() ?? [])).toEqual(shown([row("a", "1"), row("c", "3")]));
  expect([all.count, all.bytes, all.first, all.last].map(String)).toEqual(["3", "6", "a", "c"]);
  expect(all.filter(() => false)).toBeUndefined();
  expect(all.filter(() => true)).toBe(all);
  kept?.free();
  expect(shown(kept?.rows() ?? [])).toHaveLength(2);
  all.free();
  expect(all.block.values.length).toBe(0);
  const block = blockOf([row("a", "1"), row("b", "2")]) as NonNullable<ReturnType<typeof blockOf>>;
  const key = Buffer.from(keyAt(block, 1));
  freeBlock(block);
  expect(key.toString()).toBe("b");
});

test("a block of many small rows takes a larger area a few times, also when it is larger than a huge value", () => {
  const builder = new BlockBuilder(65_536);
  const value = Buffer.alloc(1_000, 1);
  const areas = new Set<ArrayBufferLike>();
  for (let bytes = 0; bytes < 6 * hugeFrom; bytes += value.length) {
    builder.addKey(Buffer.from("k"), 0, 1);
    builder.addValue(value, 0, value.length);
    areas.add(builder.last()[1].buffer);
  }
  expect(areas.size).toBeLessThan(12);
  expect(rowsOfBlock(builder.done() as NonNullable<ReturnType<typeof blockOf>>).at(-1)?.value).toEqual(value);
});

import fc from "fast-check";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import wabt from "wabt";
import xxhash from "xxhash-wasm";
import { copyOf, type RowBlock } from "../row-block.ts";
import { assembled, BlockHash } from "./block-hash.ts";
import { rowHash } from "./row-hash.ts";

test("what runs is what stands in block-hash.wat", async () => {
  const text = readFileSync(new URL("block-hash.wat", import.meta.url), "utf8");
  using module = disposable((await wabt()).parseWat("block-hash.wat", text));
  module.resolveNames();
  module.validate();
  expect(Buffer.from(module.toBinary({}).buffer).toString("base64")).toBe(assembled);
});

test("hashes are those of XXH64, of every length and from every seed", async () => {
  const [other, ours] = [await xxhash(), await BlockHash.load()];
  const seeds = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.constantFrom(0n, 2n ** 64n - 1n, 2n ** 63n),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200, size: "max" }), seeds, (bytes, seed) => {
      expect(ours.hash(bytes, seed)).toBe(other.h64Raw(bytes, seed));
    }),
    { numRuns: 1_000 },
  );
  // By the reference implementation of the specification.
  expect(ours.hash(new Uint8Array(), 0n)).toBe(0xef46db3751d8e999n);
  expect(ours.hash(Buffer.from("abc"), 0n)).toBe(0x44bc2cf5ad770999n);
});

test("the sums of a block are those of its rows, wherever one begins and ends, whatever else was hashed", async () => {
  const other = await xxhash();
  const seed = 0x8000_0000_0000_0001n;
  const hash = await rowHash(seed);
  const bytes = fc.uint8Array({ maxLength: 70 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(bytes, bytes), { minLength: 1, maxLength: 40 }),
      fc.nat(),
      fc.nat(),
      async (pairs, low, high) => {
        const rows = pairs.map(([key, value]) => ({ key, value }));
        const from = low % rows.length;
        const to = from + (high % (rows.length - from + 1));
        const sum = hash.sum();
        sum.addBlock(copyOf(rows) as RowBlock, from, to);
        hash.key(Buffer.alloc(500, 1));
        let [all, keys] = [0n, 0n];
        for (const { key, value } of rows.slice(from, to)) {
          keys += other.h64Raw(key, seed);
          all += other.h64Raw(value, other.h64Raw(key, seed));
        }
        const expected = { count: to - from, rows: BigInt.asUintN(64, all), keys: BigInt.asUintN(64, keys) };
        expect(sum.take()).toEqual(expected);
        sum.addAll(rows, from, to);
        expect(sum.take()).toEqual(expected);
      },
    ),
    { numRuns: 200 },
  );
});

test("a block of more rows or bytes than are hashed at once has the same sums, a row that is too large for it among them", async () => {
  const hash = await rowHash(9n);
  const row = (at: number, size: number) => ({
    key: Buffer.from(`key ${String(at).padStart(6, "0")}`),
    value: Buffer.alloc(size, `value ${at}`),
  });
  const many = Array.from({ length: 70_000 }, (_, at) => row(at, at % 5));
  const sizes = [200_000, 900_000, 600_000, 0, 1_400_000, 3_500_001, 40, 1_310_704, 1];
  const wide = sizes.map((size, at) => row(at, size));
  for (const rows of [many, wide]) {
    const [one, other] = [hash.sum(), hash.sum()];
    one.addBlock(copyOf(rows) as RowBlock, 0, rows.length);
    other.addAll(rows);
    expect(one.take()).toEqual(other.take());
  }
});

/** A module of the assembler, whose memory is given back by hand. */
function disposable<T extends { destroy(): void }>(module: T): T & Disposable {
  return Object.assign(module, { [Symbol.dispose]: () => module.destroy() });
}

import { expect, test } from "vitest";
import fc from "fast-check";
import { DifferenceSketch } from "./difference-sketch.ts";

const row = fc.record({ keyHash: fc.bigInt(0n, 2n ** 64n - 1n), rowHash: fc.bigInt(0n, 2n ** 64n - 1n) });
/** Hashes as a hash function gives them: without any order. */
const hashOf = (index: number): bigint =>
  BigInt.asUintN(64, (BigInt(index) + 1n) * 0x9e3779b97f4a7c15n) ^ 77n;
const spread = (index: number): bigint => {
  const first = hashOf(index);
  return BigInt.asUintN(64, (first ^ (first >> 29n)) * 0xbf58476d1ce4e5b9n) ^ (first >> 31n);
};

test("the rows that only one side has are read out, whatever both sides share and in whichever order they came", () => {
  const rows = fc.uniqueArray(row, { maxLength: 120, selector: ({ rowHash }) => rowHash });
  fc.assert(
    fc.property(rows, (all) => {
      const [shared, ours, theirs] = [0, 1, 2].map((part) => all.filter((_, index) => index % 3 === part));
      const sketch = new DifferenceSketch();
      for (const { keyHash, rowHash } of [...(shared ?? []), ...(ours ?? [])])
        sketch.add(keyHash, rowHash, 1);
      for (const { keyHash, rowHash } of [...(theirs ?? []), ...(shared ?? []).toReversed()])
        sketch.add(keyHash, rowHash, -1);
      const wanted = [
        ...(ours ?? []).map((each) => ({ ...each, sign: 1 as const })),
        ...(theirs ?? []).map((each) => ({ ...each, sign: -1 as const })),
      ];
      const byHash = (a: { rowHash: bigint }, b: { rowHash: bigint }): number =>
        a.rowHash < b.rowHash ? -1 : 1;
      expect(sketch.open().toSorted(byHash)).toEqual(wanted.toSorted(byHash));
      expect(sketch.filled).toBe(0);
    }),
    { numRuns: 12 },
  );
});

test("what cannot be read out, as there is too much of it, is still known row by row as what may be left", () => {
  const sketch = new DifferenceSketch();
  const rows = 900_000;
  for (let index = 0; index < rows; index++) sketch.add(spread(index), spread(index + rows), 1);
  const read = new Set(sketch.open().map(({ rowHash }) => rowHash));
  expect(sketch.filled).toBeGreaterThan(0.1);
  let lost = 0;
  for (let index = 0; index < rows; index += 97) {
    const hash = spread(index + rows);
    if (!read.has(hash) && !sketch.mayHold(hash)) lost++;
  }
  expect(lost).toBe(0);
});

test("a row that one side holds twice more than the other is not read out, and may be left", () => {
  const sketch = new DifferenceSketch();
  for (const sign of [1, 1, 1, -1] as const) sketch.add(5n, spread(5), sign);
  sketch.add(6n, spread(6), -1);
  expect(sketch.open()).toEqual([{ keyHash: 6n, rowHash: spread(6), sign: -1 }]);
  expect(sketch.mayHold(spread(5))).toBe(true);
  expect(sketch.mayHold(spread(7))).toBe(false);
});

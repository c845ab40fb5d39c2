import { expect, test } from "vitest";
import { areaOf, freeAreas, freeHuge, giveBack, hugeFrom, moved } from "./huge-rows.ts";

const key = Buffer.from("k");

test("the memory of a huge value is given back, its key stays", () => {
  const value = Buffer.alloc(hugeFrom, 1);
  freeHuge([{ key, value }]);
  expect(value.length).toBe(0);
  expect(key.toString()).toBe("k");
});

test("a value stays that is small, or shares its buffer with others", () => {
  const shared = Buffer.alloc(3 * hugeFrom, 1);
  const values = [
    Buffer.alloc(hugeFrom - 1, 1),
    shared.subarray(0, hugeFrom),
    new Uint8Array(new SharedArrayBuffer(hugeFrom)).fill(1),
  ];
  freeHuge(values.map((value) => ({ key, value })));
  giveBack(shared.subarray(hugeFrom));
  for (const value of values) expect(value[value.length - 1]).toBe(1);
});

test("the memory of a huge value that was given back serves the next one, at its own size", () => {
  freeAreas();
  const first = areaOf(6_000_000).fill(7);
  giveBack(first);
  expect(first.length).toBe(0);
  const next = areaOf(5_000_000);
  expect([next.length, next.buffer.byteLength, next[4_999_999]]).toEqual([5_000_000, 5_000_000, 7]);
  // What is in use is nobody else's, and one that is too small is no use.
  expect(areaOf(5_000_000).buffer).not.toBe(next.buffer);
  giveBack(next);
  expect(areaOf(7_000_000).length).toBe(7_000_000);
  freeAreas();
  expect(areaOf(5_000_000)[4_999_999]).toBe(0);
});

test("a huge value is moved whole, and where it lay is given back", () => {
  for (const size of [hugeFrom, 5_000_001]) {
    const bytes = new Uint8Array(size).fill(3);
    const value = moved(bytes);
    expect([value.length, value[0], value[size - 1]]).toEqual([size, 3, 3]);
    giveBack(value);
    expect([value.length, bytes.length]).toEqual([0, 0]);
  }
});

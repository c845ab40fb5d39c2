import { expect, test } from "vitest";
import { freeHuge, giveBack, hugeFrom } from "./huge-rows.ts";

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

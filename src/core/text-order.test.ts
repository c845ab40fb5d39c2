import { expect, test } from "vitest";
import { byCodePoints } from "./text-order.ts";

test("texts are ordered as the bytes of their UTF-8 are", () => {
  const texts = [
    "",
    "a",
    "ab",
    "b",
    "é",
    "߿",
    "ࠀ",
    "\ud7ff",
    "\ue000",
    "～",
    "\uffff",
    "𐀀",
    "😀",
    "😀a",
    "😁",
    "\u{10ffff}",
  ];
  const shuffled = texts.toSorted((a, b) => a.length - b.length || (a < b ? 1 : -1));
  expect(shuffled.toSorted(byCodePoints)).toEqual(texts);
  for (const a of texts)
    for (const b of texts)
      expect(Math.sign(byCodePoints(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
});

import { expect, test } from "vitest";
import { faultPoint, setFaultHandler, shortId, timeId } from "./index.ts";

test("ids made later sort later", () => {
  const ids = [1, 1_000, 1_700_000_000_000, 1_700_000_000_001].map((now) => timeId(now));
  expect(ids.toSorted()).toEqual(ids);
  expect(ids[0]).toHaveLength(26);
});

test("a short id is made of its prefix and letters nobody confuses", () => {
  expect(shortId("r", 5, (length) => new Uint8Array(length).fill(31))).toBe("rzzzzz");
  expect(shortId("i")).toMatch(/^i[0-9a-hjkmnp-tv-z]{5}$/);
});

test("a fault point does nothing until a handler is installed, and calls it by name", () => {
  const seen: string[] = [];
  faultPoint("core.before");
  setFaultHandler((name) => seen.push(name));
  try {
    faultPoint("core.now");
  } finally {
    setFaultHandler(undefined);
  }
  faultPoint("core.after");
  expect(seen).toEqual(["core.now"]);
});

import { describe, expect, test } from "vitest";
import type { Fence } from "../fence.ts";
import { AppliedWindow } from "./applied-window.ts";

const key = (text: string): Uint8Array => Buffer.from(text);
const upTo = (tx: number): Fence => ({ kind: "sequence", upTo: String(tx) });
const snapshot = (xmin: number, xmax: number, ...running: number[]): Fence => ({
  kind: "snapshot",
  xmin: String(xmin),
  xmax: String(xmax),
  running: running.map(String),
});

test("a row is older than a change that its snapshot has not seen, and only of the same key and range", () => {
  const window = new AppliedWindow();
  window.add(0, key("a"), "5");
  expect(window.isOlder(0, key("a"), upTo(4))).toBe(true);
  expect(window.isOlder(0, key("a"), upTo(5))).toBe(false);
  expect(window.isOlder(0, key("b"), upTo(4))).toBe(false);
  expect(window.isOlder(1, key("a"), upTo(4))).toBe(false);
  expect(window.isOlder(0, key("a"), snapshot(5, 8, 5))).toBe(true);
  expect(window.isOlder(0, key("a"), snapshot(5, 8, 6))).toBe(false);
});

test("keys that the copy has passed and transactions that a chunk has seen are forgotten", () => {
  const window = new AppliedWindow();
  window.add(0, key("a"), "5");
  window.add(0, key("\u00ff"), "6");
  window.add(1, key("a"), "7");
  window.passed(0, key("b"));
  expect(window.contents().entries.map(({ tx }) => tx)).toEqual(["6", "7"]);
  window.prune(upTo(6));
  expect(window.contents().entries.map(({ tx }) => tx)).toEqual(["7"]);
  window.passed(1, undefined);
  expect(window.empty).toBe(true);
  expect(window.bytes).toBe(0);
});

test("one change of a key after another leaves the last", () => {
  const window = new AppliedWindow();
  window.add(0, key("a"), "5");
  window.add(0, key("a"), "9");
  expect(window.isOlder(0, key("a"), upTo(8))).toBe(true);
  expect(window.bytes).toBe(2);
});

describe("a window that has grown too large", () => {
  test("keeps transactions without keys: a chunk that has not seen all of them is read again", () => {
    const window = new AppliedWindow({ bytes: 8, transactions: 10 });
    for (let tx = 1; tx <= 9; tx++) window.add(0, key(`k${tx}`), String(tx));
    expect(window.bytes).toBeLessThanOrEqual(8);
    expect(window.judges(snapshot(2, 20))).toBe(true);
    expect(window.judges(snapshot(2, 20, 2))).toBe(false);
    expect(window.judges(upTo(1))).toBe(false);
    window.prune(upTo(9));
    expect(window.empty).toBe(true);
  });

  test("keeps the largest transaction alone in the end, below which all have to be over", () => {
    const window = new AppliedWindow({ bytes: 0, transactions: 0 });
    for (const tx of ["3", "9", "7"]) window.add(0, key("a"), tx);
    expect(window.contents()).toEqual({ entries: [], transactions: [], upTo: "9" });
    expect(window.judges(snapshot(4, 20, 4))).toBe(false);
    expect(window.judges(snapshot(10, 20))).toBe(true);
    expect(window.judges(upTo(8))).toBe(false);
    window.prune(snapshot(10, 20));
    expect(window.empty).toBe(true);
  });
});

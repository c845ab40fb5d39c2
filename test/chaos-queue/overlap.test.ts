import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Book, type Lived, readBook, readEffects } from "./book.ts";
import { Ledger } from "./ledger.ts";
import { lingering, lostForNothing, overtaken, togetherWrong } from "./overlap.ts";
import { leaseMs } from "./plan.ts";

/** An attempt of the order 1 in a process of its own, `a` unless told. */
function lived(fence: number, begin: number, end: number, more: Partial<Lived> = {}): Lived {
  return { n: 1, key: "1", fence, attempt: 1, process: "a", begin, end, how: "done", ...more };
}

function book(attempts: readonly Lived[], more: Partial<Book> = {}): Book {
  return { attempts, refused: new Set(), still: new Map(), ended: new Map(), ...more };
}

const still = (from: number, to: number): Partial<Book> => ({ still: new Map([["a", [{ from, to }]]]) });

test("two attempts of one order at the same time are found", () => {
  const second = lived(2, 900, 1_500, { process: "b" });
  expect(togetherWrong(book([lived(1, 0, 900), second]))).toEqual([]);
  expect(togetherWrong(book([second, lived(1, 0, 1_000)]))).toEqual([
    "two attempts at the same time: 1 under fence 1 (try 1, process a, 0 ms to 1000 ms done, sure to 1000 ms); " +
      "1 under fence 2 (try 1, process b, 900 ms to 1500 ms done, sure to 1500 ms)",
  ]);
});

test("a process that stood still, or has ended, may be followed before its attempt has noted its end", () => {
  const [first, second] = [lived(1, 0, 9_000), lived(2, 4_000, 5_000, { process: "b" })];
  expect(togetherWrong(book([first, second], still(3_900, 8_000)))).toEqual([]);
  expect(togetherWrong(book([first, second], still(4_100, 8_000)))).toHaveLength(1);
  const killed = lived(1, 0, Number.POSITIVE_INFINITY);
  expect(togetherWrong(book([killed, second], { ended: new Map([["a", 3_900]]) }))).toEqual([]);
  expect(togetherWrong(book([killed, second], { ended: new Map([["a", 4_100]]) }))).toHaveLength(1);
});

test("more of one limit key at the same time than it allows are found", () => {
  const of = (n: number, begin: number): Lived => lived(1, begin, begin + 100, { n, limit: "l" });
  expect(togetherWrong(book([of(1, 0), of(2, 50), of(3, 100)]))).toEqual([]);
  expect(togetherWrong(book([of(1, 0), of(2, 50), of(3, 99)]))).toEqual([
    expect.stringMatching(/^more than 2 at the same time of l: 1 under .*; 3 under /),
  ]);
});

test("a lease that was lost while its process and the store were there is found", () => {
  const lost = lived(1, 0, 20_000, { how: "CUTOVER_LEASE_LOST" });
  expect(lostForNothing(book([lost]), [])).toHaveLength(1);
  expect(lostForNothing(book([lost], still(18_000, 19_000)), [])).toEqual([]);
  expect(lostForNothing(book([lost]), [{ from: 18_000, to: 19_000 }])).toEqual([]);
  // Renewed since.
  expect(lostForNothing(book([lost]), [{ from: 1_000, to: 2_000 }])).toHaveLength(1);
});

test("work that does not end after it was taken over is found", () => {
  const second = lived(2, 4_000, 4_100, { process: "b" });
  const first = (end: number): Lived => lived(1, 0, end);
  const stood = still(500, 6_000);
  expect(lingering(book([first(6_000 + leaseMs), second], stood))).toEqual([]);
  expect(lingering(book([first(6_001 + leaseMs), second], stood))).toHaveLength(1);
  expect(lingering(book([first(6_001 + leaseMs)], stood))).toEqual([]);
  expect(overtaken(book([first(6_000), second], stood))).toBe(1);
});

test("the ledger takes an effect once, and none of an attempt whose fence is over", () => {
  const folder = mkdtempSync(join(tmpdir(), "cutover-ledger-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const ledger = new Ledger(folder, "a");
  const begin = (fence: number): boolean => ledger.begin({ n: 1, key: "1", fence, attempt: 1 });
  expect(begin(1)).toBe(true);
  expect(begin(3)).toBe(true);
  expect(ledger.effect(1, "1", 1)).toBe(false);
  expect(begin(2)).toBe(false);
  expect(ledger.effect(1, "1", 2)).toBe(false);
  expect(readEffects(folder, 1)).toEqual([]);
  expect(ledger.effect(1, "1", 3)).toBe(true);
  expect(begin(4)).toBe(true);
  expect(ledger.effect(1, "1", 4)).toBe(true);
  expect(readEffects(folder, 1)).toEqual(["1"]);
  ledger.end(1, 3, "done");
  const { attempts, refused } = readBook(folder);
  expect(attempts.map(({ fence, end, process }) => [fence, Number.isFinite(end), process])).toEqual([
    [1, false, "a"],
    [3, true, "a"],
    [4, false, "a"],
  ]);
  expect([...refused].toSorted()).toEqual(["1 under fence 1", "1 under fence 2"]);
});

import { expect, test } from "vitest";
import { ManualClock } from "../testing/manual-clock.ts";
import { Deadlines } from "./deadlines.ts";

test("each entry is told when its own time is over, whatever came and went between, and no timer is left", async () => {
  const clock = new ManualClock();
  const over: [string, number][] = [];
  const deadlines = new Deadlines<string>(clock, (entry) => over.push([entry, clock.monotonic()]));
  deadlines.add("a", 100);
  deadlines.add("b", 30);
  await clock.advance(10);
  deadlines.add("c", 30);
  deadlines.add("d", 30);
  deadlines.add("e", 5);
  deadlines.delete("d", 30);
  await clock.advance(200);
  expect(over).toEqual([
    ["e", 15],
    ["b", 30],
    ["c", 40],
    ["a", 100],
  ]);
  expect(clock.pending).toBe(0);
});

test("a timer is let go with the last entry, and a hundred entries share one", () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines<number>(clock, () => {});
  for (let n = 0; n < 100; n++) deadlines.add(n, 1_000 + (n % 7));
  expect(clock.pending).toBe(1);
  for (let n = 0; n < 100; n++) deadlines.delete(n, 1_000 + (n % 7));
  expect(clock.pending).toBe(0);
  deadlines.delete(5, 1_000);
});

test("an entry that is added while others are told keeps its time", async () => {
  const clock = new ManualClock();
  const over: string[] = [];
  const deadlines = new Deadlines<string>(clock, (entry) => {
    over.push(entry);
    if (entry === "first") deadlines.add("second", 50);
  });
  deadlines.add("first", 10);
  await clock.advance(59);
  expect(over).toEqual(["first"]);
  await clock.advance(1);
  expect(over).toEqual(["first", "second"]);
});

import { expect, test } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import { type Bounded, Deadlines } from "./deadlines.ts";

const entry = (late: string[], name: string): Bounded => ({
  ended: false,
  dueAt: 0,
  late: () => void late.push(name),
});

test("entries fall due in the order they began, each at its own time, and ended ones never", async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock, 100);
  const late: string[] = [];
  const entries = ["a", "b", "c"].map((name) => entry(late, name));
  for (const one of entries) {
    deadlines.add(one);
    await clock.advance(30);
  }
  await clock.advance(5);
  expect(late).toEqual([]);
  await clock.advance(5);
  expect(late).toEqual(["a"]);
  (entries[1] as Bounded).ended = true;
  await clock.advance(1_000);
  expect(late).toEqual(["a", "c"]);
  expect(entries.every(({ ended }) => ended)).toBe(true);
  expect(clock.pending).toBe(0);
});

test("one timer serves any number of entries, however many end behind one that hangs", async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock, 10_000);
  const late: string[] = [];
  deadlines.add(entry(late, "hangs"));
  for (let i = 0; i < 5_000; i++) {
    const quick = entry(late, String(i));
    deadlines.add(quick);
    quick.ended = true;
  }
  expect(clock.pending).toBe(1);
  await clock.advance(10_000);
  expect(late).toEqual(["hangs"]);
});

test("after close nothing falls due", async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock, 10);
  const late: string[] = [];
  deadlines.add(entry(late, "a"));
  deadlines.close();
  await clock.advance(100);
  expect(late).toEqual([]);
  expect(clock.pending).toBe(0);
});

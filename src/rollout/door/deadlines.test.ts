import { expect, test } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import { BoundedWait, Deadlines } from "./deadlines.ts";

const entry = (late: string[], name: string): BoundedWait => new BoundedWait(() => void late.push(name));

test("entries fall due in the order they began, each at its own time, and removed ones never", async () => {
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
  deadlines.remove(entries[1] as BoundedWait);
  await clock.advance(1_000);
  expect(late).toEqual(["a", "c"]);
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
    deadlines.remove(quick);
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

test("what is removed twice, never added or removed after close disturbs nobody else", async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock, 100);
  const late: string[] = [];
  const [a, b, c] = ["a", "b", "c"].map((name) => entry(late, name)) as [
    BoundedWait,
    BoundedWait,
    BoundedWait,
  ];
  deadlines.add(a);
  deadlines.add(b);
  deadlines.remove(a);
  deadlines.remove(a);
  deadlines.remove(c);
  await clock.advance(100);
  expect(late).toEqual(["b"]);
  deadlines.add(a);
  deadlines.close();
  deadlines.remove(a);
  deadlines.add(c);
  await clock.advance(100);
  expect(late).toEqual(["b", "c"]);
  expect(clock.pending).toBe(0);
});

test("what is added while others fall due has its whole time, and one that throws holds up nobody", async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock, 100);
  const late: string[] = [];
  deadlines.add(
    new BoundedWait(() => {
      late.push("a");
      deadlines.add(entry(late, "again"));
    }),
  );
  await clock.advance(30);
  deadlines.add(entry(late, "b"));
  await clock.advance(70);
  expect(late).toEqual(["a"]);
  await clock.advance(30);
  expect(late).toEqual(["a", "b"]);
  await clock.advance(70);
  expect(late).toEqual(["a", "b", "again"]);
  deadlines.add(
    new BoundedWait(() => {
      throw new Error("fault of its owner");
    }),
  );
  deadlines.add(entry(late, "c"));
  await expect(clock.advance(100)).rejects.toThrow("fault of its owner");
  await clock.advance(1);
  expect(late).toEqual(["a", "b", "again", "c"]);
});

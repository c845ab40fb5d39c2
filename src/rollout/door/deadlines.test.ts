import fc from "fast-check";
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

test("what is added without a look at the clock falls due with the first of its tick, and no later than its time", async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock, 1_000);
  const late: string[] = [];
  const [a, b, c] = ["a", "b", "c"].map((name) => entry(late, name)) as [
    BoundedWait,
    BoundedWait,
    BoundedWait,
  ];
  deadlines.addCoarse(a);
  await clock.advance(9);
  deadlines.addCoarse(b);
  await clock.advance(6);
  deadlines.addCoarse(c);
  await clock.advance(984);
  expect(late).toEqual([]);
  await clock.advance(1);
  expect(late).toEqual(["a", "b"]);
  await clock.advance(15);
  expect(late).toEqual(["a", "b", "c"]);
  expect(clock.pending).toBe(0);
});

test("whatever is added and removed in whatever way and order, the rest falls due: each once, none late, none early by more than a tick", async () => {
  const act = fc.oneof(
    { weight: 4, arbitrary: fc.constant("add" as const) },
    { weight: 4, arbitrary: fc.constant("add coarse" as const) },
    { weight: 4, arbitrary: fc.record({ remove: fc.nat(30) }) },
    { weight: 4, arbitrary: fc.record({ wait: fc.integer({ min: 1, max: 70 }) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 80 }), async (acts) => {
      const clock = new ManualClock();
      const deadlines = new Deadlines(clock, 300);
      const grain = 3;
      const open: { readonly wait: BoundedWait; readonly begin: number; readonly exact: boolean }[] = [];
      const add = (exact: boolean): void => {
        const begin = clock.monotonic();
        const wait = new BoundedWait(() => {
          const at = open.findIndex((one) => one.wait === wait);
          expect(at).toBeGreaterThanOrEqual(0);
          open.splice(at, 1);
          const took = clock.monotonic() - begin;
          expect(took).toBeLessThanOrEqual(300.5);
          expect(took).toBeGreaterThanOrEqual(exact ? 299.5 : 299.5 - grain);
        });
        open.push({ wait, begin, exact });
        if (exact) deadlines.add(wait);
        else deadlines.addCoarse(wait);
      };
      for (const one of acts) {
        if (one === "add") add(true);
        else if (one === "add coarse") add(false);
        else if ("wait" in one) await clock.advance(one.wait);
        else if (open.length > 0) {
          const [gone] = open.splice(one.remove % open.length, 1);
          if (gone !== undefined) deadlines.remove(gone.wait);
        }
      }
      await clock.advance(400);
      expect(open).toEqual([]);
      expect(clock.pending).toBe(0);
    }),
    { numRuns: 200 },
  );
});

import { expect, test } from "vitest";
import { ManualClock } from "../testing/manual-clock.ts";
import { sleep, systemClock, untilAborted } from "./index.ts";

test("a sleep ends when its time has come, not before", async () => {
  const clock = new ManualClock();
  let awake = false;
  const nap = sleep(clock, 1_000).then(() => (awake = true));
  await clock.advance(999);
  expect(awake).toBe(false);
  await clock.advance(1);
  await nap;
  expect(awake).toBe(true);
});

test("an aborted sleep rejects with the signal's reason and leaves no timer", async () => {
  const clock = new ManualClock();
  const abort = new AbortController();
  const nap = sleep(clock, 60_000, abort.signal);
  abort.abort(new Error("pause"));
  await expect(nap).rejects.toThrow("pause");
  expect(clock.pending).toBe(0);
  await expect(sleep(clock, 1, abort.signal)).rejects.toThrow("pause");
});

test("work that ignores its signal does not hold up its caller", async () => {
  const abort = new AbortController();
  const stuck = untilAborted(new Promise<void>(() => {}), abort.signal);
  abort.abort(new Error("timeout"));
  await expect(stuck).rejects.toThrow("timeout");
  await expect(untilAborted(Promise.resolve(7), new AbortController().signal)).resolves.toBe(7);
});

test("timers of the manual clock fire in order of time, then of creation", async () => {
  const clock = new ManualClock();
  const fired: string[] = [];
  clock.after(20, () => fired.push("late"));
  clock.after(10, () => fired.push("first"));
  clock.after(10, () => fired.push("second"));
  clock.after(15, () => fired.push("cancelled")).cancel();
  expect(await clock.advanceUntil(() => fired.length === 3)).toBe(true);
  expect(fired).toEqual(["first", "second", "late"]);
});

test("a delay longer than setTimeout can take does not fire at once", () => {
  let fired = false;
  const timer = systemClock.after(2 ** 40, () => (fired = true));
  timer.unref();
  timer.cancel();
  expect(fired).toBe(false);
});

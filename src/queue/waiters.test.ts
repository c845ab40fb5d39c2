import { expect, test } from "vitest";
import { ManualClock } from "../testing/manual-clock.ts";
import { Waiters } from "./waiters.ts";

function waiters(): { made: Waiters; clock: ManualClock; followers: () => number } {
  const clock = new ManualClock();
  let followers = 0;
  const made = new Waiters(clock, 1_000, () => {
    followers++;
    return () => void followers--;
  });
  return { made, clock, followers: () => followers };
}

test("what others commit is followed once while somebody waits, and a while longer", async () => {
  const { made, clock, followers } = waiters();
  const both = [made.wait("a", {}), made.wait("b", {})];
  expect(followers()).toBe(1);
  for (const one of both) one.cancel();
  await clock.advance(4_999);
  const next = made.wait("c", {});
  await clock.advance(10_000);
  expect(followers()).toBe(1);
  next.cancel();
  await clock.advance(5_000);
  expect([followers(), clock.pending]).toEqual([0, 0]);
});

test("who stops follows nobody, and leaves no timer", async () => {
  const { made, clock, followers } = waiters();
  const one = made.wait("a", { timeoutMs: 60_000 });
  made.failAll(new Error("stopped"));
  await expect(one.next()).rejects.toThrow("stopped");
  one.cancel();
  expect([followers(), clock.pending]).toEqual([0, 0]);
});

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

test("who looks after each of many events is woken once for those of a while", async () => {
  const { made, clock } = waiters();
  made.wakeSoon("a");
  expect(clock.pending).toBe(0);
  const one = made.wait("a", {});
  let woken = 0;
  const looking = (async () => {
    for (; woken < 2; woken++) await one.next();
  })();
  for (let n = 0; n < 100; n++) made.wakeSoon("a");
  await clock.advance(49);
  expect(woken).toBe(0);
  await clock.advance(1);
  expect(woken).toBe(1);
  await clock.advance(100);
  expect(woken).toBe(1);
  made.wakeSoon("a");
  await clock.advance(50);
  await looking;
  made.wakeSoon("a");
  one.cancel();
  await clock.advance(5_000);
  expect([woken, clock.pending]).toEqual([2, 0]);
});

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { CutoverError } from "../core/index.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { Waiters } from "./waiters.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

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

test("a long wait keeps nothing of each of its wakes", async () => {
  const { made } = waiters();
  const one = made.wait("a", {});
  const wakes = async (count: number): Promise<number> => {
    for (let n = 0; n < count; n++) {
      const next = one.next();
      made.wake("a");
      await next;
    }
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await wakes(1_000);
  expect((await wakes(20_000)) - before).toBeLessThan(20_000 * 50);
  one.cancel();
});

test("a wake before it is asked for is heard, and the end of the wait before any wake", async () => {
  const { made, clock } = waiters();
  const one = made.wait("a", { timeoutMs: 10 });
  made.wake("a");
  await one.next();
  await clock.advance(10);
  for (let n = 0; n < 2; n++) {
    made.wake("a");
    await expect(one.next()).rejects.toMatchObject({ code: "CUTOVER_ORDER_TIMEOUT" });
  }
  one.cancel();
});

const away = (): Promise<never> =>
  Promise.reject(new CutoverError("CUTOVER_STORE_UNAVAILABLE", { message: "nobody answers" }));
const outcome = (asked: Promise<unknown>): (() => unknown) => {
  let found: unknown = "open";
  void asked.then(
    (value) => (found = value),
    (error: { code?: string; message: string }) => (found = error.code ?? error.message),
  );
  return () => found;
};

test("a wait goes on while the store is away, and ends by any other refusal", async () => {
  const { made, clock } = waiters();
  const answers = [away, away, () => Promise.resolve(undefined), away, () => Promise.resolve("done")];
  const found = outcome(made.until("a", {}, () => (answers.shift() ?? away)()));
  await clock.advance(3_999);
  expect([found(), answers.length]).toEqual(["open", 1]);
  await clock.advance(1);
  expect(found()).toBe("done");
  const refused = made.until("a", {}, () => Promise.reject(new Error("no such order")));
  await expect(refused).rejects.toThrow("no such order");
  await clock.advance(5_000);
  expect(clock.pending).toBe(0);
});

test("a wait whose time is over ends though the store does not answer, and hears what it answers right then", async () => {
  const { made, clock } = waiters();
  const silent = outcome(made.until("a", { timeoutMs: 500 }, () => new Promise(() => {})));
  const gone = outcome(made.until("a", { timeoutMs: 500 }, away));
  const answer = Promise.withResolvers<string>();
  const heard = outcome(made.until("a", { timeoutMs: 0 }, () => answer.promise));
  await clock.advance(500);
  expect([silent(), gone(), heard()]).toEqual(["open", "CUTOVER_ORDER_TIMEOUT", "open"]);
  answer.resolve("done");
  await clock.advance(1_000);
  expect([silent(), heard()]).toEqual(["CUTOVER_ORDER_TIMEOUT", "done"]);
  await clock.advance(5_000);
  expect(clock.pending).toBe(0);
});

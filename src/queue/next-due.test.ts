import { expect, onTestFinished, test } from "vitest";
import { settle } from "../../test/queue/manual-queue.ts";
import { openSqliteStore, type OrderStore } from "../store/index.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { openQueue } from "./open.ts";

/** A worker on a manual clock that hears only of what the test rings for, and somebody who submits. */
async function worker() {
  const clock = new ManualClock();
  const store = await openSqliteStore({ path: ":memory:", clock });
  const count = { claims: 0, asked: 0 };
  let ring: Parameters<OrderStore["onWork"]>[0] = () => {};
  const orders: OrderStore = {
    ...store.orders,
    onWork: (listener) => ((ring = listener), () => {}),
    claim: (...call) => (count.claims++, store.orders.claim(...call)),
    nextDue: (...call) => (count.asked++, store.orders.nextDue(...call)),
  };
  const options = { clock, stagger: 0, slots: 4, memoryPerSlot: 100, poll: "10s", random: () => 0 };
  const queue = await openQueue({ store: { ...store, orders } }, options);
  const submitter = await openQueue({ store }, { ...options, workerId: "submitter" });
  const started: number[] = [];
  queue.work("job", () => void started.push(clock.now()));
  await settle();
  onTestFinished(async () => {
    await queue.stop();
    await submitter.stop();
    expect(clock.pending).toBe(0);
    await store.close();
  });
  /** Submits an order that is due in `ms`, and rings. */
  const putOff = async (ms: number, others: boolean): Promise<number> => {
    const runAt = clock.now() + ms;
    await submitter.submit("job", null, { runAt });
    ring("default", others);
    await settle();
    return runAt;
  };
  const pass = async (ms: number): Promise<void> => {
    await clock.advance(ms);
    await settle();
  };
  return { clock, count, started, putOff, pass, ring: () => ring("default", true) };
}

test("what this process puts off is begun at its time, however short it is", async () => {
  const { started, putOff, pass } = await worker();
  await pass(10);
  const first = await putOff(5, false);
  await pass(5);
  const second = await putOff(1, false);
  await pass(1);
  expect(started).toEqual([first, second]);
});

test("what another process puts off is begun 50 ms later at most, also when its time is over by then", async () => {
  const { count, started, putOff, pass } = await worker();
  await pass(100);
  const first = await putOff(5, true);
  await pass(5);
  expect(started).toEqual([first]);
  count.asked = 0;
  // The store was asked just now, for what comes after the first one.
  const second = await putOff(5, true);
  await pass(44);
  expect(started).toHaveLength(1);
  expect(count.asked).toBe(0);
  await pass(6);
  expect(started).toHaveLength(2);
  expect((started[1] ?? Infinity) - second).toBeLessThanOrEqual(45);
  const third = await putOff(200, true);
  await pass(250);
  expect(started[2]).toBe(third);
});

test("rings of others claim each time, and ask for what is due once in 50 ms", async () => {
  const { count, ring, pass } = await worker();
  await pass(100);
  count.claims = count.asked = 0;
  for (let rung = 0; rung < 100; rung++) {
    ring();
    await pass(2);
  }
  expect(count).toEqual({ claims: 100, asked: 5 });
  // At once with the first, then by a timer, which sends no claim; the last ones were asked for, too.
  await pass(1_000);
  expect(count).toEqual({ claims: 100, asked: 5 });
});

test("a question that was put off is not asked any more when the queue stops", async () => {
  const { count, ring, pass } = await worker();
  await pass(100);
  ring();
  await settle();
  ring();
  await settle();
  count.asked = 0;
  onTestFinished(() => expect(count.asked).toBe(0));
});

import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../core/index.ts";
import { FlowTally } from "./flow-tally.ts";

const submitted = (at: number, ...ids: readonly string[]) => ({
  type: "orders.submitted",
  at,
  data: { orders: ids.map((id) => ({ id, runAt: at })) },
});
const moved = (at: number, event: string, to: string, ids: readonly string[], set: JsonObject = {}) => ({
  type: "orders.transition",
  at,
  data: { event, orders: ids.map((id) => ({ id, from: "PENDING", to, set })) },
});

describe("what goes through a queue", () => {
  test("is counted per second over the last minute, with waits and times of work", () => {
    const tally = new FlowTally(0);
    tally.hear(submitted(1_000, "a", "b"));
    tally.hear(moved(1_004, "claimed", "PREPARING", ["a", "b"]));
    tally.hear(moved(1_005, "started", "RUNNING", ["a", "b"], { startedAt: 1_005 }));
    tally.hear(moved(1_500, "completed", "COMPLETED", ["a"], { endedAt: 1_500 }));
    tally.hear(moved(2_005, "retry-scheduled", "WAITING_RETRY", ["b"], { runAt: 7_005 }));
    const flow = tally.flow(10_000);
    expect(flow).toMatchObject({
      windowMs: 10_000,
      submitted: 0.2,
      started: 0.2,
      completed: 0.1,
      retried: 0.1,
    });
    expect(flow.wait).toMatchObject({ count: 2, p50: 5, max: 5 });
    expect(flow.run).toMatchObject({ count: 2, p50: 495, p99: 1_000 });
    expect(flow.run.buckets.reduce((sum, n) => sum + n, 0)).toBe(2);
    expect(tally.flow(100_000)).toMatchObject({ windowMs: 60_000, completed: 0, wait: { count: 0 } });
  });

  test("a wait after a retry counts from its new time, and orders that began before are not guessed", () => {
    const tally = new FlowTally(0);
    tally.hear(moved(1_000, "retry-scheduled", "WAITING_RETRY", ["b"], { runAt: 6_000 }));
    tally.hear(moved(6_002, "retry-due", "PENDING", ["b"], { runAt: 6_000 }));
    tally.hear(moved(6_010, "started", "RUNNING", ["b", "x"], { startedAt: 6_010 }));
    const flow = tally.flow(7_000);
    expect(flow.wait).toMatchObject({ count: 1, max: 10 });
    expect(flow.run.count).toBe(0);
  });

  test("who was handed in before what is heard is looked up: as many as wanted, evenly spread", () => {
    const tally = new FlowTally(0);
    const ids = Array.from({ length: 10 }, (_, n) => `o${n}`);
    tally.hear(moved(90_000, "started", "RUNNING", ids, { startedAt: 90_000 }));
    const starts = tally.takeUnplaced(5);
    expect(starts.map(({ id }) => id)).toEqual(["o0", "o2", "o4", "o6", "o8"]);
    expect(tally.takeUnplaced(5)).toEqual([]);
    starts.forEach((start, n) => tally.place(start, n === 0 ? 95_000 : 25_000));
    expect(tally.flow(91_000).wait).toMatchObject({ count: 4, p50: 65_000, max: 65_000 });
  });

  test("events of another shape are passed over", () => {
    const tally = new FlowTally(0);
    tally.hear({ type: "queue.configured", at: 1, data: { by: "ann" } });
    expect(tally.flow(1_000)).toMatchObject({ submitted: 0, run: { count: 0, p50: 0 } });
  });
});

import { describe, expect, test } from "vitest";
import type { StoredEvent } from "../run-events.ts";
import { Crowd } from "./crowd.ts";

/** Commits of so many events each, after so many of others. */
function commits(crowd: Crowd, count: number, others: number, own: number = 2): void {
  for (let n = 0; n < count; n++) {
    const first = 1 + others + (places.get(crowd) ?? 0);
    const events = Array.from({ length: own }, (_, index) => ({ seq: first + index }) as StoredEvent);
    crowd.committed(events);
    places.set(crowd, first + own - 1);
  }
}
const places = new Map<Crowd, number>();

describe("a process among others", () => {
  test("is crowded once others wrote twice as much before four of its commits, and no more after two without", () => {
    const crowd = new Crowd(() => true);
    commits(crowd, 1, 0);
    commits(crowd, 3, 4);
    expect(crowd.isDense).toBe(false);
    commits(crowd, 1, 4);
    expect([crowd.isDense, crowd.isAlone]).toEqual([true, false]);
    commits(crowd, 1, 3);
    expect(crowd.isDense).toBe(false);
    expect(crowd.wasDense).toBe(true);
    commits(crowd, 64, 1);
    expect([crowd.wasDense, crowd.hasOthers]).toEqual([false, true]);
  });

  test("takes them to be busy until it knows better, and itself to be alone where nobody said that he is there", () => {
    const [among, alone] = [new Crowd(() => true), new Crowd(() => false)];
    expect([among.wasDense, among.hasOthers]).toEqual([true, true]);
    expect([alone.wasDense, alone.hasOthers]).toEqual([false, false]);
    commits(alone, 1, 0);
    // Whoever cannot be heard is seen by what he writes.
    commits(alone, 1, 5);
    expect(alone.hasOthers).toBe(true);
    commits(alone, 3, 0);
    expect([alone.isAlone, alone.hasOthers]).toEqual([true, true]);
    commits(alone, 1_000, 0);
    expect(alone.hasOthers).toBe(false);
  });
});

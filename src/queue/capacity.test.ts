import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { admission } from "./capacity.ts";

const limits = { slots: 10, memoryPerSlot: 100, warning: 0.8, critical: 0.9 };
const at = (share: number, used = { slots: 0, memory: 0 }) =>
  admission(limits, used, { limit: 10_000, used: share * 10_000, source: "test" });

describe("what may start now", () => {
  test("is what running orders leave of slots and memory", () => {
    expect(at(0.5, { slots: 4, memory: 700 }).free).toEqual({ slots: 6, memory: 300 });
  });

  test("shrinks from the warning mark on, to one slot just below the critical mark", () => {
    expect([0.79, 0.8, 0.85, 0.899].map((share) => at(share).slots)).toEqual([10, 10, 5, 1]);
    expect(at(0.85, { slots: 7, memory: 700 }).free.slots).toBe(0);
  });

  test("is nothing from the critical mark on", () => {
    expect(at(0.9)).toMatchObject({ level: "critical", slots: 0, free: { slots: 0, memory: 0 } });
  });

  test("never grows when more memory is in use, and is never negative", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(share, share, fc.nat(20), (a, b, slots) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)];
        const used = { slots, memory: slots * 100 };
        expect(at(more, used).free.slots).toBeLessThanOrEqual(at(less, used).free.slots);
        expect(at(more, used).free.slots).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test("with both marks at the same place there is no stretch in between", () => {
    const same = { ...limits, warning: 0.9 };
    const reading = (share: number) => ({ limit: 100, used: share * 100, source: "test" });
    expect(admission(same, { slots: 0, memory: 0 }, reading(0.89)).slots).toBe(10);
    expect(admission(same, { slots: 0, memory: 0 }, reading(0.9)).slots).toBe(0);
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrivalAfter, arrivalUnder, beginnings } from "./line-limit.ts";

describe("the rate of a limit key", () => {
  test("without one, any number may begin at once", () => {
    expect(beginnings({ concurrency: 1 }, 0, 5)).toEqual({ now: Number.POSITIVE_INFINITY, nextAt: 5 });
    expect(arrivalAfter({}, 7, 5)).toBe(7);
  });

  test("lets a burst begin, then one at a time", () => {
    const limit = { rate: { limit: 3, perMs: 1_000 } };
    let arrival = 0;
    const begin = (now: number): void => {
      arrival = arrivalAfter(limit, arrival, now);
    };
    expect(beginnings(limit, arrival, 5_000).now).toBe(3);
    for (let n = 0; n < 3; n++) begin(5_000);
    expect(beginnings(limit, arrival, 5_000)).toEqual({ now: 0, nextAt: 5_334 });
    expect(beginnings(limit, arrival, 5_333).now).toBe(0);
    expect(beginnings(limit, arrival, 5_334).now).toBe(1);
    begin(5_334);
    expect(beginnings(limit, arrival, 5_334)).toEqual({ now: 0, nextAt: 5_667 });
    expect(beginnings(limit, arrival, 7_000).now).toBe(3);
  });

  test("counts what has begun under the rate that follows, and from now where there was none", () => {
    const [slow, fast] = [{ rate: { limit: 4, perMs: 8_000 } }, { rate: { limit: 5, perMs: 1_000 } }];
    let arrival = 0;
    for (let n = 0; n < 3; n++) arrival = arrivalAfter(slow, arrival, 100);
    expect(beginnings(fast, arrivalUnder(fast, slow, arrival, 100), 100).now).toBe(2);
    const there = arrivalUnder(fast, slow, arrival, 100);
    expect(arrivalUnder(slow, fast, there, 100)).toBeCloseTo(arrival, 6);
    expect(beginnings(slow, arrivalUnder(slow, { concurrency: 1 }, arrival, 100), 100).now).toBe(4);
    expect(arrivalUnder({ concurrency: 1 }, slow, arrival, 100)).toBe(100);
  });

  test("is not held up by what is left of a slower one", () => {
    const limit = { rate: { limit: 2, perMs: 1_000 } };
    let arrival = 3_600_000;
    expect(beginnings(limit, arrival, 0)).toEqual({ now: 0, nextAt: 500 });
    arrival = arrivalAfter(limit, arrival, 500);
    expect(beginnings(limit, arrival, 500)).toEqual({ now: 0, nextAt: 1_000 });
    arrival = arrivalAfter(limit, arrival, 1_000);
    expect(beginnings(limit, arrival, 4_000).now).toBe(2);
  });

  test("is never passed by more than its burst, and the time it names is the first that allows one", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 200 });
    const figures = [fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 5_000 })] as const;
    fc.assert(
      fc.property(gaps, ...figures, (waits, most, perMs) => {
        const limit = { rate: { limit: most, perMs } };
        const begun: number[] = [];
        let [now, arrival] = [1_000_000, 0];
        for (const wait of waits) {
          now += wait;
          const allowed = beginnings(limit, arrival, now);
          if (allowed.now < most) {
            const { nextAt } = beginnings(limit, arrival, now, allowed.now);
            expect(beginnings(limit, arrival, nextAt).now).toBeGreaterThan(allowed.now);
            expect(beginnings(limit, arrival, nextAt - 1).now).toBe(allowed.now);
          }
          if (allowed.now === 0) {
            expect(beginnings(limit, arrival, allowed.nextAt).now).toBeGreaterThan(0);
            expect(beginnings(limit, arrival, allowed.nextAt - 1).now).toBe(0);
            continue;
          }
          arrival = arrivalAfter(limit, arrival, now);
          begun.push(now);
        }
        // In any stretch of time: the burst, and one for each distance that fits into it.
        for (const from of begun) {
          for (const to of begun) {
            const between = begun.filter((at) => at >= from && at <= to).length;
            if (to >= from) expect(between).toBeLessThanOrEqual(most + ((to - from) * most) / perMs + 0.01);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});

import { describe, expect, test } from "vitest";
import type { OrderRecord } from "../store/index.ts";
import { viewBacklog } from "./backlog.ts";

const order = (id: string, slots: number, more: Partial<OrderRecord> = {}): OrderRecord =>
  ({ id, slots, memory: slots * 10, priority: 0, runAt: 0, ...more }) as OrderRecord;
const room = { total: { slots: 4, memory: 40 }, free: { slots: 1, memory: 10 } };

describe("the head of the backlog", () => {
  test("room is kept for the first order once it has waited long enough", () => {
    const waiting = [order("big", 3), order("small", 1)];
    expect(viewBacklog(waiting, room, 59_999, 60_000).reserveFor).toBeUndefined();
    expect(viewBacklog(waiting, room, 60_000, 60_000).reserveFor?.id).toBe("big");
  });

  test("no room is kept for one that others come before, fits, or has not come to its time", () => {
    const urgent = order("urgent", 1, { priority: 5 });
    expect(viewBacklog([order("big", 3), urgent], room, 90_000, 60_000).reserveFor).toBeUndefined();
    expect(viewBacklog([order("small", 1)], room, 90_000, 60_000).reserveFor).toBeUndefined();
    expect(
      viewBacklog([order("later", 3, { runAt: 80_000 })], room, 70_000, 60_000).reserveFor,
    ).toBeUndefined();
  });

  test("an order larger than everything is named and does not hold up the others", () => {
    const view = viewBacklog([order("huge", 5), order("big", 3)], room, 90_000, 60_000);
    expect(view.tooLarge.map(({ id }) => id)).toEqual(["huge"]);
    expect(view.reserveFor?.id).toBe("big");
  });
});

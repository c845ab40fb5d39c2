import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newOrder } from "../../testing/store-contract/tools.ts";
import type { Capacity } from "../order-records.ts";
import { chooseOrders, mayDo } from "../orders/choice.ts";
import { byRank, type OrderRow, submittedRow } from "../orders/row.ts";
import { sizeClass } from "../size-class.ts";
import { ClaimLine } from "./claim-line.ts";

interface Wish {
  readonly priority: number;
  readonly turn: number;
  readonly slots: number;
  readonly memory: number;
  readonly kind: string;
  readonly tag: boolean;
  readonly limited: boolean;
}

const wish: fc.Arbitrary<Wish> = fc.record({
  priority: fc.integer({ min: 0, max: 2 }),
  turn: fc.integer({ min: 1, max: 20 }),
  slots: fc.constantFrom(1, 1, 1, 2, 3, 17),
  memory: fc.constantFrom(0, 100, 100, 120, 300),
  kind: fc.constantFrom("noop", "noop", "other"),
  tag: fc.boolean(),
  limited: fc.nat({ max: 19 }).map((n) => n === 0),
});

let made = 0;
function waiting({ tag, limited, ...more }: Wish): OrderRow {
  const order = newOrder(`o${++made}`, {
    ...more,
    tags: tag ? ["gpu"] : [],
    limitKey: limited ? "k" : null,
  });
  return { ...submittedRow({ ...order, turn: more.turn }), waits: "room" };
}

const capacityOf = (slots: number, memory: number, max: number, more: Partial<Capacity> = {}): Capacity => ({
  slots,
  memory,
  max,
  kinds: ["noop"],
  starts: ["noop"],
  tags: [],
  ...more,
});

const suits = (row: OrderRow, { kinds, tags }: Capacity): boolean =>
  mayDo(row, new Set(kinds), new Set(tags));

/** What a claim reads of all that wait: the best of each class that may fit. */
function read(rows: Iterable<OrderRow>, asked: Capacity): readonly OrderRow[] {
  const largest = sizeClass(asked.slots, asked.memory);
  const classes = Map.groupBy(
    [...rows].filter((row) => {
      const fits =
        Math.floor(row.sizeClass / 64) <= Math.floor(largest / 64) && row.sizeClass % 64 <= largest % 64;
      return fits && suits(row, asked);
    }),
    (row) => `${row.sizeClass} ${row.kind} ${row.tags.join()}`,
  );
  return [...classes.values()].flatMap((all) => all.toSorted(byRank).slice(0, asked.max));
}

const capacity = fc
  .record({
    slots: fc.integer({ min: 0, max: 20 }),
    memory: fc.constantFrom(0, 100, 110, 250, 2_000),
    max: fc.integer({ min: 1, max: 6 }),
    tags: fc.constantFrom<readonly string[]>([], ["gpu"]),
    kinds: fc.constantFrom<readonly string[]>(["noop"], ["noop", "other"]),
  })
  .map(({ slots, memory, max, ...more }) => capacityOf(slots, memory, max, more));

describe("the orders that the next claims will take", () => {
  test("are those that a look at everything would choose, whatever comes and goes meanwhile", () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant("claim" as const), capacity }) },
      fc.record({ do: fc.constant("submit" as const), wish }),
      fc.record({ do: fc.constant("cancel" as const), which: fc.nat() }),
      fc.record({ do: fc.constant("prioritise" as const), which: fc.nat(), priority: fc.nat({ max: 3 }) }),
    );
    let certain = 0;
    fc.assert(
      fc.property(
        fc.array(wish, { minLength: 5, maxLength: 25 }),
        capacity,
        fc.integer({ min: 1, max: 12 }),
        fc.array(step, { minLength: 1, maxLength: 12 }),
        (first, asked, ahead, steps) => {
          const all = new Map(first.map(waiting).map((row) => [row.id, row]));
          const deep = { ...asked, max: asked.max + ahead };
          const line = new ClaimLine(deep, read(all.values(), deep), 0);
          for (const each of steps) {
            if (each.do === "submit") {
              const row = waiting(each.wish);
              all.set(row.id, row);
              line.wrote(row);
              continue;
            }
            if (each.do !== "claim") {
              const row = [...all.values()][each.which % Math.max(1, all.size)];
              if (row === undefined) continue;
              all.delete(row.id);
              const after: OrderRow =
                each.do === "cancel" ? { ...row, waits: null } : { ...row, priority: each.priority };
              if (after.waits !== null) all.set(after.id, after);
              line.wrote(after);
              continue;
            }
            // A worker asks with what is free of the same whole, mostly.
            const wanted = each.capacity.max === 6 ? each.capacity : { ...asked, max: each.capacity.max };
            const best = line.best(wanted, 0);
            if (best === undefined) continue;
            certain++;
            expect(best.some(({ limitKey }) => limitKey !== null)).toBe(false);
            const right = chooseOrders(
              [...all.values()].filter((row) => suits(row, wanted)),
              wanted,
            );
            expect(best.map(({ id }) => id)).toEqual(right.map(({ id }) => id));
            for (const row of best) {
              all.delete(row.id);
              line.wrote({ ...row, waits: null, state: "RUNNING" });
            }
          }
        },
      ),
      { numRuns: 2_000 },
    );
    expect(certain).toBeGreaterThan(500);
  });

  const simple = (n: number, more: Partial<Wish> = {}): OrderRow =>
    waiting({ priority: 0, turn: n, slots: 1, memory: 0, kind: "noop", tag: false, limited: false, ...more });
  const asked = capacityOf(4, 100, 10);

  test("are not known any more after a quarter of a second: a delayed order may have come unseen", () => {
    const line = new ClaimLine(asked, [simple(1), simple(2)], 1_000);
    expect(line.best({ ...asked, max: 1 }, 1_250)).toHaveLength(1);
    expect(line.best({ ...asked, max: 1 }, 1_251)).toBeUndefined();
  });

  test("are no more than fit into memory", () => {
    const large = Array.from({ length: 10 }, (_, n) => ({
      ...simple(n + 1),
      payload: "x".repeat(1_000_000),
    }));
    const line = new ClaimLine(asked, large, 0);
    expect(line.size).toBe(3);
    expect(line.worth).toBeLessThan(6);
    expect(line.best({ ...asked, max: 3 }, 0)?.map(({ turn }) => turn)).toEqual([1, 2, 3]);
    expect(line.best({ ...asked, max: 4 }, 0)).toBeUndefined();
  });

  test("are over when the last one was taken and none was beyond", () => {
    const [only] = [simple(1)];
    const line = new ClaimLine(asked, [only], 0);
    line.wrote({ ...only, waits: null });
    expect(line.isOver).toBe(true);
    const more = new ClaimLine({ ...asked, max: 1 }, [only], 0);
    more.wrote({ ...only, waits: null });
    expect(more.isOver).toBe(false);
  });
});

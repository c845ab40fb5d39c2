import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalForm, canonicalJson } from "../core/index.ts";
import type { MovedOrder, OrdersTold } from "./order-events.ts";
import { ordersTold, toldOnce } from "./orders-told.ts";

const moved = (id: string, more: Partial<MovedOrder> = {}): MovedOrder =>
  canonicalForm({ attempt: 1, fence: 1, from: "RUNNING", id, to: "COMPLETED", worker: "w1", ...more });

const state = fc.constantFrom("PENDING", "RUNNING", "COMPLETED") as fc.Arbitrary<MovedOrder["to"]>;
const json = fc.constantFrom(null, 1, "x", [1, 2], { a: null });
const set = fc.record(
  { endedAt: fc.constantFrom(1, 2), error: fc.constant(null), result: json },
  { requiredKeys: [] },
);
const entry = fc.record(
  {
    id: fc.string(),
    from: state,
    to: state,
    attempt: fc.nat(2),
    fence: fc.nat(2),
    worker: fc.constantFrom(null, "w1", "w2"),
    note: fc.constantFrom("", "n"),
    set,
    turn: fc.nat(1),
  },
  { requiredKeys: ["id", "from", "to", "attempt", "fence", "worker"] },
) as unknown as fc.Arbitrary<MovedOrder>;

describe("orders of one event", () => {
  test("come out of it as they went in, whatever some of them have in common", () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 12 }), (list) => {
        const entries = list.map((one) => canonicalForm(one));
        const told = toldOnce(entries);
        const text = canonicalJson(told);
        expect(ordersTold(JSON.parse(text) as OrdersTold<MovedOrder>)).toEqual(entries);
        // It is hashed as it stands: members are in the order of canonical JSON already.
        expect(JSON.stringify(told)).toBe(text);
      }),
    );
  });

  test("name what most of them have alike once, and each what it has otherwise", () => {
    const ended = { endedAt: 7, error: null };
    const told = toldOnce([
      moved("a", { set: { ...ended, result: null } }),
      moved("b", { set: { ...ended, result: { n: 1 } }, fence: 2 }),
      moved("c", { set: { ...ended, endedAt: 8, result: null } }),
    ]);
    expect(told).toEqual({
      every: {
        attempt: 1,
        fence: 1,
        from: "RUNNING",
        to: "COMPLETED",
        worker: "w1",
        set: { ...ended, result: null },
      },
      orders: [
        { id: "a" },
        { id: "b", fence: 2, set: { result: { n: 1 } } },
        { id: "c", set: { endedAt: 8 } },
      ],
    });
  });

  test("share nothing that one of them does not have at all", () => {
    const told = toldOnce([moved("a", { note: "n" }), moved("b", { note: "n" }), moved("c")]);
    expect(told.orders.map(({ note }) => note)).toEqual(["n", "n", undefined]);
    expect(told.every).not.toHaveProperty("note");
  });

  test("stand as they are where there is only one, and in events of earlier programs", () => {
    expect(toldOnce([moved("a")])).toEqual({ orders: [moved("a")] });
    expect(ordersTold({ orders: [moved("a"), moved("b")] })).toEqual([moved("a"), moved("b")]);
  });

  test("a thousand claimed together take a quarter of the text", () => {
    const worker = "a-machine/4026531836:81234:1234567";
    const entries = Array.from({ length: 1_000 }, (_, n) =>
      moved(`01m80e5xg7616tgdjfc8q${n}`, { from: "PENDING", to: "PREPARING", worker }),
    );
    const [once, each] = [toldOnce(entries), { orders: entries }].map((told) => canonicalJson(told).length);
    expect(once).toBeLessThan(Number(each) * 0.3);
  });
});

import { expect, test } from "vitest";
import { newOrder } from "../../testing/store-contract/tools.ts";
import { orderColumns } from "../order-rows.ts";
import { type OrderRow, submittedRow } from "../orders/row.ts";
import { bitOf, differences, submittedAlike } from "./row-difference.ts";

const row = submittedRow({ ...newOrder("a", { payload: { n: 1 }, tags: ["gpu"] }), turn: 1 });
/** Another value for a member. */
const changed = (member: keyof OrderRow): OrderRow => ({ ...row, [member]: ["something else"] });

test("each member of a row either counts as a change by a bit of its own, or is as it was submitted", () => {
  const bits = new Set<number>();
  for (const { member } of orderColumns) {
    const bit = (bitOf as Readonly<Partial<Record<string, number>>>)[member];
    expect(differences(row, changed(member)), member).toBe(bit ?? 0);
    const told = ["id", "payload", "carrier"].includes(member);
    expect(submittedAlike(row, changed(member)), member).toBe(bit !== undefined || told);
    if (bit !== undefined) bits.add(bit);
  }
  expect(bits.size).toBe(Object.keys(bitOf).length);
  expect(differences(row, { ...row })).toBe(0);
  expect(differences(row, { ...changed("state"), turn: 2 })).toBe(bitOf.state | bitOf.turn);
});

test("orders without tags were submitted alike, whichever list says so", () => {
  const none = { ...row, tags: [] };
  expect(submittedAlike(none, { ...none, tags: [] })).toBe(true);
  expect(submittedAlike(none, row)).toBe(false);
});

import { expect, test } from "vitest";
import { orderCell, orderColumns, toOrderCells } from "../order-rows.ts";
import { type OrderRow, submittedRow } from "../orders/row.ts";
import { changeBit, changedMembers } from "./changed-members.ts";

const row: OrderRow = {
  ...submittedRow({
    id: "a",
    queue: "q",
    kind: "k",
    payload: { b: [1] },
    priority: 1,
    memory: 2,
    slots: 3,
    tags: ["gpu"],
    maxRetries: 4,
    timeoutMs: 5,
    tenant: "t",
    limitKey: "l",
    runAt: 6,
    uniqueKey: "u",
    uniqueUntil: 7,
    after: [],
    ifAfterFails: "run",
    createdAt: 8,
    carrier: { trace: "x" },
    turn: 9,
  }),
  trail: [1, 20],
};

test("a change of each member that can change is seen, by its own bit", () => {
  const bits = new Set<number>();
  for (const { member } of orderColumns) {
    const bit = changeBit[member];
    const found = changedMembers(row, { ...row, [member]: "another value" });
    expect(found, member).toBe(bit ?? 0);
    if (bit !== undefined) bits.add(bit);
  }
  expect(bits.size).toBe(Object.keys(changeBit).length);
  expect(changedMembers(row, { ...row })).toBe(0);
});

test("what never changes is what was submitted, and where it stands by its size", () => {
  const fixed = orderColumns.map(({ member }) => member).filter((member) => changeBit[member] === undefined);
  expect(fixed).toEqual([
    "id",
    "queue",
    "kind",
    "payload",
    "memory",
    "slots",
    "tags",
    "maxRetries",
    "timeoutMs",
    "tenant",
    "limitKey",
    "createdAt",
    "carrier",
    "sizeClass",
    "ifAfterFails",
  ]);
});

test("all cells of a row are the cells of its columns, in their order", () => {
  expect(toOrderCells(row)).toEqual(orderColumns.map((column) => orderCell(row, column)));
});

import { expect, test } from "vitest";
import { orderCell, orderColumns, toOrderCells } from "../order-rows.ts";
import { changeBit, changedMembers, submittedAlike } from "./changed-members.ts";
import { type OrderRow, submittedRow } from "./row.ts";

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

test("each member either counts as a change, by a bit of its own, or is as it was submitted", () => {
  const bits = new Set<number>();
  for (const { member } of orderColumns) {
    const bit = changeBit[member];
    const other = { ...row, [member]: ["another value"] };
    expect(changedMembers(row, other), member).toBe(bit ?? 0);
    const told = ["id", "payload", "carrier"].includes(member);
    expect(submittedAlike(row, other), member).toBe(bit !== undefined || told);
    if (bit !== undefined) bits.add(bit);
  }
  expect(bits.size).toBe(Object.keys(changeBit).length);
  expect(changedMembers(row, { ...row })).toBe(0);
  const both = (changeBit.state ?? 0) | (changeBit.turn ?? 0);
  expect(changedMembers(row, { ...row, state: "RUNNING", turn: 2 })).toBe(both);
});

test("orders without tags were submitted alike, whichever list says so", () => {
  const none = { ...row, tags: [] };
  expect(submittedAlike(none, { ...none, tags: [] })).toBe(true);
  expect(submittedAlike(none, row)).toBe(false);
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

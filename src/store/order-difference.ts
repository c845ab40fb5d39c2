import { type OrderCells, orderColumns } from "./order-rows.ts";
import { isHeld } from "./orders/row.ts";
import { noTurn } from "./orders/turns.ts";
import type { Differing } from "./replayed-rows.ts";
import type { RowValue } from "./row-change.ts";

const places: ReadonlyMap<string, number> = new Map(orderColumns.map(({ name }, place) => [name, place]));
const place = (name: string): number => places.get(name) ?? -1;
const at = {
  state: place("state"),
  turn: place("turn"),
  waits: place("waits"),
  dueAt: place("due_at"),
  blockedBy: place("blocked_by"),
  leaseUntil: place("lease_until"),
  followed: place("followed"),
  trail: place("trail"),
  progressedIn: place("progressed_in"),
} as const;

/**
 * The first column in which the row of an order is not what the events make of it. Left out is what claims may write down
 * later without an event: how long a lease runs, for which of room, time and limit a PENDING order waits once it has its
 * turn, and whether followers are still to be told.
 * @param mayWaitForMore whether it may wait for more than are left: followers that are many are told later
 */
export function differingOrder(
  expected: OrderCells,
  found: OrderCells,
  mayWaitForMore: () => boolean,
): Differing | undefined {
  for (const [index, { name }] of orderColumns.entries()) {
    const wanted = wantedCell(index, expected, found, mayWaitForMore);
    const had = found[index] ?? null;
    if (wanted === had || (wanted !== null && had !== null && String(wanted) === String(had))) continue;
    return {
      brokenAt: toldIn(expected),
      row: { ...key(expected), column: name, expected: wanted, found: had },
    };
  }
  return undefined;
}

/** An order whose row is gone: the events tell of work that is still to be done. */
export const missingOrder = (expected: OrderCells): Differing => ({
  brokenAt: toldIn(expected),
  row: { ...key(expected), column: null, expected: "a row", found: null },
});

/** @param newest the event up to which both were read */
export const strayOrder = (found: OrderCells, newest: number): Differing => ({
  brokenAt: newest,
  row: { ...key(found), column: null, expected: null, found: "a row" },
});

const key = ([id]: OrderCells): { readonly table: string; readonly key: { readonly id: string } } => ({
  table: "orders",
  key: { id },
});

/** The newest event that an order is told of. */
function toldIn(cells: OrderCells): number {
  const trail = JSON.parse(String(cells[at.trail])) as readonly number[];
  return Math.max(trail.at(-1) ?? 0, Number(cells[at.progressedIn] ?? 0));
}

/** What has to stand in a column; what was found where anything may. */
function wantedCell(
  index: number,
  expected: OrderCells,
  found: OrderCells,
  mayWaitForMore: () => boolean,
): RowValue {
  const told = expected[index] ?? null;
  const had = found[index] ?? null;
  const isPending = expected[at.state] === "PENDING";
  switch (index) {
    case at.followed:
      return had;
    case at.leaseUntil:
      return isHeld(expected[3]) === (had !== null) ? had : told;
    case at.blockedBy:
      return isPending && Number(had) > Number(told) && mayWaitForMore() ? had : told;
    case at.dueAt:
      return !isPending || waitsForItsTime(expected) ? told : had;
    case at.waits: {
      if (!isPending || waitsForItsTime(expected)) return told;
      if (Number(found[at.blockedBy]) > 0) return "orders";
      return had === "room" || had === "time" || had === "limit" ? had : "room";
    }
    default:
      return told;
  }
}

/** It has no turn yet: an event tells when its time has come. */
const waitsForItsTime = (cells: OrderCells): boolean =>
  cells[at.waits] === "time" && cells[at.turn] === noTurn;

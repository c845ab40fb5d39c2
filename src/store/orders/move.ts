import type { MovedOrder } from "../order-events.ts";
import { isFinished, isHeld, type OrderRow } from "./row.ts";

/**
 * What a transition makes of a row. One that goes back to PENDING is not placed yet.
 * @param leaseUntil of one that is held afterwards
 */
export function movedRow(
  row: OrderRow,
  moved: MovedOrder,
  at: number,
  // Held without a claim it has a lease that is over.
  leaseUntil: number = row.leaseUntil ?? at,
): OrderRow {
  const { to, set = {} } = moved;
  const pending = to === "PENDING";
  return {
    ...row,
    ...set,
    state: to,
    attempt: moved.attempt,
    worker: moved.worker,
    fence: moved.fence,
    turn: moved.turn ?? row.turn,
    leaseUntil: isHeld(to) ? leaseUntil : null,
    endedAt: isFinished(to) ? (set.endedAt ?? at) : null,
    waits: pending ? "orders" : null,
    blockedBy: pending ? row.blockedBy : 0,
    dueAt: to === "WAITING_RETRY" ? (set.runAt ?? row.runAt) : null,
  };
}

/**
 * Says what a PENDING order waits for. One with a limit key waits for its limit first; `settleLine` then lets in whom
 * the limit has room for.
 */
export function placed(row: OrderRow, at: number): OrderRow {
  if (row.state !== "PENDING") return row;
  if (row.blockedBy > 0) return { ...row, waits: "orders", dueAt: null };
  if (row.runAt > at) return { ...row, waits: "time", dueAt: row.runAt };
  return { ...row, waits: row.limitKey === null ? "room" : "limit", dueAt: null };
}

/** The entry of a transition; members in the order of canonical JSON, which then is plain JSON. */
export function movedOrder(
  row: OrderRow,
  to: MovedOrder["to"],
  more: Partial<Pick<MovedOrder, "attempt" | "fence" | "note" | "set" | "turn" | "worker">>,
  from: MovedOrder["from"] = row.state,
): MovedOrder {
  return {
    attempt: more.attempt ?? row.attempt,
    fence: more.fence ?? row.fence,
    from,
    id: row.id,
    ...(more.note === undefined ? {} : { note: more.note }),
    ...(more.set === undefined ? {} : { set: more.set }),
    to,
    ...(more.turn === undefined ? {} : { turn: more.turn }),
    worker: more.worker === undefined ? row.worker : more.worker,
  };
}

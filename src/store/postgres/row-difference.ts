import type { OrderRow } from "../orders/row.ts";

/** What is said of an order when it is submitted, and never again. */
export type FixedMember =
  | "id"
  | "queue"
  | "kind"
  | "payload"
  | "memory"
  | "slots"
  | "tags"
  | "maxRetries"
  | "timeoutMs"
  | "tenant"
  | "limitKey"
  | "createdAt"
  | "carrier"
  | "sizeClass"
  | "ifAfterFails";

/** A bit for each member that a transition may change. */
export const bitOf: Readonly<Record<Exclude<keyof OrderRow, FixedMember>, number>> = {
  state: 1,
  priority: 1 << 1,
  attempt: 1 << 2,
  uniqueKey: 1 << 3,
  runAt: 1 << 4,
  startedAt: 1 << 5,
  endedAt: 1 << 6,
  worker: 1 << 7,
  fence: 1 << 8,
  leaseUntil: 1 << 9,
  cancelRequested: 1 << 10,
  waits: 1 << 11,
  blockedBy: 1 << 12,
  sandbox: 1 << 13,
  progress: 1 << 14,
  result: 1 << 15,
  error: 1 << 16,
  usage: 1 << 17,
  crashes: 1 << 18,
  turn: 1 << 19,
  uniqueUntil: 1 << 20,
  followed: 1 << 21,
  dueAt: 1 << 22,
  trail: 1 << 23,
  progressedIn: 1 << 24,
};

/**
 * Members in which two rows are not the same value or object. Written out: asked by name, twenty-five members of each row
 * were a twentieth of what this process does for an order.
 */
export function differences(a: OrderRow, b: OrderRow): number {
  return (
    (a.state === b.state ? 0 : bitOf.state) |
    (a.priority === b.priority ? 0 : bitOf.priority) |
    (a.attempt === b.attempt ? 0 : bitOf.attempt) |
    (a.uniqueKey === b.uniqueKey ? 0 : bitOf.uniqueKey) |
    (a.runAt === b.runAt ? 0 : bitOf.runAt) |
    (a.startedAt === b.startedAt ? 0 : bitOf.startedAt) |
    (a.endedAt === b.endedAt ? 0 : bitOf.endedAt) |
    (a.worker === b.worker ? 0 : bitOf.worker) |
    (a.fence === b.fence ? 0 : bitOf.fence) |
    (a.leaseUntil === b.leaseUntil ? 0 : bitOf.leaseUntil) |
    (a.cancelRequested === b.cancelRequested ? 0 : bitOf.cancelRequested) |
    (a.waits === b.waits ? 0 : bitOf.waits) |
    (a.blockedBy === b.blockedBy ? 0 : bitOf.blockedBy) |
    (a.sandbox === b.sandbox ? 0 : bitOf.sandbox) |
    (a.progress === b.progress ? 0 : bitOf.progress) |
    (a.result === b.result ? 0 : bitOf.result) |
    (a.error === b.error ? 0 : bitOf.error) |
    (a.usage === b.usage ? 0 : bitOf.usage) |
    (a.crashes === b.crashes ? 0 : bitOf.crashes) |
    (a.turn === b.turn ? 0 : bitOf.turn) |
    (a.uniqueUntil === b.uniqueUntil ? 0 : bitOf.uniqueUntil) |
    (a.followed === b.followed ? 0 : bitOf.followed) |
    (a.dueAt === b.dueAt ? 0 : bitOf.dueAt) |
    (a.trail === b.trail ? 0 : bitOf.trail) |
    (a.progressedIn === b.progressedIn ? 0 : bitOf.progressedIn)
  );
}

/** Whether two orders were submitted alike: all that never changes, but for id, payload and carrier. */
export function submittedAlike(a: OrderRow, b: OrderRow): boolean {
  return (
    a.queue === b.queue &&
    a.kind === b.kind &&
    a.memory === b.memory &&
    a.slots === b.slots &&
    (a.tags === b.tags || (a.tags.length === 0 && b.tags.length === 0)) &&
    a.maxRetries === b.maxRetries &&
    a.timeoutMs === b.timeoutMs &&
    a.tenant === b.tenant &&
    a.limitKey === b.limitKey &&
    a.createdAt === b.createdAt &&
    a.sizeClass === b.sizeClass &&
    a.ifAfterFails === b.ifAfterFails
  );
}

import type { OrderRow } from "./row.ts";

/** What is said of an order when it is submitted, and never again. */
type FixedMember =
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

const bits: Readonly<Record<Exclude<keyof OrderRow, FixedMember>, number>> = {
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

/** A bit for each member that a transition may change; the others never do. */
export const changeBit: Readonly<Partial<Record<keyof OrderRow, number>>> = bits;

/**
 * The bits of the members in which two states of an order are not the same value or object. Written out: asked by name, twenty-five
 * members of each row were a twentieth of what a process does for an order.
 */
export function changedMembers(a: OrderRow, b: OrderRow): number {
  return (
    (a.state === b.state ? 0 : bits.state) |
    (a.priority === b.priority ? 0 : bits.priority) |
    (a.attempt === b.attempt ? 0 : bits.attempt) |
    (a.uniqueKey === b.uniqueKey ? 0 : bits.uniqueKey) |
    (a.runAt === b.runAt ? 0 : bits.runAt) |
    (a.startedAt === b.startedAt ? 0 : bits.startedAt) |
    (a.endedAt === b.endedAt ? 0 : bits.endedAt) |
    (a.worker === b.worker ? 0 : bits.worker) |
    (a.fence === b.fence ? 0 : bits.fence) |
    (a.leaseUntil === b.leaseUntil ? 0 : bits.leaseUntil) |
    (a.cancelRequested === b.cancelRequested ? 0 : bits.cancelRequested) |
    (a.waits === b.waits ? 0 : bits.waits) |
    (a.blockedBy === b.blockedBy ? 0 : bits.blockedBy) |
    (a.sandbox === b.sandbox ? 0 : bits.sandbox) |
    (a.progress === b.progress ? 0 : bits.progress) |
    (a.result === b.result ? 0 : bits.result) |
    (a.error === b.error ? 0 : bits.error) |
    (a.usage === b.usage ? 0 : bits.usage) |
    (a.crashes === b.crashes ? 0 : bits.crashes) |
    (a.turn === b.turn ? 0 : bits.turn) |
    (a.uniqueUntil === b.uniqueUntil ? 0 : bits.uniqueUntil) |
    (a.followed === b.followed ? 0 : bits.followed) |
    (a.dueAt === b.dueAt ? 0 : bits.dueAt) |
    (a.trail === b.trail ? 0 : bits.trail) |
    (a.progressedIn === b.progressedIn ? 0 : bits.progressedIn)
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

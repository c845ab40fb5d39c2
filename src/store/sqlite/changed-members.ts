import type { OrderRow } from "../orders/row.ts";

/** A bit for each member of a row that can change after the submit; the others never do. */
export const changeBit: Readonly<Partial<Record<keyof OrderRow, number>>> = {
  state: 1,
  priority: 2,
  attempt: 4,
  uniqueKey: 8,
  uniqueUntil: 16,
  runAt: 32,
  startedAt: 64,
  endedAt: 128,
  worker: 256,
  fence: 512,
  leaseUntil: 1024,
  cancelRequested: 2048,
  waits: 4096,
  blockedBy: 8192,
  sandbox: 16384,
  progress: 32768,
  result: 65536,
  error: 131072,
  usage: 262144,
  crashes: 524288,
  turn: 1048576,
  followed: 2097152,
  dueAt: 4194304,
  trail: 8388608,
  progressedIn: 16777216,
};

/**
 * The bits of the members in which two states of an order differ. Written out: this is asked twice for each
 * order, and a loop over names looks each of them up.
 */
export function changedMembers(a: OrderRow, b: OrderRow): number {
  let set = 0;
  if (a.state !== b.state) set |= 1;
  if (a.priority !== b.priority) set |= 2;
  if (a.attempt !== b.attempt) set |= 4;
  if (a.uniqueKey !== b.uniqueKey) set |= 8;
  if (a.uniqueUntil !== b.uniqueUntil) set |= 16;
  if (a.runAt !== b.runAt) set |= 32;
  if (a.startedAt !== b.startedAt) set |= 64;
  if (a.endedAt !== b.endedAt) set |= 128;
  if (a.worker !== b.worker) set |= 256;
  if (a.fence !== b.fence) set |= 512;
  if (a.leaseUntil !== b.leaseUntil) set |= 1024;
  if (a.cancelRequested !== b.cancelRequested) set |= 2048;
  if (a.waits !== b.waits) set |= 4096;
  if (a.blockedBy !== b.blockedBy) set |= 8192;
  if (a.sandbox !== b.sandbox) set |= 16384;
  if (a.progress !== b.progress) set |= 32768;
  if (a.result !== b.result) set |= 65536;
  if (a.error !== b.error) set |= 131072;
  if (a.usage !== b.usage) set |= 262144;
  if (a.crashes !== b.crashes) set |= 524288;
  if (a.turn !== b.turn) set |= 1048576;
  if (a.followed !== b.followed) set |= 2097152;
  if (a.dueAt !== b.dueAt) set |= 4194304;
  if (a.trail !== b.trail) set |= 8388608;
  if (a.progressedIn !== b.progressedIn) set |= 16777216;
  return set;
}

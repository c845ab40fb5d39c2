import type { Clock } from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import { isAlive, type ProcessMark, processesWith, signal } from "../machine.ts";
import type { WorkTools } from "./sandbox.ts";

/** Names in the environment of a program that runs a work order. Persisted in running processes: never renamed. */
export const environmentNames = {
  order: "CUTOVER_ORDER_ID",
  kind: "CUTOVER_ORDER_KIND",
  fence: "CUTOVER_FENCE",
  attempt: "CUTOVER_ATTEMPT",
  key: "CUTOVER_IDEMPOTENCY_KEY",
  claim: "CUTOVER_CLAIM",
} as const;

/** How often processes are looked at while they are given time to end. */
const lookEveryMs = 20;

/**
 * Names one claim among all queues of all machines. Not the order's id alone: two stores may hold orders of the
 * same id, and ending the work of one must not touch the other's.
 */
export function claimMark(order: Pick<OrderRecord, "id" | "worker" | "fence">): string {
  return `${order.worker ?? ""} ${order.fence} ${order.id}`;
}

/** What a program is told of its claim, and found by after a crash. */
export function claimEnvironment(order: OrderRecord, tools: WorkTools): Record<string, string> {
  return {
    [environmentNames.order]: order.id,
    [environmentNames.kind]: order.kind,
    [environmentNames.fence]: String(tools.fence),
    [environmentNames.attempt]: String(tools.attempt),
    [environmentNames.key]: tools.idempotencyKey,
    [environmentNames.claim]: claimMark(order),
  };
}

/**
 * Every process that still belongs to a claim: the leader as it was recorded, and whoever carries the claim's mark
 * in its environment (a program started but not yet recorded, children, children that left the group).
 */
export function processesOf(claim: string, recorded?: ProcessMark): readonly ProcessMark[] {
  const found = processesWith(environmentNames.claim, claim);
  const known =
    recorded !== undefined && isAlive(recorded) && !found.some((mark) => mark.pid === recorded.pid);
  return known ? [recorded, ...found] : found;
}

/**
 * Ends processes: SIGTERM, up to `graceMs`, then SIGKILL. Each is checked by its start time right before a
 * signal, so a number that was given to another process meanwhile is left alone.
 */
export async function endProcesses(
  find: () => readonly ProcessMark[],
  graceMs: number,
  clock: Clock,
): Promise<void> {
  sendTo(find(), "SIGTERM");
  const limit = clock.monotonic() + graceMs;
  while (find().length > 0 && clock.monotonic() < limit) await wait(clock, Math.min(lookEveryMs, graceMs));
  // Until none is left: a process may have started another one between the look and the signal.
  for (let round = 0; round < 50; round++) {
    const left = find();
    if (left.length === 0) return;
    sendTo(left, "SIGKILL");
    await wait(clock, lookEveryMs);
  }
}

/** Sends a signal to those that are still the processes meant. */
export function sendTo(marks: readonly ProcessMark[], name: NodeJS.Signals): void {
  for (const mark of marks) if (isAlive(mark)) signal(mark.pid, name);
}

const wait = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(ms, resolve);
  });

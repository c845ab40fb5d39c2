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
/** Looks at processes that were killed: about a second, for one that the kernel holds on to. */
const mostLooks = 50;

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
 * Every process that still belongs to a claim: those known otherwise, e.g. the leader as it was recorded, and whoever
 * carries the claim's mark in its environment (a program started but not yet recorded, children, children that left the group).
 */
export function processesOf(claim: string, known: readonly ProcessMark[] = []): readonly ProcessMark[] {
  return withKnown(processesWith(environmentNames.claim, claim), known);
}

function withKnown(found: readonly ProcessMark[], known: readonly ProcessMark[]): readonly ProcessMark[] {
  const pids = new Set(found.map(({ pid }) => pid));
  return [...known.filter((mark) => !pids.has(mark.pid) && isAlive(mark)), ...found];
}

/**
 * Ends processes: SIGTERM, up to `graceMs`, then SIGKILL. Each is checked by its start time right before a
 * signal, so a number that was given to another process meanwhile is left alone. Resolves when they are gone.
 */
export async function endProcesses(
  find: () => readonly ProcessMark[],
  graceMs: number,
  clock: Clock,
): Promise<void> {
  // One that is ending has no environment any more while its memory is given back: once found, it is kept in sight.
  let known: readonly ProcessMark[] = [];
  const look = (): readonly ProcessMark[] => (known = withKnown(find(), known));
  sendTo(look(), "SIGTERM");
  const limit = clock.monotonic() + graceMs;
  while (look().length > 0 && clock.monotonic() < limit) await wait(clock, Math.min(lookEveryMs, graceMs));
  // Until none is left: a process may have started another one between the look and the signal.
  for (let round = 0; round < mostLooks; round++) {
    const left = look();
    if (left.length === 0) return;
    sendTo(left, "SIGKILL");
    await wait(clock, lookEveryMs);
  }
}

/** Waits until processes that were killed are gone: the signal returns at once, giving back much memory takes a while. */
export async function gone(marks: readonly ProcessMark[], clock: Clock): Promise<void> {
  let left = marks.filter(isAlive);
  for (let look = 0; left.length > 0 && look < mostLooks; look++) {
    // Most are gone after the first of these.
    await wait(clock, Math.min(lookEveryMs, 2 ** look));
    left = left.filter(isAlive);
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

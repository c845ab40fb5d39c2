import { asError, type Clock, CutoverError } from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import {
  isAlive,
  type ProcessMark,
  processesInGroup,
  type ProcessSeen,
  processesWith,
  processTable,
  signalProcess,
  valuesInEnvironments,
} from "../machine.ts";
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
/** How long a look that cannot be done (no descriptor is left) is tried again before processes are killed for good. */
const blindMs = 8_000;

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

/** What still belongs to a claim. */
export interface ClaimProcesses {
  readonly own: readonly ProcessMark[];
  /**
   * Of the group or session of a leader that is gone, when nothing proves that it is still the one meant: the number may
   * be another's by now.
   */
  readonly doubtful: readonly ProcessMark[];
}

/**
 * Every process that still belongs to a claim: whoever carries its mark in the environment (a program started but not yet
 * recorded, a child that left the group), the group and session of its leader, and all that descend from one of these.
 * The group is the leader's as long as the leader has its number, or one of the group carries the mark.
 * @throws CUTOVER_SANDBOX_UNAVAILABLE when the processes cannot be looked at now
 */
export function claimProcesses(claim: string, leader?: ProcessMark): ClaimProcesses {
  const table = processTable();
  const marked = processesWith(environmentNames.claim, claim, table);
  const isOf = ({ group, session }: ProcessSeen): boolean => group === leader?.pid || session === leader?.pid;
  // Younger than the leader: an older one cannot be its child.
  const members =
    leader === undefined
      ? []
      : [...table.values()].filter((seen) => isOf(seen) && ticks(seen) >= ticks(leader));
  const holder = leader === undefined ? undefined : table.get(leader.pid);
  const proven = holder === undefined ? marked.some(isOf) : holder.startTime === leader?.startTime;
  const own = withDescendants(proven ? [...marked, ...members] : marked, table).filter(running);
  // Without `/proc` there is nothing but the leader.
  const alone = leader !== undefined && table.size === 0 && isAlive(leader) ? [leader] : [];
  const doubtful = proven || holder !== undefined ? [] : members.filter(running);
  return { own: [...alone, ...own.map(mark)], doubtful: doubtful.map(mark) };
}

const running = ({ ended }: ProcessSeen): boolean => !ended;
const mark = ({ pid, startTime }: ProcessSeen): ProcessMark => ({ pid, startTime });
const ticks = ({ startTime }: ProcessMark): number => Number(startTime);

function withDescendants(
  first: readonly ProcessSeen[],
  table: ReadonlyMap<number, ProcessSeen>,
): readonly ProcessSeen[] {
  const children = Map.groupBy(table.values(), ({ parent }) => parent);
  const found = new Set(first);
  for (const parent of found)
    for (const child of children.get(parent.pid) ?? []) if (ticks(child) >= ticks(parent)) found.add(child);
  return [...found];
}

let looking: Promise<ReadonlySet<string>> | undefined;

/**
 * Claims that processes of this machine carry. One look for all who ask in one turn: many programs end together.
 * @throws CUTOVER_SANDBOX_UNAVAILABLE as `claimProcesses`
 */
export function claimsInSight(): Promise<ReadonlySet<string>> {
  looking ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    looking = undefined;
    return valuesInEnvironments(environmentNames.claim);
  });
  return looking;
}

function withKnown(found: readonly ProcessMark[], known: readonly ProcessMark[]): readonly ProcessMark[] {
  const pids = new Set(found.map(({ pid }) => pid));
  return [...known.filter((one) => !pids.has(one.pid) && isAlive(one)), ...found];
}

/**
 * Ends processes: SIGTERM, up to `graceMs`, then SIGKILL. Each is checked by its start time right before a
 * signal, so a number that was given to another process meanwhile is left alone. Resolves when they are gone.
 * @param known found before, whatever `find` says
 * @throws CUTOVER_SANDBOX_UNAVAILABLE when they do not end, or when it cannot be told whether they did
 */
export async function endProcesses(
  find: () => readonly ProcessMark[],
  graceMs: number,
  clock: Clock,
  known: readonly ProcessMark[] = [],
): Promise<void> {
  // One that is ending has no environment any more while its memory is given back: once found, it is kept in sight.
  let inSight = known;
  let trouble: Error | undefined;
  const nobodyLeft = (): boolean => {
    try {
      inSight = withKnown(find(), inSight);
      trouble = undefined;
    } catch (error) {
      trouble = asError(error);
    }
    return trouble === undefined && inSight.length === 0;
  };
  if (nobodyLeft()) return;
  sendTo(inSight, "SIGTERM");
  const limit = clock.monotonic() + graceMs;
  while (clock.monotonic() < limit && !nobodyLeft()) await wait(clock, Math.min(lookEveryMs, graceMs));
  // Until none is left: a process may have started another one between the look and the signal.
  const blindUntil = clock.monotonic() + blindMs;
  for (let looks = 0; looks < mostLooks && !(trouble !== undefined && clock.monotonic() > blindUntil);) {
    if (nobodyLeft()) return;
    sendTo(inSight, "SIGKILL");
    if (trouble === undefined) looks++;
    await wait(clock, lookEveryMs);
  }
  throw trouble ?? stillThere(inSight);
}

const stillThere = (left: readonly ProcessMark[]): CutoverError =>
  new CutoverError("CUTOVER_SANDBOX_UNAVAILABLE", {
    message: `expected killed processes to end, found ${pidList(left)} still there`,
    details: { pids: left.map(({ pid }) => pid) },
    remedy: "see what the system holds them in, e.g. a drive that does not answer",
  });

/** Numbers of processes, for people. */
export const pidList = (marks: readonly ProcessMark[]): string =>
  `processes ${marks.map(({ pid }) => pid).join(", ")}`;

/** Waits until what is left of a group that was killed is gone: see `gone`. */
export async function groupGone(group: number, clock: Clock): Promise<void> {
  for (let look = 0; look < mostLooks; look++) {
    try {
      return await gone(processesInGroup(group), clock);
    } catch {
      // A look that cannot be done now is done again.
      await wait(clock, lookEveryMs);
    }
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
  for (const one of marks) signalProcess(one, name);
}

const wait = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(ms, resolve);
  });
